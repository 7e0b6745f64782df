// Verification metrics as sums that can be added: over cases (initial times), over shards of a job, in any order. A score is
// computed from the sums at the very end, so RMSE is the root of the mean over cases and not the mean of roots, and ACC is a ratio
// of means. Float64 throughout. Formulas: WMO-No. 485 (verification of deterministic forecasts), area mean ⟨f⟩ = Σ w f / Σ w.

import { DataError } from "../core/errors.js";

/** Kinds of sums kept for each variable and lead; one case adds its area mean of each. */
const kinds = ["cases", "missing", "squared", "absolute", "difference", "ff", "oo", "fo", "cff", "coo", "cfo"] as const;

type Kind = (typeof kinds)[number];

/** The scores of one variable at one lead; NaN where no case had data, ACC also without climatology. */
export interface Scores {
  /** √ of the mean over cases of ⟨(f−o)²⟩, in the variable's units. */
  readonly rmse: number;
  /** Mean of ⟨|f−o|⟩. */
  readonly mae: number;
  /** Mean of ⟨f−o⟩. */
  readonly bias: number;
  /** Uncentred anomaly correlation: mean ⟨f′o′⟩ / √(mean ⟨f′²⟩ · mean ⟨o′²⟩), f′ = f − climatology. earth2mip's. */
  readonly acc: number;
  /** Centred: the area mean of the anomalies of each case is taken out first. */
  readonly accCentred: number;
  /** Cases with at least one point of truth. */
  readonly cases: number;
  /** Points without truth or forecast over all cases, left out of the means. */
  readonly missing: number;
}

/** Fields of one case: one variable at one valid time, `(ny, nx)` each. */
export interface Case {
  readonly forecast: Float32Array;
  readonly truth: Float32Array;
  /** Without it the case adds nothing to ACC. */
  readonly climatology?: Float32Array | undefined;
}

/** Sums for every variable and lead. */
export class ScoreSums {
  readonly #sums: Readonly<Record<Kind, Float64Array>>;

  constructor(
    readonly numVariables: number,
    readonly numLeads: number,
  ) {
    const size = numVariables * numLeads;
    this.#sums = Object.fromEntries(kinds.map((kind) => [kind, new Float64Array(size)])) as Record<Kind, Float64Array>;
  }

  /**
   * Adds a case. Points where forecast or truth is NaN do not count.
   * @param rowWeights weight of each row, `(ny)`: see grid/geometry.ts
   */
  add(variable: number, lead: number, { forecast, truth, climatology }: Case, rowWeights: Float64Array): void {
    const ny = rowWeights.length;
    const nx = truth.length / ny;
    if (forecast.length !== truth.length || (climatology && climatology.length !== truth.length)) {
      throw new DataError(`a forecast of ${forecast.length} points cannot be scored on a truth of ${truth.length}`);
    }
    let [weight, squared, absolute, difference, missing] = [0, 0, 0, 0, 0];
    let [f1, o1, ff, oo, fo] = [0, 0, 0, 0, 0];
    for (let i = 0; i < ny; i++) {
      const w = rowWeights[i]!;
      for (let n = i * nx; n < (i + 1) * nx; n++) {
        const o = truth[n]!;
        const e = forecast[n]! - o;
        if (Number.isNaN(e)) {
          missing++;
          continue;
        }
        weight += w;
        squared += w * e * e;
        absolute += w * Math.abs(e);
        difference += w * e;
        if (climatology) {
          const oa = o - climatology[n]!;
          const fa = oa + e;
          f1 += w * fa;
          o1 += w * oa;
          ff += w * fa * fa;
          oo += w * oa * oa;
          fo += w * fa * oa;
        }
      }
    }
    const at = variable * this.numLeads + lead;
    const sums = this.#sums;
    sums.missing[at]! += missing;
    if (weight === 0) return;
    sums.cases[at]! += 1;
    sums.squared[at]! += squared / weight;
    sums.absolute[at]! += absolute / weight;
    sums.difference[at]! += difference / weight;
    const [meanF, meanO] = [f1 / weight, o1 / weight];
    sums.ff[at]! += ff / weight;
    sums.oo[at]! += oo / weight;
    sums.fo[at]! += fo / weight;
    sums.cff[at]! += ff / weight - meanF * meanF;
    sums.coo[at]! += oo / weight - meanO * meanO;
    sums.cfo[at]! += fo / weight - meanF * meanO;
  }

  /** Adds the sums of another shard. @throws DataError when it has other variables or leads */
  merge(other: ScoreSums): void {
    if (other.numVariables !== this.numVariables || other.numLeads !== this.numLeads) {
      throw new DataError(
        `cannot merge scores of ${other.numVariables} variables × ${other.numLeads} leads into ${this.numVariables} × ${this.numLeads}`,
      );
    }
    for (const kind of kinds) {
      const target = this.#sums[kind];
      const source = other.#sums[kind];
      for (let i = 0; i < target.length; i++) target[i]! += source[i]!;
    }
  }

  /** The scores so far. */
  scores(variable: number, lead: number): Scores {
    const at = variable * this.numLeads + lead;
    const sum = (kind: Kind) => this.#sums[kind][at]!;
    const cases = sum("cases");
    const mean = (kind: Kind) => sum(kind) / cases;
    return {
      rmse: Math.sqrt(mean("squared")),
      mae: mean("absolute"),
      bias: mean("difference"),
      // A forecast equal to the climatology everywhere has no correlation: 0 / 0 stays NaN.
      acc: sum("fo") / Math.sqrt(sum("ff") * sum("oo")),
      accCentred: sum("cfo") / Math.sqrt(sum("cff") * sum("coo")),
      cases,
      missing: sum("missing"),
    };
  }

  /** Plain JSON for a shard file; `ScoreSums.fromJson` reads it. */
  toJson(): { num_variables: number; num_leads: number; sums: Record<string, number[]> } {
    const sums = Object.fromEntries(kinds.map((kind) => [kind, [...this.#sums[kind]]]));
    return { num_variables: this.numVariables, num_leads: this.numLeads, sums };
  }

  static fromJson(json: ReturnType<ScoreSums["toJson"]>): ScoreSums {
    const result = new ScoreSums(json.num_variables, json.num_leads);
    for (const kind of kinds) result.#sums[kind].set(json.sums[kind] ?? []);
    return result;
  }
}
