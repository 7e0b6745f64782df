// Files of a published model as its loaders want them: plain in the package, or inside an archive that the publisher put there; tables of
// statistics; and the grid that a file's sizes mean.

import { ModelError } from "../../core/errors.js";
import { type Grid, regularGrid } from "../../grid/grid.js";
import { gridFromJson } from "../../grid/json.js";
import type { PackageFiles } from "../../hub/package-files.js";
import { NpyReader } from "../../io/npy.js";
import type { ChannelStatistics } from "../module-stepper.js";
import type { ModelDescription } from "./model-loader.js";

/** Files of a model by name. */
export interface ModelFiles {
  /** The path of the first of several names that is there; undefined when none is. */
  find(...names: readonly string[]): Promise<string | undefined>;
  /** The same. @throws ModelError when none is there */
  need(...names: readonly string[]): Promise<string>;
}

/**
 * Looks for the files of a model in a package, then in folders of an archive in it.
 * @param inside such as `fcn.zip/fcn`
 */
export function modelFiles(files: PackageFiles, ...inside: readonly string[]): ModelFiles {
  const find = async (...wanted: readonly string[]): Promise<string | undefined> => {
    for (const name of wanted) if (await files.has(name)) return files.resolve(name);
    for (const folder of inside) {
      if (!(await files.has(folder.split("/")[0]!))) continue;
      for (const name of wanted) if (await files.has(`${folder}/${name}`)) return files.resolve(`${folder}/${name}`);
    }
    return undefined;
  };
  return {
    find,
    async need(...wanted) {
      const found = await find(...wanted);
      if (found !== undefined) return found;
      const names = (await files.list().catch(() => [])).map(({ path }) => path);
      throw new ModelError(`the package ${files.uri} has no ${wanted.join(" and no ")}`, {
        hint: names.length === 0 ? "check the address" : `it has ${names.slice(0, 12).join(", ")}`,
      });
    },
  };
}

/** Numbers of a .npy file, whatever its shape. */
export function readNumbers(path: string): number[] {
  return [...new NpyReader().read(path).values];
}

/**
 * Means and standard deviations of channels, from two .npy files of any shape that squeezes to (C).
 * @param channels as many as the tables have, or the positions in longer ones
 * @throws ModelError for tables of another length, or a standard deviation that is not above 0
 */
export function readStatistics(
  meansFile: string,
  stdsFile: string,
  channels: readonly string[],
  positions?: readonly number[],
): ChannelStatistics {
  const table = (file: string) => {
    const values = readNumbers(file);
    if (positions !== undefined && values.length > Math.max(...positions)) return positions.map((p) => values[p]!);
    if (values.length === channels.length) return values;
    throw new ModelError(`the table has ${values.length} numbers for ${channels.length} channels`, {
      where: file,
      hint: "one per channel, in the order of in_channels_names; or of the whole channel set, with in_channels",
    });
  };
  const statistics = { mean: table(meansFile), std: table(stdsFile) };
  requireStatistics(statistics, channels, stdsFile);
  return statistics;
}

/** @throws ModelError for a mean that is no number or a standard deviation that is not above 0 */
export function requireStatistics({ mean, std }: ChannelStatistics, channels: readonly string[], where: string): void {
  // earth2mip ships a persistence model whose scale is zero: every output of it is NaN.
  const bad = channels.filter((_, i) => !(std[i]! > 0) || !Number.isFinite(std[i]!) || !Number.isFinite(mean[i]!));
  if (bad.length === 0) return;
  throw new ModelError(`statistics that cannot be divided by: ${bad.slice(0, 8).join(", ")}`, {
    where,
    hint: "standard deviations must be above 0; leave both tables out for a model that takes physical values",
  });
}

/** A global grid of a size: with both poles where the number of rows is odd, without the South Pole where it is even. */
export function globalGrid(ny: number, nx: number): Grid {
  return regularGrid({ lat0: 90, dlat: ny % 2 === 1 ? 180 / (ny - 1) : 180 / ny, ny, lon0: 0, dlon: 360 / nx, nx });
}

/**
 * The grid of a model whose files say only its size.
 * @throws ModelError when the package describes another one
 */
export function gridOfSize(
  [ny, nx]: readonly [number, number],
  description: ModelDescription | undefined,
  where: string,
): Grid {
  if (description?.grid === undefined) return globalGrid(ny, nx);
  const grid = gridFromJson(description.grid);
  if (grid.shape[0] === ny && grid.shape[1] === nx) return grid;
  throw new ModelError(`the model is for a ${ny}×${nx} grid, metadata.json describes one of ${grid.shape.join("×")}`, {
    where,
    hint: 'correct "grid" in metadata.json',
  });
}
