// The datasets by name. A module is imported only when its dataset is opened.

import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { DatasetOptions, DatasetSplits } from "./dataset.js";

/** A dataset that `--dataset` can name. */
export interface DatasetEntry {
  readonly name: string;
  readonly summary: string;
  readonly open: (options: DatasetOptions) => Promise<DatasetSplits>;
}

const entries: readonly DatasetEntry[] = [
  {
    name: "gridded",
    summary: "any GRIB, NetCDF or Zarr data, described by a configuration file",
    open: async (options) => (await import("./gridded.js")).openGridded(options),
  },
  {
    name: "synthetic",
    summary: "a rotating shallow-water basin (h, u, v, hourly), computed when needed",
    open: async (options) => (await import("./synthetic.js")).openSynthetic(options),
  },
  {
    name: "titan",
    summary: "AROME and ARPEGE analyses over France in Titan's GRIB or npy layout; its folder in FOEHN_TITAN_PATH",
    open: async (options) => (await import("./titan.js")).openTitan(options),
  },
  {
    name: "smeagol",
    summary: "ensemble forecasts of AROME in Smeagol's NetCDF layout; its folder in FOEHN_SMEAGOL_PATH",
    open: async (options) => (await import("./smeagol.js")).openSmeagol(options),
  },
  {
    name: "dummy",
    summary: "random numbers, 64×64, for trying a pipeline",
    open: async (options) => (await import("./dummy.js")).openDummy(options),
  },
];

/** All datasets, for listings. */
export function listDatasets(): readonly DatasetEntry[] {
  return entries;
}

/** Opens a dataset by name. @throws UsageError for an unknown name, ConfigError or DataError from the dataset */
export async function openDataset(name: string, options: DatasetOptions): Promise<DatasetSplits> {
  const entry = entries.find((e) => e.name === name);
  if (!entry) {
    const names = entries.map((e) => e.name);
    throw new UsageError(`there is no dataset "${name}"`, {
      hint: `${didYouMean(name, names)} Datasets: ${names.join(", ")}.`.trim(),
    });
  }
  return entry.open(options);
}
