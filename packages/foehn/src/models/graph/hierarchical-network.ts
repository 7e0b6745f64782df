// HierarchicalNetwork: a mesh of levels. A sweep up fills the coarse levels, messages go round (subclasses say how), a sweep down brings
// what the coarse levels know to the finest one, which alone talks to the grid. Layers and keys follow mfai's `BaseHiGraphModel`.

import type { Tensor } from "@foehn/torch";
import { nn } from "@foehn/torch";
import type { InputShape } from "../network.js";
import type { InteractionNet } from "./interaction-net.js";
import { MeshNetwork } from "./mesh-network.js";
import type { Mlp } from "./mlp.js";
import type { GraphSettings } from "./settings.js";

/** States of all levels, finest first. A round replaces entries; the lists belong to one forward. */
export interface MeshState {
  /** Of the nodes of level `l`, (B, nodes, width). */
  readonly nodes: Tensor[];
  /** Of the edges within level `l`. */
  readonly same: Tensor[];
  /** Of the edges from level `l` to `l + 1`. */
  readonly up: Tensor[];
  /** Of the edges from level `l + 1` to `l`. */
  readonly down: Tensor[];
}

/** Base of hilam and hilamparallel. */
export abstract class HierarchicalNetwork extends MeshNetwork {
  readonly mesh_embedders: nn.ModuleList<Mlp>;
  readonly mesh_same_embedders: nn.ModuleList<Mlp>;
  readonly mesh_up_embedders: nn.ModuleList<Mlp>;
  readonly mesh_down_embedders: nn.ModuleList<Mlp>;
  readonly mesh_init_gnns: nn.ModuleList<InteractionNet>;
  readonly mesh_read_gnns: nn.ModuleList<InteractionNet>;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: GraphSettings, inputShape: InputShape) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape, true);
    const { levels, same, up, down } = this.mesh;
    const embedders = (parts: Iterable<{ readonly numFeatures: number }>) =>
      new nn.ModuleList([...parts].map(({ numFeatures }) => this.embedder(numFeatures)));
    this.mesh_embedders = embedders(levels);
    this.mesh_same_embedders = embedders(same);
    this.mesh_up_embedders = embedders(up);
    this.mesh_down_embedders = embedders(down);
    this.mesh_init_gnns = this.interactions(up);
    this.mesh_read_gnns = this.interactions(down);
  }

  /** The rounds of messages; updates `state` in place. */
  protected abstract processLevels(state: MeshState): void;

  protected override embedMesh(): Tensor {
    return this.mesh_embedders.at(0).forward(this.mesh.levels.at(0).features);
  }

  protected override process(mesh: Tensor): Tensor {
    const embedded = (embedders: Iterable<Mlp>, parts: Iterable<{ readonly features: Tensor }>): Tensor[] => {
      const features = [...parts].map((part) => part.features);
      return [...embedders].map((embedder, i) => embedder.forward(features[i]!));
    };
    const { levels, same, up, down } = this.mesh;
    const coarse = embedded([...this.mesh_embedders].slice(1), [...levels].slice(1));
    const state: MeshState = {
      nodes: [mesh, ...coarse],
      same: embedded(this.mesh_same_embedders, same),
      up: embedded(this.mesh_up_embedders, up),
      down: embedded(this.mesh_down_embedders, down),
    };
    const { nodes } = state;
    for (const [level, net] of [...this.mesh_init_gnns].entries()) {
      const edges = state.up[level]!;
      const round = net.forward({ senders: nodes[level]!, receivers: nodes[level + 1]!, edges });
      nodes[level + 1] = round.receivers;
      state.up[level] = round.edges ?? edges;
    }
    this.processLevels(state);
    for (let level = this.mesh_read_gnns.length - 1; level >= 0; level--) {
      const edges = state.down[level]!;
      const round = { senders: nodes[level + 1]!, receivers: nodes[level]!, edges, updateEdges: false };
      nodes[level] = this.mesh_read_gnns.at(level).forward(round).receivers;
    }
    return nodes[0]!;
  }

  /** One round of messages per edge set. */
  protected interactions(
    sets: Iterable<ConstructorParameters<typeof InteractionNet>[0]>,
  ): nn.ModuleList<InteractionNet> {
    return new nn.ModuleList([...sets].map((index) => this.interaction(index)));
  }
}
