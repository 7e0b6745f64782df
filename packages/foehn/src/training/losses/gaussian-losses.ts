// nll and crps_gauss: the prediction as a normal distribution at every point, with the network's own standard deviation where it
// gives one (output_std), else the constant σ_d / √w_v of each feature. As neural-lam does it; CRPS: Gneiting et al. 2005, eq. 5.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { LossDefinition } from "./definition.js";
import { featureSettings, featureWeights } from "./feature-weights.js";
import { ensembleMean, knownTarget, type Loss, type LossContext } from "./loss.js";
import { PointWeights, pointSettings } from "./points.js";

const settings = z.strictObject({
  feature_weights: featureSettings.feature_weights,
  level_weights: featureSettings.level_weights,
  ...pointSettings,
});

/** Settings of both. */
export type GaussianSettings = z.output<typeof settings>;

/** A score of a normal distribution at every point: normalised error z = (y − μ) / σ, and σ. */
type Score = (z: Tensor, std: Tensor) => Tensor;

const logRootTwoPi = Math.log(2 * Math.PI) / 2;

const negativeLogLikelihood: Score = (z, std) => z.square().mul(0.5).add(std.log()).add(logRootTwoPi);

const crps: Score = (z, std) => {
  const density = z
    .square()
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));
  const centred = torch.erf(z.mul(Math.SQRT1_2)); // 2Φ(z) − 1
  return z
    .mul(centred)
    .add(density.mul(2))
    .sub(1 / Math.sqrt(Math.PI))
    .mul(std);
};

/** Σ_v mean over interior points of a score. */
export class GaussianLoss implements Loss {
  readonly #score: Score;
  readonly #std: Tensor;
  readonly #hasStd: boolean;
  readonly #points: PointWeights;

  /**
   * @throws ConfigError for weights where the network gives the standard deviations: they would have no effect; and for a weight of 0 where
   * it does not
   */
  constructor(score: Score, checked: GaussianSettings, context: LossContext) {
    this.#score = score;
    this.#hasStd = context.outputStd === true;
    if (this.#hasStd) refuseWeights(checked);
    // σ_d / √w_v is what makes the squared error of mse: ((y − μ) / std)² = w_v / σ_d² · (y − μ)².
    const std = featureWeights(context, { ...checked, scaling: "diff_std" }, 2).map((weight) => weight ** -0.5);
    if (!this.#hasStd) refuseInfinite(std, context);
    this.#std = torch.keep(torch.tensor(std, { device: context.interiorMask.device }));
    this.#points = new PointWeights(context, checked);
  }

  /** @param prediction F features; 2F with `output_std`: means, then standard deviations (positive) */
  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const given = ensembleMean(prediction);
    const count = target.featureNames.length;
    const [mean, std] = this.#split(given, count);
    const z = knownTarget(mean, target.tensor, mask).sub(mean).div(std);
    let error = this.#score(z, std.expandAs(z));
    if (mask !== undefined) error = torch.where(mask.ne(0), error, 0);
    return this.#points.mean(error, target.spatialDimIndices, mask).sum({ dim: [-1] });
  }

  dispose(): void {
    this.#std.dispose();
    this.#points.dispose();
  }

  #split(given: Tensor, count: number): readonly [mean: Tensor, std: Tensor] {
    if (!this.#hasStd) return [given, this.#std];
    return [given.narrow(-1, 0, count), given.narrow(-1, count, count)];
  }
}

function refuseWeights({ feature_weights, level_weights }: GaussianSettings): void {
  const given = [
    ...(Object.keys(feature_weights).length > 0 ? ["feature_weights"] : []),
    ...(level_weights === "dataset" ? [] : ["level_weights"]),
  ];
  if (given.length === 0) return;
  throw new ConfigError(`${given.join(" and ")} ${given.length > 1 ? "do" : "does"} nothing with output_std`, {
    where: "loss",
    hint: "weights make the standard deviation of a loss where the network gives none: leave them out, or output_std",
  });
}

/** A weight of 0 is a normal distribution of infinite width, whose score is infinite. */
function refuseInfinite(std: readonly number[], { features }: LossContext): void {
  const without = features.filter((_, i) => !Number.isFinite(std[i])).map(({ name }) => name);
  if (without.length === 0) return;
  throw new ConfigError(`a normal distribution needs weights above 0; that of ${without.join(", ")} is 0`, {
    where: "loss",
    hint: "give a small weight (feature_weights), or use mse, where 0 leaves a feature out",
  });
}

/** nll and crps_gauss. */
export const gaussianLosses: readonly LossDefinition<GaussianSettings>[] = [
  {
    name: "nll",
    summary: "negative log-likelihood of a normal distribution",
    settings,
    usesStd: true,
    create: (checked, context) => new GaussianLoss(negativeLogLikelihood, checked, context),
  },
  {
    name: "crps_gauss",
    summary: "CRPS of a normal distribution",
    settings,
    usesStd: true,
    create: (checked, context) => new GaussianLoss(crps, checked, context),
  },
];
