// Time axes as the CF conventions write them: a number with the unit "hours since 1900-01-01 00:00:00.0" in some calendar.
// Described in the CF conventions, section 4.4, and in the documentation of cftime, against which the decoding is tested.
// A date of a model calendar (noleap, 360_day …) becomes the instant of the same date in the Gregorian calendar.

import { DataError } from "./errors.js";
import { didYouMean } from "./suggest.js";

/** CF units whose zero is `origin` (epoch seconds): `hours since 2019-03-01T00:00:00Z`. */
export function cfTimeUnits(origin: number): string {
  return `hours since ${new Date(origin * 1000).toISOString().slice(0, -5)}Z`;
}

// biome-ignore format: one line per unit
const unitSeconds: Readonly<Record<string, number>> = {
  nanosecond: 1e-9, nanosec: 1e-9, ns: 1e-9,
  microsecond: 1e-6, microsec: 1e-6, us: 1e-6,
  millisecond: 1e-3, millisec: 1e-3, msec: 1e-3, ms: 1e-3,
  second: 1, sec: 1, s: 1,
  minute: 60, min: 60,
  hour: 3600, hr: 3600, h: 3600,
  day: 86_400, d: 86_400,
  week: 604_800,
};

/** A calendar counts days: from a date to a number and back. Day 0 is the calendar's own 1970-01-01. */
interface Calendar {
  toDay(year: number, month: number, day: number): number;
  fromDay(day: number): [year: number, month: number, day: number];
}

const fixedMonths = (lengths: readonly number[]): Calendar => {
  const yearLength = lengths.reduce((a, b) => a + b, 0);
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  return {
    toDay: (year, month, day) => (year - 1970) * yearLength + starts[month - 1]! + day - 1,
    fromDay(n) {
      const year = 1970 + Math.floor(n / yearLength);
      const dayOfYear = n - (year - 1970) * yearLength;
      const month = starts.findLastIndex((start) => start <= dayOfYear);
      return [year, month + 1, dayOfYear - starts[month]! + 1];
    },
  };
};

const gregorian: Calendar = {
  toDay: (year, month, day) => gregorianDay(year, month, day),
  fromDay(n) {
    const date = new Date(n * 86_400_000);
    return [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  },
};

function gregorianDay(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() / 86_400_000;
}

/** Days since the Gregorian 1970-01-01 of a date in the Julian calendar. */
function julianDay(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const m = month > 2 ? month : month + 12;
  return Math.floor(365.25 * (y + 4716)) + Math.floor(30.6001 * (m + 1)) + day - 1524 - 2440588;
}

// Before the reform of 1582 the "standard" calendar of CF counts Julian dates: files with "since 0001-01-01" rely on it.
const reform = gregorianDay(1582, 10, 15);
const mixed: Calendar = {
  toDay(year, month, day) {
    const n = gregorianDay(year, month, day);
    return n >= reform ? n : julianDay(year, month, day);
  },
  fromDay: gregorian.fromDay,
};

const julian: Calendar = { toDay: julianDay, fromDay: gregorian.fromDay };

const common = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const noleap = fixedMonths(common);
const allLeap = fixedMonths(common.map((n, i) => (i === 1 ? 29 : n)));
const days360 = fixedMonths(common.map(() => 30));

const calendars: Readonly<Record<string, Calendar>> = {
  standard: mixed,
  gregorian: mixed,
  proleptic_gregorian: gregorian,
  julian,
  noleap,
  "365_day": noleap,
  all_leap: allLeap,
  "366_day": allLeap,
  "360_day": days360,
};

const unitsPattern =
  /^\s*([a-z_]+)\s+since\s+(-?\d{1,6})-(\d{1,2})-(\d{1,2})(?:(?:\s+|T)(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(\.\d*)?)?)?)?\s*(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?\s*$/i;

/**
 * A decoder of the values of a CF time axis into epoch seconds, rounded to whole seconds.
 * @param units e.g. `hours since 1900-01-01 00:00:00.0`
 * @param calendar the `calendar` attribute; default `standard`
 * @throws DataError for unknown units or calendars, units without fixed length, and (from the decoder) dates such as 30 February that the Gregorian calendar does not have
 */
export function parseCfTime(units: string, calendar = "standard"): (value: number) => number {
  const name = calendar.toLowerCase();
  const cal = calendars[name];
  if (!cal) {
    const near = didYouMean(name, Object.keys(calendars));
    throw new DataError(`unknown calendar "${calendar}"`, {
      hint: near || `known calendars: ${Object.keys(calendars).join(", ")}`,
    });
  }
  const match = unitsPattern.exec(units);
  if (!match) {
    throw new DataError(`"${units}" are not CF time units`, {
      hint: 'expected something like "hours since 1900-01-01 00:00:00"',
    });
  }
  const scale = lengthOfUnit(match[1]!, name, units);
  const part = (i: number): number => Number(match[i] ?? 0);
  const [year, month, day, hour, minute, second] = [part(2), part(3), part(4), part(5), part(6), part(7)];
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60) {
    throw new DataError(`"${units}" begins at a date that does not exist`);
  }
  const originDay = cal.toDay(year, month, day);
  const originSeconds = hour * 3600 + minute * 60 + second + Number(match[8] ?? 0) - zoneSeconds(match[9]);
  const sameDays = cal === mixed || cal === gregorian || cal === julian;
  const steps = new Map<number, number>(); // one conversion per calendar day: axes repeat days
  return (value) => {
    if (!Number.isFinite(value)) throw new DataError(`the time axis has the value ${value}`, { where: units });
    const seconds = Math.round(value * scale + originSeconds);
    const dayOffset = Math.floor(seconds / 86_400);
    const inDay = seconds - dayOffset * 86_400;
    const n = originDay + dayOffset;
    if (sameDays) return n * 86_400 + inDay;
    let start = steps.get(n);
    if (start === undefined) {
      const [y, m, d] = cal.fromDay(n);
      start = gregorianDay(y, m, d) * 86_400;
      const [, , back] = gregorian.fromDay(start / 86_400);
      if (back !== d) {
        throw new DataError(`${y}-${pad(m)}-${pad(d)} exists in the calendar ${calendar} only`, {
          hint: "select other times; Foehn keeps times in the Gregorian calendar",
        });
      }
      steps.set(n, start);
    }
    return start + inDay;
  };
}

const pad = (n: number): string => String(n).padStart(2, "0");

function lengthOfUnit(unit: string, calendar: string, units: string): number {
  const lower = unit.toLowerCase();
  const seconds = unitSeconds[lower] ?? unitSeconds[lower.replace(/s$/, "")];
  if (seconds !== undefined) return seconds;
  const bare = lower.replace(/s$/, "");
  if (calendar === "360_day" && (bare === "month" || bare === "mon")) return 30 * 86_400;
  if (["month", "mon", "year", "yr", "common_year"].includes(bare)) {
    throw new DataError(`the time unit of "${units}" has no fixed length`, {
      hint: "rewrite the time axis in days, for example with cdo settunits,days",
    });
  }
  throw new DataError(`unknown time unit "${unit}" in "${units}"`, {
    hint: didYouMean(lower, ["seconds", "minutes", "hours", "days"]) || "known units: seconds, minutes, hours, days",
  });
}

function zoneSeconds(zone: string | undefined): number {
  if (zone === undefined || /^[a-z]/i.test(zone)) return 0;
  const match = /^([+-])(\d{1,2}):?(\d{2})?$/.exec(zone)!;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60);
}
