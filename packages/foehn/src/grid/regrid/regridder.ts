// Fields from one grid to another. A regridder is a matrix of weights made once and applied to every field; the methods are in the
// files beside this one, matrices made by other programs come from map files (io/regrid-map.ts).

import { DataError, UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { type AnyGrid, describeAnyGrid, numberOfPoints, sameAnyGrid } from "../any-grid.js";
import { bilinearWeights } from "./bilinear.js";
import { conservativeWeights, hasCells } from "./conservative.js";
import { nearestWeights } from "./nearest.js";
import { selectedAxes } from "./select.js";
import { applyWeights, countUncovered, type MissingValues, type SparseWeights, WeightsBuilder } from "./sparse.js";

/** How values get to the points of another grid. `select` copies and needs every target point in the source. */
export type RegridMethod = "select" | "nearest" | "bilinear" | "conservative";

/** Their names. */
export const regridMethods: readonly RegridMethod[] = ["select", "nearest", "bilinear", "conservative"];

/** Options of `regridder`. */
export interface RegridOptions {
  /** What becomes of NaN; default `nan`. */
  readonly missing?: MissingValues | undefined;
}

/** Turns fields on `from` into fields on `to`. */
export interface Regridder {
  readonly from: AnyGrid;
  readonly to: AnyGrid;
  /** The method, or the map file. */
  readonly method: string;
  readonly weights: SparseWeights;
  /** Target points that the source does not reach; they become NaN. */
  readonly uncovered: number;
  /**
   * One field, `from`'s points in and `to`'s out, in the precision that it comes in; summed in float64.
   * @param out filled and returned in place of a new array
   * @throws DataError when the field has another length
   */
  apply<T extends Float32Array | Float64Array>(values: T, out?: T): T;
}

/** A regridder of ready weights. @throws DataError when they are not for these grids */
export function regridderOf(
  from: AnyGrid,
  to: AnyGrid,
  method: string,
  weights: SparseWeights,
  { missing = "nan" }: RegridOptions = {},
): Regridder {
  const [columns, rows] = [numberOfPoints(from), numberOfPoints(to)];
  if (weights.columns !== columns || weights.rows !== rows) {
    throw new DataError(
      `the weights (${method}) take ${weights.columns} points to ${weights.rows}, the grids have ${columns} and ${rows}`,
      { where: `from ${describeAnyGrid(from)}\n     to ${describeAnyGrid(to)}` },
    );
  }
  return {
    from,
    to,
    method,
    weights,
    uncovered: countUncovered(weights),
    apply<T extends Float32Array | Float64Array>(values: T, out?: T): T {
      const made = values instanceof Float32Array ? new Float32Array(rows) : new Float64Array(rows);
      return applyWeights(weights, values, out ?? (made as T), missing);
    },
  };
}

/** The weights made last: outputs, truth and borders of a run ask for the same again. */
const kept: { from: AnyGrid; to: AnyGrid; method: RegridMethod; weights: SparseWeights }[] = [];
const mostKept = 4;

/**
 * A regridder between two grids. The last few matrices are kept.
 * @throws UsageError for an unknown method; DataError when the method cannot do these grids, with one that can
 */
export function regridder(from: AnyGrid, to: AnyGrid, method: RegridMethod, options: RegridOptions = {}): Regridder {
  if (!regridMethods.includes(method)) {
    throw new UsageError(`unknown regridding method "${method}"`, {
      hint: `${didYouMean(method, regridMethods)} Methods: ${regridMethods.join(", ")}.`.trim(),
    });
  }
  let entry = kept.find((k) => k.method === method && sameAnyGrid(k.from, from, 1e-9) && sameAnyGrid(k.to, to, 1e-9));
  if (!entry) {
    entry = { from, to, method, weights: makeWeights(from, to, method) };
    kept.unshift(entry);
    kept.length = Math.min(kept.length, mostKept);
  }
  return regridderOf(from, to, method, entry.weights, options);
}

function makeWeights(from: AnyGrid, to: AnyGrid, method: RegridMethod): SparseWeights {
  switch (method) {
    case "select":
      return selectWeights(from, to);
    case "nearest":
      return nearestWeights(from, to);
    case "bilinear":
      if (from.kind === "points") throw cannot(from, to, method, "the points have no neighbours: use nearest");
      return bilinearWeights(from, to);
    case "conservative":
      if (!hasCells(from) || !hasCells(to)) {
        throw cannot(
          from,
          to,
          method,
          `conservative needs latitude–longitude or Gaussian grids on both sides: use ${from.kind === "points" ? "nearest" : "bilinear"}, or a map file`,
        );
      }
      return conservativeWeights(from, to);
  }
}

function selectWeights(from: AnyGrid, to: AnyGrid): SparseWeights {
  const axes = from.kind === "latlon" && to.kind === "latlon" ? selectedAxes(from, to) : undefined;
  if (!axes && !sameAnyGrid(from, to)) {
    throw cannot(from, to, "select", "the source lacks points of the target: use bilinear, nearest or conservative");
  }
  const builder = new WeightsBuilder(numberOfPoints(to), numberOfPoints(from));
  const add = (point: number) => {
    builder.add(point, 1);
    builder.endRow();
  };
  if (axes) for (const row of axes.rows) for (const column of axes.columns) add(row * from.shape[1]! + column);
  else for (let point = 0; point < builder.rows; point++) add(point);
  return builder.finish();
}

function cannot(from: AnyGrid, to: AnyGrid, method: RegridMethod, hint: string): DataError {
  return new DataError(`regridding by "${method}" is not possible between these grids`, {
    where: `from ${describeAnyGrid(from)}\n     to ${describeAnyGrid(to)}`,
    hint,
  });
}
