// The horizontal grid of a field: a rectangle of latitudes and longitudes, stored as its two axes.
// Rows run north to south and columns west to east, whatever the file said: readers normalise on the way in
// (`normaliseAxes` tells them how). Not here: projected or unstructured grids, and anything that touches field values.

import { DataError } from "../core/errors.js";

/** A regular or irregular latitude–longitude grid. Fields on it are row-major `(ny, nx)`. */
export interface Grid {
  readonly kind: "latlon";
  readonly shape: readonly [ny: number, nx: number];
  /** Degrees north of each row, strictly descending, `ny` values. */
  readonly latitudes: Float64Array;
  /** Degrees east of each column, strictly ascending, `nx` values (may start below 0 or end above 360). */
  readonly longitudes: Float64Array;
  /** True when the last column is followed by the first one: the grid goes round the Earth. */
  readonly isGlobal: boolean;
}

/**
 * Makes a grid of its axes.
 * @throws DataError when an axis is empty, not finite, not in order (latitudes descending, longitudes ascending) or out of range
 */
export function latLonGrid(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): Grid {
  const lat = Float64Array.from(latitudes);
  const lon = Float64Array.from(longitudes);
  if (lat.length === 0 || lon.length === 0) {
    throw new DataError(`a grid needs at least one latitude and one longitude, got ${lat.length} and ${lon.length}`);
  }
  for (let i = 0; i < lat.length; i++) {
    const value = lat[i]!;
    if (!(Math.abs(value) <= 90 + 1e-6)) throw new DataError(`latitude ${value} (row ${i}) is outside -90 to 90`);
    if (i > 0 && value >= lat[i - 1]!) {
      throw new DataError(`latitudes must descend, but row ${i} (${value}) follows ${lat[i - 1]}`, {
        hint: "normalise the axes first (rows north to south)",
      });
    }
  }
  for (let i = 0; i < lon.length; i++) {
    const value = lon[i]!;
    if (!Number.isFinite(value)) throw new DataError(`longitude of column ${i} is ${value}`);
    if (i > 0 && value <= lon[i - 1]!) {
      throw new DataError(`longitudes must ascend, but column ${i} (${value}) follows ${lon[i - 1]}`, {
        hint: "normalise the axes first (columns west to east)",
      });
    }
  }
  const nx = lon.length;
  const span = lon[nx - 1]! - lon[0]!;
  if (span >= 360) throw new DataError(`longitudes span ${span} degrees; a grid covers less than 360`);
  const spacing = nx > 1 ? span / (nx - 1) : 0;
  const isGlobal = nx > 1 && Math.abs(span + spacing - 360) < 0.01 * spacing;
  return { kind: "latlon", shape: [lat.length, nx], latitudes: lat, longitudes: lon, isGlobal };
}

/** How raw axes become a Grid, and how fields on them must be reordered to match. */
export interface NormalisedAxes {
  readonly grid: Grid;
  /** Rows must be reversed. */
  readonly flipRows: boolean;
  /** `columns[j]` is the raw column that becomes column `j`; undefined when the order stays. */
  readonly columns: Int32Array | undefined;
}

/**
 * Brings raw axes into Foehn's order: latitudes descending, longitudes ascending. Longitudes are made continuous where the raw
 * axis wraps (…, 359.75, 0, 0.25, … becomes -0.25, 0, 0.25); a cyclic extra column (0 … 360) is dropped.
 */
export function normaliseAxes(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): NormalisedAxes {
  const lat = Float64Array.from(latitudes);
  let lon = Float64Array.from(longitudes);
  const flipRows = lat.length > 1 && lat[0]! < lat[lat.length - 1]!;
  if (flipRows) lat.reverse();
  let columns: Int32Array | undefined;
  if (lon.length > 1 && lon[0]! > lon[1]! && lon[lon.length - 1]! < lon[0]! && isMonotonic(lon)) {
    lon.reverse();
    columns = Int32Array.from(lon, (_, j) => lon.length - 1 - j);
  }
  // A wrap inside the axis: everything before it is west of it.
  const wrap = lon.findIndex((value, j) => j > 0 && value < lon[j - 1]!);
  if (wrap > 0) lon = lon.map((value, j) => (j < wrap ? value - 360 : value));
  if (lon.length > 2 && Math.abs(lon[lon.length - 1]! - lon[0]! - 360) < 1e-6) {
    lon = lon.slice(0, -1);
    columns = columns ? columns.slice(0, -1) : Int32Array.from(lon, (_, j) => j);
  }
  return { grid: latLonGrid(lat, lon), flipRows, columns };
}

function isMonotonic(values: Float64Array): boolean {
  const sign = Math.sign(values[1]! - values[0]!);
  return values.every((value, i) => i === 0 || Math.sign(value - values[i - 1]!) === sign);
}

/** Applies the reordering of `normaliseAxes` to one field of `rawNx` columns; returns the field itself when nothing changes. */
export function reorderField(values: Float32Array, rawNx: number, axes: NormalisedAxes): Float32Array {
  if (!axes.flipRows && !axes.columns) return values;
  const [ny, nx] = axes.grid.shape;
  const out = new Float32Array(ny * nx);
  for (let i = 0; i < ny; i++) {
    const row = (axes.flipRows ? ny - 1 - i : i) * rawNx;
    for (let j = 0; j < nx; j++) out[i * nx + j] = values[row + (axes.columns ? axes.columns[j]! : j)]!;
  }
  return out;
}

/** An evenly spaced grid from its north-west corner; `dlat` is the (positive) spacing going south. */
export function regularGrid(options: {
  readonly lat0: number;
  readonly dlat: number;
  readonly ny: number;
  readonly lon0: number;
  readonly dlon: number;
  readonly nx: number;
}): Grid {
  const { lat0, dlat, ny, lon0, dlon, nx } = options;
  return latLonGrid(
    Float64Array.from({ length: ny }, (_, i) => lat0 - i * dlat),
    Float64Array.from({ length: nx }, (_, j) => lon0 + j * dlon),
  );
}

/** True when both grids have the same points, longitudes compared modulo 360. `tolerance` in degrees. */
export function sameGrid(a: Grid, b: Grid, tolerance = 1e-4): boolean {
  if (a === b) return true;
  if (a.shape[0] !== b.shape[0] || a.shape[1] !== b.shape[1]) return false;
  for (let i = 0; i < a.shape[0]; i++) if (Math.abs(a.latitudes[i]! - b.latitudes[i]!) > tolerance) return false;
  for (let j = 0; j < a.shape[1]; j++) {
    const gap = Math.abs(a.longitudes[j]! - b.longitudes[j]!) % 360;
    if (Math.min(gap, 360 - gap) > tolerance) return false;
  }
  return true;
}

/** One line for people: `33×49 points, 59 to 51 °N by 0.25, -10 to 2 °E by 0.25`. */
export function describeGrid(grid: Grid): string {
  const [ny, nx] = grid.shape;
  return `${ny}×${nx} points, ${axisText(grid.latitudes, "°N")}, ${axisText(grid.longitudes, "°E")}${grid.isGlobal ? ", global" : ""}`;
}

function axisText(axis: Float64Array, unit: string): string {
  const first = round(axis[0]!);
  if (axis.length === 1) return `${first} ${unit}`;
  const last = round(axis[axis.length - 1]!);
  const step = evenSpacing(axis);
  return `${first} to ${last} ${unit}${step === undefined ? " (uneven)" : ` by ${round(Math.abs(step))}`}`;
}

const round = (value: number): number => Number(value.toFixed(4));

/**
 * The spacing of an axis when all its points lie on `first + i * step` within `tolerance` degrees; undefined when they do not
 * (Gaussian latitudes). One point counts as spacing 1.
 */
export function evenSpacing(axis: Float64Array, tolerance = 1e-6): number | undefined {
  if (axis.length < 2) return 1;
  const step = (axis[axis.length - 1]! - axis[0]!) / (axis.length - 1);
  const even = axis.every((value, i) => Math.abs(value - (axis[0]! + i * step)) <= tolerance);
  return even ? step : undefined;
}
