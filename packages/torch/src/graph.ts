// Message passing along the edges of a graph: rows of node tensors meet at edges, and rows of edge tensors are summed at nodes.
// Edges are ordered by the node they lead to, so a sum is one pass over memory. Compare torch_geometric's MessagePassing.
import { tensor } from "./creation.js";
import { TorchError } from "./errors.js";
import * as ops from "./generated/functions.js";
import { Module } from "./nn/module.js";
import type { Tensor } from "./tensor.js";

/** What an {@link EdgeIndex} is made from. */
export interface EdgeIndexOptions {
  /** Node each edge starts from, in [0, numSenders). */
  readonly senders: Int32Array;
  /** Node each edge leads to, in [0, numReceivers), ascending. */
  readonly receivers: Int32Array;
  readonly numSenders: number;
  readonly numReceivers: number;
}

/** The edges of a graph as int32 buffers, outside the state dict; `to` moves them with the network they belong to. */
export class EdgeIndex extends Module {
  readonly numEdges: number;
  readonly numSenders: number;
  readonly numReceivers: number;
  /** (edges). */
  declare readonly senders: Tensor;
  /** (edges), ascending. */
  declare readonly receivers: Tensor;
  /** (receivers + 1): the edges of node i are those from entry i to before entry i + 1. */
  declare readonly receiverOffsets: Tensor;
  /** (edges): numbers of the edges in the order of their senders. */
  declare readonly senderOrder: Tensor;
  /** (senders + 1): as `receiverOffsets`, into `senderOrder`. */
  declare readonly senderOffsets: Tensor;

  /** @throws TorchError for indices out of range or receivers that do not ascend */
  constructor({ senders, receivers, numSenders, numReceivers }: EdgeIndexOptions) {
    super();
    this.numEdges = receivers.length;
    this.numSenders = numSenders;
    this.numReceivers = numReceivers;
    check(senders, numSenders, "sender");
    check(receivers, numReceivers, "receiver");
    if (senders.length !== receivers.length) bad(`${senders.length} senders for ${receivers.length} receivers`);
    const unsorted = receivers.findIndex((value, i) => i > 0 && value < receivers[i - 1]!);
    if (unsorted >= 0) bad(`receivers must ascend, and do not at edge ${unsorted}`);
    const bySender = counted(senders, numSenders);
    const next = bySender.slice();
    const order = new Int32Array(senders.length);
    for (let edge = 0; edge < senders.length; edge++) order[next[senders[edge]!]!++] = edge;
    const buffer = (name: string, values: Int32Array) =>
      this.registerBuffer(name, tensor(values), { persistent: false });
    buffer("senders", senders);
    buffer("receivers", receivers);
    buffer("receiverOffsets", counted(receivers, numReceivers));
    buffer("senderOrder", order);
    buffer("senderOffsets", bySender);
  }

  /** Number of edges into each node, at least 1, as (receivers, 1). */
  inDegree(): Tensor {
    return ops.diff(this.receiverOffsets).clampMin(1).unsqueeze(1);
  }

  /** Use {@link edgeSum} and {@link segmentSum}. */
  override forward(): never {
    throw new TypeError("EdgeIndex computes nothing: use torch.graph.edgeSum and torch.graph.segmentSum");
  }

  override extraRepr(): string {
    return `${this.numSenders}→${this.numReceivers}, edges=${this.numEdges}`;
  }
}

function bad(message: string): never {
  throw new TorchError(message, { code: "ERR_TORCH_ARGUMENT" });
}

function check(indices: Int32Array, size: number, what: string): void {
  const outside = indices.find((i) => i < 0 || i >= size);
  if (outside !== undefined) bad(`${what} ${outside} is outside 0 to ${size - 1}`);
}

/** Offsets of the groups of equal indices once they are sorted. */
function counted(indices: Int32Array, size: number): Int32Array {
  const offsets = new Int32Array(size + 1);
  for (const i of indices) offsets[i + 1]!++;
  for (let i = 0; i < size; i++) offsets[i + 1]! += offsets[i]!;
  return offsets;
}

/** Which activation {@link edgeSum} applies. */
export interface EdgeSumOptions {
  /** x·sigmoid(x) of the sum. Default false. */
  readonly silu?: boolean;
}

/**
 * For each edge from node s to node r: edge term + sender term of s + receiver term of r.
 * @param edge (B, edges, d), or (edges, d) for all of a batch
 * @param sender (B, senders, d), or (senders, d)
 * @param receiver (B, receivers, d), or (receivers, d)
 * @returns (B, edges, d), or (edges, d) when nothing has a batch
 */
export function edgeSum(
  index: EdgeIndex,
  edge: Tensor,
  sender: Tensor,
  receiver: Tensor,
  { silu = false }: EdgeSumOptions = {},
): Tensor {
  const sum = edge.add(sender.indexSelect(-2, index.senders)).add(receiver.indexSelect(-2, index.receivers));
  return silu ? ops.silu(sum) : sum;
}

/** Sums the rows of all edges into one node: (B, edges, d) → (B, receivers, d). Nodes without edges get zeros. */
export function segmentSum(index: EdgeIndex, rows: Tensor): Tensor {
  const shape = [...rows.shape];
  shape[shape.length - 2] = index.numReceivers;
  return ops.indexAdd(rows.newZeros(shape), -2, index.receivers, rows);
}
