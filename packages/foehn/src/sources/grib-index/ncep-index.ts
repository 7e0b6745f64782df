// The `.idx` files that NCEP puts beside its GRIB files (the inventory of wgrib2): one line per field, `n:offset:d=date:parameter:level:
// forecast:…`. Parsing and exact look-ups. Not here: which parameter is which variable (ncep-parameters.ts), and fetching.
// Format: https://www.cpc.ncep.noaa.gov/products/wesley/wgrib2/default_inv.html

import { FormatError } from "../../core/errors.js";
import { parseTime } from "../../core/time.js";

/** A line of an `.idx` file. */
export interface NcepEntry {
  /** Number of the message in the file, from 1. */
  readonly message: number;
  /** Number of the field in its message, from 1: `5.2` is the second field of message 5. */
  readonly field: number;
  /** First byte of the message. */
  readonly offset: number;
  /** Bytes up to the next message; undefined for the last one, which goes to the end of the file. */
  readonly length: number | undefined;
  /** Reference time, epoch seconds. */
  readonly dataTime: number;
  /** NCEP's abbreviation: `HGT`. */
  readonly parameter: string;
  /** `500 mb`, `2 m above ground`. */
  readonly level: string;
  /** `anl`, `6 hour fcst`, `0-6 hour acc fcst`. */
  readonly forecast: string;
  /** What follows, such as `ENS=+1`. */
  readonly extra: readonly string[];
}

/** What the forecast column says: seconds after the reference time, and what the value is over that interval. */
export interface NcepStep {
  readonly start: number;
  readonly end: number;
  readonly kind: "instant" | "acc" | "ave" | "max" | "min";
}

/**
 * Parses an `.idx` file.
 * @param where file or address, for errors
 * @throws FormatError with the line for anything that is not such a line, or when offsets go backwards
 */
export function parseNcepIndex(text: string, where: string): NcepEntry[] {
  const lines = text.split(/\r?\n/);
  const entries: Omit<NcepEntry, "length">[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const entry = parseLine(line);
    if (typeof entry === "string") throw damaged(entry, line, `${where}, line ${i + 1}`);
    const before = entries.at(-1);
    if (before && entry.offset < before.offset) {
      throw damaged("the offset goes backwards", line, `${where}, line ${i + 1}`);
    }
    if (before && (entry.offset === before.offset) !== (entry.message === before.message)) {
      throw damaged("fields of one message, and only they, have the same offset", line, `${where}, line ${i + 1}`);
    }
    entries.push(entry);
  }
  if (entries.length === 0) {
    throw new FormatError("the GRIB index is empty", {
      where,
      hint: "the file may still be on its way; try again later",
    });
  }
  const out: NcepEntry[] = new Array(entries.length);
  let next: number | undefined;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!;
    if (i + 1 < entries.length && entries[i + 1]!.offset > entry.offset) next = entries[i + 1]!.offset;
    out[i] = { ...entry, length: next === undefined ? undefined : next - entry.offset };
  }
  return out;
}

function damaged(what: string, line: string, where: string): FormatError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line;
  return new FormatError(`not a line of a GRIB index (${what}): "${shown}"`, {
    where,
    hint: "the address may answer with a web page, or the download was cut; fetch it again",
  });
}

function parseLine(line: string): Omit<NcepEntry, "length"> | string {
  const [number = "", offset = "", date = "", parameter = "", level = "", forecast = "", ...extra] = line.split(":");
  const numbers = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(number);
  if (!numbers) return "it does not begin with a message number";
  if (!/^\d{1,15}$/.test(offset)) return "the offset is not a number";
  const digits = /^d=(\d{8})(\d{2})(\d{2})?(\d{2})?$/.exec(date);
  if (!digits) return "the date is not d=YYYYMMDDHH";
  if (parameter === "" || level === "" || forecast === "") return "parameter, level or forecast is missing";
  let dataTime: number;
  try {
    const [, day, hour, minute = "00", second = "00"] = digits;
    dataTime = parseTime(`${day}T${hour}${minute}${second}`);
  } catch {
    return "there is no such date";
  }
  return {
    message: Number(numbers[1]),
    field: Number(numbers[2] ?? 1),
    offset: Number(offset),
    dataTime,
    parameter,
    level,
    forecast,
    extra: extra.filter((part) => part !== ""),
  };
}

const unitSeconds: Readonly<Record<string, number>> = { min: 60, minute: 60, hour: 3600, day: 86_400 };

/** The interval of a forecast column; undefined for what is none of the usual kinds (probabilities, months). */
export function parseNcepStep(forecast: string): NcepStep | undefined {
  if (forecast === "anl" || forecast === "analysis") return { start: 0, end: 0, kind: "instant" };
  const match = /^(?:(\d+)-)?(\d+) (min|minute|hour|day) (?:(acc|ave|max|min) )?(fcst|anl)$/.exec(forecast);
  if (!match) return undefined;
  const [, from, to, unit = "hour", kind] = match;
  // An interval without a kind, or a kind without an interval, says too little.
  if ((from === undefined) !== (kind === undefined)) return undefined;
  const seconds = unitSeconds[unit]!;
  const end = Number(to) * seconds;
  if (from === undefined) return { start: end, end, kind: "instant" };
  return { start: Number(from) * seconds, end, kind: kind as NcepStep["kind"] };
}
