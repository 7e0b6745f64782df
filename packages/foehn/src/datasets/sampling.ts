// Which samples a dataset has: where each begins, and every frame of a period. Most
// sources have one value for each valid time; those with several (forecasts, ensemble members) name the run as well.

import type { FrameKey } from "./frames.js";
import {
  describePeriod,
  type Periods,
  requireSamples,
  type SampleStarts,
  type SplitName,
  sampleStarts,
  timesWithin,
} from "./periods.js";

/** The samples of the three parts of a dataset. */
export interface Sampling {
  readonly periods: Periods;
  /** Every frame of a period once; within a run by time, ascending. Statistics are made of those for training. */
  frames(part: SplitName): readonly FrameKey[];
  /** First frames of the samples of `numInputSteps + numPredSteps` states. @throws DataError when there is none */
  samples(part: SplitName, numInputSteps: number, numPredSteps: number): SampleStarts;
}

/** Where samples of one series of states begin. */
export interface TimeSamplingOptions {
  readonly periods: Periods;
  /** Times at which every variable can be read, ascending. */
  readonly times: readonly number[];
  /** Seconds between two states. */
  readonly step: number;
  /** Seconds between the last input times of two samples, counted from the start of the period; default: every time. */
  readonly sampleEvery?: Readonly<Record<SplitName, number>> | undefined;
}

/** Samples along one series of states. */
export function timeSampling(options: TimeSamplingOptions): Sampling {
  const { periods, times, step, sampleEvery } = options;
  return {
    periods,
    frames: (part) => timesWithin(periods[part], times).map((time) => ({ time })),
    samples(part, numInputSteps, numPredSteps) {
      const period = periods[part];
      const length = numInputSteps + numPredSteps;
      const every = sampleEvery?.[part];
      const found = sampleStarts(period, times, step, length, (start) => {
        const lastInput = start + (numInputSteps - 1) * step;
        return every === undefined || (lastInput - period.start) % every === 0;
      });
      requireSamples(part, describePeriod(period), found, step, length);
      return found;
    },
  };
}
