// HiLAM: messages go down the levels of the mesh and up again, level by level, in every round.
// Oskarsson et al. 2023 (arXiv 2309.17370). Settings and state-dict keys are those of mfai's and py4cast's HiLAM.

import type { Tensor } from "@foehn/torch";
import { nn } from "@foehn/torch";
import { HierarchicalNetwork, type MeshState } from "../graph/hierarchical-network.js";
import type { InteractionNet } from "../graph/interaction-net.js";
import { type GraphSettings, graphSettings } from "../graph/settings.js";
import type { InputShape, ModelType } from "../network.js";

/** One entry per round, and in it one net per level or pair of levels. */
type Rounds = nn.ModuleList<nn.ModuleList<InteractionNet>>;

/** (B, H·W, F) → (B, H·W, Fout). */
export class HiLAM extends HierarchicalNetwork {
  static readonly modelName = "hilam";
  static readonly modelType: ModelType = "graph";
  static readonly onnxSupported = true;
  static readonly settings = graphSettings;

  readonly mesh_down_gnns: Rounds;
  readonly mesh_down_same_gnns: Rounds;
  readonly mesh_up_gnns: Rounds;
  readonly mesh_up_same_gnns: Rounds;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: GraphSettings, inputShape: InputShape) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape);
    const { same, up, down } = this.mesh;
    const rounds = (sets: Iterable<Parameters<typeof this.interaction>[0]>): Rounds =>
      new nn.ModuleList(Array.from({ length: settings.processor_layers }, () => this.interactions(sets)));
    this.mesh_down_gnns = rounds(down);
    this.mesh_down_same_gnns = rounds(same);
    this.mesh_up_gnns = rounds(up);
    this.mesh_up_same_gnns = rounds(same);
  }

  protected override processLevels(state: MeshState): void {
    const { nodes, same, up, down } = state;
    const top = nodes.length - 1;
    /** A round that takes rows of `edges[i]` along, and updates them. */
    const pass = (net: InteractionNet, from: number, to: number, edges: Tensor[], i: number): void => {
      const next = net.forward({ senders: nodes[from]!, receivers: nodes[to]!, edges: edges[i]! });
      nodes[to] = next.receivers;
      edges[i] = next.edges ?? edges[i]!;
    };
    for (const [round, downNets] of [...this.mesh_down_gnns].entries()) {
      const downSame = this.mesh_down_same_gnns.at(round);
      pass(downSame.at(top), top, top, same, top);
      for (let level = top - 1; level >= 0; level--) {
        pass(downNets.at(level), level + 1, level, down, level);
        pass(downSame.at(level), level, level, same, level);
      }
      const upNets = this.mesh_up_gnns.at(round);
      const upSame = this.mesh_up_same_gnns.at(round);
      pass(upSame.at(0), 0, 0, same, 0);
      for (let level = 1; level <= top; level++) {
        pass(upNets.at(level - 1), level - 1, level, up, level - 1);
        pass(upSame.at(level), level, level, same, level);
      }
    }
  }
}
