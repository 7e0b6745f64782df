// Times and durations. Inside Foehn a time is an integer number of seconds since 1970-01-01T00:00:00 UTC and a duration is a
// number of seconds; text exists only at the edges, and this is the edge. CF time axes are in cf-time.ts. No time zones,
// no months or years as durations (they have no fixed length).

import { UsageError } from "./errors.js";

const secondsPer = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

const timePattern =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:[T ]?(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d+))?)?)?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i;

/**
 * Epoch seconds of an instant: `2019-03-01`, `2019-03-01T06`, `2019-03-01T06:00Z`, `2019-03-01 06:00:00+01:00`, `2019030106`.
 * Without a zone it is UTC.
 * @throws UsageError when it is not a time, or no such day exists
 */
export function parseTime(text: string): number {
  const match = timePattern.exec(text.trim());
  if (!match) {
    throw new UsageError(`expected a time, got "${text}"`, {
      hint: 'write it as "2019-03-01", "2019-03-01T06" or "2019-03-01T06:00Z" (UTC)',
    });
  }
  const part = (i: number): number => Number(match[i] ?? 0);
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)];
  if (month < 1 || month > 12) throw new UsageError(`"${text}" has month ${month}; months go from 01 to 12`);
  const lastDay = daysInMonth(year, month);
  if (day < 1 || day > lastDay) {
    throw new UsageError(`"${text}" has day ${day}, but that month has ${lastDay} days`);
  }
  if (hour > 23 || minute > 59 || second > 59) throw new UsageError(`"${text}" has no such hour, minute or second`);
  if (Number(match[7] ?? 0) !== 0)
    throw new UsageError(`"${text}" has a fraction of a second; times are whole seconds`);
  return utc(year, month, day) + hour * 3600 + minute * 60 + second - zoneOffset(match[8]);
}

/** Epoch seconds of a day in the (proleptic) Gregorian calendar; `month` from 1. */
function utc(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC would read years below 100 as 19xx
  return date.getTime() / 1000;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Seconds east of Greenwich of "Z", "UTC", "+01:00", "-0530", "+01". */
function zoneOffset(zone: string | undefined): number {
  if (zone === undefined || /^(z|utc)$/i.test(zone)) return 0;
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0");
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2)) * 60;
  return zone.startsWith("-") ? -seconds : seconds;
}

/** `2019-03-01T06:00:00Z`. */
export function formatTime(time: number): string {
  return `${toDate(time).toISOString().slice(0, -5)}Z`;
}

/** `2019-03-01 06:00`, for people; the seconds are left out when they are zero. */
export function formatTimeShort(time: number): string {
  const text = toDate(time).toISOString().slice(0, -5).replace("T", " ");
  return text.endsWith(":00") ? text.slice(0, -3) : text;
}

function toDate(time: number): Date {
  const date = new Date(time * 1000);
  if (Number.isNaN(date.getTime())) throw new UsageError(`${time} is not a time (epoch seconds)`);
  return date;
}

// biome-ignore format: one line per unit
const unitNames: Readonly<Record<string, keyof typeof secondsPer>> = {
  s: "s", sec: "s", second: "s", seconds: "s",
  m: "m", min: "m", minute: "m", minutes: "m",
  h: "h", hr: "h", hour: "h", hours: "h",
  d: "d", day: "d", days: "d",
  w: "w", week: "w", weeks: "w",
};

const isoDuration = /^P(?:([\d.]+)W)?(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/i;

/**
 * Seconds of a duration: `6h`, `10d`, `30m`, `1d12h`, `90 min`, ISO 8601 `PT6H` and `P1DT12H`, or a number of seconds.
 * A leading minus is allowed.
 * @throws UsageError when it is not a duration, has no unit, or is not a whole number of seconds
 */
export function parseDuration(text: string | number): number {
  if (typeof text === "number") {
    if (Number.isInteger(text)) return text;
    throw new UsageError(`expected a whole number of seconds, got ${text}`);
  }
  const fail = (why: string): never => {
    throw new UsageError(`expected a duration${why}, got "${text}"`, {
      hint: 'write it like "6h", "10d", "30m", "1d12h" or "PT6H"',
    });
  };
  const negative = text.trim().startsWith("-");
  const rest = text.trim().slice(negative ? 1 : 0);
  const clock = /^(\d{1,3}):([0-5]\d):([0-5]\d)$/.exec(rest); // as Python prints a timedelta
  if (clock) {
    const [hours, minutes, seconds] = clock.slice(1).map(Number) as [number, number, number];
    return (negative ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
  }
  if (/^\d+(\.\d+)?$/.test(rest)) return rest === "0" ? 0 : fail(" with a unit");
  // "1M" is a month to many tools and a minute to others: refused, as years are.
  if (/\d\s*(mo|y|Y|M$)/.test(rest) && !/T.*M$/.test(rest)) fail(" of fixed length (no months or years)");
  let seconds = 0;
  const iso = isoDuration.exec(rest);
  if (iso) {
    if (iso.slice(1).every((part) => part === undefined)) fail("");
    for (const [i, unit] of (["w", "d", "h", "m", "s"] as const).entries()) {
      seconds += Number(iso[i + 1] ?? 0) * secondsPer[unit];
    }
  } else {
    const parts = [...rest.matchAll(/\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gi)];
    if (parts.length === 0 || parts.map((part) => part[0]).join("") !== rest) fail("");
    for (const part of parts) seconds += Number(part[1]) * secondsPer[unitNames[part[2]!.toLowerCase()] ?? fail("")];
  }
  if (!Number.isFinite(seconds)) fail("");
  const whole = Math.round(seconds);
  if (Math.abs(whole - seconds) > 1e-6) fail(" of whole seconds");
  return negative ? -whole : whole;
}

/** The shortest text that `parseDuration` reads back: `6h`, `10d`, `90m` as `1h30m`, `45s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0) return `-${formatDuration(-seconds)}`;
  const { d, h, m } = secondsPer;
  if (seconds === 0) return "0s";
  if (seconds % d === 0) return `${seconds / d}d`;
  if (seconds % h === 0) return `${seconds / h}h`;
  const parts: string[] = [];
  let rest = seconds;
  for (const [size, unit] of [
    [d, "d"],
    [h, "h"],
    [m, "m"],
  ] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  if (rest > 0) parts.push(`${Number.isInteger(rest) ? rest : Number(rest.toFixed(3))}s`);
  return parts.join("");
}

const mostTimes = 1_000_000;

/**
 * A list of times: one time, several (`a/b/c`), or a range `a/to/b/by/6h` with both ends included where the step meets them.
 * @throws UsageError
 */
export function parseTimeRange(text: string): number[] {
  const parts = text.split("/").map((part) => part.trim());
  if (parts[1]?.toLowerCase() !== "to") return parts.map(parseTime);
  if (parts.length !== 5 || parts[3]!.toLowerCase() !== "by") {
    throw new UsageError(`expected a range of times, got "${text}"`, {
      hint: 'write it as "2019-03-01/to/2019-03-31T18/by/6h"',
    });
  }
  const first = parseTime(parts[0]!);
  const last = parseTime(parts[2]!);
  const step = parseDuration(parts[4]!);
  if (step <= 0) throw new UsageError(`the step of the range "${text}" must be longer than zero`);
  if (last < first) throw new UsageError(`the range "${text}" ends before it begins`);
  const count = Math.floor((last - first) / step) + 1;
  if (count > mostTimes) throw new UsageError(`the range "${text}" has ${count} times, more than ${mostTimes}`);
  return Array.from({ length: count }, (_, i) => first + i * step);
}

export { cfTimeUnits, parseCfTime } from "./cf-time.js";
