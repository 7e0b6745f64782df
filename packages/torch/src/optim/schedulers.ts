// Learning-rate schedules. PyTorch: torch.optim.lr_scheduler (names and defaults); CosineWarmup is the schedule that the
// transformers library calls get_cosine_schedule_with_warmup, with a floor (Loshchilov & Hutter 2017, eq. 5).
// All here are closed forms of the number of steps taken, so resuming needs that number and the base rates only. What depends on
// results is in reduce-on-plateau.ts.
import type { GroupSettings, Optimizer } from "./optimizer.js";

/** State of a scheduler, plain JSON. */
export interface SchedulerState {
  readonly lastStep: number;
  readonly baseLrs: readonly number[];
}

/** Base class: sets `lr` of every group at construction (step 0) and after every `step()`. */
export abstract class LRScheduler {
  /** Number of `step()` calls so far. */
  lastStep = 0;
  #baseLrs: readonly number[];

  protected constructor(
    readonly optimizer: Optimizer<GroupSettings>,
    baseLrs: readonly number[] = optimizer.paramGroups.map((group) => group.lr),
  ) {
    this.#baseLrs = baseLrs;
  }

  /** The rates that the groups started from. */
  get baseLrs(): readonly number[] {
    return this.#baseLrs;
  }

  /** Learning rate after `step` steps of a group that starts from `baseLr`. */
  abstract rate(step: number, baseLr: number): number;

  /** Moves on by one and sets the learning rates. Call it after `optimizer.step()`, per step or per epoch as you count. */
  step(): void {
    this.lastStep++;
    this.apply();
  }

  /** Learning rates now, one per group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    return { lastStep: this.lastStep, baseLrs: this.#baseLrs };
  }

  loadStateDict({ lastStep, baseLrs }: SchedulerState): void {
    if (baseLrs.length !== this.optimizer.paramGroups.length) {
      throw new RangeError(
        `the scheduler state is of ${baseLrs.length} group(s); the optimizer has ${this.optimizer.paramGroups.length}`,
      );
    }
    this.lastStep = lastStep;
    this.#baseLrs = baseLrs;
    this.apply();
  }

  /** Writes the rates of `lastStep`; subclasses call it once at the end of their constructor. */
  protected apply(): void {
    for (const [i, group] of this.optimizer.paramGroups.entries())
      group.lr = this.rate(this.lastStep, this.#baseLrs[i]!);
  }
}

/** lr = base·factor during the first `totalIters` steps, base afterwards. `{ factor: 1 }` never changes it. */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #totalIters: number;

  constructor(
    optimizer: Optimizer<GroupSettings>,
    { factor = 1 / 3, totalIters = 5 }: { readonly factor?: number; readonly totalIters?: number } = {},
  ) {
    super(optimizer);
    this.#factor = factor;
    this.#totalIters = totalIters;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    return step < this.#totalIters ? baseLr * this.#factor : baseLr;
  }
}

/** lr = base·gamma^⌊step/stepSize⌋. */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;

  constructor(
    optimizer: Optimizer<GroupSettings>,
    { stepSize, gamma = 0.1 }: { readonly stepSize: number; readonly gamma?: number },
  ) {
    super(optimizer);
    this.#stepSize = stepSize;
    this.#gamma = gamma;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    return baseLr * this.#gamma ** Math.floor(step / this.#stepSize);
  }
}

/** lr = base·gamma^(number of milestones reached). */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  constructor(
    optimizer: Optimizer<GroupSettings>,
    { milestones, gamma = 0.1 }: { readonly milestones: readonly number[]; readonly gamma?: number },
  ) {
    super(optimizer);
    this.#milestones = milestones;
    this.#gamma = gamma;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    return baseLr * this.#gamma ** this.#milestones.filter((milestone) => milestone <= step).length;
  }
}

/** lr = base·gamma^step. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;

  constructor(optimizer: Optimizer<GroupSettings>, { gamma }: { readonly gamma: number }) {
    super(optimizer);
    this.#gamma = gamma;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    return baseLr * this.#gamma ** step;
  }
}

/** lr = base·factor(step). */
export class LambdaLR extends LRScheduler {
  readonly #factor: (step: number) => number;

  constructor(optimizer: Optimizer<GroupSettings>, factor: (step: number) => number) {
    super(optimizer);
    this.#factor = factor;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    return baseLr * this.#factor(step);
  }
}

/** Options of `CosineWarmup`. */
export interface CosineWarmupOptions {
  /** Steps of linear growth from 0 to the base rate; default 0. */
  readonly warmupSteps?: number;
  /** Step at which the floor is reached (and kept). */
  readonly totalSteps: number;
  /** Floor; default 0. */
  readonly minLr?: number;
}

/**
 * step < warmup: lr = base·step/warmup; afterwards lr = min + (base − min)·(1 + cos(π·t))/2 with
 * t = (step − warmup)/(total − warmup), at most 1.
 */
export class CosineWarmup extends LRScheduler {
  readonly #warmupSteps: number;
  readonly #totalSteps: number;
  readonly #minLr: number;

  constructor(optimizer: Optimizer<GroupSettings>, { warmupSteps = 0, totalSteps, minLr = 0 }: CosineWarmupOptions) {
    super(optimizer);
    if (!(totalSteps > 0) || warmupSteps < 0 || warmupSteps > totalSteps) {
      throw new RangeError(`CosineWarmup: warmupSteps ${warmupSteps} must be between 0 and totalSteps ${totalSteps}`);
    }
    this.#warmupSteps = warmupSteps;
    this.#totalSteps = totalSteps;
    this.#minLr = minLr;
    this.apply();
  }

  override rate(step: number, baseLr: number): number {
    if (step < this.#warmupSteps) return (baseLr * step) / this.#warmupSteps;
    const progress = Math.min(1, (step - this.#warmupSteps) / Math.max(1, this.#totalSteps - this.#warmupSteps));
    return this.#minLr + ((baseLr - this.#minLr) * (1 + Math.cos(Math.PI * progress))) / 2;
  }
}
