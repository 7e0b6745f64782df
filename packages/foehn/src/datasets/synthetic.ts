// `synthetic`: training data without data: hourly states of a rotating shallow-water basin (sources/synthetic.ts).
// The configuration file is optional; everything has a default that suits a first experiment.

import { z } from "zod";
import { loadConfig, validateSettings } from "../core/config.js";
import { parseDuration } from "../core/time.js";
import { syntheticSchema, syntheticSource } from "../sources/synthetic.js";
import type { DatasetOptions, DatasetSplits } from "./dataset.js";
import { commonDatasetKeys, readPeriods } from "./gridded.js";
import { refuseData } from "./refuse-data.js";
import { openSourceDataset } from "./source-dataset.js";

/** Schema of the configuration file: what the basin is, and the keys that `gridded` has too. */
export const syntheticDatasetSchema = z.strictObject({
  ...commonDatasetKeys,
  basin: syntheticSchema.default(syntheticSchema.parse({})).describe("the shallow-water basin"),
});

/**
 * Opens the synthetic dataset: features `h`, `u`, `v`; no forcings, since nothing forces the basin.
 * @throws UsageError when it is given data, ConfigError for a configuration that is wrong
 */
export async function openSynthetic(options: DatasetOptions): Promise<DatasetSplits> {
  refuseData("synthetic", options);
  const { confPath } = options;
  const config = confPath
    ? loadConfig(confPath, syntheticDatasetSchema)
    : validateSettings(syntheticDatasetSchema, {}, "settings of synthetic");
  return openSourceDataset(
    syntheticSource(config.basin),
    {
      name: config.name ?? "synthetic",
      // Equal weights: the loss divides by the variance of each feature's differences already.
      variables: ["h", "u", "v"].map((name) => ({ name, role: "prognostic", weight: 1 })),
      stepSeconds: config.step === undefined ? undefined : parseDuration(config.step),
      periods: readPeriods(config.periods),
      isOfThisEarth: false,
      forcing: { date: false, insolation: false },
      statics: { borderSize: config.border_size },
      onNan: config.on_nan,
      memoryLimit: config.memory_limit_gb * 1e9,
    },
    options,
  );
}
