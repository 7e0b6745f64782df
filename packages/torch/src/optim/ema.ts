// Exponential moving average of weights. PyTorch: torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn; the growing decay at
// the start is that of TensorFlow's ExponentialMovingAverage. Averaged are parameters and floating-point buffers (the running
// statistics of batch norms); buffers that count are copied.

import { noGrad } from "../guards.js";
import type { Module } from "../nn/module.js";
import { aten } from "../operators.js";
import { keep, scope } from "../scope.js";
import type { Tensor } from "../tensor.js";

/** Options of `ExponentialMovingAverage`. */
export interface EmaOptions {
  /** Share of the old average at each update, in [0, 1). */
  readonly decay: number;
  /** Lets the decay grow as (1 + n) / (10 + n) until it reaches `decay`, so that first weights are soon forgotten. Default true. */
  readonly warmup?: boolean;
}

/** Averages the weights of a module: call `update` after every optimiser step. Holds a copy of them until `dispose`. */
export class ExponentialMovingAverage {
  /** Number of `update` calls so far. */
  numUpdates = 0;
  readonly #module: Module;
  readonly #decay: number;
  readonly #warmup: boolean;
  /** By name, each tensor once: what the module holds, and its average. */
  readonly #pairs = new Map<string, { readonly weight: Tensor; readonly average: Tensor }>();
  #isSwapped = false;

  constructor(module: Module, { decay, warmup = true }: EmaOptions) {
    if (!(decay >= 0 && decay < 1)) throw new RangeError(`ExponentialMovingAverage: decay ${decay} must be in [0, 1)`);
    this.#module = module;
    this.#decay = decay;
    this.#warmup = warmup;
    noGrad(() =>
      scope(() => {
        const saved = module.stateDict();
        for (const [name, weight] of [...module.namedParameters(), ...module.namedBuffers()]) {
          if (saved.has(name)) this.#pairs.set(name, { weight, average: keep(weight.detach().clone()) });
        }
      }),
    );
  }

  /** average ← d·average + (1 − d)·weights. */
  update(): void {
    if (this.#isSwapped) throw new RangeError("ExponentialMovingAverage: update inside withAverage");
    const growing = (1 + this.numUpdates) / (10 + this.numUpdates);
    const decay = this.#warmup ? Math.min(this.#decay, growing) : this.#decay;
    this.numUpdates++;
    noGrad(() =>
      scope(() => {
        const [averages, weights]: [Tensor[], Tensor[]] = [[], []];
        for (const { weight, average } of this.#pairs.values()) {
          if (average.isFloatingPoint()) {
            averages.push(average);
            weights.push(weight);
          } else average.copy_(weight);
        }
        if (averages.length === 0) return;
        aten("_foreach_mul_.Scalar", averages, decay);
        aten("_foreach_add_.List", averages, weights, { alpha: 1 - decay });
      }),
    );
  }

  /** A copy of the module's state dict with the averaged weights. */
  stateDict(): Map<string, Tensor> {
    this.#swap();
    try {
      return noGrad(() => new Map([...this.#module.stateDict()].map(([name, tensor]) => [name, tensor.clone()])));
    } finally {
      this.#swap();
    }
  }

  /** Takes over averaged weights. @throws RangeError when a name is missing */
  loadStateDict(state: ReadonlyMap<string, Tensor>, numUpdates: number): void {
    noGrad(() => {
      for (const [name, { average }] of this.#pairs) {
        const saved = state.get(name);
        if (saved === undefined) throw new RangeError(`ExponentialMovingAverage: the state has no "${name}"`);
        average.copy_(saved);
      }
    });
    this.numUpdates = numUpdates;
  }

  /** Runs `fn` with the averaged weights in the module; the weights of training are back afterwards, bit for bit. */
  async withAverage<T>(fn: () => Promise<T>): Promise<T> {
    this.#swap();
    this.#isSwapped = true;
    try {
      return await fn();
    } finally {
      this.#swap();
      this.#isSwapped = false;
    }
  }

  dispose(): void {
    for (const { average } of this.#pairs.values()) average.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Exchanges the values of average and module. */
  #swap(): void {
    noGrad(() => {
      for (const { weight, average } of this.#pairs.values()) {
        scope(() => {
          const values = weight.detach().clone();
          weight.copy_(average);
          average.copy_(values);
        });
      }
    });
  }
}
