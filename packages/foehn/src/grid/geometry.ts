// What follows from a grid's points alone: area weights, cell sizes, nearest points, sub-regions and the border frame.
// Not here: interpolation between grids.

import { DataError } from "../core/errors.js";
import { describeGrid, type Grid, latLonGrid } from "./grid.js";

/** Mean Earth radius in metres (IUGG). */
export const earthRadius = 6_371_008.8;

const radians = Math.PI / 180;

/**
 * Weight of each row `(ny)`: the cosine of latitude, normalised so that the mean over the grid's points is 1.
 * A grid of one pole point only gets weight 1.
 */
export function areaWeights(grid: Grid): Float64Array {
  const weights = grid.latitudes.map((lat) => Math.max(0, Math.cos(lat * radians)));
  const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
  return mean > 1e-12 ? weights.map((w) => w / mean) : weights.fill(1);
}

/** Distances to the neighbouring rows and columns in metres, `(ny)` each; `dx` follows the latitude. */
export function cellSizes(grid: Grid): { readonly dx: Float64Array; readonly dy: Float64Array } {
  const [ny, nx] = grid.shape;
  const { latitudes, longitudes } = grid;
  const dlon = nx > 1 ? (longitudes[nx - 1]! - longitudes[0]!) / (nx - 1) : 0;
  const dx = latitudes.map((lat) => earthRadius * Math.cos(lat * radians) * dlon * radians);
  const dy = latitudes.map((_, i) => {
    const from = Math.max(0, i - 1);
    const to = Math.min(ny - 1, i + 1);
    return to > from ? (earthRadius * radians * (latitudes[from]! - latitudes[to]!)) / (to - from) : 0;
  });
  return { dx, dy };
}

/** Row and column of the grid point nearest to a place (longitudes modulo 360; ties go to the first). */
export function nearestIndex(grid: Grid, latitude: number, longitude: number): { row: number; column: number } {
  const row = argMin(grid.latitudes, (lat) => Math.abs(lat - latitude));
  const column = argMin(grid.longitudes, (lon) => {
    const gap = (((lon - longitude) % 360) + 360) % 360;
    return Math.min(gap, 360 - gap);
  });
  return { row, column };
}

function argMin(values: Float64Array, distance: (value: number) => number): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (distance(values[i]!) < distance(values[best]!)) best = i;
  return best;
}

/** The frame of `size` cells on each side: 1 on the frame, 0 inside, `(ny, nx)`. */
export function borderMask(shape: readonly [number, number], size: number): Float32Array {
  const [ny, nx] = shape;
  if (!Number.isInteger(size) || size < 0 || (size > 0 && 2 * size >= Math.min(ny, nx))) {
    throw new DataError(`a border of ${size} cells leaves no interior on a ${ny}×${nx} grid`, {
      hint: `use a whole number from 0 to ${Math.max(0, Math.ceil(Math.min(ny, nx) / 2) - 1)}`,
    });
  }
  const mask = new Float32Array(ny * nx);
  for (let i = 0; i < ny; i++) {
    for (let j = 0; j < nx; j++) {
      if (i < size || j < size || i >= ny - size || j >= nx - size) mask[i * nx + j] = 1;
    }
  }
  return mask;
}

/** A box in degrees; `west` may exceed `east` to cross the date line or Greenwich. Edges are included. */
export interface Region {
  readonly north: number;
  readonly west: number;
  readonly south: number;
  readonly east: number;
}

/** A sub-grid and where its rows and columns lie in the grid it came from. */
export interface Crop {
  readonly grid: Grid;
  readonly rowStart: number;
  readonly columns: Int32Array;
  readonly sourceNx: number;
}

/**
 * The points of `grid` inside `region`.
 * @throws DataError when no point is inside
 */
export function cropGrid(grid: Grid, region: Region): Crop {
  const tolerance = 1e-6;
  const rows = [...grid.latitudes.keys()].filter(
    (i) => grid.latitudes[i]! <= region.north + tolerance && grid.latitudes[i]! >= region.south - tolerance,
  );
  const width = region.east >= region.west ? region.east - region.west : region.east - region.west + 360;
  const inside: { column: number; longitude: number }[] = [];
  for (const [column, lon] of grid.longitudes.entries()) {
    let offset = (((lon - region.west) % 360) + 360) % 360;
    if (offset > 360 - tolerance) offset -= 360;
    if (offset <= width + tolerance) inside.push({ column, longitude: region.west + offset });
  }
  inside.sort((a, b) => a.longitude - b.longitude);
  if (rows.length === 0 || inside.length === 0) {
    throw new DataError(
      `no grid point lies in the region ${region.south} to ${region.north} °N, ${region.west} to ${region.east} °E`,
      { hint: `the data has ${describeGrid(grid)}` },
    );
  }
  return {
    grid: latLonGrid(
      rows.map((i) => grid.latitudes[i]!),
      inside.map((c) => Number(c.longitude.toFixed(9))),
    ),
    rowStart: rows[0]!,
    columns: Int32Array.from(inside, (c) => c.column),
    sourceNx: grid.shape[1],
  };
}

/** The part of a field `(ny, nx)` inside a crop, copied. */
export function cropField(values: Float32Array, crop: Crop): Float32Array {
  const [ny, nx] = crop.grid.shape;
  const out = new Float32Array(ny * nx);
  for (let i = 0; i < ny; i++) {
    const row = (crop.rowStart + i) * crop.sourceNx;
    for (let j = 0; j < nx; j++) out[i * nx + j] = values[row + crop.columns[j]!]!;
  }
  return out;
}
