// The unrolled forecast inside training and validation: `advance` over all steps of a batch, with the truth on the border where
// the strategy forces it. Gradients flow through all steps. Batches and predictions are on the grid; in between everything is in
// the network's own layout. The operational rollout is forecast/; it calls `advance` too.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import type { Network, StaticTensors } from "../models/network.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { onGridAgain, tensorsOf } from "./network-layout.js";
import { advance } from "./step.js";
import { getStrategy, type StrategyName } from "./strategies/registry.js";

/** What stays the same over all batches; tensors are on the network's device and live until `dispose`. */
export interface RolloutContext {
  readonly network: Network;
  readonly strategy: StrategyName;
  readonly numInterSteps: number;
  /** On the grid, for losses and scores. */
  readonly statics: StaticTensors;
  /** As the network's `transformStatics` returned them, for `advance`. */
  readonly networkStatics: StaticTensors;
  readonly diffMean: Tensor;
  readonly diffStd: Tensor;
  readonly hasBorder: boolean;
  dispose(): void;
}

/** Options of `prepareRollout`. */
export interface RolloutOptions {
  readonly strategy: StrategyName;
  readonly numInterSteps: number;
  readonly device: string;
}

/** Puts statics and difference statistics on the device. */
export function prepareRollout(network: Network, info: DatasetInfo, options: RolloutOptions): RolloutContext {
  const names = info.features.map((feature) => feature.name);
  const statics = torch.scope(() => staticTensors(info, options.device));
  const kept = torch.scope(() => ({
    networkStatics: network.transformStatics(statics),
    diffMean: torch.tensor(
      names.map((name) => info.diffStats[name]?.mean ?? 0),
      { device: options.device },
    ),
    diffStd: torch.tensor(
      names.map((name) => info.diffStats[name]?.std ?? 1),
      { device: options.device },
    ),
  }));
  const { networkStatics, diffMean, diffStd } = kept;
  const tensors = [...tensorsOf(statics, networkStatics), diffMean, diffStd];
  for (const tensor of tensors) torch.keep(tensor);
  return {
    network,
    strategy: options.strategy,
    numInterSteps: options.numInterSteps,
    statics,
    ...kept,
    hasBorder: info.borderSize > 0 && getStrategy(options.strategy).forcesBorder,
    dispose: () => {
      for (const tensor of tensors) tensor.dispose();
    },
  };
}

/** Static features and masks of a dataset as named tensors. */
export function staticTensors(info: DatasetInfo, device: string): StaticTensors {
  const { statics } = info;
  const [ny, nx] = info.grid.shape;
  const named = (values: Float32Array, names: readonly string[]) =>
    new NamedTensor(torch.tensor(values, { shape: [ny, nx, names.length], device }), ["lat", "lon", "features"], names);
  return {
    features: named(statics.fields, statics.names),
    borderMask: named(statics.borderMask, ["border_mask"]),
    interiorMask: named(statics.interiorMask, ["interior_mask"]),
  };
}

/**
 * Predicts every step of a batch.
 * @returns normalised states with the dimensions and features of `batch.outputs`, (B, T, H, W, F)
 * @throws ModelError when the batch has other features than the network was made for
 */
export function rollout(context: RolloutContext, batch: ItemBatch): NamedTensor {
  const { network, networkStatics: statics } = context;
  const { inputs, outputs, forcing } = network.transformBatch(batch);
  checkFeatures(network, inputs, statics.features, forcing);
  let states = [...inputs.iterTensorDim("timestep")];
  const predictions: Tensor[] = [];
  for (let i = 0; i < outputs.dimSize("timestep"); i++) {
    const next = advance({
      network,
      previousStates: states,
      statics: statics.features.tensor,
      forcing: forcing.selectTensorDim("timestep", i),
      strategy: context.strategy,
      diffMean: context.diffMean,
      diffStd: context.diffStd,
      numInterSteps: context.numInterSteps,
      border: context.hasBorder
        ? { state: outputs.selectTensorDim("timestep", i), mask: statics.borderMask.tensor }
        : undefined,
    });
    predictions.push(next);
    states = [...states.slice(1), next];
  }
  const prediction = onGridAgain(torch.stack(predictions, { dim: 1 }), batch.outputs.shape);
  return new NamedTensor(prediction, batch.outputs.names, batch.outputs.featureNames);
}

function checkFeatures(network: Network, inputs: NamedTensor, statics: NamedTensor, forcing: NamedTensor): void {
  const steps = inputs.dimSize("timestep");
  const counts = [inputs, statics, forcing].map((part) => part.dimSize("features"));
  const total = steps * counts[0]! + counts[1]! + counts[2]!;
  if (total === network.numInputFeatures) return;
  throw new ModelError(
    `the network takes ${network.numInputFeatures} features, the data give ${total}: ` +
      `${steps} steps × ${counts[0]} state features + ${counts[1]} static + ${counts[2]} forcing`,
    { hint: "num_input_steps and the variables must be those the network was made with" },
  );
}
