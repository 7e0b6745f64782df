// Exact sub-selection: every target point is a point of the source (a region, every fourth point, a grid without its south pole).
// Values are copied, never mixed.

import type { Grid } from "../grid.js";
import { sameGrid } from "../grid.js";

/** Takes a field `(ny, nx)` on one grid to another; a field on the same grid comes back as it is. */
export type Selection = (values: Float32Array) => Float32Array;

/** The selection, or undefined when a target point is not one of the source's. `tolerance` in degrees. */
export function selection(from: Grid, to: Grid, tolerance = 1e-4): Selection | undefined {
  if (sameGrid(from, to, tolerance)) return (values) => values;
  const indices = selectedAxes(from, to, tolerance);
  if (!indices) return undefined;
  const { rows, columns } = indices;
  const nx = from.shape[1];
  return (values) => {
    const out = new Float32Array(rows.length * columns.length);
    let n = 0;
    for (const row of rows) for (const column of columns) out[n++] = values[row * nx + column]!;
    return out;
  };
}

/** Rows and columns of `from` that make up `to`; undefined when one is not there. */
export function selectedAxes(
  from: Grid,
  to: Grid,
  tolerance = 1e-4,
): { readonly rows: Int32Array; readonly columns: Int32Array } | undefined {
  const rows = matchAxis(from.latitudes, to.latitudes, (a, b) => Math.abs(a - b) <= tolerance);
  const columns = matchAxis(from.longitudes, to.longitudes, (a, b) => {
    const gap = (((a - b) % 360) + 360) % 360;
    return Math.min(gap, 360 - gap) <= tolerance;
  });
  return rows && columns && { rows, columns };
}

function matchAxis(
  from: Float64Array,
  to: Float64Array,
  same: (a: number, b: number) => boolean,
): Int32Array | undefined {
  const found = new Int32Array(to.length);
  for (const [i, wanted] of to.entries()) {
    found[i] = from.findIndex((value) => same(value, wanted));
    if (found[i] < 0) return undefined;
  }
  return found;
}
