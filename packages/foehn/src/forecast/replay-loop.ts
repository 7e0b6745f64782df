// Replay: a source as a model. Its forecast is what the data have at every valid time, so it is a perfect model of them: scores must be
// zero, outputs must be the data. After Earth2Studio's DataReplay, and as strict about missing values.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { UsageError } from "../core/errors.js";
import type { Grid } from "../grid/grid.js";
import { describeTimes } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";
import { hasTime, stateReader, type WantedVariable } from "./initial-state.js";
import type { OpenLoop } from "./open-loop.js";
import { distinctTimes, toRows } from "./rows.js";
import { fieldsState, later, loopOf, requireInitialShape, type TimeStepper } from "./time-stepper.js";

/** What is replayed. */
export interface ReplayOptions {
  readonly source: Source;
  readonly variables: readonly WantedVariable[];
  /** Default: the source's. */
  readonly grid?: Grid | undefined;
  /** Seconds between two items. */
  readonly stepSeconds: number;
}

/**
 * A loop over the data.
 * @throws UsageError for a step that is not positive; DataError for variables, units and grids that do not fit and, from the stream,
 * for missing times and values
 */
export function replayLoop({ source, variables, grid = source.grid, stepSeconds }: ReplayOptions): OpenLoop {
  if (!Number.isInteger(stepSeconds) || stepSeconds <= 0) {
    throw new UsageError(`a step of ${stepSeconds} seconds does not go forward in time`);
  }
  const reader = stateReader(source, variables, grid);
  const names = variables.map((variable) => variable.name);
  const [ny, nx] = grid.shape;
  const fieldsAt = async (times: readonly number[]): Promise<Tensor> => {
    const distinct = distinctTimes(times);
    const values = new Float32Array(distinct.times.length * names.length * ny * nx);
    for (const [t, time] of distinct.times.entries()) {
      const fields = await reader.read(time);
      for (const [f, field] of fields.entries()) values.set(field, (t * names.length + f) * ny * nx);
    }
    return torch.scope(() => {
      const all = torch.fromTypedArray(values, [distinct.times.length, names.length, ny, nx]);
      return toRows(all, distinct).contiguous();
    });
  };
  const stepper: TimeStepper = {
    inChannelNames: names,
    outChannelNames: names,
    grid,
    nHistoryLevels: 1,
    historyTimeStep: stepSeconds,
    timeStep: stepSeconds,
    notes: [`replay of ${source.description}`],
    requireData(initialTimes, steps) {
      const wanted = initialTimes.flatMap((time) =>
        Array.from({ length: steps }, (_, n) => time + (n + 1) * stepSeconds),
      );
      const lacking = wanted.filter((time) => !hasTime(source.times, time));
      if (lacking.length === 0) return;
      throw new UsageError(`the data to replay lack ${lacking.length} of ${wanted.length} valid times`, {
        where: source.description,
        hint: `they have ${describeTimes(source.times)}`,
      });
    },
    async initialize(times, x) {
      requireInitialShape(x, this);
      return fieldsState(
        times,
        torch.scope(() => x.select(1, 0).clone({ memoryFormat: "contiguous" })),
      );
    },
    async step({ times }) {
      const next = later(times, stepSeconds);
      return fieldsState(next, await fieldsAt(next));
    },
    copy: ({ times, output }) => fieldsState(times, output.clone()),
    // What the data say next does not depend on what is there now.
    withFields: ({ times }, fields) => fieldsState(times, fields.clone()),
  };
  return loopOf(stepper);
}
