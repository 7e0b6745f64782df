// How much each feature counts in a loss: the dataset's state weights, or a rule over levels, or numbers by name; over σ_d^p, the
// usual size of its one-step change, so that slow and fast variables matter alike (Oskarsson et al. 2023, eq. 4).

import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { lookupVariable } from "../../variables/catalogue.js";
import type { LossContext } from "./loss.js";

/** Rules for weights by level. `dataset` takes those of the dataset. */
export const levelRules = ["dataset", "none", "linear", "linear_90", "pressure"] as const;
/** A rule for weights by level. */
export type LevelRule = (typeof levelRules)[number];

/** Settings that all losses by feature share. */
export const featureSettings = {
  feature_weights: z
    .record(z.string(), z.number().nonnegative())
    .default({})
    .describe("weights by feature name, in place of what level_weights says"),
  level_weights: z
    .enum(levelRules)
    .default("dataset")
    .describe(
      "dataset: as its file says; none: 1; linear: 1 + p/1000 hPa on pressure levels, else 2; linear_90: 1 + p/90, else 2; " +
        "pressure: in proportion to p with mean 1, else 1",
    ),
  scaling: z
    .enum(["diff_std", "none"])
    .default("diff_std")
    .describe("diff_std: divide by the usual size of a one-step change"),
};

/** The settings, checked. */
export type FeatureSettings = z.output<z.ZodObject<typeof featureSettings>>;

/** w_v / σ_d^p of each feature, or w_v alone. @throws ConfigError for a feature that is not there */
export function featureWeights(context: LossContext, settings: FeatureSettings, power: number): number[] {
  const names = context.features.map((feature) => feature.name);
  for (const name of Object.keys(settings.feature_weights)) {
    if (names.includes(name)) continue;
    throw new ConfigError(`feature_weights: the dataset has no feature "${name}"`, {
      where: "loss",
      hint: `${didYouMean(name, names)} Its features: ${names.join(", ")}.`.trim(),
    });
  }
  const byLevel = levelWeights(context, settings.level_weights);
  return names.map((name, i) => {
    const weight = settings.feature_weights[name] ?? byLevel[i]!;
    return settings.scaling === "none" ? weight : weight / context.diffStd[i]! ** power;
  });
}

function levelWeights({ features }: LossContext, rule: LevelRule): number[] {
  const levels = features.map(({ name }) => pressureLevel(name));
  const onLevels = levels.filter((level) => level !== undefined);
  const mean = onLevels.reduce((sum, level) => sum + level, 0) / onLevels.length;
  return features.map(({ weight }, i) => {
    const level = levels[i];
    switch (rule) {
      case "dataset":
        return weight;
      case "none":
        return 1;
      case "linear":
        return level === undefined ? 2 : 1 + level / 1000;
      case "linear_90":
        return level === undefined ? 2 : 1 + level / 90;
      case "pressure":
        return level === undefined ? 1 : level / mean;
      default:
        throw new RangeError(`unknown rule ${rule satisfies never}`);
    }
  });
}

/** hPa of `z500`, also of py4cast's spelling `aro_t_850hpa`; undefined at the surface and at heights. */
function pressureLevel(feature: string): number | undefined {
  const spelt = /_(\d+)\s?hpa$/i.exec(feature)?.[1];
  return spelt === undefined ? lookupVariable(feature)?.level : Number(spelt);
}
