// TimeLoop: a state at one time becomes a stream of states. The contract between models and everything that consumes forecasts
// (outputs, scores, ensembles), after earth2mip's protocol of the same name. Not here: how a network is stepped (inference.ts).

import type { Tensor } from "@foehn/torch";
import type { Grid } from "../grid/grid.js";

/** One item of the stream. */
export interface TimeLoopStep<R> {
  /** Valid time, epoch seconds UTC. */
  readonly time: number;
  /** (B, channels, Y, X), float32, physical units, contiguous. The consumer owns it and disposes it. */
  readonly output: Tensor;
  /**
   * The state to go on from, for `run`: the first item after a restart repeats this item, the following ones are bit for bit those of the
   * uninterrupted run. It is a copy, made when this property is read, which must be before the next item is asked for.
   */
  readonly restart: R;
}

/** A model that steps through time. */
export interface TimeLoop<R = unknown> {
  /** What `run` needs at the initial time: the prognostic variables. Empty for a model that takes no past states. */
  readonly inChannelNames: readonly string[];
  /** What comes out: the prognostic variables, then the diagnostic ones, which the initial condition does not have (NaN). */
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  /** Past states that `run` needs, the newest included; 1 = only the present. */
  readonly nHistoryLevels: number;
  /** Seconds between two of them. */
  readonly historyTimeStep: number;
  /** Seconds between two items of the stream. */
  readonly timeStep: number;
  /** True when initial fields may have missing values (NaN). */
  readonly acceptsMissing?: boolean;
  /** Looks before a run whether forcings and borders cover it. @throws DataError naming what is lacking */
  requireData?(initialTimes: readonly number[], steps: number): void;
  /**
   * Starts a forecast. The first item is the initial condition itself, at `time`; then one item every `timeStep`, without end: the
   * consumer stops by leaving the loop.
   * @param time initial time, epoch seconds UTC
   * @param x (B, nHistoryLevels, channels, Y, X) in physical units, oldest first; the last one is valid at `time`. It is not changed.
   * @param restart a state from an earlier run; `time` and `x` are then not looked at
   * @throws ModelError (from the stream) when `x` does not fit; NumericalError when the forecast is no longer finite
   */
  run(time: number, x: Tensor | undefined, restart?: R): AsyncIterable<TimeLoopStep<R>>;
}
