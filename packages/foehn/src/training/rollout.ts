// The unrolled forecast inside training and validation: `advance` over the steps of a batch, with the truth on the border where
// the strategy forces it. Batches and predictions are on the grid; in between everything is in the network's own layout.
// How gradients flow back through the steps is unroll.ts; the operational rollout is forecast/, which calls `advance` too.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError, ModelError } from "../core/errors.js";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { modelFeatures, prognosticFeatures } from "../datasets/features.js";
import type { Network, StaticTensors } from "../models/network.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { inLayoutOf, onGridAgain, tensorsOf } from "./network-layout.js";
import { namesWithStd } from "./output-std.js";
import { type Advanced, advance, type KnownBorder, numInputFeatures, type StepModel } from "./step.js";
import { createStrategy } from "./strategies/registry.js";
import type { StrategySettings } from "./strategies/strategy.js";

/** What stays the same over all batches; tensors are on the network's device and live until `dispose`. */
export interface RolloutContext {
  readonly network: Network;
  /** For `advance`. */
  readonly model: StepModel;
  readonly numInterSteps: number;
  /** On the grid, for losses and scores. */
  readonly statics: StaticTensors;
  /** As the network's `transformStatics` returned them. */
  readonly networkStatics: StaticTensors;
  readonly hasBorder: boolean;
  dispose(): void;
}

/** Options of `prepareRollout`. */
export interface RolloutOptions {
  /** Name of a registered strategy. */
  readonly strategy: string;
  readonly strategySettings?: StrategySettings | undefined;
  readonly numInterSteps: number;
  readonly device: string;
  /** Whether the network is told which values exist. Default false. */
  readonly hasMask?: boolean | undefined;
  /** Whether the network gives a standard deviation beside each feature. Default false. */
  readonly outputStd?: boolean | undefined;
}

/** Puts statics and difference statistics on the device. @throws ConfigError when the strategy cannot work with the features */
export function prepareRollout(network: Network, info: DatasetInfo, options: RolloutOptions): RolloutContext {
  const { device, numInterSteps, hasMask = false, outputStd = false } = options;
  const strategy = createStrategy(options.strategy, options.strategySettings);
  const features = modelFeatures(info);
  strategy.checkFeatures(features);
  const statistic = (key: "mean" | "std") =>
    torch.tensor(
      prognosticFeatures(info).map(({ name }) => info.diffStats[name]?.[key] ?? Number(key === "std")),
      { device },
    );
  const statics = torch.scope(() => staticTensors(info, device));
  const networkStatics = torch.scope(() => network.transformStatics(statics));
  const differences = torch.scope(() => ({ mean: statistic("mean"), std: statistic("std") }));
  const tensors = [...tensorsOf(statics, networkStatics), differences.mean, differences.std];
  for (const tensor of tensors) torch.keep(tensor);
  return {
    network,
    model: {
      network,
      strategy,
      features,
      statics: networkStatics.features.tensor,
      differences,
      numInterSteps,
      hasMask,
      outputStd,
    },
    numInterSteps,
    statics,
    networkStatics,
    hasBorder: info.borderSize > 0 && strategy.forcesBorder,
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

/** A batch that is ready to be stepped through, in the network's layout. */
export interface Unroll {
  /** Steps that the batch has. */
  readonly numSteps: number;
  /** The states before the first step, oldest first; none where the strategy takes none. */
  readonly initialStates: readonly Tensor[];
  /** Step `i`, from 0, from the states before it. */
  step(i: number, states: readonly Tensor[]): Advanced;
  /** The states before the next step. */
  shift(states: readonly Tensor[], next: Tensor): readonly Tensor[];
  /**
   * Predictions of the steps from `first` on as (B, T, H, W, F) with the dimensions and features of `batch.outputs`; with `outputStd`
   * their standard deviations follow as F more features.
   */
  onGrid(predictions: readonly Tensor[]): NamedTensor;
}

/** Brings a batch into the network's layout. @throws ModelError when it has other features than the network was made for */
export function startUnroll(context: RolloutContext, batch: ItemBatch): Unroll {
  const { network, model, networkStatics } = context;
  const { strategy, features } = model;
  const { inputs, outputs, forcing } = network.transformBatch(batch);
  checkFeatures(context, inputs, forcing);
  const past = [...inputs.iterTensorDim("timestep")];
  const numPrognostic = features.prognostic.length;
  const truth = (i: number) => {
    const state = outputs.selectTensorDim("timestep", i);
    return numPrognostic === state.size(-1) ? state : state.narrow(-1, 0, numPrognostic);
  };
  const interpolates = strategy.interpolatesInterSteps && context.numInterSteps > 1;
  const startForcing = (i: number): Tensor => {
    if (i > 0) return forcing.selectTensorDim("timestep", i - 1);
    if (batch.initialForcing !== undefined) return inLayoutOf(batch.initialForcing.tensor.select(1, 0), past[0]!);
    throw new DataError("the dataset gives no forcing at the initial time, which interpolation within a step needs", {
      hint: 'use num_inter_steps 1, or strategy_settings {"compat": "py4cast"}, which takes the forcing of the step\'s end',
    });
  };
  const border = (i: number): KnownBorder | undefined => {
    if (!context.hasBorder) return undefined;
    const mask = networkStatics.borderMask.tensor;
    // Where the truth is missing the model's own border stays.
    const known = batch.mask?.tensor.select(1, i).narrow(-1, 0, numPrognostic);
    return {
      state: truth(i),
      mask: known === undefined ? mask : mask.mul(inLayoutOf(known, past[0]!)),
    };
  };
  const validity = inputValidity(batch, strategy.usesStates);
  return {
    numSteps: outputs.dimSize("timestep"),
    initialStates: strategy.usesStates ? past : [],
    step(i, states) {
      const mask = model.hasMask ? validity(i) : undefined;
      return advance(model, {
        previousStates: states,
        forcing: forcing.selectTensorDim("timestep", i),
        startForcing: interpolates && features.forcing.length > 0 ? startForcing(i) : undefined,
        mask: mask && inLayoutOf(mask, past[0]!),
        border: border(i),
      });
    },
    shift: (states, next) => (strategy.usesStates ? [...states.slice(1), next] : []),
    onGrid(predictions) {
      const { shape, names, featureNames } = batch.outputs;
      const stacked = torch.stack([...predictions], { dim: 1 });
      return new NamedTensor(
        onGridAgain(stacked, [shape[0]!, predictions.length, ...shape.slice(2, -1), stacked.size(-1)]),
        names,
        model.outputStd ? namesWithStd(featureNames) : featureNames,
      );
    },
  };
}

/**
 * Predicts the steps of a batch.
 * @param numSteps the first steps only; default all
 * @returns normalised states with the dimensions and features of `batch.outputs`, (B, T, H, W, F); with `outputStd` 2F features
 * @throws ModelError when the batch has other features than the network was made for
 */
export function rollout(context: RolloutContext, batch: ItemBatch, numSteps?: number): NamedTensor {
  const unroll = startUnroll(context, batch);
  let states = unroll.initialStates;
  const predictions: Tensor[] = [];
  for (let i = 0; i < (numSteps ?? unroll.numSteps); i++) {
    const { state, prediction } = unroll.step(i, states);
    predictions.push(prediction);
    states = unroll.shift(states, state);
  }
  return unroll.onGrid(predictions);
}

/**
 * Where all that goes into step `i` has its values, on the grid, (B, H, W, 1): past states that are still in the history, and
 * the forcing. Predicted states are complete. Undefined where nothing can be missing.
 */
function inputValidity(batch: ItemBatch, usesStates: boolean): (i: number) => Tensor | undefined {
  const { inputMask, forcingMask } = batch;
  const all = (mask: NamedTensor, time: number) => mask.tensor.select(1, time).amin({ dim: [-1], keepdim: true });
  return (i) => {
    const masks: Tensor[] = [];
    if (usesStates && inputMask !== undefined) {
      for (let time = i; time < inputMask.dimSize("timestep"); time++) masks.push(all(inputMask, time));
    }
    if (forcingMask !== undefined && forcingMask.dimSize("features") > 0) masks.push(all(forcingMask, i));
    return masks.length === 0 ? undefined : masks.reduce((a, b) => a.mul(b));
  };
}

function checkFeatures({ network, model }: RolloutContext, inputs: NamedTensor, forcing: NamedTensor): void {
  const { strategy, features, hasMask = false } = model;
  const numInputSteps = inputs.dimSize("timestep");
  const [state, forced] = [inputs.dimSize("features"), forcing.dimSize("features")];
  const total = numInputFeatures({ strategy, features, numInputSteps, hasMask });
  const isAsDescribed = state === features.prognostic.length && forced === features.forcing.length;
  if (isAsDescribed && total === network.numInputFeatures) return;
  const counts = {
    states: `${numInputSteps} steps × ${state} state features`,
    statics: `${features.statics.length} static`,
  };
  const parts = { ...counts, forcing: `${forced} forcing`, mask: hasMask ? "1 mask" : "" };
  throw new ModelError(
    `the network takes ${network.numInputFeatures} features, the data give ` +
      strategy.inputParts
        .map((part) => parts[part])
        .filter((part) => part !== "")
        .join(" + "),
    { hint: "num_input_steps and the variables must be those the network was made with" },
  );
}
