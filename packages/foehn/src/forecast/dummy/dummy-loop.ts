// Loops that prove the way of fields through a forecast. Inputs are dummy fields (sources/dummy-source.ts); every slot of the initial state
// and of every output is checked, and, where the package's network is one of Foehn's, every slot of every network call
// (dummy-network.ts). `dummyLoop` goes without a network at all. No weights are read.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { formatTime } from "../../core/time.js";
import type { DatasetInfo } from "../../datasets/dataset.js";
import { dummyField } from "../../sources/dummy-source.js";
import { Inference, type InferenceOptions, type InferenceState } from "../inference.js";
import type { OpenLoop } from "../open-loop.js";
import {
  descriptionOf,
  fieldsState,
  later,
  loopOf,
  requireInitialShape,
  type StepperState,
  type TimeStepper,
} from "../time-stepper.js";
import { candidatesOf, DummyNetwork, type DummyParts, toleranceOf } from "./dummy-network.js";
import { requireSlots, type Slot } from "./slots.js";

/** A loop that counts what it checked. */
export interface DummyLoop extends OpenLoop {
  /** Slots that were compared up to now. */
  readonly checked: number;
}

/** The Inference of a package with a network that checks its inputs. Runs in fp32. */
export function dummyInference(parts: DummyParts, options: Omit<InferenceOptions, "precision" | "source">): DummyLoop {
  const network = new DummyNetwork(parts);
  const inner = new Inference({ ...parts, network }, { ...options, precision: "fp32" });
  const checks = new SlotChecks(parts.info);
  let busy: Promise<unknown> = Promise.resolve();
  const stepper: TimeStepper<InferenceState> = {
    ...descriptionOf(inner),
    async initialize(times, x) {
      requireInitialShape(x, inner);
      checks.history(inner, times, x);
      return inner.initialize(times, x);
    },
    async step(state) {
      // The network hears of one step at a time.
      const mine = busy.then(async () => {
        network.expect(state.times);
        return inner.step(state);
      });
      busy = mine.catch(() => undefined);
      const next = await mine;
      checks.outputs(inner, next);
      return next;
    },
    copy: (state) => inner.copy(state),
    withFields: (state, fields) => inner.withFields(state, fields),
  };
  return counted(loopOf(stepper, inner), () => checks.checked + network.checked);
}

/** A loop without a network: it checks the initial state and gives the dummy fields of every valid time. For any model and outputs. */
export function dummyLoop(
  info: DatasetInfo,
  loop: Pick<OpenLoop, "inChannelNames" | "nHistoryLevels" | "historyTimeStep">,
): DummyLoop {
  const checks = new SlotChecks(info);
  const { grid, stepSeconds: timeStep } = info;
  const outChannelNames = info.features.map((feature) => feature.name);
  const { inChannelNames, nHistoryLevels, historyTimeStep } = loop;
  const description = { inChannelNames, outChannelNames, grid, nHistoryLevels, historyTimeStep, timeStep };
  const at = (times: readonly number[], known: readonly string[]): Tensor => {
    const [ny, nx] = grid.shape;
    const values = new Float32Array(times.length * outChannelNames.length * ny * nx);
    for (const [row, time] of times.entries()) {
      for (const [c, name] of outChannelNames.entries()) {
        const field = (row * outChannelNames.length + c) * ny * nx;
        if (!known.includes(name)) values.fill(Number.NaN, field, field + ny * nx);
        else values.set(dummyField({ name, stats: info.stats[name] }, time, grid.shape), field);
      }
    }
    return torch.fromTypedArray(values, [times.length, outChannelNames.length, ny, nx]);
  };
  const stepper: TimeStepper = {
    ...description,
    async initialize(times, x) {
      requireInitialShape(x, description);
      checks.history(description, times, x);
      return fieldsState(times, at(times, inChannelNames));
    },
    async step({ times }) {
      const next = later(times, timeStep);
      return fieldsState(next, at(next, outChannelNames));
    },
    copy: ({ times, output }) => fieldsState(times, output.clone()),
    withFields: ({ times }, fields) => fieldsState(times, fields.clone()),
  };
  return counted(loopOf(stepper), () => checks.checked);
}

function counted(loop: OpenLoop, checked: () => number): DummyLoop {
  return Object.defineProperty({ ...loop, checked: 0 }, "checked", { get: checked, enumerable: true });
}

/** Checks physical fields. */
class SlotChecks {
  checked = 0;

  constructor(readonly info: DatasetInfo) {}

  history(
    loop: Pick<OpenLoop, "inChannelNames" | "nHistoryLevels" | "historyTimeStep">,
    times: readonly number[],
    x: Tensor,
  ): void {
    for (const [row, time] of times.entries()) {
      for (let level = 0; level < loop.nHistoryLevels; level++) {
        const at = time - (loop.nHistoryLevels - 1 - level) * loop.historyTimeStep;
        const values = torch.scope(() => x.select(0, row).select(0, level));
        this.#require(values, loop.inChannelNames, at, `of the initial state of row ${row + 1} at ${formatTime(at)}`);
        values.dispose();
      }
    }
  }

  outputs(loop: Pick<OpenLoop, "outChannelNames">, { times, output }: StepperState): void {
    for (const [row, time] of times.entries()) {
      const values = torch.scope(() => output.select(0, row));
      this.#require(values, loop.outChannelNames, time, `of the output of row ${row + 1} at ${formatTime(time)}`);
      values.dispose();
    }
  }

  #require(values: Tensor, names: readonly string[], time: number, where: string): void {
    if (names.length === 0) return;
    const { info } = this;
    const slots = names.map((name): Slot => {
      const stats = info.stats[name] ?? { mean: 0, std: 1 };
      return {
        label: name,
        expected: dummyField({ name, stats }, time, info.grid.shape),
        tolerance: stats.std * toleranceOf(stats),
      };
    });
    this.checked += requireSlots(values, slots, where, candidatesOf(info, time), info.grid.shape);
  }
}
