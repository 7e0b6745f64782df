// Scores of ensembles as sums that can be added: over cases, over shards, in any order. A score is computed from the sums at the very
// end: spread and skill are roots of means, CRPS in both estimators comes from the same parts. Float64 throughout; area means per region.
// Spread and skill: Fortin et al. 2014, doi 10.1175/JHM-D-14-0008.1. Rank histogram: Hamill 2001. Brier score: Brier 1950.

import { DataError } from "../../core/errors.js";
import { randomStream } from "../../forecast/perturbations/philox.js";
import { crpsOf } from "./crps.js";
import { energyParts } from "./energy.js";

/** What is summed, and for whom. Sums of different settings do not add. */
export interface EnsembleSumsSettings {
  readonly variables: readonly string[];
  readonly regions: readonly string[];
  readonly numLeads: number;
  readonly members: number;
  /** By variable: thresholds of the event "at or above" for the Brier score, in the variable's units. */
  readonly thresholds?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Also the energy score of the fields, whose cost grows with the square of the members. */
  readonly energy?: boolean | undefined;
  /** Decides the rank of a truth that equals members. Default 1. */
  readonly seed?: number | undefined;
}

/** One variable at one valid time. */
export interface EnsembleCase {
  /** (ny, nx) each; the first is the control. */
  readonly members: readonly Float32Array[];
  readonly truth: Float32Array;
  /** Initial time, epoch seconds UTC: with the lead it makes the case's random numbers its own. */
  readonly time: number;
}

/** Scores of one variable in one region at one lead; NaN where no case had data. */
export interface EnsembleScores {
  /** Of this very ensemble, and as if it had members without end (NaN for one member). The variable's units. */
  readonly crps: number;
  readonly crpsFair: number;
  /** √ of the mean squared error of the ensemble mean, and of the control alone. */
  readonly rmse: number;
  readonly rmseControl: number;
  /** √ of the mean variance between the members (divisor m − 1). */
  readonly spread: number;
  /** spread / rmse; and the same times √((m + 1) / m), which is 1 for a perfect ensemble of any size. */
  readonly spreadSkill: number;
  readonly spreadSkillCorrected: number;
  /** Share of the area where 0 … m members lie below the truth; 1/(m + 1) each for a reliable ensemble. */
  readonly rankHistogram: readonly number[];
  /** By threshold: mean of (share of members at or above it − 1 or 0)². */
  readonly brier: readonly number[];
  /** Of the field with the norm √⟨x²⟩; NaN where it was not asked for. */
  readonly energy: number;
  readonly energyFair: number;
  readonly cases: number;
  /** Points without truth or without a member, left out. */
  readonly missing: number;
}

const kinds = [
  "cases",
  "missing",
  "skill",
  "pairs",
  "squared",
  "control",
  "variance",
  "energySkill",
  "energyPairs",
] as const;

/** Sums for every variable, region and lead. */
export class EnsembleSums {
  readonly settings: EnsembleSumsSettings;
  /** Per variable: the scalar kinds, then the ranks, then the thresholds, for each region and lead. */
  readonly #sums: readonly Float64Array[];

  constructor(settings: EnsembleSumsSettings) {
    this.settings = settings;
    const cells = settings.regions.length * settings.numLeads;
    this.#sums = settings.variables.map((_, v) => new Float64Array(cells * this.#width(v)));
  }

  /**
   * Adds a case to all regions. Points where the truth or a member is NaN do not count.
   * @param weights of the points, (ny, nx), by region; 0 outside
   */
  add(variable: number, lead: number, { members, truth, time }: EnsembleCase, weights: readonly Float64Array[]): void {
    const { members: m, regions, energy = false } = this.settings;
    this.#requireShapes(members, truth, weights);
    const points = truth.length;
    const thresholds = this.#thresholds(variable);
    const ranks = kinds.length;
    const width = this.#width(variable);
    const cases = regions.map(() => new Float64Array(width));
    const total = new Float64Array(regions.length);
    const sorted = new Float64Array(m);
    const brier = new Float64Array(thresholds.length);
    let uniforms: Float64Array | undefined;
    const known = energy ? new Uint8Array(points) : undefined;
    for (let n = 0; n < points; n++) {
      const y = truth[n]!;
      let sum = y * 0;
      let mean = 0;
      for (let k = 0; k < m; k++) {
        const x = members[k]![n]!;
        sum += x * 0;
        mean += x;
        // Insertion: members are few.
        let at = k;
        while (at > 0 && sorted[at - 1]! > x) {
          sorted[at] = sorted[at - 1]!;
          at--;
        }
        sorted[at] = x;
      }
      if (sum !== 0) {
        for (let r = 0; r < regions.length; r++) if (weights[r]![n]! > 0) cases[r]![1]!++;
        continue;
      }
      if (known) known[n] = 1;
      mean /= m;
      let [skill, pairs, variance, below, equal] = [0, 0, 0, 0, 0];
      for (let k = 0; k < m; k++) {
        const x = sorted[k]!;
        skill += Math.abs(x - y);
        pairs += (2 * k - m + 1) * x;
        variance += (x - mean) ** 2;
        if (x < y) below++;
        else if (x === y) equal++;
      }
      if (equal > 0) {
        uniforms ??= this.#uniforms(variable, lead, time, points);
        below += Math.floor(uniforms[n]! * (equal + 1));
      }
      for (const [t, threshold] of thresholds.entries()) {
        let above = 0;
        for (let k = 0; k < m; k++) if (sorted[k]! >= threshold) above++;
        brier[t] = (above / m - Number(y >= threshold)) ** 2;
      }
      const ofMean = (mean - y) ** 2;
      const ofControl = (members[0]![n]! - y) ** 2;
      for (let r = 0; r < regions.length; r++) {
        const w = weights[r]![n]!;
        if (w === 0) continue;
        total[r]! += w;
        const into = cases[r]!;
        into[2]! += (w * skill) / m;
        into[3]! += w * pairs;
        into[4]! += w * ofMean;
        into[5]! += w * ofControl;
        into[6]! += (w * variance) / (m - 1);
        into[ranks + below]! += w;
        for (let t = 0; t < brier.length; t++) into[ranks + m + 1 + t]! += w * brier[t]!;
      }
    }
    for (const [r, values] of cases.entries()) {
      const at = (r * this.settings.numLeads + lead) * width;
      const sums = this.#sums[variable]!;
      sums[at + 1]! += values[1]!;
      if (total[r] === 0) continue;
      sums[at]! += 1;
      if (known) {
        const norm = weights[r]!.map((w, n) => (w * known[n]!) / total[r]!);
        const { skill, pairs } = energyParts(members, truth, norm);
        sums[at + 7]! += skill;
        sums[at + 8]! += pairs;
      }
      for (let k = 2; k < width; k++) if (k !== 7 && k !== 8) sums[at + k]! += values[k]! / total[r]!;
    }
  }

  /** Adds the sums of another shard. @throws DataError when its settings differ */
  merge(other: EnsembleSums): void {
    if (JSON.stringify(other.settings) !== JSON.stringify(this.settings)) {
      throw new DataError("cannot merge ensemble scores of other variables, regions, leads, members or thresholds");
    }
    for (const [v, target] of this.#sums.entries()) {
      const source = other.#sums[v]!;
      for (let i = 0; i < target.length; i++) target[i]! += source[i]!;
    }
  }

  /** The scores so far. */
  scores(variable: number, region: number, lead: number): EnsembleScores {
    const { members: m, numLeads, energy = false } = this.settings;
    const width = this.#width(variable);
    const at = (region * numLeads + lead) * width;
    const sums = this.#sums[variable]!.subarray(at, at + width);
    const cases = sums[0]!;
    const mean = (kind: number) => sums[kind]! / cases;
    const crps = { skill: mean(2), pairs: mean(3) };
    const energies = energy ? { skill: mean(7), pairs: mean(8) } : { skill: Number.NaN, pairs: Number.NaN };
    const [rmse, spread] = [Math.sqrt(mean(4)), m < 2 ? Number.NaN : Math.sqrt(mean(6))];
    const tail = Array.from(sums.subarray(kinds.length), (sum) => sum / cases);
    return {
      crps: crpsOf(crps, m, false),
      crpsFair: crpsOf(crps, m, true),
      rmse,
      rmseControl: Math.sqrt(mean(5)),
      spread,
      spreadSkill: spread / rmse,
      spreadSkillCorrected: (spread / rmse) * Math.sqrt((m + 1) / m),
      rankHistogram: tail.slice(0, m + 1),
      brier: tail.slice(m + 1),
      energy: crpsOf(energies, m, false),
      energyFair: crpsOf(energies, m, true),
      cases,
      missing: sums[1]!,
    };
  }

  /** Plain JSON for a shard file; `EnsembleSums.fromJson` reads it. */
  toJson(): EnsembleSumsJson {
    return {
      settings: this.settings,
      sums: this.#sums.map((values) => Array.from(values, (x) => (Number.isNaN(x) ? null : x))),
    };
  }

  /** @throws DataError when the numbers are not as many as the settings say */
  static fromJson({ settings, sums }: EnsembleSumsJson): EnsembleSums {
    const result = new EnsembleSums(settings);
    for (const [v, target] of result.#sums.entries()) {
      if (sums[v]?.length !== target.length)
        throw new DataError(`the sums of "${settings.variables[v]}" are not complete`);
      target.set(sums[v].map((x) => x ?? Number.NaN));
    }
    return result;
  }

  #thresholds(variable: number): readonly number[] {
    return this.settings.thresholds?.[this.settings.variables[variable]!] ?? [];
  }

  #width(variable: number): number {
    return kinds.length + this.settings.members + 1 + this.#thresholds(variable).length;
  }

  #uniforms(variable: number, lead: number, time: number, points: number): Float64Array {
    const { seed = 1, variables } = this.settings;
    return randomStream({ seed, time, member: lead, name: `rank ${variables[variable]}` }).uniforms(points);
  }

  #requireShapes(members: readonly Float32Array[], truth: Float32Array, weights: readonly Float64Array[]): void {
    const { members: m, regions } = this.settings;
    if (members.length !== m || weights.length !== regions.length) {
      throw new DataError(
        `expected ${m} members and ${regions.length} regions, got ${members.length} and ${weights.length}`,
      );
    }
    for (const field of [...members, ...weights]) {
      if (field.length === truth.length) continue;
      throw new DataError(
        `members or weights of ${field.length} points cannot be scored on a truth of ${truth.length}`,
      );
    }
  }
}

/** What `toJson` gives. */
export interface EnsembleSumsJson {
  readonly settings: EnsembleSumsSettings;
  /** By variable; null for NaN. */
  readonly sums: readonly (readonly (number | null)[])[];
}
