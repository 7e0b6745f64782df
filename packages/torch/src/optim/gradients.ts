// What every optimizer does to gradients before its own rule, and the check of its settings.

import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";

/** ∇, or −∇ to maximise; with λ·p added (L2 regularisation, not decoupled decay). */
export function prepareGradients(
  params: readonly Tensor[],
  gradients: readonly Tensor[],
  { maximize, weightDecay }: { readonly maximize: boolean; readonly weightDecay: number },
): readonly Tensor[] {
  const signed = maximize ? (aten("_foreach_neg", gradients) as Tensor[]) : gradients;
  return weightDecay === 0 ? signed : (aten("_foreach_add.List", signed, params, { alpha: weightDecay }) as Tensor[]);
}

/** p ← p·(1 − lr·λ): decoupled weight decay. */
export function decayWeights(params: readonly Tensor[], lr: number, weightDecay: number): void {
  if (weightDecay !== 0) aten("_foreach_mul_.Scalar", params, 1 - lr * weightDecay);
}

/** Settings of which numbers must not be negative, and betas lie in [0, 1). @throws RangeError naming the first that is wrong */
export function checkSettings<S extends object>(name: string, settings: S): S {
  for (const [key, value] of Object.entries(settings) as [string, unknown][]) {
    if (typeof value === "number" && !(value >= 0)) throw new RangeError(`${name}: ${key} ${value} must be ≥ 0`);
    if (key === "betas" && !(value as number[]).every((beta) => beta >= 0 && beta < 1)) {
      throw new RangeError(`${name}: betas [${(value as number[]).join(", ")}] must be in [0, 1)`);
    }
  }
  return settings;
}
