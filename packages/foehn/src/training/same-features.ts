// Whether data have what a network was trained on: features and forcings by name and order, with both sides and the nearest names
// in the message. What else must agree (grid, statistics, steps) depends on what is done, and is asked there.

import { ConfigError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { DatasetInfo } from "../datasets/dataset.js";

/** What is compared. */
export type FeatureNames = Pick<DatasetInfo, "forcingNames"> & {
  readonly features: readonly { readonly name: string }[];
};

/** Words of the message. */
export interface FeatureWords {
  /** Begins the sentence: "the data do not fit the run". */
  readonly what: string;
  readonly where?: string;
  /** When no name is near. */
  readonly hint: string;
}

/** @throws ConfigError with both sides */
export function checkSameFeatures(run: FeatureNames, data: FeatureNames, { what, where, hint }: FeatureWords): void {
  const lists: [string, readonly string[], readonly string[]][] = [
    ["features", run.features.map((f) => f.name), data.features.map((f) => f.name)],
    ["forcings", run.forcingNames, data.forcingNames],
  ];
  for (const [kind, mine, theirs] of lists) {
    if (mine.join() === theirs.join()) continue;
    const missing = mine.filter((name) => !theirs.includes(name));
    const extra = theirs.filter((name) => !mine.includes(name));
    const parts = [
      ...(missing.length > 0 ? [`the data lack ${missing.join(", ")}`] : []),
      ...(extra.length > 0 ? [`the run does not know ${extra.join(", ")}`] : []),
    ];
    const near = missing.map((name) => didYouMean(name, extra)).find((words) => words !== "");
    const differ = `${kind} differ${parts.length > 0 ? `: ${parts.join("; ")}` : " in their order"}`;
    const sides = `\n  run:  ${mine.join(", ") || "none"}\n  data: ${theirs.join(", ") || "none"}`;
    throw new ConfigError(`${what}: ${differ}${sides}`, { where, hint: near ? `${near} ${hint}` : hint });
  }
}
