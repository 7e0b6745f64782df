// Between the grid, where data, losses and forecasts are, and the layout that a network works on: `transformStatics` and
// `transformBatch` of a graph network make one dimension `ngrid` of `lat` and `lon`. Only the states inside an unrolled forecast
// are in the network's layout; predictions come back on the grid at once.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { prognosticFeatures } from "../datasets/features.js";
import type { Network, StaticTensors } from "../models/network.js";
import { NamedTensor } from "../tensor/named-tensor.js";

const dims = ["batch", "timestep", "lat", "lon", "features"] as const;

/** Parts of a batch, each (B, T, H, W, F); inputs and outputs are prognostic features. */
export interface BatchParts {
  readonly inputs?: Tensor | undefined;
  readonly outputs?: Tensor | undefined;
  readonly forcing?: Tensor | undefined;
}

/**
 * Parts of a batch as the network takes them, for a forecast that has its history first and each forcing later.
 * Parts that are left out have no time steps.
 */
export function inNetworkLayout(network: Network, info: DatasetInfo, parts: BatchParts): ItemBatch {
  const given = parts.inputs ?? parts.outputs ?? parts.forcing;
  if (given === undefined) throw new RangeError("a batch has at least one part");
  const [batchSize, , ...space] = given.shape as [number, number, number, number];
  const named = (tensor: Tensor | undefined, names: readonly string[]): NamedTensor =>
    new NamedTensor(
      tensor ?? torch.zeros([batchSize, 0, space[0]!, space[1]!, names.length], { device: given.device }),
      dims,
      names,
    ) as NamedTensor;
  const state = prognosticFeatures(info).map((feature) => feature.name);
  return network.transformBatch({
    inputs: named(parts.inputs, state),
    outputs: named(parts.outputs, state),
    forcing: named(parts.forcing, info.forcingNames),
    times: { inputs: [], outputs: [] },
    batchSize,
    numInputSteps: parts.inputs?.size(1) ?? 0,
    numPredSteps: (parts.outputs ?? parts.forcing)?.size(1) ?? 0,
  });
}

/**
 * A tensor in the network's layout on the grid again; a view.
 * @param shape the shape on the grid, the features last
 * @throws ModelError when the network's layout has another number of points
 */
export function onGridAgain(tensor: Tensor, shape: readonly number[]): Tensor {
  if (tensor.ndim === shape.length && tensor.shape.every((size, i) => size === shape[i])) return tensor;
  const size = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  if (size(tensor.shape) !== size(shape)) {
    throw new ModelError(
      `the network's output has shape (${tensor.shape.join(", ")}), which does not go back onto (${shape.join(", ")})`,
      { hint: "transformBatch may join lat and lon to one dimension, row by row, and must leave the other sizes" },
    );
  }
  return tensor.reshape(shape);
}

/** A tensor on the grid, (B, H, W, F), as `like` lies in the network's layout; a view. */
export function inLayoutOf(tensor: Tensor, like: Tensor): Tensor {
  return tensor.ndim === like.ndim ? tensor : tensor.reshape([...like.shape.slice(0, -1), tensor.size(-1)]);
}

/** The tensors behind static features and masks, each once. */
export function tensorsOf(...all: readonly StaticTensors[]): Tensor[] {
  const tensors = all.flatMap((statics) => [statics.features, statics.borderMask, statics.interiorMask]);
  return [...new Set(tensors.map((named) => named.tensor))];
}
