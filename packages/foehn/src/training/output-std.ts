// output_std: a network that gives a standard deviation beside each feature, as neural-lam's option of that name. Its output has the
// features twice: values, then what becomes their standard deviations. The losses nll and crps_gauss train them; the values alone
// are what a forecast goes on from, what is scored and drawn.

import type { Tensor } from "@foehn/torch";
import type { FeatureInfo } from "../datasets/dataset.js";
import { NamedTensor } from "../tensor/named-tensor.js";

/** Added to what softplus gives, which may round to 0, and an error is divided by it (as in neural-lam's Graph-EFM). */
const smallest = 1e-4;

/** Any numbers of a network as standard deviations, in units of its output: softplus(y) + 1e-4. */
export function positiveStd(output: Tensor): Tensor {
  return output.softplus().add(smallest);
}

/** Names of the features, then of their standard deviations: `t2m`, `t2m_std`. */
export function namesWithStd(names: readonly string[]): string[] {
  return [...names, ...names.map(stdName)];
}

/** The standard deviations of features as features of a forecast, in the same units. */
export function stdFeatures(features: readonly FeatureInfo[]): FeatureInfo[] {
  return features.map((feature) => ({
    ...feature,
    name: stdName(feature.name),
    longName: `standard deviation of ${feature.longName}`,
    role: "diagnostic",
  }));
}

const stdName = (name: string): string => `${name}_std`;

/** The first `count` features of a prediction: its values. The prediction itself where it has no others. */
export function valuesOf(prediction: NamedTensor, count: number): NamedTensor {
  if (prediction.featureNames.length === count) return prediction;
  const { tensor, names, featureNames } = prediction;
  return new NamedTensor(tensor.narrow(-1, 0, count), names, featureNames.slice(0, count));
}
