// The datasets by name. A module is imported only when its dataset is opened.

import { UsageError } from "../core/errors.js";
import { Registry } from "../core/registry.js";
import type { DatasetOptions, DatasetSplits } from "./dataset.js";

/** A dataset that `--dataset` can name. */
export interface DatasetEntry {
  /** Small letters, digits, `_` and `-`. */
  readonly name: string;
  /** One line for `foehn dataset list`. */
  readonly summary: string;
  /** Opens the three parts; `openSourceDataset` makes them of a source and a plan. */
  readonly open: (options: DatasetOptions) => Promise<DatasetSplits>;
}

const datasets = new Registry<DatasetEntry>({
  one: "dataset",
  many: "datasets",
  names: ({ name }) => [name],
  describe: ({ summary }) => `"${summary}"`,
});

const builtin: readonly DatasetEntry[] = [
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
for (const entry of builtin) datasets.register(entry);

/**
 * Adds a dataset, so that `openDataset`, `train({ dataset })` and, from a plugin, the command line know it by name.
 *
 * ```ts
 * registerDataset({
 *   name: "buoys",
 *   summary: "wave heights of our buoys, on a grid",
 *   open: (options) => openSourceDataset(buoySource(), plan, options),
 * });
 * ```
 * @throws ConfigError when the name is taken, UsageError when it is none
 */
export function registerDataset(entry: DatasetEntry): void {
  if (!/^[a-z][a-z0-9_-]*$/.test(entry.name)) {
    throw new UsageError(`"${entry.name}" cannot name a dataset: small letters, digits, _ and - only`);
  }
  datasets.register(entry);
}

/** All datasets, for listings. */
export function listDatasets(): readonly DatasetEntry[] {
  return datasets.list();
}

/** Opens a dataset by name. @throws UsageError for an unknown name, ConfigError or DataError from the dataset */
export async function openDataset(name: string, options: DatasetOptions): Promise<DatasetSplits> {
  return datasets.get(name).open(options);
}
