// Perturbations by name, as configuration files and flags write them: earth2mip's `perturbation_strategy`, and `lagged`.

import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { type BredVectorOptions, BredVectors } from "./bred-vector.js";
import { correlatedField } from "./correlated.js";
import { gaussianField } from "./gaussian.js";
import { laggedStates } from "./lagged.js";
import { type NoiseField, NoisePerturbation } from "./noise.js";
import { noPerturbation } from "./none.js";
import type { Perturbation } from "./perturbation.js";
import { type MaternSettings, sphericalField } from "./spherical.js";

/** Settings of all kinds; each takes what concerns it. */
export interface PerturbationSettings {
  /** Default 1. */
  readonly seed?: number | undefined;
  /** In standard deviations of each channel; default 0.05. */
  readonly amplitude?: number | undefined;
  /** Default: all. */
  readonly channels?: readonly string[] | undefined;
  /** `correlated`: power of the wave number; default 2. */
  readonly reddening?: number | undefined;
  /** `spherical_grf`: covariance. */
  readonly matern?: MaternSettings | undefined;
  /** `bred_vector`: how to breed. */
  readonly breeding?: Pick<BredVectorOptions, "cycles" | "around" | "norm" | "centred"> | undefined;
  /** `lagged`: seconds by member, 0 for the control first. */
  readonly lags?: readonly number[] | undefined;
}

const kinds = {
  correlated: (settings: PerturbationSettings) => noise(correlatedField(settings.reddening), settings),
  gaussian: (settings: PerturbationSettings) => noise(gaussianField(), settings),
  spherical_grf: (settings: PerturbationSettings) => noise(sphericalField(settings.matern), settings),
  bred_vector: (settings: PerturbationSettings): Perturbation =>
    new BredVectors({
      ...strength(settings),
      ...settings.breeding,
      seeding: correlatedField(settings.reddening),
    }),
  lagged: (settings: PerturbationSettings): Perturbation => laggedStates(settings.lags ?? []),
  none: (): Perturbation => noPerturbation(),
} as const;

/** Name of a kind of perturbation. */
export type PerturbationName = keyof typeof kinds;

/** All of them. */
export const perturbationNames = Object.keys(kinds) as PerturbationName[];

/** @throws UsageError for a name that is not known, and for settings that the kind cannot use */
export function createPerturbation(name: string, settings: PerturbationSettings = {}): Perturbation {
  if (Object.hasOwn(kinds, name)) return kinds[name as PerturbationName](settings);
  throw new UsageError(`there is no perturbation "${name}"`, {
    hint: didYouMean(name, perturbationNames) || `known: ${perturbationNames.join(", ")}`,
  });
}

function noise(field: NoiseField, settings: PerturbationSettings): Perturbation {
  return new NoisePerturbation(field, strength(settings));
}

function strength({ seed = 1, amplitude = 0.05, channels }: PerturbationSettings) {
  return { seed, amplitude, channels };
}
