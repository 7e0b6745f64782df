// Losses compare normalised predictions with targets, (B, T, H, W, F) or (B, T, N, F), over the interior of the domain.
// The point-wise measure is chosen by name; how points, features and steps are weighted is what the classes here differ in.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { NamedTensor } from "../../tensor/named-tensor.js";

/** Values of `--loss`. */
export const lossKinds = ["mse", "mae"] as const;
/** Point-wise measure: squared or absolute error. */
export type LossKind = (typeof lossKinds)[number];

/** A loss. */
export interface Loss {
  /**
   * @param prediction normalised
   * @param target same dimensions and features
   * @param mask validity of the target, same shape, 1 (or true) where it may be compared; default everywhere
   */
  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor;
}

/** Squared or absolute error at every point; 0 where the mask is 0, whatever the target holds there (NaN included). */
export function pointwiseError(kind: LossKind, prediction: Tensor, target: Tensor, mask?: Tensor): Tensor {
  const valid = mask?.ne(0);
  // The target is replaced before the difference: 0·NaN is NaN, in gradients too.
  const known = valid === undefined ? target : torch.where(valid, target, prediction.detach());
  const error = prediction.sub(known);
  return kind === "mse" ? error.square() : error.abs();
}
