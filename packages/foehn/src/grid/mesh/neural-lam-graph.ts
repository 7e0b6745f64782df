// Reads a graph folder of neural-lam (`create_graph`, weather-model-graphs) or mfai: `.pt` files with edge indices (2, edges) and
// features. With `metainfo.yaml` (its graph storage specification 0.1.0) indices are zero-based in each set of nodes and features
// as measured; without it (older graphs) indices run on through all sets, mesh first, and node features are scaled.
// Grid nodes must be numbered row by row.

import { existsSync } from "node:fs";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { ConfigError, FormatError } from "../../core/errors.js";
import type { EdgeSet, Mesh, MeshLevel } from "./mesh.js";
import { meshProblems } from "./validate.js";

/** Edges as they stand in the files. */
interface RawEdges {
  readonly senders: Int32Array;
  readonly receivers: Int32Array;
  readonly columns: number;
  readonly features: Float32Array;
}

/**
 * Reads a graph folder for a grid of (H, W) points.
 * @param shifted count the senders of g2m from the first one used, as py4cast's and mfai's networks do
 * @throws ConfigError when the graph is for another number of grid points, FormatError when a file is missing or wrong
 */
export function readGraphFolder(folder: string, shape: readonly [number, number], shifted = false): Mesh {
  const mesh = torch.scope(() => convert(folder, shape, shifted));
  const [problem] = meshProblems(mesh);
  if (problem !== undefined) throw new FormatError(`${folder}: ${problem}`);
  return mesh;
}

function convert(folder: string, shape: readonly [number, number], shifted: boolean): Mesh {
  const zeroBased = existsSync(join(folder, "metainfo.yaml"));
  const nodeTensors = tensors(folder, "mesh_features");
  const counts = nodeTensors.map((tensor) => tensor.size(0));
  const starts = counts.map((_, level) => counts.slice(0, level).reduce((a, b) => a + b, 0));
  const numMesh = counts.reduce((a, b) => a + b, 0);
  const numGrid = shape[0] * shape[1];
  const [g2m, m2g] = [edges(folder, "g2m")[0]!, edges(folder, "m2g")[0]!];
  const gridStart = zeroBased ? 0 : numMesh;
  const points =
    m2g.receivers.reduce(
      (a, b) => Math.max(a, b),
      g2m.senders.reduce((a, b) => Math.max(a, b), 0),
    ) + 1;
  if (points - gridStart !== numGrid) {
    throw new ConfigError(
      `the graph is for ${points - gridStart} grid points, the data have ${shape.join("×")} = ${numGrid}`,
      { where: folder, hint: "leave mesh_file out to have a mesh built for this grid" },
    );
  }
  const start = (level: number) => (zeroBased ? 0 : starts[level]!);
  const same = edges(folder, "m2m");
  const pairs =
    counts.length > 1 ? { up: edges(folder, "mesh_up"), down: edges(folder, "mesh_down") } : { up: [], down: [] };
  const longestEdge = same.reduce(
    (longest, { features, columns }) => features.reduce((a, v, i) => (i % columns === 0 ? Math.max(a, v) : a), longest),
    0,
  );
  const set = (raw: RawEdges, senders: [number, number], receivers: [number, number]) =>
    sorted(raw, senders, receivers, longestEdge);
  const level = (l: number): [number, number] => [start(l), counts[l]!];
  const grid: [number, number] = [gridStart, numGrid];
  const largest = zeroBased ? nodeTensors.reduce((a, tensor) => Math.max(a, tensor.abs().max().item()), 0) : 1;
  return {
    gridShape: shape,
    levels: nodeTensors.map(
      (tensor, l): MeshLevel => ({ numNodes: counts[l]!, features: floats(tensor).map((v) => v / largest) }),
    ),
    same: same.map((raw, l) => set(raw, level(l), level(l))),
    up: pairs.up.map((raw, l) => set(raw, level(l), level(l + 1))),
    down: pairs.down.map((raw, l) => set(raw, level(l + 1), level(l))),
    gridToMesh: set(g2m, shifted ? [g2m.senders.reduce((a, b) => Math.min(a, b)), numGrid] : grid, level(0)),
    meshToGrid: set(m2g, level(0), grid),
    longestEdge,
  };
}

/** Zero-based, in the order of receivers, lengths in units of the longest edge. */
function sorted(
  { senders, receivers, columns, features }: RawEdges,
  [senderStart, numSenders]: [number, number],
  [receiverStart, numReceivers]: [number, number],
  longestEdge: number,
): EdgeSet {
  const order = [...receivers.keys()].sort((a, b) => receivers[a]! - receivers[b]! || senders[a]! - senders[b]!);
  const result = {
    numSenders,
    numReceivers,
    senders: Int32Array.from(order, (edge) => senders[edge]! - senderStart),
    receivers: Int32Array.from(order, (edge) => receivers[edge]! - receiverStart),
    features: new Float32Array(features.length),
  };
  for (const [at, edge] of order.entries()) {
    for (let k = 0; k < columns; k++) result.features[at * columns + k] = features[edge * columns + k]! / longestEdge;
  }
  return result;
}

function edges(folder: string, name: string): RawEdges[] {
  const features = tensors(folder, `${name}_features`);
  return tensors(folder, `${name}_edge_index`).map((index, i): RawEdges => {
    const values = features[i];
    if (index.ndim !== 2 || index.size(0) !== 2 || values?.ndim !== 2 || values.size(0) !== index.size(1)) {
      throw new FormatError(`${folder}: ${name} has indices [${index.shape}] and features [${values?.shape ?? ""}]`, {
        hint: "expected [2, edges] and [edges, 3]",
      });
    }
    const ints = (row: number) =>
      index.select(0, row).to("int32").contiguous().toTypedArray({ copy: true }) as Int32Array;
    return { senders: ints(0), receivers: ints(1), columns: values.size(1), features: floats(values) };
  });
}

/** The tensor of a file, or the list of tensors. */
function tensors(folder: string, name: string): torch.Tensor[] {
  const path = join(folder, `${name}.pt`);
  if (!existsSync(path)) {
    throw new FormatError(`${folder} has no ${name}.pt`, {
      hint: "give a graph folder as neural-lam's create_graph writes it",
    });
  }
  let value: unknown;
  try {
    value = torch.load(path);
  } catch (err) {
    if (err instanceof torch.TensorFileError) throw new FormatError(err.message, { cause: err });
    throw err;
  }
  const list = Array.isArray(value) ? value : [value];
  if (list.length > 0 && list.every((item) => item instanceof torch.Tensor)) return list;
  throw new FormatError(`${path} holds neither a tensor nor a list of tensors`);
}

const floats = (tensor: torch.Tensor): Float32Array =>
  tensor.to("float32").contiguous().toTypedArray({ copy: true }) as Float32Array;
