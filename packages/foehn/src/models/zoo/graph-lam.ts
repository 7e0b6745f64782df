// GraphLAM: all edges of the mesh, short and long, on its finest nodes, and rounds of messages along them.
// Oskarsson et al. 2023 (arXiv 2309.17370), after GraphCast (Lam et al. 2023) and Keisler 2022. Settings and state-dict keys are those
// of mfai's and py4cast's GraphLAM.

import type { Tensor } from "@foehn/torch";
import { nn } from "@foehn/torch";
import type { InteractionNet } from "../graph/interaction-net.js";
import { MeshNetwork } from "../graph/mesh-network.js";
import type { Mlp } from "../graph/mlp.js";
import { type GraphSettings, graphSettings } from "../graph/settings.js";
import type { InputShape, ModelType } from "../network.js";

/** (B, H·W, F) → (B, H·W, Fout). */
export class GraphLAM extends MeshNetwork {
  static readonly modelName = "graphlam";
  static readonly modelType: ModelType = "graph";
  static readonly onnxSupported = true;
  static readonly settings = graphSettings;

  readonly mesh_embedder: Mlp;
  readonly m2m_embedder: Mlp;
  readonly processor: nn.ModuleDict<InteractionNet>;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: GraphSettings, inputShape: InputShape) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape, false);
    this.mesh_embedder = this.embedder(this.mesh.levels.at(0).numFeatures);
    this.m2m_embedder = this.embedder(this.mesh.same.at(0).numFeatures);
    const rounds: Record<string, InteractionNet> = {};
    for (let i = 0; i < settings.processor_layers; i++) {
      rounds[`module_${i}`] = this.interaction(this.mesh.same.at(0), settings.mesh_aggr);
    }
    this.processor = new nn.ModuleDict(rounds);
  }

  protected override embedMesh(): Tensor {
    return this.mesh_embedder.forward(this.mesh.levels.at(0).features);
  }

  protected override process(mesh: Tensor): Tensor {
    let nodes = mesh;
    let edges = this.m2m_embedder.forward(this.mesh.same.at(0).features);
    const rounds = [...this.processor].map(([, round]) => round);
    for (const [i, round] of rounds.entries()) {
      // Nothing reads the edges after the last round.
      const updateEdges = i + 1 < rounds.length;
      const next = round.forward({ senders: nodes, receivers: nodes, edges, updateEdges });
      nodes = next.receivers;
      edges = next.edges ?? edges;
    }
    return nodes;
  }
}
