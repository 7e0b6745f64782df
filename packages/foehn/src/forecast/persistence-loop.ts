// Persistence as a TimeLoop: every step is the initial condition, bit for bit. The yardstick of all forecasts, and what a
// persistence package opens as; no network is called. Any grid, any variables.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { DatasetInfo } from "../datasets/dataset.js";
import type { Grid } from "../grid/grid.js";
import type { TimeLoop, TimeLoopStep } from "./time-loop.js";
import {
  fieldsState,
  later,
  requireInitialShape,
  runStepper,
  type StepperState,
  share,
  type TimeStepper,
} from "./time-stepper.js";

/** A forecast that repeats its initial condition. */
export class PersistenceLoop implements TimeLoop<StepperState>, TimeStepper, Disposable {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  readonly nHistoryLevels = 1;
  readonly historyTimeStep: number;
  readonly timeStep: number;
  readonly precision = "fp32";
  readonly notes: readonly string[] = [];

  constructor(info: {
    readonly features: readonly Pick<DatasetInfo["features"][number], "name">[];
    readonly grid: Grid;
    readonly stepSeconds: number;
  }) {
    this.inChannelNames = info.features.map((feature) => feature.name);
    this.outChannelNames = this.inChannelNames;
    this.grid = info.grid;
    this.timeStep = info.stepSeconds;
    this.historyTimeStep = info.stepSeconds;
  }

  get stepper(): TimeStepper {
    return this;
  }

  run(
    time: number | readonly number[],
    x: Tensor | undefined,
    restart?: StepperState,
  ): AsyncGenerator<TimeLoopStep<StepperState>, void, undefined> {
    return runStepper(this, time, x, restart);
  }

  async initialize(times: readonly number[], x: Tensor | undefined): Promise<StepperState> {
    requireInitialShape(x, this);
    return fieldsState(
      times,
      torch.scope(() => x.select(1, x.size(1) - 1).clone({ memoryFormat: "contiguous" })),
    );
  }

  async step({ times, output }: StepperState): Promise<StepperState> {
    return fieldsState(later(times, this.timeStep), share(output));
  }

  copy({ times, output }: StepperState): StepperState {
    return fieldsState(times, output.clone());
  }

  withFields({ times }: StepperState, fields: Tensor): StepperState {
    return fieldsState(times, fields.clone());
  }

  [Symbol.dispose](): void {}
}
