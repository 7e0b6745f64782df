// A mesh as tensors: edges and their features, features of mesh nodes. Buffers outside the state dict that move with the network
// they are a field of, each kept once however many layers use it.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { nn } from "@foehn/torch";
import { type EdgeSet, edgeColumns, type Mesh, type MeshLevel } from "../../grid/mesh/mesh.js";

/** Edges with their features, (edges, columns). */
export class MeshEdges extends torch.graph.EdgeIndex {
  declare readonly features: Tensor;
  /** Columns of `features`. */
  readonly numFeatures: number;

  constructor(edges: EdgeSet) {
    super(edges);
    this.numFeatures = edgeColumns(edges);
    const features = torch.tensor(edges.features, { shape: [this.numEdges, this.numFeatures] });
    this.registerBuffer("features", features, { persistent: false });
  }
}

/** Nodes of a level: their features, (nodes, columns). */
export class MeshNodes extends nn.Module {
  declare readonly features: Tensor;
  readonly numNodes: number;
  /** Columns of `features`. */
  readonly numFeatures: number;

  constructor({ numNodes, features }: MeshLevel) {
    super();
    this.numNodes = numNodes;
    this.numFeatures = features.length / numNodes;
    const tensor = torch.tensor(features, { shape: [numNodes, this.numFeatures] });
    this.registerBuffer("features", tensor, { persistent: false });
  }

  override forward(): Tensor {
    return this.features;
  }
}

/** All of a mesh. */
export class MeshBuffers extends nn.Module {
  readonly gridToMesh: MeshEdges;
  readonly meshToGrid: MeshEdges;
  readonly levels: nn.ModuleList<MeshNodes>;
  readonly same: nn.ModuleList<MeshEdges>;
  readonly up: nn.ModuleList<MeshEdges>;
  readonly down: nn.ModuleList<MeshEdges>;

  constructor(mesh: Mesh) {
    super();
    const list = (sets: readonly EdgeSet[]) => new nn.ModuleList(sets.map((edges) => new MeshEdges(edges)));
    this.gridToMesh = new MeshEdges(mesh.gridToMesh);
    this.meshToGrid = new MeshEdges(mesh.meshToGrid);
    this.levels = new nn.ModuleList(mesh.levels.map((level) => new MeshNodes(level)));
    this.same = list(mesh.same);
    this.up = list(mesh.up);
    this.down = list(mesh.down);
  }

  override forward(): never {
    throw new TypeError("MeshBuffers computes nothing");
  }
}
