// Errors of a pass as sums by lead and feature: bias, MAE, RMSE and ACC come out at the end, pooled over samples and interior points
// before the root or the ratio (a mean of RMSEs is not an RMSE). Every interior point counts the same; scores/ weights by area.
// Formulas: WMO-No. 485. Nothing of a batch is kept.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { DatasetInfo } from "../datasets/dataset.js";

/** Names of what can be asked of the sums. */
export const errorMetrics = ["mae", "rmse", "bias", "acc"] as const;
/** A score by feature and lead. */
export type ErrorMetric = (typeof errorMetrics)[number];

/** By feature, one value per lead; NaN where there was nothing to compare. */
export type ByFeature = Readonly<Record<string, readonly number[]>>;

/** What the sums are about. */
export interface ErrorSumsInput {
  readonly info: DatasetInfo;
  readonly numLeads: number;
  /** (H, W, 1): 1 inside, 0 on the border; on the device of the predictions. It must outlive the sums. */
  readonly interiorMask: Tensor;
  /** By feature, (H, W), physical units. Features without one have no ACC. */
  readonly climatology?: Readonly<Record<string, Float32Array>> | undefined;
}

/** f and o are the anomalies of forecast and truth; their product follows from Σ(f − o)² = Σf² + Σo² − 2Σfo. */
const kinds = ["count", "difference", "absolute", "squared", "ff", "oo"] as const;
type Kind = (typeof kinds)[number];

/** Running sums. Holds one small tensor when there is a climatology: `dispose` frees it. */
export class ErrorSums {
  readonly #input: ErrorSumsInput;
  /** Flat [lead][feature], normalised. */
  readonly #sums: Readonly<Record<Kind, Float64Array>>;
  readonly #climatology: Tensor | undefined;
  readonly #interiorPoints: number;

  constructor(input: ErrorSumsInput) {
    const size = input.numLeads * input.info.features.length;
    this.#input = input;
    this.#sums = Object.fromEntries(kinds.map((kind) => [kind, new Float64Array(size)])) as Record<Kind, Float64Array>;
    this.#climatology = normalisedClimatology(input);
    this.#interiorPoints = torch.scope(() => input.interiorMask.sum().item() as number);
  }

  /**
   * Adds a batch. Call it inside a scope, without gradients.
   * @param prediction (B, T, H, W, F), normalised
   * @param target the same
   * @param mask the same, 1 where the target may be compared
   */
  add(prediction: Tensor, target: Tensor, mask?: Tensor): void {
    const { interiorMask } = this.#input;
    // Over space in float32, whose summation is pairwise, then in float64: a twelfth of the time of float64 throughout.
    const add = (kind: Kind, terms: Tensor) =>
      addTo(
        this.#sums[kind],
        terms
          .sum({ dim: [2, 3] })
          .to("float64")
          .sum({ dim: [0] }),
      );
    const error = difference(prediction, target, mask).mul(interiorMask);
    add("difference", error);
    add("absolute", error.abs());
    add("squared", error.square());
    if (mask === undefined) {
      const { count } = this.#sums;
      for (let i = 0; i < count.length; i++) count[i]! += prediction.size(0) * this.#interiorPoints;
    } else {
      add("count", mask.ne(0).mul(interiorMask));
    }
    if (this.#climatology === undefined) return;
    const known = mask === undefined ? target : torch.where(mask.ne(0), target, this.#climatology);
    const truth = known.sub(this.#climatology).mul(interiorMask);
    add("oo", truth.square());
    add("ff", truth.add(error).square());
  }

  /** True when a climatology was given: without one ACC is NaN. */
  get hasAcc(): boolean {
    return this.#climatology !== undefined;
  }

  /** A score in physical units (ACC has none), by feature in tensor order. */
  score(metric: ErrorMetric): Record<string, number[]> {
    const { info, numLeads } = this.#input;
    const width = info.features.length;
    return Object.fromEntries(
      info.features.map(({ name }, v) => {
        const std = info.stats[name]?.std ?? 1;
        return [name, Array.from({ length: numLeads }, (_, lead) => this.#value(metric, lead * width + v, std))];
      }),
    );
  }

  #value(metric: ErrorMetric, at: number, std: number): number {
    const sum = (kind: Kind) => this.#sums[kind][at]!;
    switch (metric) {
      case "bias":
        return (std * sum("difference")) / sum("count");
      case "mae":
        return (std * sum("absolute")) / sum("count");
      case "rmse":
        return std * Math.sqrt(sum("squared") / sum("count"));
      case "acc":
        // Without a climatology, or where all is climatology, 0 / 0 is NaN.
        if (sum("ff") * sum("oo") === 0) return Number.NaN;
        return (sum("ff") + sum("oo") - sum("squared")) / 2 / Math.sqrt(sum("ff") * sum("oo"));
      default:
        throw new RangeError(`unknown metric ${metric satisfies never}`);
    }
  }

  dispose(): void {
    this.#climatology?.dispose();
  }
}

/** (H, W, F), kept; features without climatology are NaN there, and so is their ACC. */
function normalisedClimatology({ info, climatology = {}, interiorMask }: ErrorSumsInput): Tensor | undefined {
  const known = info.features.filter(({ name }) => climatology[name] !== undefined);
  if (known.length === 0) return undefined;
  const [ny, nx] = info.grid.shape;
  const width = info.features.length;
  const values = new Float32Array(ny * nx * width).fill(Number.NaN);
  for (const [v, { name }] of info.features.entries()) {
    const { mean, std } = info.stats[name] ?? { mean: 0, std: 1 };
    for (const [i, value] of (climatology[name] ?? []).entries()) values[i * width + v] = (value - mean) / std;
  }
  return torch.keep(torch.tensor(values, { shape: [ny, nx, width], device: interiorMask.device }));
}

/** Prediction − target; 0 where the mask is 0, whatever the target holds there (NaN included). */
function difference(prediction: Tensor, target: Tensor, mask: Tensor | undefined): Tensor {
  return prediction.sub(mask === undefined ? target : torch.where(mask.ne(0), target, prediction));
}

function addTo(sums: Float64Array, values: Tensor): void {
  for (const [i, value] of (values.toTypedArray() as Float64Array).entries()) sums[i]! += value;
}
