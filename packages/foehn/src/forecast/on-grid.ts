// A source's field on the grid of a model: the same grid, or points of the model that all lie on the source's grid (a region, every
// second point). Nothing is interpolated; grids that do not share their points are refused with both descriptions.

import { DataError } from "../core/errors.js";
import { describeGrid, type Grid, sameGrid } from "../grid/grid.js";

/** Takes a field of the source (`(ny, nx)`) to the model's grid. */
export type OnGrid = (values: Float32Array) => Float32Array;

/** @throws DataError when the model has a point that the source lacks */
export function onGrid(from: Grid, to: Grid, tolerance = 1e-4): OnGrid {
  if (sameGrid(from, to, tolerance)) return (values) => values;
  const rows = matchAxis(from.latitudes, to.latitudes, (a, b) => Math.abs(a - b) <= tolerance);
  const columns = matchAxis(from.longitudes, to.longitudes, (a, b) => {
    const gap = (((a - b) % 360) + 360) % 360;
    return Math.min(gap, 360 - gap) <= tolerance;
  });
  if (!rows || !columns) {
    throw new DataError("the data are not on the model's grid", {
      where: `data: ${describeGrid(from)}\n       model: ${describeGrid(to)}`,
      hint: "give data on the model's grid, or on one that contains all of its points; fields are not interpolated",
    });
  }
  const nx = from.shape[1];
  return (values) => {
    const out = new Float32Array(rows.length * columns.length);
    let n = 0;
    for (const row of rows) for (const column of columns) out[n++] = values[row * nx + column]!;
    return out;
  };
}

function matchAxis(
  from: Float64Array,
  to: Float64Array,
  same: (a: number, b: number) => boolean,
): Int32Array | undefined {
  const found = Int32Array.from(to, (wanted) => from.findIndex((value) => same(value, wanted)));
  return found.includes(-1) ? undefined : found;
}
