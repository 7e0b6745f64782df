// The features of a dataset by what a model does with them.

import type { DatasetInfo, FeatureInfo } from "./dataset.js";

/** Features that a forecast carries from step to step: in the network's input and output. */
export function prognosticFeatures(info: Pick<DatasetInfo, "features">): FeatureInfo[] {
  return info.features.filter((feature) => feature.role !== "diagnostic");
}

/** Features that come out of the network and never go in. */
export function diagnosticFeatures(info: Pick<DatasetInfo, "features">): FeatureInfo[] {
  return info.features.filter((feature) => feature.role === "diagnostic");
}

/** Names of all features of a model, in tensor order: what a strategy knows of the data. */
export interface ModelFeatures {
  /** First features of the network's output, and of each state. */
  readonly prognostic: readonly string[];
  /** Last features of the network's output. */
  readonly diagnostic: readonly string[];
  readonly statics: readonly string[];
  /** Those that are read, then those that are computed. */
  readonly forcing: readonly string[];
  /** The first of `forcing`: those that are read from the data. */
  readonly readForcing: readonly string[];
}

/** The names of a dataset. */
export function modelFeatures(
  info: Pick<DatasetInfo, "features" | "forcingNames" | "forcing"> & { readonly statics: { names: readonly string[] } },
): ModelFeatures {
  const names = (features: readonly FeatureInfo[]) => features.map((feature) => feature.name);
  return {
    prognostic: names(prognosticFeatures(info)),
    diagnostic: names(diagnosticFeatures(info)),
    statics: info.statics.names,
    forcing: info.forcingNames,
    readForcing: info.forcing.variables,
  };
}
