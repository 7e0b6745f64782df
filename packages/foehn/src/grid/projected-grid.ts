// A rectangle of points that is not one of latitudes and longitudes: on a map projection, on rotated poles, or curvilinear.
// Each point has its own latitude and longitude. Where the projection is known, places are found on the grid by formula;
// otherwise in the cell around them.

import { DataError } from "../core/errors.js";
import { requirePlaces } from "./points-grid.js";

/** A map projection or rotation: places on Earth to and from coordinates in the plane of the grid. */
export interface Projection {
  /** For people: `Lambert conformal, 46.5 °N, 2 °E`. */
  readonly description: string;
  /** Degrees north and east → x and y (metres, or degrees on rotated poles). */
  forward(latitude: number, longitude: number): readonly [x: number, y: number];
  inverse(x: number, y: number): readonly [latitude: number, longitude: number];
  /** Length of a step in x beside one in y on the Earth, where they differ (rotated degrees). */
  xScale?(y: number): number;
}

/** Points in rows and columns with latitudes and longitudes of their own. Fields are row-major `(ny, nx)`. */
export interface ProjectedGrid {
  readonly kind: "projected";
  readonly shape: readonly [ny: number, nx: number];
  readonly description: string;
  /** Degrees north, `(ny, nx)`. */
  readonly latitudes: Float64Array;
  /** Degrees east, `(ny, nx)`. */
  readonly longitudes: Float64Array;
  /** Row and column of a place, with fractions, also outside of the grid; undefined for a curvilinear grid. */
  readonly indexOf?: (latitude: number, longitude: number) => readonly [row: number, column: number];
  /** True when the components of winds run along x and y instead of east and north. */
  readonly vectorsAlongGrid?: boolean;
  /** The unit vector to the east at each point, along x and y; undefined for a curvilinear grid. */
  readonly eastOf?: () => { readonly cosine: Float64Array; readonly sine: Float64Array };
}

/** Even steps in the plane of a projection; rows go with `dy` from `y0`, columns with `dx` from `x0` (either may be negative). */
export interface PlaneAxes {
  readonly x0: number;
  readonly dx: number;
  readonly nx: number;
  readonly y0: number;
  readonly dy: number;
  readonly ny: number;
  /** Length of the x axis after which it comes back to its start: 360 for rotated poles. */
  readonly period?: number;
}

/** The grid of evenly spaced points in a projection's plane. */
export function projectedGrid(
  projection: Projection,
  axes: PlaneAxes,
  options: { readonly vectorsAlongGrid?: boolean } = {},
): ProjectedGrid {
  const { x0, dx, nx, y0, dy, ny, period } = axes;
  const latitudes = new Float64Array(ny * nx);
  const longitudes = new Float64Array(ny * nx);
  for (let i = 0; i < ny; i++) {
    for (let j = 0; j < nx; j++) {
      const [latitude, longitude] = projection.inverse(x0 + j * dx, y0 + i * dy);
      latitudes[i * nx + j] = latitude;
      longitudes[i * nx + j] = longitude;
    }
  }
  requirePlaces(latitudes, longitudes);
  return {
    kind: "projected",
    shape: [ny, nx],
    description: projection.description,
    latitudes,
    longitudes,
    ...options,
    eastOf: () => eastVectors(projection, latitudes, longitudes),
    indexOf(latitude, longitude) {
      const [x, y] = projection.forward(latitude, longitude);
      let along = (x - x0) / dx;
      if (period !== undefined) {
        // The turn that brings the place nearest to the middle of the grid.
        const turn = Math.abs(period / dx);
        along -= turn * Math.round((along - (nx - 1) / 2) / turn);
      }
      return [(y - y0) / dy, along];
    },
  };
}

function eastVectors(projection: Projection, latitudes: Float64Array, longitudes: Float64Array) {
  const cosine = new Float64Array(latitudes.length);
  const sine = new Float64Array(latitudes.length);
  for (const [n, latitude] of latitudes.entries()) {
    // A small way along the parallel to both sides; at a pole, where east is anywhere, beside it.
    const lat = Math.min(Math.max(latitude, -89.9999), 89.9999);
    const step = 1e-5 / Math.cos((lat * Math.PI) / 180);
    const [x1, y1] = projection.forward(lat, longitudes[n]! - step);
    const [xn, yn] = projection.forward(lat, longitudes[n]!);
    const [x2, y2] = projection.forward(lat, longitudes[n]! + step);
    const [west, east] = [Math.hypot(xn - x1, yn - y1), Math.hypot(x2 - xn, y2 - yn)];
    // Where the plane is cut open, one of the sides leaps across the map: then the other one alone.
    const [fromX, fromY] = west > 2 * east ? [xn, yn] : [x1, y1];
    const [toX, toY] = east > 2 * west ? [xn, yn] : [x2, y2];
    const [x, y] = [(toX - fromX) * (projection.xScale?.(yn) ?? 1), toY - fromY];
    const length = Math.hypot(x, y);
    cosine[n] = x / length;
    sine[n] = y / length;
  }
  return { cosine, sine };
}

/**
 * A grid known by the places of its points only.
 * @throws DataError when the numbers do not fit the shape
 */
export function curvilinearGrid(
  shape: readonly [ny: number, nx: number],
  latitudes: ArrayLike<number>,
  longitudes: ArrayLike<number>,
): ProjectedGrid {
  if (latitudes.length !== shape[0] * shape[1]) {
    throw new DataError(`a curvilinear grid of ${shape.join("×")} points cannot have ${latitudes.length} latitudes`);
  }
  const grid = {
    kind: "projected",
    shape,
    description: "curvilinear",
    latitudes: Float64Array.from(latitudes),
    longitudes: Float64Array.from(longitudes),
  } as const;
  requirePlaces(grid.latitudes, grid.longitudes);
  return grid;
}
