// A mesh: the graph that a graph network computes on. Coarser nodes lie over the points of a regular grid; edges lead from the
// grid to the mesh, along the mesh (within a level, and up and down between levels), and back to the grid.
// Oskarsson et al. 2023, "Graph-based Neural Weather Prediction for Limited Area Modeling" (arXiv 2309.17370); Lam et al. 2023
// (GraphCast). This file is the contract; build.ts makes one, file.ts keeps one, validate.ts checks one.

/** Directed edges from one set of nodes to another (or the same). Indices are zero-based in their own set. */
export interface EdgeSet {
  readonly numSenders: number;
  readonly numReceivers: number;
  /** Index of the node each edge starts from. */
  readonly senders: Int32Array;
  /** Index of the node each edge leads to, ascending: the edges into one node follow each other. */
  readonly receivers: Int32Array;
  /**
   * (edges, columns): length, then the vector from receiver to sender (position of the sender minus that of the receiver), all
   * divided by the longest edge within a level.
   */
  readonly features: Float32Array;
}

/** The nodes of one level. */
export interface MeshLevel {
  readonly numNodes: number;
  /** (nodes, columns): position (x, y), divided by the largest absolute coordinate of the grid. */
  readonly features: Float32Array;
}

/** A mesh over a grid of (H, W) points, which are numbered row by row. */
export interface Mesh {
  readonly gridShape: readonly [number, number];
  /** Finest first. A flat mesh has one level, whose edges are of several lengths. */
  readonly levels: readonly MeshLevel[];
  /** Edges within each level. */
  readonly same: readonly EdgeSet[];
  /** Entry `l`: from level `l` to level `l + 1`. */
  readonly up: readonly EdgeSet[];
  /** Entry `l`: from level `l + 1` to level `l`. */
  readonly down: readonly EdgeSet[];
  /** From the grid to level 0. */
  readonly gridToMesh: EdgeSet;
  /** From level 0 to the grid. */
  readonly meshToGrid: EdgeSet;
  /** Length of the longest edge within a level, in the coordinates of the grid: what lengths were divided by. */
  readonly longestEdge: number;
}

/**
 * Whether to build as described here, or as py4cast and mfai do, so that weights trained there find the mesh they know:
 * - `none`: index coordinates, rectangular lattices, every grid point is read;
 * - `index`: theirs, on index coordinates (their unit tests);
 * - `unit_square`: theirs, on x and y scaled to [0, 1] separately (their training runs), y growing with the row;
 * - `unit_square_descending`: the same with y falling from the first row to the last (latitudes from north to south).
 */
export const meshCompats = ["none", "index", "unit_square", "unit_square_descending"] as const;
/** One of {@link meshCompats}. */
export type MeshCompat = (typeof meshCompats)[number];

/** What kind of mesh to build. */
export interface MeshSettings {
  /** Levels apart, joined by up and down edges; false puts all edges on the finest level. */
  readonly hierarchical: boolean;
  /** At most so many levels, counted from the finest; null: as many as fit. */
  readonly maxLevels: number | null;
  readonly compat: MeshCompat;
}

/** Number of edges. */
export function numEdges(edges: EdgeSet): number {
  return edges.receivers.length;
}

/** Columns of `features`. */
export function edgeColumns(edges: EdgeSet): number {
  return edges.receivers.length === 0 ? 0 : edges.features.length / edges.receivers.length;
}

/** Every edge set of a mesh under the name that files and messages use. */
export function namedEdgeSets(mesh: Mesh): [string, EdgeSet][] {
  return [
    ["g2m", mesh.gridToMesh],
    ["m2g", mesh.meshToGrid],
    ...mesh.same.map((edges, level): [string, EdgeSet] => [`m2m.${level}`, edges]),
    ...mesh.up.map((edges, level): [string, EdgeSet] => [`mesh_up.${level}`, edges]),
    ...mesh.down.map((edges, level): [string, EdgeSet] => [`mesh_down.${level}`, edges]),
  ];
}
