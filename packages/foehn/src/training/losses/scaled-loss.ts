// ScaledLoss: errors in physical units. For `mse` the root is taken per sample and step, so its mean over samples is a mean of
// RMSEs, not the RMSE of all: training's own val_rmse pools squares instead.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { LossDefinition } from "./definition.js";
import { featureSettings, featureWeights } from "./feature-weights.js";
import { ensembleMean, type Loss, type LossContext } from "./loss.js";
import { PointWeights, pointSettings } from "./points.js";
import { measureNames, pointwiseError } from "./pointwise.js";

const settings = z.strictObject({
  measure: z.enum(measureNames).default("mse").describe("mse gives the root of the mean square"),
  feature_weights: featureSettings.feature_weights,
  level_weights: featureSettings.level_weights.default("none"),
  ...pointSettings,
});

/** Settings of `scaled`. */
export type ScaledSettings = z.output<typeof settings>;

/** Σ_v w_v · σ_v · (root of the) mean over interior points of ℓ. */
export class ScaledLoss implements Loss {
  readonly #std: Tensor;
  readonly #weights: Tensor;
  readonly #points: PointWeights;

  constructor(
    readonly settings: ScaledSettings,
    context: LossContext,
  ) {
    const { device } = context.interiorMask;
    this.#std = torch.keep(torch.tensor([...context.std], { device }));
    const weights = featureWeights(context, { ...settings, scaling: "none" }, 1);
    this.#weights = torch.keep(torch.tensor(weights, { device }));
    this.#points = new PointWeights(context, settings);
  }

  /** (B, T, F) in physical units, without weights. */
  byFeature(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const { measure } = this.settings;
    const error = pointwiseError(measure, ensembleMean(prediction), target.tensor, mask);
    const mean = this.#points.mean(error, target.spatialDimIndices, mask);
    // The slope of the root at 0 is infinite; nobody needs it finer than this.
    return (measure === "mse" ? mean.clamp({ min: 1e-12 }).sqrt() : mean).mul(this.#std);
  }

  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    return this.byFeature(prediction, target, mask).matmul(this.#weights);
  }

  dispose(): void {
    this.#std.dispose();
    this.#weights.dispose();
    this.#points.dispose();
  }
}

/** scaled */
export const scaledLoss: LossDefinition<ScaledSettings> = {
  name: "scaled",
  summary: "error in physical units, the same weight for every feature",
  settings,
  create: (checked, context) => new ScaledLoss(checked, context),
};
