// The `.index` files that ECMWF puts beside its GRIB files: one JSON object per line with MARS keys and the byte range of a field.
// Format: https://confluence.ecmwf.int/display/DAC/ECMWF+open+data%3A+real-time+forecasts+from+IFS+and+AIFS, "Index files".
// Not here: which field is which variable (ecmwf-parameters.ts), and fetching.

import { FormatError } from "../../core/errors.js";

/** A line of an `.index` file. */
export interface EcmwfEntry {
  readonly offset: number;
  readonly length: number;
  /** Short name: `2t`, `gh`. */
  readonly param: string;
  /** `sfc`, `pl`, `sol`. */
  readonly levtype: string;
  /** Pressure in hPa, or the number of a soil layer; undefined at single levels. */
  readonly levelist: number | undefined;
  /** Hours, or a range of them (`0-24`). */
  readonly step: string;
  /** `fc`, `cf`, `pf`, `em`… */
  readonly type: string;
  /** Ensemble member of a perturbed forecast. */
  readonly number: number | undefined;
  /** All keys as text, those above included. */
  readonly keys: Readonly<Record<string, string>>;
}

/**
 * Parses an `.index` file.
 * @param where file or address, for errors
 * @throws FormatError with the line for anything that is not such a line
 */
export function parseEcmwfIndex(text: string, where: string): EcmwfEntry[] {
  const entries: EcmwfEntry[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const entry = parseLine(line);
    if (typeof entry === "string") {
      const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line;
      throw new FormatError(`not a line of a GRIB index (${entry}): "${shown}"`, {
        where: `${where}, line ${i + 1}`,
        hint: "the address may answer with a web page, or the download was cut; fetch it again",
      });
    }
    entries.push(entry);
  }
  if (entries.length === 0) {
    throw new FormatError("the GRIB index is empty", {
      where,
      hint: "the file may still be on its way; try again later",
    });
  }
  return entries;
}

function parseLine(line: string): EcmwfEntry | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return "it is not JSON";
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return "it is not a JSON object";
  const values = parsed as Readonly<Record<string, unknown>>;
  const { _offset: offset, _length: length } = values;
  if (!isCount(offset) || !isCount(length) || length === 0) return "_offset and _length are not byte counts";
  const keys: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(values)) {
    if (typeof value === "string" || typeof value === "number") keys[key] = String(value);
  }
  const { param, levtype, levelist, step, type, number } = keys;
  if (param === undefined || levtype === undefined || step === undefined) return "param, levtype or step is missing";
  const level = levelist === undefined ? undefined : Number(levelist);
  const member = number === undefined ? undefined : Number(number);
  if (Number.isNaN(level) || Number.isNaN(member)) return "levelist or number is not a number";
  return { offset, length, param, levtype, levelist: level, step, type: type ?? "", number: member, keys };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
