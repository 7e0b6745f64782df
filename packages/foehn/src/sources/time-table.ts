// Where each valid time is along the axes of an array: a time axis, a lead-time axis, both or neither. One table serves all variables
// on the same axes, since archives have a million times and hundreds of variables. Where there are lead times, the times before them
// are the initial times of forecasts (runs), and a valid time may come from several runs.

import { DataError } from "../core/errors.js";
import { formatTimeShort } from "../core/time.js";

/** Index along the time axis and along the lead-time axis; 0 where there is no such axis. */
export type TimePosition = readonly [time: number, lead: number];

/** Valid times in order, each with its position. */
export interface TimeTable {
  /** Epoch seconds, ascending, without repeats. */
  readonly times: readonly number[];
  /** Initial times, where there are lead times. */
  readonly runs?: readonly number[];
  /** The runs that have a valid time; empty without lead times. */
  runsAt(time: number): readonly number[];
  /** Where a valid time is (in that run, where there are runs); undefined when it is not there. */
  find(time: number, run?: number): TimePosition | undefined;
}

/**
 * Makes a table.
 * @param base epoch seconds along the time axis, or the one time that all fields share
 * @param leads seconds along the lead-time axis
 * @throws DataError for an axis that has a value twice
 */
export function timeTable(base: ArrayLike<number>, leads: ArrayLike<number> | undefined, where: string): TimeTable {
  return leads ? forecasts(base, leads, where) : series(base, where);
}

function series(base: ArrayLike<number>, where: string): TimeTable {
  const times = Array.from(base);
  let ascending = true;
  for (let i = 1; i < times.length && ascending; i++) ascending = times[i]! > times[i - 1]!;
  // Most axes ascend: then the axis itself is the index, and nothing more is kept.
  const index = ascending ? undefined : positions(times, where);
  if (index) times.sort((a, b) => a - b);
  return {
    times,
    runsAt: () => [],
    find(time) {
      const i = index ? index.get(time) : lowerBound(times, time);
      return i === undefined || (!index && times[i] !== time) ? undefined : [i, 0];
    },
  };
}

function forecasts(base: ArrayLike<number>, leads: ArrayLike<number>, where: string): TimeTable {
  const starts = positions(base, where);
  const steps = positions(leads, where);
  const runs = [...starts.keys()];
  const valid = new Set<number>();
  for (const start of runs) for (const lead of steps.keys()) valid.add(start + lead);
  return {
    times: [...valid].sort((a, b) => a - b),
    runs,
    runsAt: (time) => runs.filter((start) => steps.has(time - start)),
    find(time, run) {
      const start = run ?? runs[0]!;
      const [at, lead] = [starts.get(start), steps.get(time - start)];
      return at === undefined || lead === undefined ? undefined : [at, lead];
    },
  };
}

/** First position whose value is not before `value`. */
export function lowerBound(values: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function positions(values: ArrayLike<number>, where: string): Map<number, number> {
  const found = new Map<number, number>();
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (found.has(value)) {
      const shown = Math.abs(value) < 1e8 ? `${value / 3600} h` : formatTimeShort(value);
      throw new DataError(`a time axis has ${shown} twice, at positions ${found.get(value)} and ${i}`, { where });
    }
    found.set(value, i);
  }
  return found;
}
