// Verification metrics as sums that can be added: over cases (initial times), over shards of a job, in any order. A score is
// computed from the sums at the very end, so RMSE is the root of the mean over cases and not the mean of roots, and ACC is a ratio
// of means. Float64 throughout. Formulas: WMO-No. 485 (verification of deterministic forecasts), area mean ⟨f⟩ = Σ w f / Σ w.

import { DataError } from "../core/errors.js";
import { type Case, type CaseMeans, caseMeans } from "./case-means.js";

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
  add(variable: number, lead: number, fields: Case, rowWeights: Float64Array): void {
    this.addMeans(variable, lead, caseMeans(fields, [{ name: "", rowWeights }])[0]!);
  }

  /** Adds a case by its area means. */
  addMeans(variable: number, lead: number, means: CaseMeans): void {
    const at = variable * this.numLeads + lead;
    const sums = this.#sums;
    sums.missing[at]! += means.missing;
    if (Number.isNaN(means.mse)) return;
    sums.cases[at]! += 1;
    sums.squared[at]! += means.mse;
    sums.absolute[at]! += means.mae;
    sums.difference[at]! += means.bias;
    // Anomalies from no climatology are NaN, and so is the ACC then.
    const { xx, yy, xy, xm, ym } = means;
    sums.ff[at]! += yy;
    sums.oo[at]! += xx;
    sums.fo[at]! += xy;
    sums.cff[at]! += yy - ym * ym;
    sums.coo[at]! += xx - xm * xm;
    sums.cfo[at]! += xy - ym * xm;
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
