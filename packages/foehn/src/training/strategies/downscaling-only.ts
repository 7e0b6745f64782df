// downscaling_only: ŝ = forcing + y. A coarse model's forecast comes in as forcing and the network adds what it lacks; past states
// are not part of its input. Each prognostic feature starts from the forcing that is the same quantity, each in its own
// normalisation, as in py4cast. There the two are found by their names without the first part (`aro_t2m_2m` starts from
// `arp_t2m_2m`), first match wins; here a match must be the only one.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { ModelFeatures } from "../../datasets/features.js";
import { lookupVariable } from "../../variables/catalogue.js";
import { type StateUpdate, Strategy, type StrategyOptions } from "./strategy.js";

const settings = z.strictObject({
  common_features: z
    .record(z.string(), z.string())
    .default({})
    .describe("prognostic feature: the forcing it starts from, where their names do not tell"),
});

/** Corrections of a coarse forecast. */
export class DownscalingOnly extends Strategy<z.output<typeof settings>> {
  static readonly strategyName = "downscaling_only";
  static readonly summary = "a correction of the forcing that is the same quantity; no past states in the input";
  static readonly settings = settings;
  override readonly inputParts = ["statics", "forcing", "mask"] as const;
  override readonly forcesBorder = false;
  readonly #found = new WeakMap<ModelFeatures, number[]>();

  override update({ output, forcing, features }: StateUpdate): Tensor {
    const index = torch.tensor(this.commonFeatures(features), { dtype: "int64", device: forcing.device });
    return forcing.indexSelect(-1, index).add(output);
  }

  override check(options: StrategyOptions): void {
    super.check(options);
    this.refuseInterSteps(options.numInterSteps);
  }

  override checkFeatures(features: ModelFeatures): void {
    this.commonFeatures(features);
  }

  /** For each prognostic feature the index of its forcing. @throws ConfigError naming those without one, or with several */
  commonFeatures(features: ModelFeatures): number[] {
    let found = this.#found.get(features);
    if (found === undefined) {
      found = match(features, this.settings.common_features);
      this.#found.set(features, found);
    }
    return found;
  }
}

function match(features: ModelFeatures, given: Readonly<Record<string, string>>): number[] {
  const { prognostic, readForcing } = features;
  for (const [name, forcing] of Object.entries(given)) {
    for (const [what, wanted, known] of [
      ["prognostic feature", name, prognostic],
      ["forcing", forcing, readForcing],
    ] as const) {
      if (known.includes(wanted)) continue;
      throw new ConfigError(`strategy_settings common_features: there is no ${what} "${wanted}" in the dataset`, {
        hint: `${didYouMean(wanted, known)} It has ${known.join(", ") || "none"}.`.trim(),
      });
    }
  }
  const problems: string[] = [];
  const taken = new Map<string, string>();
  const result = prognostic.map((name) => {
    const candidates = Object.hasOwn(given, name) ? [given[name]!] : sameQuantity(name, readForcing);
    const [only] = candidates;
    if (only === undefined) problems.push(`nothing for ${name}`);
    else if (candidates.length > 1) problems.push(`several for ${name} (${candidates.join(", ")})`);
    else if (taken.has(only)) problems.push(`${only} for both ${taken.get(only)} and ${name}`);
    else taken.set(only, name);
    return only === undefined ? -1 : readForcing.indexOf(only);
  });
  if (problems.length === 0) return result;
  throw new ConfigError(
    `downscaling_only needs one forcing for each prognostic feature; the names give ${problems.join("; ")}`,
    {
      hint: `the forcings that are read: ${readForcing.join(", ") || "none"}. Give variables the role forcing, or say which is which: strategy_settings {"common_features": {"${prognostic[0]}": "…"}}`,
    },
  );
}

/** Forcings that are the quantity of a feature: the nearest kind of likeness that there is. */
function sameQuantity(name: string, forcings: readonly string[]): string[] {
  const whole = canonical(name);
  const rest = withoutPrefix(name);
  for (const isLike of [
    (other: string) => canonical(other) === whole,
    (other: string) => withoutPrefix(other) === whole || (rest !== undefined && canonical(other) === rest),
    (other: string) => rest !== undefined && withoutPrefix(other) === rest,
  ]) {
    const found = forcings.filter(isLike);
    if (found.length > 0) return found;
  }
  return [];
}

/** The catalogue's name of a variable, or the name itself. */
const canonical = (name: string): string => lookupVariable(name)?.name ?? name;

/** What follows the first `_`; undefined for a name without one. */
function withoutPrefix(name: string): string | undefined {
  const at = name.indexOf("_");
  return at < 0 || at === name.length - 1 ? undefined : canonical(name.slice(at + 1));
}
