// One dataset step of the model, shared by training, validation and forecasts: the network's input is put together, the
// network called, its output turned into the next state by the strategy. Nothing here knows of variables, units or time.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { ModelFeatures } from "../datasets/features.js";
import type { Network } from "../models/network.js";
import { positiveStd } from "./output-std.js";
import type { DifferenceStats, InputPart, Strategy } from "./strategies/strategy.js";

/** States that are known on the frame of the domain: the truth in training, a larger model's forecast in operation. */
export interface KnownBorder {
  /** Prognostic features, (B, H, W, Fp), normalised, at the end of the step. */
  readonly state: Tensor;
  /** (H, W, 1): 1 where `state` is taken, 0 where the model is. */
  readonly mask: Tensor;
}

/** What stays the same from step to step. */
export interface StepModel {
  /** A network, or what stands for it in a forecast. */
  readonly network: Pick<Network, "forward">;
  readonly strategy: Strategy;
  readonly features: ModelFeatures;
  /** (H, W, S) or (B, H, W, S). */
  readonly statics: Tensor;
  /** Of the prognostic features, (Fp): one-dataset-step differences of normalised fields. */
  readonly differences: DifferenceStats;
  /** Network calls in a step; default 1. */
  readonly numInterSteps?: number;
  /** True when the network is told which values exist: one more feature, `mask`. */
  readonly hasMask?: boolean;
  /** True when the network gives a standard deviation beside each feature (output-std.ts). */
  readonly outputStd?: boolean;
  /** Changes the network's input, (B, H, W, F), before each call: hides parts of it in training. */
  readonly corrupt?: ((x: Tensor) => Tensor) | undefined;
}

/**
 * What changes with every step. All tensors are float32, normalised, features last, on the network's device and in its layout:
 * where (B, H, W, F) is written, a graph network has (B, N, F).
 */
export interface StepInput {
  /** Oldest first, prognostic features, each (B, H, W, Fp); the last one is the state now. Empty where the strategy takes none. */
  readonly previousStates: readonly Tensor[];
  /** (B, H, W, Ff) at the end of the step; Ff may be 0. */
  readonly forcing: Tensor;
  /** The same at its start; only strategies that interpolate within a step look at it. */
  readonly startForcing?: Tensor | undefined;
  /** (B, H, W, 1): 1 where every state and forcing of the input has its values. Default everywhere. */
  readonly mask?: Tensor | undefined;
  /** Used by strategies that force borders; without it the model's own border stays. */
  readonly border?: KnownBorder | undefined;
}

/** What a step gives. */
export interface Advanced {
  /** The prognostic state one dataset step later, (B, H, W, Fp), float32. The caller shifts its own history. */
  readonly state: Tensor;
  /**
   * State, then diagnostic features: (B, H, W, F). The same tensor as `state` when there are none. With `outputStd` the standard
   * deviations of all of these follow, (B, H, W, 2F): of the last network call, which is the one that knows where the step ends.
   */
  readonly prediction: Tensor;
}

/** Makes one dataset step. @throws ModelError when the network's output has not the features of the model */
export function advance(model: StepModel, input: StepInput): Advanced {
  const { network, strategy, features, differences, numInterSteps = 1 } = model;
  const { border } = input;
  const numPrognostic = features.prognostic.length;
  let states = input.previousStates;
  const rest: Tensor[] = [];
  for (let call = 1; call <= numInterSteps; call++) {
    const within = strategy.interpolatesInterSteps ? call / numInterSteps : 1;
    const forcing = between(input.startForcing, input.forcing, within);
    const parts: Record<InputPart, readonly Tensor[]> = {
      states,
      statics: [forBatch(model.statics, input.forcing)],
      forcing: [forcing],
      mask: model.hasMask ? [input.mask ?? allValid(forcing)] : [],
    };
    const x = torch.cat(
      strategy.inputParts.flatMap((part) => parts[part]),
      { dim: -1 },
    );
    // Under autocast the output is bfloat16; the state stays float32, so small increments are not lost in it.
    const output = network.forward(model.corrupt ? model.corrupt(x) : x).to("float32");
    requireFeatures(output.size(-1), model);
    let next = strategy.update({
      lastState: states[states.length - 1],
      output: output.size(-1) === numPrognostic ? output : output.narrow(-1, 0, numPrognostic),
      forcing,
      differences,
      features,
    });
    if (call === numInterSteps) rest.push(...besidesState(output, model));
    if (strategy.forcesBorder && border !== undefined) {
      // The border of the state now is the known one at the start of the step.
      const known = between(input.previousStates.at(-1), border.state, within);
      next = border.mask.mul(known).add(border.mask.mul(-1).add(1).mul(next));
    }
    states = [...states.slice(1), next];
  }
  const state = states[states.length - 1]!;
  return { state, prediction: rest.length === 0 ? state : torch.cat([state, ...rest], { dim: -1 }) };
}

/** @throws ModelError when an output has not the features of the model */
function requireFeatures(given: number, { features, outputStd = false }: StepModel): void {
  const wanted = numOutputFeatures(features, outputStd);
  if (given === wanted) return;
  const { prognostic, diagnostic } = features;
  const has = `${prognostic.length} prognostic and ${diagnostic.length} diagnostic`;
  const std = outputStd ? ", and the standard deviation of each" : "";
  throw new ModelError(`the network gives ${given} features, the model has ${has}${std}`, {
    hint:
      given === 2 * wanted
        ? "a network that gives a standard deviation beside each feature needs output_std (--output-std)"
        : `its output must have numOutputFeatures features, which is ${wanted} here`,
  });
}

/** What an output has after the prognostic features: diagnostic ones, and standard deviations in units of the state. */
function besidesState(output: Tensor, { features, strategy, differences, outputStd = false }: StepModel): Tensor[] {
  const [prognostic, diagnostic] = [features.prognostic.length, features.diagnostic.length];
  const parts = diagnostic === 0 ? [] : [output.narrow(-1, prognostic, diagnostic)];
  if (!outputStd) return parts;
  const std = positiveStd(output.narrow(-1, prognostic + diagnostic, prognostic + diagnostic));
  parts.push(strategy.scaleStd(std.narrow(-1, 0, prognostic), differences));
  if (diagnostic > 0) parts.push(std.narrow(-1, prognostic, diagnostic));
  return parts;
}

/** A part of the way from one end of a step to the other. */
function between(start: Tensor | undefined, end: Tensor, part: number): Tensor {
  return part === 1 || start === undefined ? end : start.add(end.sub(start).mul(part));
}

/** What decides how many features go into a network. */
export interface InputDescription {
  readonly strategy: Strategy;
  readonly features: ModelFeatures;
  readonly numInputSteps: number;
  /** Whether the network is told which values exist. Default false. */
  readonly hasMask?: boolean;
}

/** Number of features of the network's input. */
export function numInputFeatures({ strategy, features, numInputSteps, hasMask = false }: InputDescription): number {
  const counts: Record<InputPart, number> = {
    states: numInputSteps * features.prognostic.length,
    statics: features.statics.length,
    forcing: features.forcing.length,
    mask: hasMask ? 1 : 0,
  };
  return strategy.inputParts.reduce((sum, part) => sum + counts[part], 0);
}

/** Number of features of the network's output: twice those of the model with `outputStd`. */
export function numOutputFeatures({ prognostic, diagnostic }: ModelFeatures, outputStd = false): number {
  return (prognostic.length + diagnostic.length) * (outputStd ? 2 : 1);
}

/** (B, H, W, 1) of ones. */
function allValid({ shape, device }: Tensor): Tensor {
  return torch.ones([...shape.slice(0, -1), 1], { device });
}

/** (H, W, S) → (B, H, W, S) as a view; a tensor that has a batch stays. */
function forBatch(statics: Tensor, forcing: Tensor): Tensor {
  if (statics.ndim === forcing.ndim) return statics;
  return statics.unsqueeze(0).expand([forcing.size(0), ...statics.shape]);
}
