// Point-wise measures of an error, as PyTorch defines them. Each is one fused operator, forward and backward.

import type { Tensor } from "@foehn/torch";
import { nn } from "@foehn/torch";
import { knownTarget } from "./loss.js";

const { functional } = nn;
const none = { reduction: "none" } as const;

/** Names of the measures. */
export const measureNames = ["mse", "mae", "huber", "smooth_l1"] as const;
/** Name of a measure. */
export type MeasureName = (typeof measureNames)[number];

/** A measure with its settings. */
export interface Measure {
  readonly name: MeasureName;
  /** Where `huber` becomes linear; default 1. */
  readonly delta?: number | undefined;
  /** Where `smooth_l1` becomes linear; default 1. */
  readonly beta?: number | undefined;
}

/** ℓ at every point; 0 where the mask is 0, whatever the target holds there (NaN included). */
export function pointwiseError(
  measure: Measure | MeasureName,
  prediction: Tensor,
  target: Tensor,
  mask?: Tensor,
): Tensor {
  const { name, delta = 1, beta = 1 } = typeof measure === "string" ? { name: measure } : measure;
  const known = knownTarget(prediction, target, mask);
  switch (name) {
    case "mse":
      return functional.mseLoss(prediction, known, none);
    case "mae":
      return functional.l1Loss(prediction, known, none);
    case "huber":
      return functional.huberLoss(prediction, known, { ...none, delta });
    case "smooth_l1":
      return functional.smoothL1Loss(prediction, known, { ...none, beta });
    default:
      throw new RangeError(`unknown measure ${name satisfies never}`);
  }
}

/** p of the normalisation by σ_d^p that py4cast uses: 2 for squares, 1 for everything else. */
export const scalePower = (name: MeasureName): number => (name === "mse" ? 2 : 1);
