// Fields from one regular grid to another: bilinear between the four points around, or, towards a coarser grid, the mean of the
// points inside each cell. By coordinates, not by array index: a point that both grids have keeps its value.

import { DataError } from "../core/errors.js";
import { describeGrid, type Grid } from "./grid.js";

interface Weights {
  /** First source index of each target index. */
  readonly first: Int32Array;
  /** Number of source points that each target index takes. */
  readonly count: Int32Array;
  /** Their weights, `width` per target index. */
  readonly values: Float64Array;
  readonly width: number;
}

/** Turns fields on one grid into fields on another. NaN spreads to every point that would need it. */
export interface Resampler {
  readonly target: Grid;
  apply(values: Float32Array): Float32Array;
}

/** @throws DataError when the target reaches beyond the source by more than half a cell */
export function resampler(source: Grid, target: Grid): Resampler {
  const rows = axisWeights(source.latitudes, target.latitudes, source, target);
  const columns = axisWeights(source.longitudes, target.longitudes, source, target);
  const [ny, nx] = target.shape;
  const sourceNx = source.shape[1];
  return {
    target,
    apply(values) {
      const out = new Float32Array(ny * nx);
      for (let i = 0; i < ny; i++) {
        for (let j = 0; j < nx; j++) {
          let sum = 0;
          for (let a = 0; a < rows.count[i]!; a++) {
            const row = (rows.first[i]! + a) * sourceNx + columns.first[j]!;
            let along = 0;
            for (let b = 0; b < columns.count[j]!; b++)
              along += columns.values[j * columns.width + b]! * values[row + b]!;
            sum += rows.values[i * rows.width + a]! * along;
          }
          out[i * nx + j] = sum;
        }
      }
      return out;
    },
  };
}

/** Weights along one axis; both axes are monotonic the same way and evenly spaced. */
function axisWeights(from: Float64Array, to: Float64Array, source: Grid, target: Grid): Weights {
  const step = from.length > 1 ? (from[from.length - 1]! - from[0]!) / (from.length - 1) : 1;
  const spacing = to.length > 1 ? (to[to.length - 1]! - to[0]!) / (to.length - 1) : step;
  const factor = Math.max(1, spacing / step);
  const width = Math.floor(factor) + 2;
  const first = new Int32Array(to.length);
  const count = new Int32Array(to.length);
  const values = new Float64Array(to.length * width);
  const last = from.length - 1;
  const tolerance = 1e-6;
  for (const [k, coordinate] of to.entries()) {
    const exact = (coordinate - from[0]!) / step;
    // Whole indices stay whole: 0.1 + 0.2 is not 0.3.
    const at = Math.abs(exact - Math.round(exact)) < tolerance ? Math.round(exact) : exact;
    if (at < -0.5 - tolerance || at > last + 0.5 + tolerance) {
      throw new DataError(`a field on ${describeGrid(source)} does not cover ${describeGrid(target)}`);
    }
    if (factor > 1.5) {
      // The mean of the points within half a target cell.
      const low = Math.max(0, Math.ceil(at - factor / 2 - tolerance));
      const high = Math.min(last, Math.floor(at + factor / 2 + tolerance));
      first[k] = low;
      count[k] = high - low + 1;
      for (let a = 0; a <= high - low; a++) values[k * width + a] = 1 / (high - low + 1);
    } else {
      const inside = Math.min(Math.max(at, 0), last);
      const low = Math.min(Math.floor(inside), Math.max(0, last - 1));
      const part = inside - low;
      first[k] = low;
      count[k] = part === 0 || last === 0 ? 1 : 2;
      values[k * width] = 1 - part;
      if (count[k] === 2) values[k * width + 1] = part;
    }
  }
  return { first, count, values, width };
}
