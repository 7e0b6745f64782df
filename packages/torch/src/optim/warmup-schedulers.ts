// Schedules that begin with growth: a linear start before any other schedule, the inverse square root (Vaswani et al. 2017, eq. 3, as
// the transformers library has it), and one cycle (Smith & Topin 2018; PyTorch: torch.optim.lr_scheduler.OneCycleLR).

import type { GroupSettings, Optimizer } from "./optimizer.js";
import { LRScheduler } from "./schedulers.js";

/** step < warmup: lr = base·step/warmup; afterwards what another schedule says, its steps counted from there. */
export class WarmupLR extends LRScheduler {
  readonly #after: LRScheduler;
  readonly #warmupSteps: number;

  /** @param after a schedule of the same optimizer; only its `rate` is used */
  constructor(after: LRScheduler, { warmupSteps }: { readonly warmupSteps: number }) {
    super(after.optimizer, after.baseLrs);
    this.#after = after;
    this.#warmupSteps = warmupSteps;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    if (step < this.#warmupSteps) return (baseLr * step) / this.#warmupSteps;
    return this.#after.rate(step - this.#warmupSteps, baseLr);
  }
}

/** Options of `InverseSqrt`. */
export interface InverseSqrtOptions {
  /** Steps of linear growth from 0 to the base rate; default 0. */
  readonly warmupSteps?: number;
  /** Steps after which the rate has fallen to base/√2; default `warmupSteps`, or 10 000 without a warm-up. */
  readonly timescale?: number;
}

/** step < warmup: lr = base·step/warmup; afterwards lr = base / √((step − warmup + timescale) / timescale). */
export class InverseSqrt extends LRScheduler {
  readonly #warmupSteps: number;
  readonly #timescale: number;

  constructor(optimizer: Optimizer<GroupSettings>, { warmupSteps = 0, timescale }: InverseSqrtOptions = {}) {
    super(optimizer);
    this.#warmupSteps = warmupSteps;
    this.#timescale = timescale ?? (warmupSteps || 10_000);
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    if (step < this.#warmupSteps) return (baseLr * step) / this.#warmupSteps;
    return baseLr / Math.sqrt((step - this.#warmupSteps + this.#timescale) / this.#timescale);
  }
}

/** Options of `OneCycle`; defaults as PyTorch's OneCycleLR. */
export interface OneCycleOptions {
  /** Length of the cycle; the last rate is kept afterwards. */
  readonly totalSteps: number;
  /** Share of the steps in which the rate grows; default 0.3. */
  readonly pctStart?: number;
  /** The first rate is the base rate over this; default 25. */
  readonly divFactor?: number;
  /** The last rate is the first one over this; default 10 000. */
  readonly finalDivFactor?: number;
  /** Shape of growth and fall; default `cos`. */
  readonly annealStrategy?: "cos" | "linear";
  /** Fall back to the first rate as fast as it grew, then to the last one; default false. */
  readonly threePhase?: boolean;
}

/** The rate grows to the optimizer's (the largest of the cycle), then falls far below where it began. Momentum stays as it is. */
export class OneCycle extends LRScheduler {
  /** Ends of the phases in steps, with the rates there as parts of the base rate. */
  readonly #phases: readonly { readonly end: number; readonly from: number; readonly to: number }[];
  readonly #isCosine: boolean;

  constructor(optimizer: Optimizer<GroupSettings>, options: OneCycleOptions) {
    super(optimizer);
    const { totalSteps, pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = options;
    if (!(totalSteps > 1) || !(pctStart > 0 && pctStart < 1)) {
      throw new RangeError(`OneCycle: totalSteps ${totalSteps} must be more than 1, pctStart ${pctStart} in (0, 1)`);
    }
    this.#isCosine = (options.annealStrategy ?? "cos") === "cos";
    const first = 1 / divFactor;
    const last = first / finalDivFactor;
    const top = pctStart * totalSteps - 1;
    const end = totalSteps - 1;
    this.#phases = options.threePhase
      ? [
          { end: top, from: first, to: 1 },
          { end: 2 * pctStart * totalSteps - 2, from: 1, to: first },
          { end, from: first, to: last },
        ]
      : [
          { end: top, from: first, to: 1 },
          { end, from: 1, to: last },
        ];
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    let start = 0;
    const at = Math.min(step, this.#phases.at(-1)!.end);
    for (const [i, { end, from, to }] of this.#phases.entries()) {
      if (at <= end || i === this.#phases.length - 1) {
        const part = (at - start) / (end - start);
        const share = this.#isCosine ? (1 - Math.cos(Math.PI * part)) / 2 : part;
        return baseLr * (from + (to - from) * share);
      }
      start = end;
    }
    return baseLr;
  }
}
