// HiLAMParallel: all edges of the mesh, within levels, up and down, pass messages at the same time in every round.
// Oskarsson et al. 2023 (arXiv 2309.17370). Settings and state-dict keys are those of mfai's HiLAMParallel, which keeps one perceptron
// per edge set and one per level of nodes in each round ("processor.module_0.edge_mlp.mlps.0 …").

import type * as torch from "@foehn/torch";
import type { Tensor } from "@foehn/torch";
import { nn } from "@foehn/torch";
import { HierarchicalNetwork, type MeshState } from "../graph/hierarchical-network.js";
import { edgeMessages, withMessages } from "../graph/interaction-net.js";
import { hiddenWidths, Mlp } from "../graph/mlp.js";
import { type GraphSettings, graphSettings } from "../graph/settings.js";
import type { InputShape, ModelType } from "../network.js";

/** One set of edges in a round: which levels it joins and where its states are. */
interface Route {
  readonly index: torch.graph.EdgeIndex;
  readonly from: number;
  readonly to: number;
  readonly edges: "same" | "up" | "down";
  readonly position: number;
}

/** Perceptrons of a list, under the key "mlps". */
class Perceptrons extends nn.Module {
  readonly mlps: nn.ModuleList<Mlp>;

  constructor(count: number, widths: readonly number[]) {
    super();
    this.mlps = new nn.ModuleList(Array.from({ length: count }, () => new Mlp(widths)));
  }

  override forward(): never {
    throw new TypeError("Perceptrons computes nothing: call its mlps");
  }
}

/** One round. */
class ParallelRound extends nn.Module {
  readonly edge_mlp: Perceptrons;
  readonly aggr_mlp: Perceptrons;

  constructor(numRoutes: number, numLevels: number, width: number, hiddenLayers: number) {
    super();
    this.edge_mlp = new Perceptrons(numRoutes, hiddenWidths(3 * width, width, hiddenLayers));
    this.aggr_mlp = new Perceptrons(numLevels, hiddenWidths(2 * width, width, hiddenLayers));
  }

  override forward(state: MeshState, routes: readonly Route[]): void {
    const before = [...state.nodes];
    const sums: (Tensor | undefined)[] = before.map(() => undefined);
    for (const [i, { index, from, to, edges, position }] of routes.entries()) {
      const old = state[edges][position]!;
      const input = { senders: before[from]!, receivers: before[to]!, edges: old };
      const { sums: sum, rows } = edgeMessages(this.edge_mlp.mlps.at(i), index, input);
      sums[to] = sums[to]?.add(sum) ?? sum;
      state[edges][position] = rows ?? old;
    }
    for (const [level, nodes] of before.entries()) {
      const sum = sums[level];
      if (sum !== undefined) state.nodes[level] = withMessages(this.aggr_mlp.mlps.at(level), nodes, sum);
    }
  }
}

/** (B, H·W, F) → (B, H·W, Fout). */
export class HiLAMParallel extends HierarchicalNetwork {
  static readonly modelName = "hilamparallel";
  static readonly modelType: ModelType = "graph";
  static readonly onnxSupported = true;
  static readonly settings = graphSettings;

  readonly processor: nn.ModuleDict<ParallelRound>;
  readonly #routes: readonly Route[];

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: GraphSettings, inputShape: InputShape) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape);
    const { levels, same, up, down } = this.mesh;
    this.#routes = [
      ...[...same].map((index, i): Route => ({ index, from: i, to: i, edges: "same", position: i })),
      ...[...up].map((index, i): Route => ({ index, from: i, to: i + 1, edges: "up", position: i })),
      ...[...down].map((index, i): Route => ({ index, from: i + 1, to: i, edges: "down", position: i })),
    ];
    const rounds: Record<string, ParallelRound> = {};
    for (let i = 0; i < settings.processor_layers; i++) {
      const { hidden_dims, hidden_layers } = settings;
      rounds[`module_${i}`] = new ParallelRound(this.#routes.length, levels.length, hidden_dims, hidden_layers);
    }
    this.processor = new nn.ModuleDict(rounds);
  }

  protected override processLevels(state: MeshState): void {
    for (const [, round] of this.processor) round.forward(state, this.#routes);
  }
}
