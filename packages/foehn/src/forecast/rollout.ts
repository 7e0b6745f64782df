// The rollout: runs a TimeLoop from one or several initial times and streams every step to the outputs. Memory does not grow with
// steps or dates: at most two steps wait to be written while the next is computed. On an error or an interrupt every output is told
// to leave nothing behind.

import type { Tensor } from "@foehn/torch";
import { throwIfInterrupted } from "../core/interrupt.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { formatDuration, formatTimeShort } from "../core/time.js";
import { readHistory, type StateReader } from "./initial-state.js";
import type { ForecastOutput, OutputVariable } from "./outputs/output.js";
import type { TimeLoop } from "./time-loop.js";

/** What to run and where to send it. */
export interface RolloutOptions {
  readonly loop: TimeLoop;
  /** Gives the initial states, for the loop's `inChannelNames`. */
  readonly reader: StateReader;
  /** Epoch seconds UTC, ascending. */
  readonly initialTimes: readonly number[];
  /** Steps after the initial condition. */
  readonly steps: number;
  /** The variables of the outputs, in the order of the loop's `outChannelNames`. */
  readonly variables: readonly OutputVariable[];
  readonly outputs: readonly ForecastOutput[];
  readonly provenance?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** Steps that may be on their way to the outputs while the next one is computed. */
const depth = 2;

/**
 * Runs the forecasts.
 * @returns what each output's `close` returned
 * @throws InterruptedError when the signal aborted; whatever the loop, the reader or an output throws
 */
export async function runForecast(options: RolloutOptions): Promise<(string | undefined)[]> {
  const { loop, initialTimes, steps, variables, outputs, progress = silentProgress } = options;
  const leadTimes = Array.from({ length: steps + 1 }, (_, i) => i * loop.timeStep);
  const header = { variables, grid: loop.grid, initialTimes, leadTimes, provenance: options.provenance ?? {} };
  const underWay: Promise<void>[] = [];
  try {
    for (const output of outputs) await output.open(header);
    progress.start("forecast", initialTimes.length * steps);
    for (const initialIndex of initialTimes.keys()) await runOne(options, initialIndex, underWay);
    await drain(underWay, 0);
    // One after the other: when the last one fails, those before it are complete and stay.
    const results: (string | undefined)[] = [];
    for (const output of outputs) results.push(await output.close());
    progress.finish();
    return results;
  } catch (error) {
    await Promise.allSettled(underWay);
    await Promise.allSettled(outputs.map((output) => output.abort()));
    progress.finish();
    throw error;
  }
}

async function runOne(options: RolloutOptions, initialIndex: number, underWay: Promise<void>[]): Promise<void> {
  const { loop, reader, steps, outputs, signal, progress = silentProgress } = options;
  const start = options.initialTimes[initialIndex]!;
  throwIfInterrupted(signal, "the forecast");
  const x = await readHistory(reader, start, loop);
  let leadIndex = 0;
  try {
    for await (const { time, output } of loop.run(start, x)) {
      underWay.push(send(outputs, initialIndex, leadIndex, time, output, loop.grid.shape));
      await drain(underWay, depth);
      throwIfInterrupted(signal, `the forecast from ${formatTimeShort(start)}`);
      progress.update(initialIndex * steps + leadIndex, { lead: `+${formatDuration(leadIndex * loop.timeStep)}` });
      if (leadIndex === steps) break;
      leadIndex++;
    }
  } finally {
    x.dispose();
  }
}

async function send(
  outputs: readonly ForecastOutput[],
  initialIndex: number,
  leadIndex: number,
  validTime: number,
  output: Tensor,
  [ny, nx]: readonly [number, number],
): Promise<void> {
  // On the CPU this is a view of the tensor's memory, which therefore lives until every output has let go of it.
  const host = output.device === "cpu" ? output : output.cpu();
  try {
    const values = host.toTypedArray({ copy: false }) as Float32Array;
    const count = values.length / (ny * nx);
    const fields = Array.from({ length: count }, (_, c) => values.subarray(c * ny * nx, (c + 1) * ny * nx));
    await Promise.all(outputs.map((sink) => sink.write({ initialIndex, leadIndex, validTime, fields })));
  } finally {
    if (host !== output) host.dispose();
    output.dispose();
  }
}

/** Waits until at most `most` promises are left, oldest first; the first failure is thrown. */
async function drain(underWay: Promise<void>[], most: number): Promise<void> {
  // A later write may fail while the oldest is awaited; Node must not call that unhandled.
  for (const promise of underWay) promise.catch(() => undefined);
  while (underWay.length > most) {
    await underWay[0];
    underWay.shift();
  }
}
