// TimeLoop: states at initial times become a stream of states. The contract between models and everything that consumes forecasts
// (outputs, scores, ensembles), after earth2mip's protocol of the same name. Every row of the batch has a time of its own, so that
// members and dates are both rows. Not here: the same model one step at a time (time-stepper.ts), how a network is stepped (inference.ts).

import type { Tensor } from "@foehn/torch";
import type { Grid } from "../grid/grid.js";
import type { TimeStepper } from "./time-stepper.js";

/** One item of the stream. */
export interface TimeLoopStep<R> {
  /** Valid time of the first row, epoch seconds UTC. */
  readonly time: number;
  /** Valid time of every row. */
  readonly times: readonly number[];
  /**
   * (B, channels, Y, X), float32, physical units, contiguous. The consumer disposes it and does not write into it: the loop may go on
   * from the same memory.
   */
  readonly output: Tensor;
  /**
   * The state to go on from, for `run`: the first item after a restart repeats this item, the following ones are bit for bit those of the
   * uninterrupted run. It is a copy, made when this property is read, which must be before the next item is asked for.
   */
  readonly restart: R;
}

/** What a model that steps through time is, before it runs. */
export interface LoopDescription {
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
  readonly acceptsMissing?: boolean | undefined;
  /** Where the outputs are, and where an initial state is taken to. Default `cpu`. */
  readonly device?: string | undefined;
  /** Arithmetic of the network, for the record. */
  readonly precision?: string | undefined;
  /** Lines for people: what is interpolated, what is left free. */
  readonly notes?: readonly string[] | undefined;
  /** Looks before a run whether forcings and borders cover it. @throws DataError naming what is lacking */
  requireData?(initialTimes: readonly number[], steps: number): void;
}

/** A model that steps through time. */
export interface TimeLoop<R = unknown> extends LoopDescription {
  /**
   * The same model one step at a time, where it has that form: what hooks, diagnostics and interleaving build on. Its `timeStep` is the
   * stream's.
   */
  readonly stepper?: TimeStepper | undefined;
  /**
   * Starts a forecast. The first item is the initial condition itself, at `time`; then one item every `timeStep`, without end: the
   * consumer stops by leaving the loop. Rows do not influence each other.
   * @param time initial time, epoch seconds UTC: one for every row of `x`, or one for all
   * @param x (B, nHistoryLevels, channels, Y, X) in physical units, oldest first; the last one is valid at `time`. It is not changed.
   * @param restart a state from an earlier run; `time` and `x` are then not looked at
   * @throws ModelError (from the stream) when `x` does not fit; NumericalError when the forecast is no longer finite
   */
  run(time: number | readonly number[], x: Tensor | undefined, restart?: R): AsyncIterable<TimeLoopStep<R>>;
}
