// Reads from a source what a model needs at a time: the states of its history, or single fields (forcings, borders), on the model's
// grid and in the model's units. Every mismatch shows both sides. Not here: the normalisation (inference.ts).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { formatDuration, formatTime } from "../core/time.js";
import type { Grid } from "../grid/grid.js";
import { listShort, resolveVariable } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";
import { conversion, sameUnits } from "../variables/units.js";
import { onGrid } from "./on-grid.js";
import type { TimeLoop } from "./time-loop.js";

/** A variable as the model wants it. */
export interface WantedVariable {
  readonly name: string;
  readonly units: string;
}

/** Reads fields for a model. */
export interface StateReader {
  readonly source: Source;
  /**
   * Fields of `variables` at a time, in their order, on the model's grid and in its units.
   * @throws DataError for a missing time or, unless `allowMissing`, missing values: named by variable and time
   */
  read(time: number, options?: { readonly allowMissing?: boolean }): Promise<Float32Array[]>;
}

/**
 * Checks once that a source can serve a model.
 * @throws DataError for variables that the source lacks (and lists what there is), for units that cannot be converted and for
 * another grid, showing both sides
 */
export function stateReader(source: Source, variables: readonly WantedVariable[], grid: Grid): StateReader {
  requireVariables(source, variables);
  const toGrid = onGrid(source.grid, grid);
  const conversions = variables.map((wanted) => unitConversion(source, wanted));
  const names = variables.map((variable) => variable.name);
  return {
    source,
    async read(time, { allowMissing = false } = {}) {
      const fields = await source.read({ time, variables: names });
      return fields.map((field, v) => {
        const convert = conversions[v];
        let values = toGrid(field.values);
        if (convert) values = values.map((value) => value * convert.factor + convert.offset);
        if (!allowMissing) requireComplete(values, names[v]!, time, source);
        return values;
      });
    },
  };
}

/** @throws DataError naming every variable that a source lacks, and what there is */
export function requireVariables(source: Source, variables: readonly WantedVariable[]): void {
  const errors = variables.flatMap(({ name }) => {
    try {
      resolveVariable(name, source.variables, source.description);
      return [];
    } catch (error) {
      return [{ name, error }];
    }
  });
  if (errors.length === 1) throw errors[0]!.error;
  if (errors.length === 0) return;
  throw new DataError(`there are no variables ${errors.map(({ name }) => `"${name}"`).join(", ")}`, {
    where: source.description,
    hint: `It has: ${listShort(source.variables.map((variable) => variable.name))}.`,
  });
}

function unitConversion(source: Source, wanted: WantedVariable): { factor: number; offset: number } | undefined {
  const found = source.variables.find((variable) => variable.name === wanted.name);
  // A source may know a variable under another name; then it answers in the catalogue's units or refuses on read.
  if (!found || sameUnits(found.units, wanted.units)) return undefined;
  try {
    return conversion(found.units, wanted.units);
  } catch (error) {
    throw new DataError(
      `"${wanted.name}" is in "${found.units}" in the data, the model was trained on "${wanted.units}"`,
      { where: source.description, hint: "check that both are the same quantity", cause: error },
    );
  }
}

function requireComplete(values: Float32Array, name: string, time: number, source: Source): void {
  // Anything not finite times zero is NaN and stays NaN: one sum instead of a test per point.
  let check = 0;
  for (let i = 0; i < values.length; i++) check += values[i]! * 0;
  if (check === 0) return;
  const missing = values.reduce((count, value) => count + Number(!Number.isFinite(value)), 0);
  throw new DataError(`"${name}" at ${formatTime(time)} has ${missing} missing values of ${values.length}`, {
    where: source.description,
    hint: "a forecast needs complete initial fields; choose another time or fill the gaps",
  });
}

/** Times of the states that a forecast from `time` starts from, oldest first. */
export function historyTimes(time: number, levels: number, step: number): number[] {
  return Array.from({ length: levels }, (_, i) => time - (levels - 1 - i) * step);
}

/**
 * The history of a forecast: (1, levels, channels, Y, X), physical units, oldest first.
 * @throws DataError as `stateReader.read`, and for initial times before the data reach back far enough
 */
export async function readHistory(
  reader: StateReader,
  time: number,
  model: Pick<TimeLoop, "inChannelNames" | "nHistoryLevels" | "historyTimeStep" | "grid" | "acceptsMissing">,
): Promise<Tensor> {
  const times = historyTimes(time, model.nHistoryLevels, model.historyTimeStep);
  const [ny, nx] = model.grid.shape;
  const channels = model.inChannelNames.length;
  if (channels === 0) return torch.zeros([1, times.length, 0, ny, nx]);
  requireTimes(reader.source, time, times, model.historyTimeStep);
  const levels: Float32Array[][] = [];
  for (const t of times) levels.push(await reader.read(t, { allowMissing: model.acceptsMissing === true }));
  const x = new Float32Array(times.length * channels * ny * nx);
  for (const [i, field] of levels.flat().entries()) x.set(field, i * ny * nx);
  return torch.fromTypedArray(x, [1, times.length, channels, ny, nx]);
}

function requireTimes(source: Source, start: number, times: readonly number[], step: number): void {
  const lacking = times.filter((time) => !hasTime(source.times, time));
  if (lacking.length === 0) return;
  const [first, last] = [source.times[0], source.times.at(-1)];
  const range = first === undefined ? "no times" : `${formatTime(first)} to ${formatTime(last!)}`;
  const near = didYouMean(formatTime(lacking[0]!), nearestTimes(source.times, lacking[0]!).map(formatTime));
  throw new DataError(
    times.length === 1
      ? `the data have no state at ${formatTime(start)}`
      : `a forecast from ${formatTime(start)} starts from ${times.length} states ${formatDuration(step)} apart; the data lack ${lacking.map(formatTime).join(", ")}`,
    { where: source.description, hint: `the data have ${source.times.length} times, ${range}. ${near}`.trim() },
  );
}

/** True when an ascending list holds a time. */
export function hasTime(times: readonly number[], time: number): boolean {
  let [low, high] = [0, times.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (times[middle] === time) return true;
    if (times[middle]! < time) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

function nearestTimes(times: readonly number[], time: number): number[] {
  return [...times].sort((a, b) => Math.abs(a - time) - Math.abs(b - time)).slice(0, 1);
}
