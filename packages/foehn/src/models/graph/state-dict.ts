// State dicts of mfai's graph networks: besides weights they carry edges and features of the mesh, and names change inside its
// wrappers for activation checkpoints and offloading. py4cast's carry weights only.

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../../core/errors.js";
import type { MeshBuffers } from "./mesh-buffers.js";

/** What `Module.loadStateDict` takes. */
export type StateDict = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

const WRAPPERS = /(?<=\.)(?:module|_checkpoint_wrapped_module)\./g;
const MESH_KEY = /^(g2m|m2g)_(edge_index|features)$/;

/**
 * The weights alone, under plain names.
 * @throws ConfigError when the state was saved with another number of edges than the mesh has
 */
export function meshNetworkState(state: StateDict, mesh: MeshBuffers): Map<string, Tensor> {
  const given: Iterable<[string, Tensor]> = state instanceof Map ? state : Object.entries(state);
  const weights = new Map<string, Tensor>();
  for (const [key, tensor] of given) {
    const match = MESH_KEY.exec(key);
    if (match === null) weights.set(key.replace(WRAPPERS, ""), tensor);
    else {
      const own = match[1] === "g2m" ? mesh.gridToMesh.numEdges : mesh.meshToGrid.numEdges;
      const saved = tensor.size(match[2] === "features" ? 0 : 1);
      if (saved !== own) {
        throw new ConfigError(
          `these weights belong to a mesh with ${saved} ${match[1]} edges; this network has ${own}`,
          {
            hint: "set compat to the coordinates they were trained with, or mesh_file to the graph folder of that training",
          },
        );
      }
    }
  }
  return weights;
}
