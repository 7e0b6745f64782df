// The nodes of a mesh: lattices that become coarser by a factor of three in each direction. A coarse node lies on the centre
// node of a block of 3×3 finer ones. Rows and columns are independent of each other, so an axis is all there is to compute.

import { ConfigError } from "../../core/errors.js";
import type { MeshCompat } from "./mesh.js";

/** Children of a node along one axis. */
const CHILDREN = 3;

/** Positions along one axis of a level, and which nodes of the finest level they are. */
export interface Axis {
  readonly positions: Float64Array;
  readonly finest: Int32Array;
}

/** One level: rows × columns, numbered row by row. */
export interface Lattice {
  readonly rows: Axis;
  readonly columns: Axis;
}

/** Coordinates of the grid's points: y by row, x by column. */
export interface GridAxes {
  readonly ys: Float64Array;
  readonly xs: Float64Array;
}

/** Grid coordinates: indices, or each axis from 0 to 1. */
export function gridAxes(shape: readonly [number, number], compat: MeshCompat): GridAxes {
  const [height, width] = shape;
  const unit = compat === "unit_square" || compat === "unit_square_descending";
  const axis = (size: number) => Float64Array.from({ length: size }, (_, i) => (unit ? i / (size - 1) : i));
  const ys = axis(height);
  return { ys: compat === "unit_square_descending" ? ys.map((y) => 1 - y) : ys, xs: axis(width) };
}

/**
 * How often a side can be divided by three: the largest n with 3ⁿ ≤ side. The reference divides logarithms, which for 243 points
 * gives 4.999999999999999 (and is right for other powers of three up to 2187).
 */
export function numDivisions(side: number, compat: MeshCompat): number {
  let n = 0;
  for (let power = CHILDREN; power <= side; power *= CHILDREN) n++;
  return compat !== "none" && side === CHILDREN ** 5 ? n - 1 : n;
}

/**
 * The levels over a grid, finest first. The longer side has 3ⁿ⁻¹ nodes; the other as many as keep cells square (in the
 * reference's layout: the same number).
 * @throws ConfigError when the grid is too small for a mesh
 */
export function lattices(
  shape: readonly [number, number],
  axes: GridAxes,
  { compat, maxLevels }: { readonly compat: MeshCompat; readonly maxLevels: number | null },
): Lattice[] {
  const longest = Math.max(...shape);
  const divisions = numDivisions(longest, compat);
  if (divisions < 2 || Math.min(...shape) < 2) {
    throw new ConfigError(`a grid of ${shape.join("×")} points is too small for a mesh`, {
      hint: "a graph network needs 9 points or more along the longer side and 2 along the other",
    });
  }
  const numLevels = Math.min(divisions - 1, maxLevels ?? Number.POSITIVE_INFINITY);
  const nodes = CHILDREN ** (divisions - 1);
  const count = (side: number) => (compat === "none" ? Math.max(1, Math.round((nodes * side) / longest)) : nodes);
  let rows = finestAxis(axes.ys, count(shape[0]));
  let columns = finestAxis(axes.xs, count(shape[1]));
  const levels: Lattice[] = [];
  for (let level = 0; level < numLevels; level++) {
    levels.push({ rows, columns });
    rows = coarser(rows);
    columns = coarser(columns);
  }
  return levels;
}

/** Nodes of a lattice. */
export function numNodes({ rows, columns }: Lattice): number {
  return rows.positions.length * columns.positions.length;
}

/** `count` nodes in the middle of as many equal cells between the outermost points. */
function finestAxis(points: Float64Array, count: number): Axis {
  const low = Math.min(points[0]!, points.at(-1)!);
  const high = Math.max(points[0]!, points.at(-1)!);
  const cell = (high - low) / count;
  const [first, last] = [low + cell / 2, high - cell / 2];
  const step = count > 1 ? (last - first) / (count - 1) : 0;
  const positions = Float64Array.from({ length: count }, (_, i) => (i === count - 1 ? last : first + i * step));
  return { positions, finest: Int32Array.from({ length: count }, (_, i) => i) };
}

/** Every third node, from the second on; what is left over beside the last block of three belongs to it. */
function coarser({ positions, finest }: Axis): Axis {
  const count = Math.max(1, Math.round(positions.length / CHILDREN));
  const chosen = Int32Array.from({ length: count }, (_, i) => Math.min(CHILDREN * i + 1, positions.length - 1));
  return { positions: Float64Array.from(chosen, (i) => positions[i]!), finest: chosen.map((i) => finest[i]!) };
}
