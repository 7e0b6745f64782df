// Map files: interpolation weights in NetCDF as TempestRemap, ESMF and SCRIP-style tools write them: `row` (target) and `col` (source)
// count from 1, `S` is the weight; `xc_a`, `yc_a`, `xc_b`, `yc_b` place the points (degrees, or radians where the units say so);
// rectangular targets may have `latc_b` and `lonc_b` instead. Written in the same form. Applying weights: grid/regrid/.

import { DataError, FormatError } from "../core/errors.js";
import { type AnyGrid, describeAnyGrid, numberOfPoints, type Places, placesOf } from "../grid/any-grid.js";
import { type Regridder, type RegridOptions, regridderOf } from "../grid/regrid/regridder.js";
import { type SparseWeights, WeightsBuilder } from "../grid/regrid/sparse.js";
import { textAttribute, toFloat64 } from "./labelled-arrays.js";
import { type NetcdfFile, openNetcdf } from "./netcdf/read.js";
import { NetcdfWriter } from "./netcdf/write.js";

/** What a map file says. */
export interface RegridMap {
  readonly weights: SparseWeights;
  /** Where the points of both sides lie, when the file says so. */
  readonly source: Places | undefined;
  readonly target: Places | undefined;
  /** Rows and columns of the target (`latc_b` × `lonc_b`, or `dst_grid_dims`); undefined for mere points. */
  readonly targetShape: readonly number[] | undefined;
}

/** @throws StorageError when the file cannot be read; FormatError when it is no map file or its numbers do not fit together */
export async function readRegridMap(path: string): Promise<RegridMap> {
  using file = await openNetcdf(path);
  const read = (name: string): Float64Array | undefined => {
    const found = file.variables.find((variable) => variable.name === name);
    return found && toFloat64(found.read());
  };
  const [row, col, S] = [read("row"), read("col"), read("S")];
  if (!row || !col || !S) {
    throw new FormatError('a map file has the variables "row", "col" and "S"', {
      where: path,
      hint: `this one has ${file.variables.map((variable) => variable.name).join(", ") || "none"}`,
    });
  }
  if (row.length !== S.length || col.length !== S.length) {
    throw new FormatError(`${S.length} weights with ${row.length} rows and ${col.length} columns`, { where: path });
  }
  const source = places(file, read, "a");
  const axes = [read("latc_b"), read("lonc_b")];
  const [lat, lon] = axes;
  const target = lat && lon ? spread(lat, lon) : places(file, read, "b");
  // The first dimension of SCRIP-style files runs fastest.
  const dims = read("dst_grid_dims");
  const targetShape = lat && lon ? [lat.length, lon.length] : dims && dims.length > 1 ? [...dims].reverse() : undefined;
  const size = (name: string) => file.dimensions.find((dimension) => dimension.name === name)?.size;
  const rows = size("n_b") ?? target?.latitudes.length ?? largest(row);
  const columns = size("n_a") ?? source?.latitudes.length ?? largest(col);
  return { weights: compressed(row, col, S, rows, columns, path), source, target, targetShape };
}

const largest = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, value), 0);

/** Every pair of two axes, rows first. */
function spread(latitudes: Float64Array, longitudes: Float64Array): Places {
  const nx = longitudes.length;
  const count = latitudes.length * nx;
  return {
    latitudes: Float64Array.from({ length: count }, (_, n) => latitudes[Math.floor(n / nx)]!),
    longitudes: Float64Array.from({ length: count }, (_, n) => longitudes[n % nx]!),
  };
}

function places(
  file: NetcdfFile,
  read: (name: string) => Float64Array | undefined,
  side: "a" | "b",
): Places | undefined {
  const degrees = (name: string): Float64Array | undefined => {
    const variable = file.variables.find((v) => v.name === name);
    const inRadians = variable && /^rad/i.test(textAttribute(variable, "units") ?? "");
    return inRadians ? read(name)?.map((value) => (value * 180) / Math.PI) : read(name);
  };
  const [latitudes, longitudes] = [degrees(`yc_${side}`), degrees(`xc_${side}`)];
  return latitudes && longitudes && latitudes.length === longitudes.length ? { latitudes, longitudes } : undefined;
}

/** Entries in any order → compressed rows; a pair that comes twice is added up by the product. */
function compressed(
  row: Float64Array,
  col: Float64Array,
  S: Float64Array,
  rows: number,
  columns: number,
  where: string,
): SparseWeights {
  const rowStart = new Int32Array(rows + 1);
  for (const [n, r] of row.entries()) {
    const c = col[n]!;
    if (!(r >= 1 && r <= rows && c >= 1 && c <= columns && Number.isFinite(S[n]))) {
      throw new FormatError(`weight ${n} leads from point ${c} of ${columns} to point ${r} of ${rows} by ${S[n]}`, {
        where,
      });
    }
    rowStart[r]!++;
  }
  for (let r = 0; r < rows; r++) rowStart[r + 1]! += rowStart[r]!;
  const next = rowStart.slice();
  const column = new Int32Array(S.length);
  const weight = new Float64Array(S.length);
  for (const [n, r] of row.entries()) {
    const at = next[r - 1]!++;
    column[at] = col[n]! - 1;
    weight[at] = S[n]!;
  }
  return { rows, columns, rowStart, column, weight };
}

/**
 * The regridder of a map file between two grids. A file whose rows of latitudes run the other way round is turned to fit.
 * @throws as `readRegridMap`; DataError when the file is for other grids, with both
 */
export async function mapRegridder(
  path: string,
  from: AnyGrid,
  to: AnyGrid,
  options: RegridOptions = {},
): Promise<Regridder> {
  const map = await readRegridMap(path);
  const columns = orderOf(map.source, map.weights.columns, from, path, "from");
  const rows = orderOf(map.target, map.weights.rows, to, path, "to");
  return regridderOf(from, to, path, columns || rows ? reordered(map.weights, rows, columns) : map.weights, options);
}

/** `order[n]` is the grid's number of the file's point n; undefined when they are the same. */
function orderOf(
  side: Places | undefined,
  count: number,
  grid: AnyGrid,
  path: string,
  which: "from" | "to",
): Int32Array | undefined {
  if (count !== numberOfPoints(grid)) {
    throw new DataError(`the map file has ${count} points to map ${which}, the grid ${numberOfPoints(grid)}`, {
      where: `${path}\n       grid: ${describeAnyGrid(grid)}`,
      hint: "make the weights for these grids, or leave the file out: --regrid bilinear",
    });
  }
  // Without places only the count can be checked.
  if (!side) return undefined;
  const own = placesOf(grid);
  const same = (order: (n: number) => number) =>
    side.latitudes.every((latitude, n) => {
      const k = order(n);
      const gap = Math.abs(side.longitudes[n]! - own.longitudes[k]!) % 360;
      // A longitude means nothing at a pole; files round to seven digits.
      const atPole = Math.abs(latitude) > 90 - 1e-6;
      return Math.abs(latitude - own.latitudes[k]!) < 1e-3 && (atPole || Math.min(gap, 360 - gap) < 1e-3);
    });
  if (same((n) => n)) return undefined;
  if (grid.kind === "latlon" || grid.kind === "projected") {
    const [ny, nx] = grid.shape;
    const flipped = (n: number) => (ny - 1 - Math.floor(n / nx)) * nx + (n % nx);
    if (same(flipped)) return Int32Array.from({ length: count }, (_, n) => flipped(n));
  }
  throw new DataError(`the map file maps ${which} other points than the grid's`, {
    where: `${path}: the first at ${side.latitudes[0]} °N, ${side.longitudes[0]} °E\n       grid: ${describeAnyGrid(grid)}, the first at ${own.latitudes[0]} °N, ${own.longitudes[0]} °E`,
    hint: "make the weights for these grids, or leave the file out: --regrid bilinear",
  });
}

function reordered(
  weights: SparseWeights,
  rows: Int32Array | undefined,
  columns: Int32Array | undefined,
): SparseWeights {
  const builder = new WeightsBuilder(weights.rows, weights.columns);
  const fileRow = new Int32Array(weights.rows).map((_, n) => n);
  if (rows) for (const [n, k] of rows.entries()) fileRow[k] = n;
  for (const r of fileRow) {
    for (let n = weights.rowStart[r]!; n < weights.rowStart[r + 1]!; n++) {
      const column = weights.column[n]!;
      builder.add(columns ? columns[column]! : column, weights.weight[n]!);
    }
    builder.endRow();
  }
  return builder.finish();
}

/**
 * Writes a regridder as a map file, for TempestRemap, ESMF and xESMF users and for `--regrid <file>`.
 * @returns the absolute path @throws UsageError when `path` exists, StorageError when the disk fails
 */
export async function writeRegridMap(
  path: string,
  { from, to, weights, method }: Regridder,
  options: { readonly overwrite?: boolean } = {},
): Promise<string> {
  const attributes = {
    title: `Weights from ${describeAnyGrid(from)} to ${describeAnyGrid(to)}`,
    map_method: method,
  };
  const writer = await NetcdfWriter.create(path, { attributes, overwrite: options.overwrite === true });
  const write = (name: string, dimension: string, values: Float64Array | Int32Array, units?: string) =>
    writer.writeArray(
      {
        name,
        dimensions: [dimension],
        shape: [values.length],
        dataType: values instanceof Int32Array ? "int32" : "float64",
        ...(units === undefined ? {} : { attributes: { units } }),
      },
      values,
    );
  try {
    const counting = (length: number) => Int32Array.from({ length }, (_, n) => n + 1);
    for (const [name, size] of [
      ["n_a", weights.columns],
      ["n_b", weights.rows],
      ["n_s", weights.column.length],
      ["src_grid_rank", from.shape.length],
      ["dst_grid_rank", to.shape.length],
    ] as const) {
      await write(name, name, counting(size));
    }
    const row = new Int32Array(weights.column.length);
    for (let r = 0; r < weights.rows; r++) row.fill(r + 1, weights.rowStart[r]!, weights.rowStart[r + 1]!);
    await write("row", "n_s", row);
    await write(
      "col",
      "n_s",
      weights.column.map((column) => column + 1),
    );
    await write("S", "n_s", weights.weight);
    for (const [side, dimension, grid] of [
      ["a", "n_a", from],
      ["b", "n_b", to],
    ] as const) {
      const { latitudes, longitudes } = placesOf(grid);
      await write(`yc_${side}`, dimension, latitudes, "degrees");
      await write(`xc_${side}`, dimension, longitudes, "degrees");
    }
    await write("src_grid_dims", "src_grid_rank", Int32Array.from(from.shape).reverse());
    await write("dst_grid_dims", "dst_grid_rank", Int32Array.from(to.shape).reverse());
    if (to.kind === "latlon") {
      await write("latc_b", "latc_b", to.latitudes, "degrees_north");
      await write("lonc_b", "lonc_b", to.longitudes, "degrees_east");
    }
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
