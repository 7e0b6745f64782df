// A source's field on the grid of a model: the same grid, or points of the model that all lie on the source's grid (a region, every
// second point). Nothing is interpolated unasked; grids that do not share their points are refused with both descriptions.

import { DataError } from "../core/errors.js";
import { describeGrid, type Grid } from "../grid/grid.js";
import { type Selection, selection } from "../grid/regrid/select.js";

/** Takes a field of the source (`(ny, nx)`) to the model's grid. @throws DataError when the model has a point that the source lacks */
export function onGrid(from: Grid, to: Grid, tolerance = 1e-4): Selection {
  const take = selection(from, to, tolerance);
  if (take) return take;
  throw new DataError("the data are not on the model's grid", {
    where: `data: ${describeGrid(from)}\n       model: ${describeGrid(to)}`,
    hint: 'give data on the model\'s grid or on one that contains all of its points, or interpolate: --regrid bilinear (in code: regrid: { method: "bilinear" })',
  });
}
