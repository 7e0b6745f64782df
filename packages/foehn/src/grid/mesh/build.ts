// Builds a mesh over a regular grid: lattices, edges between them, features scaled as networks take them.
// The layout follows py4cast's and mfai's `create_mesh` (after neural-lam), without its defects unless `compat` asks for them.

import { ConfigError } from "../../core/errors.js";
import { downEdges, gridToMeshEdges, meshToGridEdges, neighbourEdges, upEdges } from "./edges.js";
import { type GridAxes, gridAxes, type Lattice, lattices, numNodes } from "./lattice.js";
import type { EdgeSet, Mesh, MeshLevel, MeshSettings } from "./mesh.js";

/**
 * Builds the mesh of a grid of (H, W) points. The same arguments give the same mesh, bit for bit.
 * @throws ConfigError when the grid is too small (9 points along its longer side; 27 for a hierarchical mesh)
 */
export function buildMesh(shape: readonly [number, number], settings: MeshSettings): Mesh {
  const { hierarchical, compat } = settings;
  const reference = compat !== "none";
  const axes = gridAxes(shape, compat);
  const all = lattices(shape, axes, settings);
  const finest = all[0]!;
  if (hierarchical && all.length < 2) {
    throw new ConfigError(`a hierarchical mesh needs two levels; a grid of ${shape.join("×")} points has one`, {
      hint: "use a grid of 27 points or more along its longer side (and no mesh_levels of 1), or a flat mesh (graphlam)",
    });
  }
  const levels = hierarchical ? all : [finest];
  const pairs = hierarchical ? all.slice(1).map((upper, i) => ({ lower: all[i]!, upper })) : [];
  const same = hierarchical ? all.map((level) => neighbourEdges([level], level)) : [neighbourEdges(all, finest)];
  const longestEdge = Math.max(...same.map(longest));
  const scaled = (edges: EdgeSet): EdgeSet => ({ ...edges, features: divided(edges.features, longestEdge) });
  return {
    gridShape: shape,
    levels: levels.map((level) => meshLevel(level, axes)),
    same: same.map(scaled),
    up: pairs.map(({ lower, upper }) => scaled(upEdges(lower, upper, reference))),
    down: pairs.map(({ lower, upper }) => scaled(downEdges(lower, upper))),
    gridToMesh: scaled(gridToMeshEdges(axes, finest, reference)),
    meshToGrid: scaled(meshToGridEdges(axes, finest)),
    longestEdge,
  };
}

function longest({ features, receivers }: EdgeSet): number {
  let length = 0;
  for (let edge = 0; edge < receivers.length; edge++) length = Math.max(length, features[3 * edge]!);
  return length;
}

function divided(values: Float32Array, by: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = values[i]! / by;
  return result;
}

function meshLevel(lattice: Lattice, { ys, xs }: GridAxes): MeshLevel {
  const largest = Math.max(...[ys[0]!, ys.at(-1)!, xs[0]!, xs.at(-1)!].map(Math.abs));
  const features = new Float32Array(2 * numNodes(lattice));
  let at = 0;
  for (const y of lattice.rows.positions) {
    for (const x of lattice.columns.positions) {
      features[at++] = Math.fround(x) / largest;
      features[at++] = Math.fround(y) / largest;
    }
  }
  return { numNodes: numNodes(lattice), features };
}
