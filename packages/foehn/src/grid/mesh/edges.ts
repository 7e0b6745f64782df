// The edges of a mesh, each kind by index arithmetic on the lattices: no search tree is needed where nodes form rows and columns.
// Features are lengths and vectors in the coordinates of the grid here; build.ts scales them.

import type { GridAxes, Lattice } from "./lattice.js";
import { numNodes } from "./lattice.js";
import type { EdgeSet } from "./mesh.js";

/** A grid node within this many mesh cells of a mesh node is read by it (the reference's figure). */
const REACH = 0.67;
/** Mesh nodes that each grid node reads. */
const NEAREST = 4;
/** Room for rounding where a point lies exactly between two cells. */
const EPSILON = 1e-9;
const COLUMNS = 3;

/** Collects edges in any order; `finish` sorts them by receiver. */
class EdgeList {
  #senders = new Int32Array(1024);
  #receivers = new Int32Array(1024);
  #features = new Float32Array(1024 * COLUMNS);
  #count = 0;
  #isSorted = true;

  /** @param dx position of the sender minus that of the receiver */
  add(sender: number, receiver: number, dx: number, dy: number): void {
    const edge = this.#count++;
    if (edge === this.#receivers.length) this.#grow();
    if (edge > 0 && receiver < this.#receivers[edge - 1]!) this.#isSorted = false;
    this.#senders[edge] = sender;
    this.#receivers[edge] = receiver;
    this.#features[COLUMNS * edge] = Math.sqrt(dx * dx + dy * dy);
    this.#features[COLUMNS * edge + 1] = dx;
    this.#features[COLUMNS * edge + 2] = dy;
  }

  finish(numSenders: number, numReceivers: number): EdgeSet {
    const count = this.#count;
    const senders = this.#senders.slice(0, count);
    const receivers = this.#receivers.slice(0, count);
    const features = this.#features.slice(0, COLUMNS * count);
    if (!this.#isSorted) {
      const next = new Int32Array(numReceivers + 1);
      for (let edge = 0; edge < count; edge++) next[this.#receivers[edge]! + 1]!++;
      for (let i = 0; i < numReceivers; i++) next[i + 1]! += next[i]!;
      for (let edge = 0; edge < count; edge++) {
        const receiver = this.#receivers[edge]!;
        const at = next[receiver]!++;
        senders[at] = this.#senders[edge]!;
        receivers[at] = receiver;
        for (let k = 0; k < COLUMNS; k++) features[COLUMNS * at + k] = this.#features[COLUMNS * edge + k]!;
      }
    }
    return { numSenders, numReceivers, senders, receivers, features };
  }

  #grow(): void {
    const larger = <T extends Int32Array | Float32Array>(into: T, from: T): T => {
      into.set(from);
      return into;
    };
    this.#senders = larger(new Int32Array(2 * this.#senders.length), this.#senders);
    this.#receivers = larger(new Int32Array(2 * this.#receivers.length), this.#receivers);
    this.#features = larger(new Float32Array(2 * this.#features.length), this.#features);
  }
}

/** Edges between neighbours, diagonal ones too, of each given level, on the nodes of the first (finest) one. */
export function neighbourEdges(levels: readonly Lattice[], base: Lattice): EdgeSet {
  const edges = new EdgeList();
  const width = base.columns.positions.length;
  const single = levels.length === 1 && levels[0] === base;
  for (const { rows, columns } of levels) {
    const [height, span] = [rows.positions.length, columns.positions.length];
    const node = (r: number, c: number) => (single ? r * span + c : rows.finest[r]! * width + columns.finest[c]!);
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < span; c++) {
        for (let rr = Math.max(0, r - 1); rr <= Math.min(height - 1, r + 1); rr++) {
          for (let cc = Math.max(0, c - 1); cc <= Math.min(span - 1, c + 1); cc++) {
            if (rr === r && cc === c) continue;
            const dx = columns.positions[cc]! - columns.positions[c]!;
            edges.add(node(rr, cc), node(r, c), dx, rows.positions[rr]! - rows.positions[r]!);
          }
        }
      }
    }
  }
  return edges.finish(numNodes(base), numNodes(base));
}

/** Edges from each node of `upper` to the nodes of `lower` that are nearest to it. */
export function downEdges(lower: Lattice, upper: Lattice): EdgeSet {
  return betweenLevels(lower, upper, (edges, up, low, dx, dy) => edges.add(up, low, dx, dy)).finish(
    numNodes(upper),
    numNodes(lower),
  );
}

/** Edges from each node of `lower` to the node of `upper` nearest to it. With `keepSign` their vectors are those of the down edges. */
export function upEdges(lower: Lattice, upper: Lattice, keepSign: boolean): EdgeSet {
  const sign = keepSign ? 1 : -1;
  return betweenLevels(lower, upper, (edges, up, low, dx, dy) => edges.add(low, up, sign * dx, sign * dy)).finish(
    numNodes(lower),
    numNodes(upper),
  );
}

function betweenLevels(
  lower: Lattice,
  upper: Lattice,
  add: (edges: EdgeList, up: number, low: number, dx: number, dy: number) => void,
): EdgeList {
  const edges = new EdgeList();
  const rows = nearest(lower.rows.positions, upper.rows.positions, 1);
  const columns = nearest(lower.columns.positions, upper.columns.positions, 1);
  const width = upper.columns.positions.length;
  let low = 0;
  for (const [r, y] of lower.rows.positions.entries()) {
    for (const [c, x] of lower.columns.positions.entries()) {
      const [upRow, upColumn] = [rows[r]![0]!, columns[c]![0]!];
      const dx = upper.columns.positions[upColumn]! - x;
      add(edges, upRow * width + upColumn, low++, dx, upper.rows.positions[upRow]! - y);
    }
  }
  return edges;
}

/**
 * Edges from the grid to the mesh. Each mesh node reads its own cell and whatever lies within 0.67 cells of it, so that every grid
 * node is read. With `reference` it reads the points within 0.67 times the distance of two rows, which leaves corners out; the
 * senders are then counted from the first one used, as the reference does.
 */
export function gridToMeshEdges({ ys, xs }: GridAxes, { rows, columns }: Lattice, reference: boolean): EdgeSet {
  const edges = new EdgeList();
  const dy = spacing(rows.positions, ys);
  const dx = reference ? dy : spacing(columns.positions, xs);
  const inReach = (u: number, v: number): boolean =>
    u * u + v * v <= REACH * REACH || (!reference && Math.abs(u) <= 0.5 + EPSILON && Math.abs(v) <= 0.5 + EPSILON);
  const near = (points: Float64Array, position: number, cell: number) =>
    Int32Array.from([...points.keys()].filter((i) => Math.abs(points[i]! - position) <= (REACH + EPSILON) * cell));
  const nearColumns = Array.from(columns.positions, (x) => near(xs, x, dx));
  let receiver = 0;
  let first = Number.POSITIVE_INFINITY;
  for (const y of rows.positions) {
    const nearRows = near(ys, y, dy);
    for (const [c, x] of columns.positions.entries()) {
      for (const i of nearRows) {
        for (const j of nearColumns[c]!) {
          const [du, dv] = [xs[j]! - x, ys[i]! - y];
          if (!inReach(du / dx, dv / dy)) continue;
          edges.add(i * xs.length + j, receiver, du, dv);
          first = Math.min(first, i * xs.length + j);
        }
      }
      receiver++;
    }
  }
  const result = edges.finish(ys.length * xs.length, receiver);
  if (!reference) return result;
  return { ...result, senders: result.senders.map((sender) => sender - first) };
}

/** Edges from the mesh to the grid: each grid node reads its four nearest mesh nodes. */
export function meshToGridEdges({ ys, xs }: GridAxes, lattice: Lattice): EdgeSet {
  const { positions: rows } = lattice.rows;
  const { positions: columns } = lattice.columns;
  const edges = new EdgeList();
  const nearRows = nearest(ys, rows, NEAREST);
  const nearColumns = nearest(xs, columns, NEAREST);
  // The k nearest nodes lie in the k nearest rows and columns, and the node in the a-th row and b-th column in order of nearness
  // has (a + 1)(b + 1) − 1 others at least as near.
  const pairs = [];
  for (let a = 0; a < Math.min(NEAREST, rows.length); a++) {
    for (let b = 0; b < Math.min(NEAREST, columns.length) && (a + 1) * (b + 1) <= NEAREST; b++) pairs.push({ a, b });
  }
  const distances = new Float64Array(NEAREST);
  const chosen = new Int32Array(NEAREST);
  for (let i = 0; i < ys.length; i++) {
    const y = ys[i]!;
    const rowOrder = nearRows[i]!;
    for (let j = 0; j < xs.length; j++) {
      const x = xs[j]!;
      const columnOrder = nearColumns[j]!;
      let count = 0;
      for (let pair = 0; pair < pairs.length; pair++) {
        const dy = rows[rowOrder[pairs[pair]!.a]!]! - y;
        const dx = columns[columnOrder[pairs[pair]!.b]!]! - x;
        const distance = dx * dx + dy * dy;
        let place = count;
        if (count < NEAREST) count++;
        else if (distance >= distances[--place]!) continue;
        for (; place > 0 && distances[place - 1]! > distance; place--) {
          distances[place] = distances[place - 1]!;
          chosen[place] = chosen[place - 1]!;
        }
        distances[place] = distance;
        chosen[place] = pair;
      }
      for (let k = 0; k < count; k++) {
        const row = rowOrder[pairs[chosen[k]!]!.a]!;
        const column = columnOrder[pairs[chosen[k]!]!.b]!;
        edges.add(row * columns.length + column, i * xs.length + j, columns[column]! - x, rows[row]! - y);
      }
    }
  }
  return edges.finish(numNodes(lattice), ys.length * xs.length);
}

/** For each point the indices of the `count` nearest of some ascending positions, nearest first, ties by index. */
function nearest(points: Float64Array, positions: Float64Array, count: number): Int32Array[] {
  return Array.from(points, (point) => {
    const distance = (i: number) => Math.abs(positions[i]! - point);
    return Int32Array.from([...positions.keys()].sort((a, b) => distance(a) - distance(b) || a - b).slice(0, count));
  });
}

/** Distance of neighbouring nodes; of a single one, the length of the axis. */
function spacing(positions: Float64Array, points: Float64Array): number {
  if (positions.length > 1) return positions[1]! - positions[0]!;
  return Math.abs(points.at(-1)! - points[0]!);
}
