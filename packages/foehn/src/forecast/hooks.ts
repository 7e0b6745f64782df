// Hooks: functions around each step of any loop that has a stepping form, for noise, nudging, clipping, bias correction. After the front
// and rear hooks of Earth2Studio's models; here what a hook answers is used by every step, also by each part of an interleaved loop.
// Not here: tendencies in physical units per second for a network (source-term.ts).

import type { Tensor } from "@foehn/torch";
import { ConfigError, ModelError } from "../core/errors.js";
import type { OpenLoop } from "./open-loop.js";
import type { TimeLoop } from "./time-loop.js";
import { descriptionOf, loopOf, type StepperState, type TimeStepper } from "./time-stepper.js";

/**
 * Changes fields.
 * @param x (B, outChannelNames, Y, X) in physical units; not to be written into
 * @param times valid time of every row, epoch seconds UTC
 * @returns fields of the same shape, which the loop disposes, or `x` itself for no change. A restart goes on bit for bit only where the
 * answer depends on `x` and `times` alone: draw noise from a generator seeded by the time.
 */
export type FieldsHook = (x: Tensor, times: readonly number[]) => Tensor | Promise<Tensor>;

/** What is called around a step. */
export interface StepHooks {
  /** Before: the step starts from what it answers. The item that was given out, and its restart, stay as they were. */
  readonly front?: FieldsHook | undefined;
  /** After: what it answers is given out, and the next step starts from it. */
  readonly rear?: FieldsHook | undefined;
}

/**
 * The same loop with hooks around every step; the first item, the initial condition, passes no rear hook. Of several hooks those that come
 * first are called first. Older states of a history are what the hooks made of them when they were the newest.
 * @throws ConfigError for a loop without a stepping form
 */
export function withHooks(loop: TimeLoop, hooks: StepHooks | readonly StepHooks[]): OpenLoop {
  const all = Array.isArray(hooks) ? (hooks as readonly StepHooks[]) : [hooks as StepHooks];
  const [front, rear] = [inOrder(all.map((hook) => hook.front)), inOrder(all.map((hook) => hook.rear))];
  return loopOf(hookedStepper(stepperOf(loop, "hooks"), { front, rear }), loop);
}

/** Several hooks as one; each sees what the one before it answered. */
function inOrder(hooks: readonly (FieldsHook | undefined)[]): FieldsHook {
  return async (x, times) => {
    let fields = x;
    for (const hook of hooks) {
      const next = (await hook?.(fields, times)) ?? fields;
      if (next !== fields && fields !== x) fields.dispose();
      fields = next;
    }
    return fields;
  };
}

/** The stepping form of a loop. @throws ConfigError saying what wants it */
export function stepperOf(loop: TimeLoop, what: string): TimeStepper {
  if (loop.stepper) return loop.stepper;
  throw new ConfigError(`this loop cannot be stepped from outside, which ${what} need`, {
    hint: "give it a `stepper` (initialize, step, copy, withFields); loopOf(stepper) makes a loop that has one",
  });
}

/** A stepper with hooks around its steps; inside, where it is made of several. */
function hookedStepper(inner: TimeStepper, hooks: StepHooks): TimeStepper {
  return inner.hooked?.((part) => hookedStepper(part, hooks)) ?? around(inner, hooks);
}

function around(inner: TimeStepper, { front, rear }: StepHooks): TimeStepper {
  return {
    ...descriptionOf(inner),
    initialize: (times, x) => inner.initialize(times, x),
    async step(state) {
      const from = await changed(inner, state, front);
      let next: StepperState;
      try {
        next = await inner.step(from);
      } finally {
        if (from !== state) from[Symbol.dispose]();
      }
      try {
        const after = await changed(inner, next, rear);
        if (after !== next) next[Symbol.dispose]();
        return after;
      } catch (error) {
        next[Symbol.dispose]();
        throw error;
      }
    },
    copy: (state) => inner.copy(state),
    withFields: (state, fields) => inner.withFields(state, fields),
    [Symbol.dispose]: () => inner[Symbol.dispose]?.(),
  };
}

/** The state with what a hook makes of its fields; the state itself where nothing changes. */
async function changed(stepper: TimeStepper, state: StepperState, hook: FieldsHook | undefined): Promise<StepperState> {
  if (!hook) return state;
  const fields = await hook(state.output, state.times);
  if (fields === state.output) return state;
  try {
    if (fields.shape.join() !== state.output.shape.join()) {
      throw new ModelError(
        `a hook gave fields of shape (${fields.shape.join(", ")}) for (${state.output.shape.join(", ")})`,
        { hint: "dimensions are batch, outChannelNames, latitude, longitude" },
      );
    }
    return stepper.withFields(state, fields);
  } finally {
    fields.dispose();
  }
}
