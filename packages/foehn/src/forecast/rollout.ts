// The rollout: runs a TimeLoop from many initial times, each with many members, and streams every step to the outputs. Memory grows
// with the rows of a batch only, not with steps, dates or members: at most one step waits for the outputs while the next is computed.
// On an error or an interrupt every output is told to leave nothing behind but what can be gone on from.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { InterruptedError } from "../core/errors.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { formatDuration, formatTimeShort } from "../core/time.js";
import { readHistory, type StateReader } from "./initial-state.js";
import type { ForecastHeader, ForecastOutput, OutputVariable } from "./outputs/output.js";
import type { Perturbation } from "./perturbations/perturbation.js";
import type { TimeLoop } from "./time-loop.js";
import { commonBlock, inGroups, shardOf, unitRows, type WorkRow, type WorkUnit, workUnits } from "./work-plan.js";

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
  /** Forecasts from each initial time. Default: one, and outputs without an ensemble axis. */
  readonly members?: number | undefined;
  /** Forecasts that the model computes at once, members and dates. It does not change what comes out. Default 1. */
  readonly batchSize?: number | undefined;
  /** Makes the members differ. Default: nothing does. */
  readonly perturbation?: Perturbation | undefined;
  /** For it: the standard deviation of each of the loop's `inChannelNames`; see perturbations/perturbation.ts. */
  readonly channelStds?: readonly number[] | undefined;
  /** This process does part `shard` (from 0) of `nShards` of the work. Default: all of it. */
  readonly shard?: number | undefined;
  readonly nShards?: number | undefined;
  readonly provenance?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** Steps that may be on their way to the outputs while the next one is computed. Files take more into buffers of their own. */
const depth = 1;

/** A unit that is being worked on. */
interface UnitUnderWay {
  readonly unit: WorkUnit;
  /** Forecasts not finished. */
  left: number;
}

/**
 * Runs the forecasts.
 * @returns what each output's `close` returned
 * @throws InterruptedError when the signal aborted; UsageError for a shard that does not exist; whatever the loop, the reader or an
 * output throws
 */
export async function runForecast(options: RolloutOptions): Promise<(string | undefined)[]> {
  const { loop, initialTimes, steps, variables, outputs, members, progress = silentProgress } = options;
  const header: ForecastHeader = {
    variables,
    grid: loop.grid,
    initialTimes,
    members: members ?? 1,
    hasMembers: members !== undefined,
    leadTimes: Array.from({ length: steps + 1 }, (_, i) => i * loop.timeStep),
    provenance: options.provenance ?? {},
  };
  const underWay: Promise<void>[] = [];
  const host = new HostFields(variables.length, loop.grid.shape);
  try {
    for (const output of outputs) await output.open(header);
    const units = await unitsToDo(header, options);
    const rows = units.flatMap((unit) => {
      const of = { unit, left: 0 };
      const rows = unitRows(unit).map((row) => ({ ...row, of }));
      of.left = rows.length;
      return rows;
    });
    progress.start("forecast", rows.length * steps);
    let done = 0;
    for (const call of inGroups(rows, options.batchSize ?? 1)) {
      await runCall(options, call, { host, underWay, done });
      await drain(underWay, 0);
      done += call.length;
      await finishUnits(outputs, call);
    }
    // One after the other: when the last one fails, those before it are complete and stay.
    const results: (string | undefined)[] = [];
    for (const output of outputs) results.push(await output.close());
    progress.finish();
    return results;
  } catch (error) {
    await Promise.allSettled(underWay);
    await Promise.allSettled(outputs.map((output) => output.abort()));
    progress.finish();
    throw isInterrupt(error) && outputs.some((output) => output.units) ? resumable(error) : error;
  } finally {
    host.dispose();
  }
}

const isInterrupt = (error: unknown): error is InterruptedError => error instanceof InterruptedError;

/** What an interrupted forecast leaves, for people. */
function resumable(error: InterruptedError): InterruptedError {
  const hint = "the forecasts that were finished are kept: the same command goes on from there";
  return new InterruptedError(error.message, { hint, cause: error });
}

/** This process's units that some output still lacks. */
async function unitsToDo(header: ForecastHeader, { outputs, shard, nShards }: RolloutOptions): Promise<WorkUnit[]> {
  const block = commonBlock(outputs.flatMap((output) => output.units?.block ?? []));
  const mine = shardOf(workUnits(header.initialTimes.length, header.members, block), shard, nShards);
  const toDo: WorkUnit[] = [];
  for (const unit of mine) {
    const finished = await Promise.all(outputs.map((output) => output.units?.isFinished(unit) ?? false));
    if (outputs.length === 0 || finished.includes(false)) toDo.push(unit);
  }
  return toDo;
}

interface RowUnderWay extends WorkRow {
  readonly of: UnitUnderWay;
}

async function finishUnits(outputs: readonly ForecastOutput[], call: readonly RowUnderWay[]): Promise<void> {
  for (const { of } of call) {
    if (--of.left > 0) continue;
    for (const output of outputs) await output.units?.finish(of.unit);
  }
}

async function runCall(
  options: RolloutOptions,
  call: readonly RowUnderWay[],
  { host, underWay, done }: { readonly host: HostFields; readonly underWay: Promise<void>[]; readonly done: number },
): Promise<void> {
  const { loop, steps, outputs, signal, progress = silentProgress } = options;
  const starts = call.map((row) => options.initialTimes[row.initialIndex]!);
  throwIfInterrupted(signal, "the forecast");
  const x = await perturbedStates(options, call, starts);
  let leadIndex = 0;
  try {
    for await (const { output } of loop.run(starts, x)) {
      const at = leadIndex;
      const lead = at * loop.timeStep;
      const write = (fields: readonly Float32Array[], r: number) => {
        const { initialIndex, memberIndex } = call[r]!;
        const step = { initialIndex, memberIndex, leadIndex: at, validTime: starts[r]! + lead, fields };
        return Promise.all(outputs.map((sink) => sink.write(step)));
      };
      underWay.push(host.with(output, (rows) => Promise.all(rows.map(write))));
      await drain(underWay, depth);
      throwIfInterrupted(signal, `the forecast from ${formatTimeShort(starts[0]!)}`);
      progress.update(done * steps + leadIndex * call.length, { lead: `+${formatDuration(lead)}` });
      if (leadIndex === steps) break;
      leadIndex++;
    }
  } finally {
    x.dispose();
  }
}

async function perturbedStates(
  options: RolloutOptions,
  call: readonly WorkRow[],
  starts: readonly number[],
): Promise<Tensor> {
  const { loop, reader, perturbation, channelStds = loop.inChannelNames.map(() => Number.NaN), signal } = options;
  const x = await initialStates(options, starts);
  if (perturbation === undefined) return x;
  const rows = call.map(({ memberIndex }, r) => ({ time: starts[r]!, member: memberIndex }));
  const readState = (time: number) => readHistory(reader, time, loop);
  try {
    return torch.keep(await perturbation.perturb(x, rows, { loop, channelStds, readState, signal }));
  } finally {
    x.dispose();
  }
}

/** (rows, levels, channels, Y, X): every date is read once. */
async function initialStates({ reader, loop }: RolloutOptions, starts: readonly number[]): Promise<Tensor> {
  const states = new Map<number, Tensor>();
  try {
    for (const start of new Set(starts)) states.set(start, torch.keep(await readHistory(reader, start, loop)));
    return torch.scope(() => torch.cat(starts.map((start) => states.get(start)!)));
  } finally {
    for (const state of states.values()) state.dispose();
  }
}

/** Host copies of a step, reused: views of the tensors themselves would live until the garbage collector finds them. */
class HostFields {
  readonly #free: { readonly tensor: Tensor; readonly rows: readonly (readonly Float32Array[])[] }[] = [];

  constructor(
    readonly count: number,
    readonly shape: readonly [number, number],
  ) {}

  /** Copies `output` (B, F, Y, X), disposes it and passes each row's fields to `use`; they are reused when it has finished. */
  async with(output: Tensor, use: (rows: readonly (readonly Float32Array[])[]) => Promise<unknown>): Promise<void> {
    const batch = output.size(0);
    let buffer = this.#free.pop();
    if (buffer?.rows.length !== batch) {
      // The last batch of a run is smaller.
      buffer?.tensor.dispose();
      buffer = this.#make(batch);
    }
    buffer.tensor.copy_(output);
    output.dispose();
    await use(buffer.rows);
    this.#free.push(buffer);
  }

  #make(batch: number): { tensor: Tensor; rows: Float32Array[][] } {
    const [ny, nx] = this.shape;
    const values = new Float32Array(batch * this.count * ny * nx);
    const field = (i: number) => values.subarray(i * ny * nx, (i + 1) * ny * nx);
    const rows = Array.from({ length: batch }, (_, b) =>
      Array.from({ length: this.count }, (_, f) => field(b * this.count + f)),
    );
    return { tensor: torch.keep(torch.fromTypedArray(values, [batch, this.count, ny, nx])), rows };
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
