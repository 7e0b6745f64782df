// Every kind of grid that fields may lie on. Models run on `Grid` (latitudes × longitudes); the others are what data come on, and
// are regridded (regrid/) before a model sees them.

import type { ReducedGaussianGrid } from "./gaussian.js";
import { describeGrid, type Grid, sameGrid } from "./grid.js";
import type { PointsGrid } from "./points-grid.js";
import type { ProjectedGrid } from "./projected-grid.js";

/** A grid of any kind; `kind` tells which. */
export type AnyGrid = Grid | ProjectedGrid | ReducedGaussianGrid | PointsGrid;

/** Length of a field. */
export function numberOfPoints(grid: AnyGrid): number {
  return grid.shape.reduce((product, size) => product * size, 1);
}

/** One line for people. */
export function describeAnyGrid(grid: AnyGrid): string {
  switch (grid.kind) {
    case "latlon":
      return describeGrid(grid);
    case "projected": {
      const [south, north] = extent(grid.latitudes);
      const middle = grid.longitudes[Math.floor(grid.longitudes.length / 2)]!;
      return `${grid.shape.join("×")} points, ${grid.description}, ${south} to ${north} °N around ${middle.toFixed(1)} °E`;
    }
    case "reduced_gaussian": {
      const n = grid.latitudes.length / 2;
      const octahedral = grid.pointsPerRow.every((count, i) => count === 20 + 4 * Math.min(i, 2 * n - 1 - i));
      return `${grid.shape[0]} points, reduced Gaussian ${octahedral ? "O" : "N"}${n}, global`;
    }
    case "points":
      return `${grid.shape[0]} points, ${extent(grid.latitudes).join(" to ")} °N`;
  }
}

function extent(values: Float64Array): [low: number, high: number] {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return [Number(low.toFixed(2)), Number(high.toFixed(2))];
}

/** True when both have the same points in the same order; longitudes modulo 360, `tolerance` in degrees. */
export function sameAnyGrid(a: AnyGrid, b: AnyGrid, tolerance = 1e-4): boolean {
  if (a === b) return true;
  if (a.kind === "latlon" && b.kind === "latlon") return sameGrid(a, b, tolerance);
  if (a.kind !== b.kind || a.shape.join() !== b.shape.join()) return false;
  if (a.kind === "reduced_gaussian" && b.kind === "reduced_gaussian") {
    return a.pointsPerRow.every((count, i) => count === b.pointsPerRow[i]);
  }
  if (a.kind === "projected" && b.kind === "projected" && a.vectorsAlongGrid !== b.vectorsAlongGrid) return false;
  const [p, q] = [placesOf(a), placesOf(b)];
  return (
    p.latitudes.every((latitude, i) => Math.abs(latitude - q.latitudes[i]!) <= tolerance) &&
    p.longitudes.every((longitude, i) => {
      const gap = Math.abs(longitude - q.longitudes[i]!) % 360;
      return Math.min(gap, 360 - gap) <= tolerance;
    })
  );
}

/** Latitude and longitude of every point, in the order of the values. */
export interface Places {
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
}

/** The places of a grid's points; new arrays for the kinds that store axes. */
export function placesOf(grid: AnyGrid): Places {
  if (grid.kind === "projected" || grid.kind === "points") return grid;
  const count = numberOfPoints(grid);
  const latitudes = new Float64Array(count);
  const longitudes = new Float64Array(count);
  for (const band of bandsOf(grid)) {
    latitudes.fill(band.latitude, band.start, band.start + band.longitudes.length);
    longitudes.set(band.longitudes, band.start);
  }
  return { latitudes, longitudes };
}

/** A row of points on one latitude. */
export interface Band {
  readonly latitude: number;
  /** Index of its first point in a field. */
  readonly start: number;
  /** Ascending, degrees east. */
  readonly longitudes: Float64Array;
  /** The last point is followed by the first. */
  readonly periodic: boolean;
}

/** The rows of a grid whose points lie on parallels. Rows with the same longitudes share one array. */
export function bandsOf(grid: Grid | ReducedGaussianGrid): Band[] {
  if (grid.kind === "latlon") {
    const { longitudes, isGlobal: periodic } = grid;
    return Array.from(grid.latitudes, (latitude, i) => ({ latitude, start: i * grid.shape[1], longitudes, periodic }));
  }
  const shared = new Map<number, Float64Array>();
  let start = 0;
  return Array.from(grid.latitudes, (latitude, i) => {
    const count = grid.pointsPerRow[i]!;
    const longitudes = shared.get(count) ?? Float64Array.from({ length: count }, (_, j) => (360 * j) / count);
    shared.set(count, longitudes);
    const band = { latitude, start, longitudes, periodic: true };
    start += count;
    return band;
  });
}
