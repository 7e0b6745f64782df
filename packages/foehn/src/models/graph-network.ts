// GraphNetwork: base of networks that see the grid as a list of nodes. They take (B, N, F) and give (B, N, Fout); node i·W + j is
// the grid point in row i and column j. Statics and batches are flattened here; training and forecasts bring predictions back
// on the grid. Not here: meshes (grid/mesh) and the layers that pass messages (graph/).

import type { Tensor } from "@foehn/torch";
import type { ItemBatch } from "../datasets/dataset.js";
import type { NamedTensor } from "../tensor/named-tensor.js";
import { Network, type StaticTensors } from "./network.js";

/** Base class of graph networks. */
export abstract class GraphNetwork extends Network {
  /** From (B, N, F) to (B, N, Fout). */
  abstract override forward(x: Tensor): Tensor;

  /** (H, W, S) → (N, S). */
  override transformStatics({ features, borderMask, interiorMask }: StaticTensors): StaticTensors {
    return { features: onNodes(features), borderMask: onNodes(borderMask), interiorMask: onNodes(interiorMask) };
  }

  /** (B, T, H, W, F) → (B, T, N, F). */
  override transformBatch(batch: ItemBatch): ItemBatch {
    const { inputs, outputs, forcing, mask, inputMask } = batch;
    return {
      ...batch,
      inputs: onNodes(inputs),
      outputs: onNodes(outputs),
      forcing: onNodes(forcing),
      ...(mask && { mask: onNodes(mask) }),
      ...(inputMask && { inputMask: onNodes(inputMask) }),
    };
  }
}

/** `lat` and `lon` as one dimension `ngrid`, a view. */
function onNodes(tensor: NamedTensor): NamedTensor {
  return tensor.flatten("ngrid", "lat", "lon");
}
