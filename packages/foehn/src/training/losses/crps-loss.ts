// CRPS of an ensemble: the distance between the distribution of the members and the truth, at every point and for every feature.
// Formula: Gneiting & Raftery 2007, eq. 21; fair estimator: Ferro 2014; in between: Lang et al. 2024 ("almost fair").

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { LossDefinition } from "./definition.js";
import { featureSettings, featureWeights } from "./feature-weights.js";
import { knownTarget, type Loss, type LossContext, MEMBER } from "./loss.js";
import { PointWeights, pointSettings } from "./points.js";

const settings = z.strictObject({
  fairness: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe("1: fair, as if there were members without end; 0: of this very ensemble; 0.95: almost fair"),
  ...featureSettings,
  ...pointSettings,
});

/** Settings of `crps`. */
export type CrpsSettings = z.output<typeof settings>;

/**
 * CRPS of an ensemble along a dimension, which goes.
 * mean|x_i − y| − c · Σ_{i≠j}|x_i − x_j|, c = fairness / 2M(M−1) + (1 − fairness) / 2M². One member gives its absolute error.
 */
export function ensembleCrps(members: Tensor, truth: Tensor, axis: number, fairness = 1): Tensor {
  const size = members.size(axis);
  const skill = members
    .sub(truth.unsqueeze(axis))
    .abs()
    .mean({ dim: [axis] });
  if (size === 1) return skill;
  // Each pair is met once in every direction: by the ensemble shifted by s and by size − s.
  let spread: Tensor | undefined;
  for (let shift = 1; 2 * shift <= size; shift++) {
    const term = members
      .sub(members.roll([shift], { dims: [axis] }))
      .abs()
      .sum({ dim: [axis] });
    const pairs = 2 * shift === size ? term : term.mul(2);
    spread = spread === undefined ? pairs : spread.add(pairs);
  }
  const factor = fairness / (2 * size * (size - 1)) + (1 - fairness) / (2 * size * size);
  return skill.sub(spread!.mul(factor));
}

/** Σ_v w_v / σ_d · mean over interior points of the ensemble's CRPS; of a single prediction, its absolute error. */
export class CrpsLoss implements Loss {
  readonly #weights: Tensor;
  readonly #points: PointWeights;

  constructor(
    readonly settings: CrpsSettings,
    context: LossContext,
  ) {
    const weights = featureWeights(context, settings, 1);
    this.#weights = torch.keep(torch.tensor(weights, { device: context.interiorMask.device }));
    this.#points = new PointWeights(context, settings);
  }

  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const axis = prediction.names.indexOf(MEMBER);
    const members = axis < 0 ? prediction.tensor.unsqueeze(1) : prediction.tensor;
    const at = axis < 0 ? 1 : axis;
    const known = knownTarget(members.select(at, 0), target.tensor, mask);
    let error = ensembleCrps(members, known, at, this.settings.fairness);
    if (mask !== undefined) error = torch.where(mask.ne(0), error, 0);
    return this.#points.mean(error, target.spatialDimIndices, mask).matmul(this.#weights);
  }

  dispose(): void {
    this.#weights.dispose();
    this.#points.dispose();
  }
}

/** crps */
export const crpsLoss: LossDefinition<CrpsSettings> = {
  name: "crps",
  summary: "continuous ranked probability score of an ensemble (--ensemble-size)",
  settings,
  create: (checked, context) => new CrpsLoss(checked, context),
};
