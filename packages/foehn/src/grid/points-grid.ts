// Places without neighbours: stations, or a model's cells in the order of their numbers. Fields on them are plain lists.

import { DataError } from "../core/errors.js";

/** Points anywhere. */
export interface PointsGrid {
  readonly kind: "points";
  readonly shape: readonly [points: number];
  /** Degrees north, one for each point. */
  readonly latitudes: Float64Array;
  /** Degrees east, one for each point. */
  readonly longitudes: Float64Array;
}

/** @throws DataError when the lists differ in length, are empty, or hold what is no place */
export function pointsGrid(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): PointsGrid {
  const grid = {
    kind: "points",
    shape: [latitudes.length],
    latitudes: Float64Array.from(latitudes),
    longitudes: Float64Array.from(longitudes),
  } as const;
  requirePlaces(grid.latitudes, grid.longitudes);
  return grid;
}

/** @throws DataError unless both have the same number of values and every pair is a place on Earth */
export function requirePlaces(latitudes: Float64Array, longitudes: Float64Array): void {
  if (latitudes.length === 0 || latitudes.length !== longitudes.length) {
    throw new DataError(
      `places need a latitude and a longitude each, got ${latitudes.length} and ${longitudes.length}`,
    );
  }
  for (const [i, latitude] of latitudes.entries()) {
    if (Math.abs(latitude) <= 90 + 1e-6 && Number.isFinite(longitudes[i])) continue;
    throw new DataError(`point ${i} lies at ${latitude} °N, ${longitudes[i]} °E, which is no place on Earth`);
  }
}
