// The text that names an operational source: `gfs:date=2024-01-01T00,steps=0/to/48/by/6`. One parser, so that keys, near-misses,
// forecast steps and runs read the same for every client. Not here: what the keys mean (gfs.ts, ecmwf.ts, cds.ts).

import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { parseDuration, parseTimeRange } from "../core/time.js";

/**
 * The settings after `scheme:`, parted by commas. A first part without `=` gets the key "" (`cds:era5`).
 * @throws UsageError for an unknown key (with the nearest one), a repeated key, or a part without a value
 */
export function parseSourceSpec(spec: string, known: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  const body = spec.slice(spec.indexOf(":") + 1);
  for (const [i, part] of (spec.includes(":") ? body.split(",") : []).entries()) {
    const text = part.trim();
    if (text === "") continue;
    const at = text.indexOf("=");
    const key = at < 0 ? "" : text.slice(0, at).trim();
    const value = text.slice(at + 1).trim();
    if (value === "" || (at < 0 && (i > 0 || !known.includes("")))) {
      throw new UsageError(`expected key=value, got "${text}"`, { where: spec, hint: `keys: ${listed(known)}` });
    }
    if (!known.includes(key)) {
      const near = didYouMean(key, known);
      throw new UsageError(`there is no setting "${key}"`, {
        where: spec,
        hint: `${near} Keys: ${listed(known)}.`.trim(),
      });
    }
    if (settings.has(key)) throw new UsageError(`"${key}" is given twice`, { where: spec });
    settings.set(key, value);
  }
  return settings;
}

function listed(known: readonly string[]): string {
  return known.filter((key) => key !== "").join(", ");
}

/**
 * Forecast steps in seconds: hours (`0/6/12`, `0/to/48/by/6`), or durations (`30m`, `0h/to/2d/by/6h`).
 * @throws UsageError
 */
export function parseSteps(text: string): number[] {
  const parts = text.split("/").map((part) => part.trim());
  const seconds = (part: string): number => (/^\d+$/.test(part) ? Number(part) * 3600 : parseDuration(part));
  let steps: number[];
  if (parts[1]?.toLowerCase() === "to") {
    const [first, last, by] = [parts[0]!, parts[2] ?? "", parts[4] ?? ""].map((part) => seconds(part));
    if (parts.length !== 5 || parts[3]!.toLowerCase() !== "by" || by! <= 0 || last! < first!) {
      throw new UsageError(`expected forecast steps, got "${text}"`, { hint: 'write "0/to/48/by/6" (hours)' });
    }
    const count = Math.floor((last! - first!) / by!) + 1;
    if (count > 10_000) throw new UsageError(`"${text}" has ${count} steps, more than any forecast`);
    steps = Array.from({ length: count }, (_, i) => first! + i * by!);
  } else {
    steps = parts.map(seconds);
  }
  if (steps.some((step) => step < 0)) throw new UsageError(`a forecast step cannot be negative: "${text}"`);
  return [...new Set(steps)].sort((a, b) => a - b);
}

/** Ascending times without repeats. @throws UsageError */
export function parseTimes(text: string): number[] {
  return [...new Set(parseTimeRange(text))].sort((a, b) => a - b);
}

/**
 * One of several words, in any letter case.
 * @throws UsageError with the nearest word
 */
export function oneOf<const W extends readonly string[]>(
  value: string | undefined,
  words: W,
  key: string,
  spec: string,
): W[number] {
  if (value === undefined) return words[0]!;
  const found = words.find((word) => word.toLowerCase() === value.toLowerCase());
  if (found !== undefined) return found;
  throw new UsageError(`${key}=${value} is not one of ${words.join(", ")}`, {
    where: spec,
    hint: didYouMean(value, words),
  });
}
