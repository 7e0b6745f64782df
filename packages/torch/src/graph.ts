// Message passing along the edges of a graph: rows of node tensors meet at edges, and rows of edge tensors are summed at nodes.
// Edges are ordered by the node they lead to, so a sum is one pass over memory. Compare torch_geometric's MessagePassing.
import { tensor } from "./creation.js";
import { TorchError } from "./errors.js";
import * as ops from "./generated/functions.js";
import { adopt } from "./handles.js";
import { native } from "./native.js";
import { Module } from "./nn/module.js";
import { scope } from "./scope.js";
import type { Tensor } from "./tensor.js";
import { recorder } from "./trace/recorder.js";

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

  /** Use {@link edgeSum} and {@link normSum}. */
  override forward(): never {
    throw new TypeError("EdgeIndex computes nothing: use torch.graph.edgeSum and torch.graph.normSum");
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
 * @returns (B, edges, d); B is 1 when nothing has a batch
 */
export function edgeSum(
  index: EdgeIndex,
  edge: Tensor,
  sender: Tensor,
  receiver: Tensor,
  { silu: withSilu = false }: EdgeSumOptions = {},
): Tensor {
  const { senders, receivers, receiverOffsets, senderOrder, senderOffsets } = index;
  if (isFast(edge)) {
    const terms = [edge.handle, sender.handle, receiver.handle] as const;
    const order = [senders.handle, receiverOffsets.handle, senderOrder.handle, senderOffsets.handle] as const;
    return adopt(native.graphEdgeSum(...terms, ...order, withSilu)) as Tensor;
  }
  const sum = batched(edge).add(sender.indexSelect(-2, senders)).add(receiver.indexSelect(-2, receivers));
  return withSilu ? ops.silu(sum) : sum;
}

/** x·sigmoid(x) of a tensor, or of the sum of two of one shape. */
export function silu(x: Tensor, other?: Tensor): Tensor {
  if (isFast(x)) return adopt(native.graphSilu(x.handle, other?.handle ?? 0)) as Tensor;
  return ops.silu(other === undefined ? x : x.add(other));
}

/** Parameters of a layer norm over the last dimension. */
export interface Norm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly eps: number;
  /** Added to every row before: the bias of the layer in front, which then need not pass over the rows itself. */
  readonly shift?: Tensor | undefined;
}

/**
 * Layer norm of rows, (B, rows, d) → the same, in the type of the rows.
 * @param residual added to the result: (B, rows, d), or (rows, d)
 */
export function layerNorm(rows: Tensor, norm: Norm, residual?: Tensor): Tensor {
  if (isFast(rows)) return normalised(rows, norm, residual, 0, true)[0]!;
  const result = composedNorm(rows, norm);
  return residual === undefined ? result : result.add(residual);
}

/** What {@link normSum} gives. */
export interface NormSum {
  /** (B, receivers, d): the sum over the edges into each node, zeros without any. */
  readonly sums: Tensor;
  /** (B, edges, d): the normalised rows with the residual added; left out without a residual. */
  readonly rows?: Tensor;
}

/**
 * Layer norm of the rows of edges, summed at the nodes they lead to.
 * @param rows (B, edges, d)
 * @param residual also give the normalised rows, added to this: (B, edges, d), or (edges, d)
 */
export function normSum(index: EdgeIndex, rows: Tensor, norm: Norm, residual?: Tensor): NormSum {
  if (isFast(rows)) {
    const given = normalised(rows, norm, residual, index.receiverOffsets.handle, residual !== undefined);
    return { sums: given[0]!, ...(given[1] && { rows: given[1] }) };
  }
  const result = composedNorm(rows, norm);
  const shape = [...rows.shape];
  shape[shape.length - 2] = index.numReceivers;
  const sums = ops.indexAdd(result.newZeros(shape), -2, index.receivers, result);
  return { sums, ...(residual && { rows: result.add(residual) }) };
}

/** The native loops are for the CPU; a trace must see operators. */
const isFast = (tensor: Tensor): boolean => tensor.device === "cpu" && recorder === null;

const batched = (tensor: Tensor): Tensor => (tensor.ndim === 2 ? tensor.unsqueeze(0) : tensor);

function normalised(
  rows: Tensor,
  norm: Norm,
  residual: Tensor | undefined,
  offsets: number,
  wantRows: boolean,
): Tensor[] {
  return scope(() => {
    const x = batched(rows);
    const { weight, bias, eps, shift } = norm;
    const parameters = [weight.handle, bias.handle, shift?.handle ?? 0] as const;
    const ids = native.graphNormSum(x.handle, ...parameters, residual?.handle ?? 0, offsets, eps, wantRows);
    const results = ids.map((id) => adopt(id) as Tensor);
    return rows.ndim === 2 ? results.map((result) => result.squeeze(0)) : results;
  });
}

function composedNorm(rows: Tensor, { weight, bias, eps, shift }: Norm): Tensor {
  const x = shift === undefined ? rows : rows.add(shift.to(rows.dtype));
  const result = ops.layerNorm(x, weight.shape, { weight: weight.to(rows.dtype), bias: bias.to(rows.dtype), eps });
  return result.to(rows.dtype);
}
