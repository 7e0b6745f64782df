// Checks a mesh that comes from a file, and in tests every mesh that is built: one message per broken rule and edge set.

import { type EdgeSet, edgeColumns, type Mesh, namedEdgeSets, numEdges } from "./mesh.js";

/**
 * What is wrong with a mesh; nothing when it can be used. Rules: level counts fit each other; node counts of neighbouring sets
 * agree; indices lie in their sets; edges are ordered by receiver; features are finite, with the length of their vector first.
 * @param coverage also ask that every grid node is read and written, and every finest mesh node reads the grid
 */
export function meshProblems(mesh: Mesh, { coverage = false }: { readonly coverage?: boolean } = {}): string[] {
  const problems = structureProblems(mesh);
  if (problems.length > 0) return problems;
  for (const [name, edges] of namedEdgeSets(mesh))
    problems.push(...edgeProblems(edges).map((text) => `${name}: ${text}`));
  const columns = new Set(
    namedEdgeSets(mesh)
      .map(([, edges]) => edgeColumns(edges))
      .filter((count) => count > 0),
  );
  if (columns.size > 1) problems.push(`edge sets have different numbers of features: ${[...columns].join(", ")}`);
  for (const [level, { numNodes, features }] of mesh.levels.entries()) {
    if (features.length === 0 || features.length % numNodes !== 0) {
      problems.push(`level ${level}: ${features.length} feature values for ${numNodes} nodes`);
    } else if (!features.every(Number.isFinite)) problems.push(`level ${level}: a node feature is not finite`);
  }
  if (coverage && problems.length === 0) problems.push(...coverageProblems(mesh));
  return problems;
}

function structureProblems(mesh: Mesh): string[] {
  const { gridShape, levels, same, up, down, gridToMesh, meshToGrid } = mesh;
  const problems: string[] = [];
  const numGrid = gridShape[0] * gridShape[1];
  if (levels.length === 0) problems.push("the mesh has no level");
  if (same.length !== levels.length) {
    problems.push(`${same.length} edge sets within levels for ${levels.length} levels`);
  }
  for (const [name, list] of [
    ["up", up],
    ["down", down],
  ] as const) {
    if (list.length !== levels.length - 1)
      problems.push(`${list.length} ${name} edge sets for ${levels.length} levels`);
  }
  const expect = (name: string, edges: EdgeSet | undefined, senders: number, receivers: number): void => {
    if (edges === undefined || (edges.numSenders === senders && edges.numReceivers === receivers)) return;
    problems.push(
      `${name} leads from ${edges.numSenders} to ${edges.numReceivers} nodes, expected ${senders} to ${receivers}`,
    );
  };
  const nodes = levels.map((level) => level.numNodes);
  expect("g2m", gridToMesh, numGrid, nodes[0]!);
  expect("m2g", meshToGrid, nodes[0]!, numGrid);
  for (const [level, count] of nodes.entries()) {
    expect(`m2m.${level}`, same[level], count, count);
    if (level + 1 === nodes.length) continue;
    expect(`mesh_up.${level}`, up[level], count, nodes[level + 1]!);
    expect(`mesh_down.${level}`, down[level], nodes[level + 1]!, count);
  }
  return problems;
}

function edgeProblems(edges: EdgeSet): string[] {
  const { senders, receivers, features, numSenders, numReceivers } = edges;
  const problems: string[] = [];
  const count = numEdges(edges);
  const columns = edgeColumns(edges);
  if (senders.length !== count) problems.push(`${senders.length} senders for ${count} receivers`);
  if (!Number.isInteger(columns) || (count > 0 && columns < 2)) {
    problems.push(`${features.length} feature values for ${count} edges`);
  }
  const outside = (indices: Int32Array, size: number) => indices.find((i) => i < 0 || i >= size);
  const sender = outside(senders, numSenders);
  if (sender !== undefined) problems.push(`sender ${sender} is outside 0 to ${numSenders - 1}`);
  const receiver = outside(receivers, numReceivers);
  if (receiver !== undefined) problems.push(`receiver ${receiver} is outside 0 to ${numReceivers - 1}`);
  const unsorted = receivers.findIndex((value, edge) => edge > 0 && value < receivers[edge - 1]!);
  if (unsorted >= 0) problems.push(`edge ${unsorted} is out of order: edges go by ascending receiver`);
  if (problems.length > 0) return problems;
  if (!features.every(Number.isFinite)) return ["an edge feature is not finite"];
  for (let edge = 0; edge < count; edge++) {
    let square = 0;
    for (let k = 1; k < columns; k++) square += features[edge * columns + k]! ** 2;
    const length = features[edge * columns]!;
    if (length < 0 || Math.abs(length - Math.sqrt(square)) > 1e-3 * Math.max(length, 1e-3)) {
      return [`edge ${edge} has length ${length}, its vector ${Math.sqrt(square)}`];
    }
  }
  return [];
}

function coverageProblems({ gridToMesh, meshToGrid }: Mesh): string[] {
  const missing = (indices: Int32Array, size: number): number => {
    const used = new Uint8Array(size);
    for (const i of indices) used[i] = 1;
    return size - used.reduce((sum, one) => sum + one, 0);
  };
  const rules: [number, string][] = [
    [missing(gridToMesh.senders, gridToMesh.numSenders), "grid nodes are not read by the mesh"],
    [missing(gridToMesh.receivers, gridToMesh.numReceivers), "mesh nodes read no grid node"],
    [missing(meshToGrid.receivers, meshToGrid.numReceivers), "grid nodes read no mesh node"],
  ];
  return rules.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`);
}
