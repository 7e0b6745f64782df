// Perturbations by name, as configuration files and flags write them (earth2mip's `perturbation_strategy`, and `lagged`).

import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { gaussianField } from "./gaussian.js";
import { NoisePerturbation } from "./noise.js";
import { noPerturbation } from "./none.js";
import type { Perturbation } from "./perturbation.js";

/** Settings of all kinds; each takes what concerns it. */
export interface PerturbationSettings {
  /** Default 1. */
  readonly seed?: number | undefined;
  /** In standard deviations of each channel; default 0.05. */
  readonly amplitude?: number | undefined;
  /** Default: all. */
  readonly channels?: readonly string[] | undefined;
}

const kinds = {
  none: () => noPerturbation(),
  gaussian: (settings: PerturbationSettings) => new NoisePerturbation(gaussianField(), strength(settings)),
} as const;

/** Name of a kind of perturbation. */
export type PerturbationName = keyof typeof kinds;

/** All of them. */
export const perturbationNames = Object.keys(kinds) as PerturbationName[];

/** @throws UsageError for a name that is not known */
export function createPerturbation(name: string, settings: PerturbationSettings = {}): Perturbation {
  if (Object.hasOwn(kinds, name)) return kinds[name as PerturbationName](settings);
  throw new UsageError(`there is no perturbation "${name}"`, {
    hint: didYouMean(name, perturbationNames) || `known: ${perturbationNames.join(", ")}`,
  });
}

function strength({ seed = 1, amplitude = 0.05, channels }: PerturbationSettings) {
  return { seed, amplitude, channels };
}
