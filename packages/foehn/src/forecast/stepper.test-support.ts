// For tests only: a loop that adds a number to every field at each step, and what a forecast of it gives.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { type Grid, latLonGrid } from "../grid/grid.js";
import type { OpenLoop } from "./open-loop.js";
import type { TimeLoop } from "./time-loop.js";
import { fieldsState, later, loopOf, requireInitialShape, type TimeStepper } from "./time-stepper.js";

export const hour = 3600;
export const smallGrid: Grid = latLonGrid([60, 0, -60], [0, 90, 180, 270]);

/** Adds `amount` every `hours`; `onStep` hears from where each step starts. */
export function adding(
  amount: number,
  hours: number,
  options: { names?: readonly string[]; onStep?: (from: number) => void; onDispose?: () => void } = {},
): OpenLoop & { readonly stepper: TimeStepper } {
  const { names = ["a", "b"], onStep, onDispose } = options;
  const stepper: TimeStepper = {
    inChannelNames: names,
    outChannelNames: names,
    grid: smallGrid,
    nHistoryLevels: 1,
    historyTimeStep: hours * hour,
    timeStep: hours * hour,
    async initialize(times, x) {
      requireInitialShape(x, this);
      return fieldsState(
        times,
        torch.scope(() => x.select(1, 0).clone()),
      );
    },
    async step({ times, output }) {
      onStep?.(times[0]!);
      return fieldsState(later(times, this.timeStep), output.add(amount));
    },
    copy: ({ times, output }) => fieldsState(times, output.clone()),
    withFields: ({ times }, fields) => fieldsState(times, fields.clone()),
    [Symbol.dispose]: () => onDispose?.(),
  };
  return { ...loopOf(stepper), stepper };
}

/** An initial state: row r, channel c, point n → `base` + 1000 r + 10 c + n / 100. */
export function initial(rows: number, channels = 2, base = 0): Tensor {
  const [ny, nx] = smallGrid.shape;
  const points = ny * nx;
  const values = Float32Array.from({ length: rows * channels * points }, (_, i) => {
    const [row, channel] = [Math.floor(i / (channels * points)), Math.floor(i / points) % channels];
    return base + 1000 * row + 10 * channel + (i % points) / 100;
  });
  return torch.fromTypedArray(values, [rows, 1, channels, ny, nx]);
}

/** Items of a forecast: times and all values. */
export async function items<R>(
  loop: TimeLoop<R>,
  count: number,
  from: { time?: number | readonly number[]; x?: Tensor; restart?: R },
): Promise<{ times: readonly number[]; values: number[]; restart: R }[]> {
  const given: { times: readonly number[]; values: number[]; restart: R }[] = [];
  for await (const item of loop.run(from.time ?? 0, from.x, from.restart)) {
    const { times, restart } = item;
    given.push({ times, values: [...(item.output.toTypedArray() as Float32Array)], restart });
    item.output.dispose();
    if (given.length === count) break;
  }
  return given;
}
