// Periods and samples: which times belong to training, validation and test, and at which of them a sample can begin.
// A sample lies in its period as a whole; where a time is missing no sample is made.

import { ConfigError, DataError } from "../core/errors.js";
import { formatDuration, formatTimeShort, parseTime } from "../core/time.js";

/** A stretch of time, both ends included, epoch seconds. */
export interface Period {
  readonly start: number;
  readonly end: number;
}

/** The names of the three parts, in order of use. */
export const splitNames = ["train", "valid", "test"] as const;

/** A part of a dataset. */
export type SplitName = (typeof splitNames)[number];

/** The three periods. */
export type Periods = Readonly<Record<SplitName, Period>>;

/** A period of two texts; an end without a time of day means the whole of that day. @throws ConfigError when it ends before it begins */
export function parsePeriod(start: string, end: string): Period {
  const wholeDay = /^\d{4}-?\d{2}-?\d{2}$/.test(end.trim());
  const period = { start: parseTime(start), end: parseTime(end) + (wholeDay ? 86_399 : 0) };
  if (period.end < period.start) throw new ConfigError(`the period ${start} to ${end} ends before it begins`);
  return period;
}

/** Text of a period. */
export function describePeriod(period: Period): string {
  return `${formatTimeShort(period.start)} to ${formatTimeShort(period.end)}`;
}

/**
 * Refuses periods that share a time, or that the data do not reach.
 * @throws ConfigError for an overlap, DataError for a period without data
 */
export function checkPeriods(periods: Periods, times: readonly number[]): void {
  for (const [i, a] of splitNames.entries()) {
    for (const b of splitNames.slice(i + 1)) {
      if (periods[a].start <= periods[b].end && periods[b].start <= periods[a].end) {
        throw new ConfigError(
          `the periods "${a}" (${describePeriod(periods[a])}) and "${b}" (${describePeriod(periods[b])}) overlap`,
          { hint: "both ends belong to a period; end one before the next begins" },
        );
      }
    }
  }
  for (const name of splitNames) {
    if (timesWithin(periods[name], times).length === 0) {
      throw new DataError(`there are no data in the period "${name}" (${describePeriod(periods[name])})`, {
        hint:
          times.length === 0
            ? "the source has no times at all"
            : `the data go from ${formatTimeShort(times[0]!)} to ${formatTimeShort(times[times.length - 1]!)}`,
      });
    }
  }
}

/** Periods for data without any in the configuration: the first 70 % of the times, then 15 % and 15 %. */
export function defaultPeriods(times: readonly number[]): Periods {
  const n = times.length;
  if (n < 3) throw new DataError(`${n} times cannot be split into training, validation and test`);
  const a = Math.min(n - 2, Math.max(1, Math.floor(0.7 * n)));
  const b = Math.min(n - 1, Math.max(a + 1, Math.floor(0.85 * n)));
  return {
    train: { start: times[0]!, end: times[a - 1]! },
    valid: { start: times[a]!, end: times[b - 1]! },
    test: { start: times[b]!, end: times[n - 1]! },
  };
}

/** The times inside a period. */
export function timesWithin(period: Period, times: readonly number[]): number[] {
  return times.filter((t) => t >= period.start && t <= period.end);
}

/** Where samples begin, and how many more there would be if no time were missing. */
export interface SampleStarts {
  /** First frames of the samples. */
  readonly starts: readonly SampleStart[];
  /** Samples left out because a time inside them is missing. */
  readonly skipped: number;
}

/** The first frame of a sample: its time, and the forecast run where a source has several values for one time. */
export interface SampleStart {
  readonly time: number;
  readonly run?: string | undefined;
}

/**
 * First times of all samples of `length` states, `step` seconds apart, that lie in the period and miss no time.
 * @param wanted leaves out samples that begin at other times
 */
export function sampleStarts(
  period: Period,
  times: readonly number[],
  step: number,
  length: number,
  wanted: (start: number) => boolean = () => true,
): SampleStarts {
  const present = timesWithin(period, times);
  const set = new Set(present);
  const starts: SampleStart[] = [];
  let skipped = 0;
  for (const start of present) {
    if (start + (length - 1) * step > period.end || !wanted(start)) continue;
    let complete = true;
    for (let k = 1; complete && k < length; k++) complete = set.has(start + k * step);
    if (complete) starts.push({ time: start });
    else if (start + (length - 1) * step <= present[present.length - 1]!) skipped++;
  }
  return { starts, skipped };
}

/** @throws DataError saying how long a sample is and what the period has */
export function requireSamples(
  name: SplitName,
  period: string,
  samples: SampleStarts,
  step: number,
  length: number,
): void {
  if (samples.starts.length > 0) return;
  throw new DataError(
    `the period "${name}" (${period}) is too short or has too many gaps for a sample of ${length} states, ${formatDuration(step)} apart`,
    { hint: "use a longer period, fewer prediction steps, or another step" },
  );
}
