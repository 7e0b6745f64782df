// MeshNetwork: encode, process, decode. Grid nodes are embedded and read by the mesh, messages go round on the mesh, and the grid reads
// the mesh. Subclasses say what happens on the mesh. Layers and keys follow mfai's and py4cast's `BaseGraphModel` (after neural-lam).

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../../core/errors.js";
import { openMesh } from "../../grid/mesh/open.js";
import { GraphNetwork } from "../graph-network.js";
import type { InputShape } from "../network.js";
import { InteractionNet } from "./interaction-net.js";
import { MeshBuffers } from "./mesh-buffers.js";
import { hiddenWidths, Mlp } from "./mlp.js";
import type { GraphSettings } from "./settings.js";
import { meshNetworkState, type StateDict } from "./state-dict.js";

/** Base of the zoo's graph networks. */
export abstract class MeshNetwork extends GraphNetwork {
  readonly mesh: MeshBuffers;
  readonly grid_embedder: Mlp;
  readonly g2m_embedder: Mlp;
  readonly m2g_embedder: Mlp;
  readonly g2m_gnn: InteractionNet;
  readonly encoding_grid_mlp: Mlp;
  readonly m2g_gnn: InteractionNet;
  readonly output_map: Mlp;

  /** @throws ConfigError for a grid too small, or a mesh file that does not fit it */
  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: GraphSettings,
    inputShape: InputShape,
    hierarchical: boolean,
  ) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape);
    const { hidden_dims: width, hidden_layers: hiddenLayers } = settings;
    this.mesh = new MeshBuffers(
      openMesh(gridShape(inputShape), {
        hierarchical,
        maxLevels: settings.mesh_levels,
        compat: settings.compat,
        meshFile: settings.mesh_file,
        folder: settings.tmp_dir,
      }),
    );
    const { gridToMesh, meshToGrid } = this.mesh;
    this.grid_embedder = this.embedder(numInputFeatures);
    this.g2m_embedder = this.embedder(gridToMesh.numFeatures);
    this.m2g_embedder = this.embedder(meshToGrid.numFeatures);
    this.g2m_gnn = this.interaction(gridToMesh);
    this.encoding_grid_mlp = this.embedder(width);
    this.m2g_gnn = this.interaction(meshToGrid);
    this.output_map = new Mlp([...new Array<number>(hiddenLayers + 1).fill(width), numOutputFeatures], {
      layerNorm: false,
    });
  }

  /** First states of the finest mesh nodes, (nodes, width). */
  protected abstract embedMesh(): Tensor;

  /** Messages on the mesh: states of the finest mesh nodes, (B, nodes, width), before and after. */
  protected abstract process(mesh: Tensor): Tensor;

  override forward(x: Tensor): Tensor {
    const { gridToMesh, meshToGrid } = this.mesh;
    const embedded = this.grid_embedder.forward(x);
    const encoded = this.g2m_gnn.forward({
      senders: embedded,
      receivers: this.embedMesh(),
      edges: this.g2m_embedder.forward(gridToMesh.features),
      updateEdges: false,
    });
    const decoded = this.m2g_gnn.forward({
      senders: this.process(encoded.receivers),
      receivers: this.encoding_grid_mlp.forward(embedded, embedded),
      edges: this.m2g_embedder.forward(meshToGrid.features),
      updateEdges: false,
    });
    return this.output_map.forward(decoded.receivers);
  }

  /** Also takes what mfai saves besides weights (edges, features) and names inside its checkpoint wrappers. @throws ConfigError for another mesh */
  override loadStateDict(
    state: StateDict,
    options?: { readonly strict?: boolean },
  ): ReturnType<GraphNetwork["loadStateDict"]> {
    return super.loadStateDict(meshNetworkState(state, this.mesh), options);
  }

  /** A perceptron from `inputs` features to the width of states. */
  protected embedder(inputs: number): Mlp {
    const { hidden_dims, hidden_layers } = this.settings as GraphSettings;
    return new Mlp(hiddenWidths(inputs, hidden_dims, hidden_layers));
  }

  /** A round of messages along edges. */
  protected interaction(
    index: ConstructorParameters<typeof InteractionNet>[0],
    aggregation: GraphSettings["mesh_aggr"] = "sum",
  ): InteractionNet {
    const { hidden_dims: width, hidden_layers: hiddenLayers } = this.settings as GraphSettings;
    return new InteractionNet(index, { width, hiddenLayers, aggregation });
  }
}

function gridShape(shape: InputShape): readonly [number, number] {
  const [height, width, ...more] = shape;
  if (height !== undefined && width !== undefined && more.length === 0) return [height, width];
  throw new ConfigError(`a graph network needs a grid of two dimensions, got (${shape.join(", ")})`);
}
