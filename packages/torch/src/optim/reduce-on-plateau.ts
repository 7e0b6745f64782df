// ReduceLROnPlateau: lowers the learning rate when a result stops getting better. PyTorch: torch.optim.lr_scheduler.ReduceLROnPlateau.

import type { GroupSettings, Optimizer } from "./optimizer.js";

/** Options of `ReduceLROnPlateau`; PyTorch's defaults. */
export interface PlateauOptions {
  /** Whether smaller or larger is better; default `min`. */
  readonly mode?: "min" | "max";
  /** lr ← lr·factor; default 0.1. */
  readonly factor?: number;
  /** Results without improvement that are let pass; default 10. */
  readonly patience?: number;
  /** What counts as better; default 1e-4. */
  readonly threshold?: number;
  /** Threshold as a part of the best result, or as it is; default `rel`. */
  readonly thresholdMode?: "rel" | "abs";
  /** Results after a reduction that do not count; default 0. */
  readonly cooldown?: number;
  /** Floor; default 0. */
  readonly minLr?: number;
  /** Smaller changes of the rate are not made; default 1e-8. */
  readonly eps?: number;
}

/** State, plain JSON. `best` is null before the first result. */
export interface PlateauState {
  readonly best: number | null;
  readonly numBadEpochs: number;
  readonly cooldownCounter: number;
}

/** Lowers the rate of every group after `patience` results that are no better. The rates themselves are in the optimizer's state. */
export class ReduceLROnPlateau {
  readonly #options: Required<PlateauOptions>;
  #best: number | null = null;
  #numBadEpochs = 0;
  #cooldownCounter = 0;

  constructor(
    readonly optimizer: Optimizer<GroupSettings>,
    options: PlateauOptions = {},
  ) {
    this.#options = {
      mode: "min",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "rel",
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
      ...options,
    };
    if (!(this.#options.factor > 0 && this.#options.factor < 1)) {
      throw new RangeError(`ReduceLROnPlateau: factor ${this.#options.factor} must be in (0, 1)`);
    }
  }

  /** Takes a result in. Call it once per validation. */
  step(metric: number): void {
    const { patience, cooldown } = this.#options;
    if (this.#isBetter(metric)) {
      this.#best = metric;
      this.#numBadEpochs = 0;
    } else this.#numBadEpochs++;
    if (this.#cooldownCounter > 0) {
      this.#cooldownCounter--;
      this.#numBadEpochs = 0;
    }
    if (this.#numBadEpochs > patience) {
      this.#reduce();
      this.#cooldownCounter = cooldown;
      this.#numBadEpochs = 0;
    }
  }

  /** Learning rates now, one per group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): PlateauState {
    return { best: this.#best, numBadEpochs: this.#numBadEpochs, cooldownCounter: this.#cooldownCounter };
  }

  loadStateDict({ best, numBadEpochs, cooldownCounter }: PlateauState): void {
    this.#best = best;
    this.#numBadEpochs = numBadEpochs;
    this.#cooldownCounter = cooldownCounter;
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const best = this.#best;
    if (best === null) return !Number.isNaN(metric);
    const sign = mode === "min" ? -1 : 1;
    const limit = thresholdMode === "rel" ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === "min" ? metric < limit : metric > limit;
  }

  #reduce(): void {
    const { factor, minLr, eps } = this.#options;
    for (const group of this.optimizer.paramGroups) {
      const lr = Math.max(group.lr * factor, minLr);
      if (group.lr - lr > eps) group.lr = lr;
    }
  }
}
