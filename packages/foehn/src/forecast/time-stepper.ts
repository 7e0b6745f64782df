// TimeStepper: a model one step at a time, with a state that the caller keeps; `loopOf` makes a TimeLoop of it. Whoever changes what
// happens around a step (hooks.ts, interleave.ts, diagnostics/) wraps a stepper. After earth2mip's TimeStepper; here the state is never
// changed by a step, so that it can be kept, restarted from and stepped from again.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { OpenLoop } from "./open-loop.js";
import type { LoopDescription, TimeLoopStep } from "./time-loop.js";

/** A moment of a forecast. Nothing changes its tensors; dispose it when it is no longer needed. */
export interface StepperState extends Disposable {
  /** Valid time of every row, epoch seconds UTC. */
  readonly times: readonly number[];
  /** (B, outChannelNames, Y, X), physical units, contiguous; at the initial time the initial condition, NaN for what it does not have. */
  readonly output: Tensor;
}

/** A model one step at a time. */
export interface TimeStepper<S extends StepperState = StepperState> extends LoopDescription, Partial<Disposable> {
  /**
   * The state to start from.
   * @param times initial time of every row
   * @param x (B, nHistoryLevels, inChannelNames, Y, X), physical units, oldest first; not changed
   * @throws ModelError when `x` does not fit
   */
  initialize(times: readonly number[], x: Tensor | undefined): Promise<S>;
  /** The state one `timeStep` later. `state` stays as it is and the caller's. */
  step(state: S): Promise<S>;
  /** A copy that shares no memory with `state`. */
  copy(state: S): S;
  /**
   * The same moment with other fields, (B, outChannelNames, Y, X) in physical units: the next step starts from the prognostic ones among
   * them. Older states of a history stay. `state` and `fields` stay as they are and the caller's.
   */
  withFields(state: S, fields: Tensor): S;
  /** For a stepper made of others: the same with hooks around every step of its parts. Others leave it out (hooks.ts). */
  hooked?(wrap: (part: TimeStepper) => TimeStepper): TimeStepper;
}

/** One time for every row of a batch. @throws ModelError when the number of times is another one */
export function timesOfRows(time: number | readonly number[], rows: number): readonly number[] {
  if (typeof time === "number") return new Array<number>(rows).fill(time);
  if (time.length === rows) return [...time];
  throw new ModelError(`${time.length} initial times were given for ${rows} rows`, {
    hint: "give one time per row of the initial state, or a single number for all of them",
  });
}

/** The stream of a stepper: `TimeLoop.run` for whoever is both. */
export async function* runStepper<S extends StepperState>(
  stepper: TimeStepper<S>,
  time: number | readonly number[],
  x: Tensor | undefined,
  restart?: S,
): AsyncGenerator<TimeLoopStep<S>, void, undefined> {
  let state = restart ? stepper.copy(restart) : await stepper.initialize(timesOfRows(time, x?.shape[0] ?? 1), x);
  try {
    for (;;) {
      yield itemOf(stepper, state);
      const next = await stepper.step(state);
      state[Symbol.dispose]();
      state = next;
    }
  } finally {
    state[Symbol.dispose]();
  }
}

function itemOf<S extends StepperState>(stepper: TimeStepper<S>, state: S): TimeLoopStep<S> {
  return {
    time: state.times[0]!,
    times: state.times,
    output: share(state.output),
    get restart() {
      return stepper.copy(state);
    },
  };
}

/**
 * A stepper as a TimeLoop.
 * @param owner what is disposed with the loop; default the stepper
 */
export function loopOf<S extends StepperState>(
  stepper: TimeStepper<S>,
  owner: object & Partial<Disposable> = stepper,
): OpenLoop<S> {
  return {
    ...descriptionOf(stepper),
    precision: stepper.precision ?? "fp32",
    notes: stepper.notes ?? [],
    stepper,
    run: (time, x, restart) => runStepper(stepper, time, x, restart),
    [Symbol.dispose]: () => owner[Symbol.dispose]?.(),
  };
}

/** Everything that describes a loop, for those that wrap it: the one place that lists the attributes. */
export function descriptionOf(loop: LoopDescription): LoopDescription {
  const { inChannelNames, outChannelNames, grid, nHistoryLevels, historyTimeStep, timeStep } = loop;
  const { acceptsMissing, device, precision, notes } = loop;
  return {
    ...{ inChannelNames, outChannelNames, grid, nHistoryLevels, historyTimeStep, timeStep },
    ...{ acceptsMissing, device, precision, notes },
    requireData: (initialTimes, steps) => loop.requireData?.(initialTimes, steps),
  };
}

/** Another handle on the same memory, to be disposed for itself. For tensors that nobody writes into. */
export const share = (tensor: Tensor): Tensor => torch.inferenceMode(() => tensor.detach());

/** A state that is its fields and nothing else, for models without history and hidden variables. Takes over `output`. */
export function fieldsState(times: readonly number[], output: Tensor): StepperState {
  return { times, output, [Symbol.dispose]: () => output.dispose() };
}

/** The next valid times. */
export const later = (times: readonly number[], seconds: number): readonly number[] =>
  times.map((time) => time + seconds);

/** @throws ModelError when an initial state has not the shape that a model takes */
export function requireInitialShape(x: Tensor | undefined, loop: LoopDescription): asserts x is Tensor {
  const wanted = [loop.nHistoryLevels, loop.inChannelNames.length, ...loop.grid.shape];
  if (x?.ndim === 5 && x.shape.slice(1).join() === wanted.join()) return;
  throw new ModelError(
    `the initial state has shape (${x?.shape.join(", ") ?? "none"}), the model takes (batch, ${wanted.join(", ")})`,
    { hint: "dimensions are batch, history (oldest first), channels, latitude, longitude" },
  );
}
