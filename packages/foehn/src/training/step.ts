// One dataset step of the model, shared by training, validation and forecasts: the network's input is put together, the
// network called, its output turned into the next state by the strategy. Nothing here knows of variables, units or time.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { Network } from "../models/network.js";
import { getStrategy, type StrategyName } from "./strategies/registry.js";

/** States that are known on the frame of the domain: the truth in training, a larger model's forecast in operation. */
export interface KnownBorder {
  /** (B, H, W, F), normalised, at the end of the step. */
  readonly state: Tensor;
  /** (H, W, 1): 1 where `state` is taken, 0 where the model is. */
  readonly mask: Tensor;
}

/**
 * Argument of `advance`. All tensors are float32, normalised, features last, on the network's device and in its layout: where
 * (B, H, W, F) is written, a graph network has (B, N, F).
 */
export interface AdvanceInput {
  readonly network: Network;
  /** Oldest first, each (B, H, W, F); the last one is the state now. */
  readonly previousStates: readonly Tensor[];
  /** (H, W, S) or (B, H, W, S). */
  readonly statics: Tensor;
  /** (B, H, W, Ff) at the end of the step; Ff may be 0. */
  readonly forcing: Tensor;
  readonly strategy: StrategyName;
  /** (F): mean of one-dataset-step differences of normalised fields. */
  readonly diffMean: Tensor;
  /** (F): their standard deviation. */
  readonly diffStd: Tensor;
  /** Network calls in this step; default 1. */
  readonly numInterSteps?: number;
  /** Used by strategies that force borders; without it the model's own border stays. */
  readonly border?: KnownBorder | undefined;
}

/** The state one dataset step later, (B, H, W, F), normalised, float32. The caller shifts its own history. */
export function advance(input: AdvanceInput): Tensor {
  const { network, forcing, diffMean, diffStd, numInterSteps = 1, border } = input;
  const strategy = getStrategy(input.strategy);
  const statics = forBatch(input.statics, forcing);
  let states = input.previousStates;
  for (let k = 0; k < numInterSteps; k++) {
    const x = torch.cat([...states, statics, forcing], { dim: -1 });
    // Under autocast the output is bfloat16; the state stays float32, so small increments are not lost in it.
    const output = network.forward(x).to("float32");
    let next = strategy.update(states[states.length - 1]!, output, { mean: diffMean, std: diffStd });
    if (strategy.forcesBorder && border !== undefined) {
      next = border.mask.mul(border.state).add(border.mask.mul(-1).add(1).mul(next));
    }
    states = [...states.slice(1), next];
  }
  return states[states.length - 1]!;
}

/** Number of features of the network's input. */
export function numInputFeatures(counts: {
  readonly numInputSteps: number;
  readonly state: number;
  readonly statics: number;
  readonly forcing: number;
}): number {
  return counts.numInputSteps * counts.state + counts.statics + counts.forcing;
}

/** (H, W, S) → (B, H, W, S) as a view; a tensor that has a batch stays. */
function forBatch(statics: Tensor, forcing: Tensor): Tensor {
  if (statics.ndim === forcing.ndim) return statics;
  return statics.unsqueeze(0).expand([forcing.size(0), ...statics.shape]);
}
