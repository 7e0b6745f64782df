// InteractionNet: one round of messages along edges (Battaglia et al. 2016, arXiv 1612.00222). Each edge computes a message from its
// own state and those of the two nodes it joins; each node adds what its messages, summed up, make of it.
// The first linear layer takes [edge, sender, receiver]: it is applied to the three apart, to the nodes before their rows meet
// at edges, which is the same product for a fraction of the work. Weights and keys are those of mfai's and py4cast's InteractionNet.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { nn } from "@foehn/torch";
import { hiddenWidths, Mlp } from "./mlp.js";

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
  /** (B, edges, width): the state of each edge with its message added, when it was asked for. */
  readonly edges?: Tensor;
}

/** Arguments of a round: each with batch, (B, rows, width), or without where it is the same for all. */
export interface InteractionInput {
  readonly senders: Tensor;
  readonly receivers: Tensor;
  readonly edges: Tensor;
  /** Whether edges keep their messages. Default true. */
  readonly updateEdges?: boolean;
}

/** One round of messages along one set of edges. */
export class InteractionNet extends nn.Module {
  readonly edge_mlp: Mlp;
  readonly aggr_mlp: Mlp;
  readonly #index: torch.graph.EdgeIndex;
  readonly #aggregation: Aggregation;

  /** @param index the edges; a field of the network, so that it moves with it */
  constructor(index: torch.graph.EdgeIndex, { width, hiddenLayers, aggregation = "sum" }: InteractionNetOptions) {
    super();
    this.#index = index;
    this.#aggregation = aggregation;
    this.edge_mlp = new Mlp(hiddenWidths(3 * width, width, hiddenLayers));
    this.aggr_mlp = new Mlp(hiddenWidths(2 * width, width, hiddenLayers));
  }

  override forward(input: InteractionInput): Interaction {
    const { sums, rows } = edgeMessages(this.edge_mlp, this.#index, input);
    const messages = this.#aggregation === "mean" ? sums.div(this.#index.inDegree().to(sums.dtype)) : sums;
    return { receivers: withMessages(this.aggr_mlp, input.receivers, messages), ...(rows && { edges: rows }) };
  }
}

/** Messages, the perceptron of [edge, sender, receiver], summed at receivers; with `updateEdges` also added to the edges. */
export function edgeMessages(
  perceptron: Mlp,
  index: torch.graph.EdgeIndex,
  input: InteractionInput,
): torch.graph.NormSum {
  const { senders, receivers, edges, updateEdges = true } = input;
  const { first, isDeep, norm } = perceptron;
  const [edge, sender, receiver] = first.weight.chunk(3, { dim: 1 });
  // The bias goes where there are fewest rows.
  const atSenders = index.numSenders < index.numReceivers;
  const hidden = torch.graph.edgeSum(
    index,
    torch.linear(edges, edge!),
    torch.linear(senders, sender!, { bias: atSenders ? first.bias : null }),
    torch.linear(receivers, receiver!, { bias: atSenders ? null : first.bias }),
    { silu: isDeep },
  );
  return torch.graph.normSum(index, perceptron.beforeNorm(hidden), norm, updateEdges ? edges : undefined);
}

/** State of nodes after their messages, both (B, nodes, width): node + perceptron of [node, messages]. */
export function withMessages(perceptron: Mlp, nodes: Tensor, messages: Tensor): Tensor {
  const { first, isDeep } = perceptron;
  const [node, message] = first.weight.chunk(2, { dim: 1 });
  const ofMessages = torch.linear(messages, message!, { bias: first.bias });
  const ofNodes = torch.linear(nodes, node!).expandAs(ofMessages);
  return perceptron.after(isDeep ? torch.graph.silu(ofMessages, ofNodes) : ofMessages.add(ofNodes), nodes);
}
