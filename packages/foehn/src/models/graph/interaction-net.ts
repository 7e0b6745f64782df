// InteractionNet: one round of messages along edges (Battaglia et al. 2016, arXiv 1612.00222). Each edge computes a message from its
// own state and those of the two nodes it joins; each node adds what its messages, summed up, make of it.
// The first linear layer takes [edge, sender, receiver]: it is applied to the three apart, to the nodes before their rows meet
// at edges, which is the same product for a fraction of the work. Weights and keys are those of mfai's and py4cast's InteractionNet.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { nn } from "@foehn/torch";
import { hiddenWidths, mlp } from "./mlp.js";

/** How messages into one node become one: their sum or their mean. */
export type Aggregation = "sum" | "mean";

/** Sizes of an `InteractionNet`. */
export interface InteractionNetOptions {
  /** Width of node and edge states. */
  readonly width: number;
  readonly hiddenLayers: number;
  /** Default sum. */
  readonly aggregation?: Aggregation;
}

/** What one round gives. */
export interface Interaction {
  /** (B, receivers, width). */
  readonly receivers: Tensor;
  /** What to add to the state of each edge, (B, edges, width). */
  readonly messages: Tensor;
}

/** One round of messages along one set of edges. */
export class InteractionNet extends nn.Module {
  readonly edge_mlp: nn.Sequential;
  readonly aggr_mlp: nn.Sequential;
  readonly #index: torch.graph.EdgeIndex;
  readonly #aggregation: Aggregation;

  /** @param index the edges; a field of the network, so that it moves with it */
  constructor(index: torch.graph.EdgeIndex, { width, hiddenLayers, aggregation = "sum" }: InteractionNetOptions) {
    super();
    this.#index = index;
    this.#aggregation = aggregation;
    this.edge_mlp = mlp(hiddenWidths(3 * width, width, hiddenLayers));
    this.aggr_mlp = mlp(hiddenWidths(2 * width, width, hiddenLayers));
  }

  /**
   * @param senders (B, senders, width), or without batch where it is the same for all
   * @param receivers (B, receivers, width), or without batch
   * @param edges (B, edges, width), or without batch
   */
  override forward(senders: Tensor, receivers: Tensor, edges: Tensor): Interaction {
    const messages = edgeMessages(this.edge_mlp, this.#index, edges, senders, receivers);
    let sum = torch.graph.segmentSum(this.#index, messages);
    if (this.#aggregation === "mean") sum = sum.div(this.#index.inDegree());
    return { receivers: updated(this.aggr_mlp, receivers, sum), messages };
  }
}

/** Messages of edges: the perceptron of [edge, sender, receiver]. */
export function edgeMessages(
  perceptron: nn.Sequential,
  index: torch.graph.EdgeIndex,
  edges: Tensor,
  senders: Tensor,
  receivers: Tensor,
): Tensor {
  const first = firstLayer(perceptron);
  const silu = perceptron.at(1) instanceof nn.SiLU;
  const [edge, sender, receiver] = blocks(first.weight, 3);
  const sum = torch.graph.edgeSum(
    index,
    torch.linear(edges, edge!, { bias: first.bias }),
    torch.linear(senders, sender!),
    torch.linear(receivers, receiver!),
    { silu },
  );
  return rest(perceptron, silu ? 2 : 1, sum);
}

/** State of nodes after their messages: node + perceptron of [node, sum of messages]. */
export function updated(perceptron: nn.Sequential, nodes: Tensor, messages: Tensor): Tensor {
  const first = firstLayer(perceptron);
  const [node, message] = blocks(first.weight, 2);
  const hidden = torch.linear(messages, message!, { bias: first.bias }).add(torch.linear(nodes, node!));
  return nodes.add(rest(perceptron, 1, hidden));
}

function firstLayer(perceptron: nn.Sequential): nn.Linear {
  const first = perceptron.at(0);
  if (first instanceof nn.Linear) return first;
  throw new TypeError(`the first layer is a ${first.constructor.name}, expected Linear`);
}

/** A weight (out, n·in) as n weights (out, in). */
function blocks(weight: Tensor, count: number): Tensor[] {
  return weight.chunk(count, { dim: 1 });
}

function rest(perceptron: nn.Sequential, from: number, x: Tensor): Tensor {
  let value = x;
  for (let i = from; i < perceptron.length; i++) value = perceptron.at(i).forward(value);
  return value;
}
