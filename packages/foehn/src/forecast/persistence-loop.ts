// Persistence as a TimeLoop: every step is the initial condition, bit for bit. The yardstick of all forecasts, and what a
// persistence package opens as; no network is called. Any grid, any variables.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import type { Grid } from "../grid/grid.js";
import type { TimeLoop, TimeLoopStep } from "./time-loop.js";

/** Time and fields, (B, F, H, W). */
export interface PersistenceRestart extends Disposable {
  readonly time: number;
  readonly output: Tensor;
}

/** A forecast that repeats its initial condition. */
export class PersistenceLoop implements TimeLoop<PersistenceRestart>, Disposable {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  readonly nHistoryLevels = 1;
  readonly historyTimeStep: number;
  readonly timeStep: number;

  constructor(info: Pick<DatasetInfo, "features" | "grid" | "stepSeconds">) {
    this.inChannelNames = info.features.map((feature) => feature.name);
    this.outChannelNames = this.inChannelNames;
    this.grid = info.grid;
    this.timeStep = info.stepSeconds;
    this.historyTimeStep = info.stepSeconds;
  }

  async *run(
    time: number,
    x: Tensor | undefined,
    restart?: PersistenceRestart,
  ): AsyncGenerator<TimeLoopStep<PersistenceRestart>, void, undefined> {
    const state = restart ? restart.output.clone() : this.#newest(x);
    const began = restart ? restart.time : time;
    try {
      for (let step = 0; ; step++) {
        const now = began + step * this.timeStep;
        yield {
          time: now,
          output: state.clone(),
          get restart() {
            const output = state.clone();
            return { time: now, output, [Symbol.dispose]: () => output.dispose() };
          },
        };
      }
    } finally {
      state.dispose();
    }
  }

  [Symbol.dispose](): void {}

  #newest(x: Tensor | undefined): Tensor {
    const wanted = [this.inChannelNames.length, ...this.grid.shape];
    if (x?.ndim !== 5 || x.size(1) < 1 || x.shape.slice(2).join() !== wanted.join()) {
      throw new ModelError(
        `the initial state has shape (${x?.shape.join(", ") ?? "none"}), persistence takes (batch, history, ${wanted.join(", ")})`,
      );
    }
    return torch.scope(() => x.select(1, x.size(1) - 1).clone({ memoryFormat: "contiguous" }));
  }
}
