// Datasets that make their own values take no data: nobody may believe that his data were trained on when they were not read.

import { UsageError } from "../core/errors.js";
import type { DatasetOptions } from "./dataset.js";

/** @throws UsageError when the options name data for a dataset that reads none */
export function refuseData(name: string, { overrides }: DatasetOptions): void {
  if (overrides?.source === undefined) return;
  throw new UsageError(`the dataset ${name} makes its own values and reads no data, got ${overrides.source}`, {
    hint: "for your own data pass --dataset gridded; without --data the values are made up",
  });
}
