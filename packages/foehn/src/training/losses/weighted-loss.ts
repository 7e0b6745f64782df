// WeightedLoss, the usual training loss: mean of a point-wise error, every feature weighted by w_v / σ_d^p with p = 2 for squared
// and 1 for other errors. The formula is that of py4cast and neural-lam (Oskarsson et al. 2023, eq. 4).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { LossDefinition } from "./definition.js";
import { type FeatureSettings, featureSettings, featureWeights } from "./feature-weights.js";
import { ensembleMean, type Loss, type LossContext } from "./loss.js";
import { PointWeights, pointSettings } from "./points.js";
import { type Measure, type MeasureName, pointwiseError, scalePower } from "./pointwise.js";

const common = { ...featureSettings, ...pointSettings };

/** Settings of every weighted loss. */
export type WeightedSettings = FeatureSettings & { readonly latitude_weights: boolean };

/** Σ_v weight · mean over interior points of ℓ. */
export class WeightedLoss implements Loss {
  readonly #weights: Tensor;
  readonly #points: PointWeights;

  constructor(
    readonly measure: Measure,
    settings: WeightedSettings,
    context: LossContext,
  ) {
    const weights = featureWeights(context, settings, scalePower(measure.name));
    this.#weights = torch.keep(torch.tensor(weights, { device: context.interiorMask.device }));
    this.#points = new PointWeights(context, settings);
  }

  /** (B, T). With a mask each feature is averaged over its own valid interior points; features with none add nothing. */
  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const error = pointwiseError(this.measure, ensembleMean(prediction), target.tensor, mask);
    return this.#points.mean(error, target.spatialDimIndices, mask).matmul(this.#weights);
  }

  /** (B, T, H, W): Σ_v weight · ℓ at every point, border included. */
  spatialMap(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    return pointwiseError(this.measure, ensembleMean(prediction), target.tensor, mask).matmul(this.#weights);
  }

  dispose(): void {
    this.#weights.dispose();
    this.#points.dispose();
  }
}

function define<Own extends z.ZodRawShape>(
  name: MeasureName,
  aliases: readonly string[],
  summary: string,
  own: Own,
): LossDefinition<WeightedSettings> {
  return {
    name,
    aliases,
    summary,
    settings: z.strictObject({ ...common, ...own }) as unknown as z.ZodType<WeightedSettings>,
    create: (settings, context) => new WeightedLoss({ ...settings, name }, settings, context),
  };
}

const bend = z.number().positive().default(1);

/** mse, mae, huber and smooth_l1. */
export const weightedLosses: readonly LossDefinition<WeightedSettings>[] = [
  define("mse", ["MSELoss", "l2"], "mean squared error", {}),
  define("mae", ["L1Loss", "l1"], "mean absolute error", {}),
  define("huber", ["HuberLoss"], "squared up to delta, linear beyond", {
    delta: bend.describe("in standard deviations of the field"),
  }),
  define("smooth_l1", ["SmoothL1Loss"], "squared up to beta, absolute beyond", {
    beta: bend.describe("in standard deviations of the field"),
  }),
];
