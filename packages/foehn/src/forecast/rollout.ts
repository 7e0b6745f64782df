// The rollout: runs a TimeLoop from one or several initial times and streams every step to the outputs. Memory does not grow with
// steps or dates: at most one step waits for the outputs while the next is computed. On an error or an interrupt every output is told
// to leave nothing behind.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
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

/** Steps that may be on their way to the outputs while the next one is computed. Files take more into buffers of their own. */
const depth = 1;

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
  const host = new HostFields(variables.length, loop.grid.shape);
  try {
    for (const output of outputs) await output.open(header);
    progress.start("forecast", initialTimes.length * steps);
    for (const initialIndex of initialTimes.keys()) await runOne(options, initialIndex, host, underWay);
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
  } finally {
    host.dispose();
  }
}

async function runOne(
  options: RolloutOptions,
  initialIndex: number,
  host: HostFields,
  underWay: Promise<void>[],
): Promise<void> {
  const { loop, reader, steps, outputs, signal, progress = silentProgress } = options;
  const start = options.initialTimes[initialIndex]!;
  throwIfInterrupted(signal, "the forecast");
  const x = await readHistory(reader, start, loop);
  let leadIndex = 0;
  try {
    for await (const { time, output } of loop.run(start, x)) {
      const step = { initialIndex, leadIndex, validTime: time };
      underWay.push(host.with(output, (fields) => Promise.all(outputs.map((sink) => sink.write({ ...step, fields })))));
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

/** Host copies of a step, reused: views of the tensors themselves would live until the garbage collector finds them. */
class HostFields {
  readonly #free: { readonly tensor: Tensor; readonly fields: readonly Float32Array[] }[] = [];

  constructor(
    readonly count: number,
    readonly shape: readonly [number, number],
  ) {}

  /** Copies `output` (1, F, Y, X), disposes it and passes the fields to `use`; they are reused when it has finished. */
  async with(output: Tensor, use: (fields: readonly Float32Array[]) => Promise<unknown>): Promise<void> {
    const buffer = this.#free.pop() ?? this.#make();
    buffer.tensor.copy_(output);
    output.dispose();
    await use(buffer.fields);
    this.#free.push(buffer);
  }

  #make(): { tensor: Tensor; fields: Float32Array[] } {
    const [ny, nx] = this.shape;
    const values = new Float32Array(this.count * ny * nx);
    const fields = Array.from({ length: this.count }, (_, f) => values.subarray(f * ny * nx, (f + 1) * ny * nx));
    return { tensor: torch.keep(torch.fromTypedArray(values, [1, this.count, ny, nx])), fields };
  }

  dispose(): void {
    for (const { tensor } of this.#free) tensor.dispose();
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
