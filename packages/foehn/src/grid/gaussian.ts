// Gaussian grids: rows on the roots of the Legendre polynomial of degree 2N. A full grid (F) has 4N columns in every row and is a
// `Grid`; a reduced one (classic N, octahedral O) has fewer points towards the poles and is a kind of its own.
// Described in ECMWF's documentation of its model grids and in GRIB template 3.40 (`pl`).

import { DataError } from "../core/errors.js";
import { type Grid, latLonGrid } from "./grid.js";

const degrees = 180 / Math.PI;

/**
 * The 2n Gaussian latitudes of number n, north to south, degrees.
 * @throws DataError when n is not a whole number of at least 1
 */
export function gaussianLatitudes(n: number): Float64Array {
  if (!Number.isInteger(n) || n < 1) throw new DataError(`no Gaussian latitudes of number ${n}: it must be 1 or more`);
  const count = 2 * n;
  const latitudes = new Float64Array(count);
  for (let i = 0; i < n; i++) {
    // Newton's method on the colatitude: near the poles it keeps digits that the sine of the latitude has lost.
    let colatitude = (Math.PI * (i + 0.75)) / (count + 0.5);
    for (let step = 0; step < 8; step++) {
      const [cosine, sine] = [Math.cos(colatitude), Math.sin(colatitude)];
      let [before, value] = [1, cosine];
      for (let k = 2; k <= count; k++) [before, value] = [value, ((2 * k - 1) * cosine * value - (k - 1) * before) / k];
      const slope = (count * (cosine * value - before)) / sine;
      const change = value / slope;
      colatitude -= change;
      if (Math.abs(change) < 1e-15) break;
    }
    latitudes[i] = 90 - colatitude * degrees;
    latitudes[count - 1 - i] = -latitudes[i]!;
  }
  return latitudes;
}

/** The full Gaussian grid F`n`: 2n rows of 4n columns from Greenwich. */
export function gaussianGrid(n: number): Grid {
  return latLonGrid(
    gaussianLatitudes(n),
    Float64Array.from({ length: 4 * n }, (_, j) => (90 * j) / n),
  );
}

/** A Gaussian grid whose rows have different numbers of points. Fields on it are the rows one after the other, north to south. */
export interface ReducedGaussianGrid {
  readonly kind: "reduced_gaussian";
  /** Points in all rows. */
  readonly shape: readonly [points: number];
  /** Degrees north of each row, descending. */
  readonly latitudes: Float64Array;
  /** Points in each row, evenly spaced round the Earth, the first on Greenwich. */
  readonly pointsPerRow: Int32Array;
}

/**
 * The reduced Gaussian grid with these numbers of points in its rows (the key `pl` of GRIB).
 * @throws DataError unless there are an even number of rows with at least one point each
 */
export function reducedGaussianGrid(pointsPerRow: ArrayLike<number>): ReducedGaussianGrid {
  const counts = Int32Array.from(pointsPerRow);
  if (counts.length === 0 || counts.length % 2 !== 0 || counts.some((count) => count < 1)) {
    throw new DataError(`a reduced Gaussian grid has an even number of rows with points in each, got ${counts.length}`);
  }
  return {
    kind: "reduced_gaussian",
    shape: [counts.reduce((sum, count) => sum + count, 0)],
    latitudes: gaussianLatitudes(counts.length / 2),
    pointsPerRow: counts,
  };
}

/** The octahedral grid O`n`: 20 points in the row next to a pole and four more in each row towards the equator. */
export function octahedralGrid(n: number): ReducedGaussianGrid {
  return reducedGaussianGrid(Int32Array.from({ length: 2 * n }, (_, i) => 20 + 4 * Math.min(i, 2 * n - 1 - i)));
}
