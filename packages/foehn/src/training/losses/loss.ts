// Losses compare normalised predictions with targets, (B, T, H, W, F), over the interior of the domain, and give one number per
// sample and lead time. This file is the contract; registry.ts makes a loss from what a file says.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError } from "../../core/errors.js";
import type { DatasetInfo } from "../../datasets/dataset.js";
import type { Grid } from "../../grid/grid.js";
import type { NamedTensor } from "../../tensor/named-tensor.js";

/** Name of the ensemble's dimension: (B, member, T, H, W, F). */
export const MEMBER = "member";

/** A loss. */
export interface Loss {
  /**
   * @param prediction normalised; with a `member` dimension after the batch for an ensemble. With `output_std` a loss whose definition says
   * `usesStd` gets twice the features, values and then their standard deviations; the others get the values
   * @param target the same features, without members
   * @param mask validity of the target, its shape, 1 (or true) where it may be compared; default everywhere
   * @returns (B, T), float32
   */
  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor;
  /** Frees its constants. */
  dispose(): void;
}

/** What a loss may need of the data; lists are by feature, in tensor order. */
export interface LossContext {
  /** Names, and state weights w_v as the dataset gives them. */
  readonly features: readonly { readonly name: string; readonly weight: number }[];
  /** σ_d: standard deviations of one-step differences of normalised fields. */
  readonly diffStd: readonly number[];
  /** σ: standard deviations of the fields, in their units. */
  readonly std: readonly number[];
  readonly grid: Grid;
  /** (H, W, 1): 1 inside, 0 on the border; on the device of the predictions. */
  readonly interiorMask: Tensor;
  /** Whether the network gives a standard deviation beside each feature. Default false. */
  readonly outputStd?: boolean;
}

/** The context of a dataset. @throws DataError naming features without statistics */
export function lossContext(
  info: DatasetInfo,
  interiorMask: Tensor,
  options: { readonly output_std?: boolean } = {},
): LossContext {
  const names = info.features.map((feature) => feature.name);
  const std = (stats: DatasetInfo["stats"], what: string) => {
    const missing = names.filter((name) => !((stats[name]?.std ?? 0) > 0));
    if (missing.length === 0) return names.map((name) => stats[name]!.std);
    throw new DataError(`the dataset has no ${what} of ${missing.join(", ")}`, {
      where: `dataset ${info.name}`,
      hint: `there are statistics of ${Object.keys(stats).join(", ") || "nothing"}; compute them again for all features`,
    });
  };
  return {
    features: info.features,
    diffStd: std(info.diffStats, "statistics of one-step differences"),
    std: std(info.stats, "statistics"),
    grid: info.grid,
    interiorMask,
    outputStd: options.output_std === true,
  };
}

/** The mean over the members where there are any: what a loss that knows no ensembles compares. */
export function ensembleMean(prediction: NamedTensor): Tensor {
  const axis = prediction.names.indexOf(MEMBER);
  return axis < 0 ? prediction.tensor : prediction.tensor.mean({ dim: [axis] });
}

/** The target with the prediction's own values where it may not be compared: their difference, and its gradient, are 0 there. */
export function knownTarget(prediction: Tensor, target: Tensor, mask: Tensor | undefined): Tensor {
  // Replaced before the difference: 0·NaN is NaN, in gradients too.
  return mask === undefined ? target : torch.where(mask.ne(0), target, prediction.detach());
}
