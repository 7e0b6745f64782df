// The folder layout of earth2mip's ERA5 training sets: `data.json`, and one HDF5 file per year in folders such as train/, test/,
// out_of_sample/. This file is the description and where the files are; hdf5-source.ts reads them.
// Described in the documentation of earth2mip (`initial_conditions.hdf5`).
//
//   <root>/data.json                names and coordinates
//   <root>/<folder>/<YYYY>.h5       dataset `fields` (time, channel, lat, lon); times are 1 January 00:00 + k · dhours
//   <root>/stats/time_means.npy     (1, channel, lat, lon)

import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { DataError, FormatError } from "../core/errors.js";
import { listShort } from "./resolve.js";

/** Name of the description. */
export const hdf5Description = "data.json";

/** The order of axes that the layout has. */
export const hdf5Dimensions = ["time", "channel", "lat", "lon"] as const;

/** Schema of `data.json`. Keys beyond these are let through: producers add their own. */
export const hdf5LayoutSchema = z.looseObject({
  h5_path: z.string().min(1).describe("name of the dataset in each file, usually fields"),
  dims: z.array(z.string()).describe("names of its axes: time, channel, lat, lon"),
  coords: z.looseObject({
    channel: z.array(z.union([z.string(), z.number()])).min(1),
    lat: z.array(z.number()).min(1).describe("degrees north of each row"),
    lon: z.array(z.number()).min(1).describe("degrees east of each column"),
  }),
  attrs: z.record(z.string(), z.unknown()).default({}).describe("free attributes; `units` may name those of channels"),
  dhours: z.number().positive().default(6).describe("hours between two times"),
  dataset_name: z.string().optional(),
});

/** A description, checked. */
export type Hdf5Layout = z.infer<typeof hdf5LayoutSchema>;

/** True for a folder with a description of this layout: another `data.json` does not name an HDF5 dataset. */
export function isHdf5Layout(folder: string): boolean {
  return existsSync(join(folder, hdf5Description)) && yearFiles(folder).size > 0;
}

/** Reads the description. @throws ConfigError for a description that is wrong, FormatError for another order of axes */
export function readHdf5Layout(root: string): Hdf5Layout {
  const path = join(root, hdf5Description);
  const layout = loadConfig(path, hdf5LayoutSchema);
  if (layout.dims.join() !== hdf5Dimensions.join()) {
    throw new FormatError(`the axes are (${layout.dims.join(", ")}), expected (${hdf5Dimensions.join(", ")})`, {
      where: path,
      hint: "transpose the dataset, or open the files as NetCDF",
    });
  }
  return layout;
}

/**
 * The file of each year, in the root and in folders directly below it.
 * @throws DataError when two folders have the same year: which of the two is meant cannot be known
 */
export function yearFiles(root: string): Map<number, string> {
  const found = new Map<number, string>();
  const entries = readdirSync(root, { withFileTypes: true });
  const folders = entries.filter((e) => e.isDirectory() || e.isSymbolicLink()).map((e) => join(root, e.name));
  for (const folder of [root, ...folders.sort()]) {
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      continue; // a link to a file, or a folder that is not ours to read
    }
    for (const name of names.sort()) {
      const year = /^(\d{4})\.h5$/.exec(name)?.[1];
      if (year === undefined) continue;
      const other = found.get(Number(year));
      if (other !== undefined) {
        throw new DataError(
          `the year ${year} is there twice: ${relative(root, other)} and ${relative(root, join(folder, name))}`,
          {
            where: root,
            hint: "keep one of the two",
          },
        );
      }
      found.set(Number(year), join(folder, name));
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** Epoch seconds of 1 January 00:00 UTC. */
export function startOfYear(year: number): number {
  return Date.UTC(year, 0, 1) / 1000;
}

/** What to say when there is no file for a year. */
export function noSuchYear(year: number, years: readonly number[], root: string): DataError {
  const nearest = [...years].sort((a, b) => Math.abs(a - year) - Math.abs(b - year))[0];
  return new DataError(`there is no data for the year ${year}: no file ${year}.h5`, {
    where: root,
    hint:
      nearest === undefined
        ? "the folder has no file of a year at all"
        : `It has ${describeYears(years)}; the nearest is ${nearest}.`,
  });
}

/** `1979 to 2018` or, with gaps, the list. */
export function describeYears(years: readonly number[]): string {
  const [first, last] = [years[0]!, years[years.length - 1]!];
  if (years.length === 1) return `the year ${first}`;
  return last - first + 1 === years.length
    ? `the years ${first} to ${last}`
    : `the years ${listShort(years.map(String), 12)}`;
}
