// Finding what was asked for among what a source has: names through the catalogue's aliases, times exactly.
// All sources use this, so that a missing variable or time reads the same everywhere.

import { DataError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { formatDuration, formatTimeShort } from "../core/time.js";
import { lookupVariable, type VariableDefinition } from "../variables/catalogue.js";
import { conversion, sameUnits } from "../variables/units.js";
import type { VariableInfo } from "./source.js";
import { lowerBound } from "./time-table.js";

/** A variable of the source that answers a request; values are to be multiplied by `factor`. */
export interface Resolved {
  readonly info: VariableInfo;
  readonly factor: number;
}

/**
 * Finds a variable by name, alias (`2t` → `t2m`, `Z_500` → `z500`) or equivalence (geopotential from geopotential height and back, also
 * of the ground: `z` from `orog`).
 * @throws DataError that lists what the source has and the nearest names
 */
export function resolveVariable(name: string, variables: readonly VariableInfo[], where?: string): Resolved {
  const exact = variables.find((v) => v.name === name);
  if (exact) return { info: exact, factor: 1 };
  const asked = lookupVariable(name);
  if (asked) {
    const alias = variables.find((v) => v.name === asked.name);
    if (alias) return { info: alias, factor: 1 };
    const equivalent = variables.find((v) => v.name === twinOf(asked));
    if (equivalent) {
      // A height in plain metres is a geopotential height all the same.
      const [from, to] = [equivalent.units, asked.units].map((units) => (sameUnits(units, "m") ? "gpm" : units));
      return { info: equivalent, factor: conversion(from!, to!).factor };
    }
  }
  const names = variables.map((v) => v.name);
  const nearest = didYouMean(name, names);
  throw new DataError(`there is no variable "${name}"`, {
    ...(where === undefined ? {} : { where }),
    hint: [nearest, `It has: ${listShort(names)}.`].filter(Boolean).join(" "),
  });
}

/** Geopotential and geopotential height are one thing in two units, on pressure levels and on the ground. */
function twinOf({ name, family, level }: VariableDefinition): string | undefined {
  if (family === "z") return `gh${level}`;
  if (family === "gh") return `z${level}`;
  return name === "z" ? "orog" : name === "orog" ? "z" : undefined;
}

/**
 * The position of a time.
 * @throws DataError that gives the range, the step and the nearest time
 */
export function resolveTime(time: number, times: readonly number[], where?: string): number {
  const at = lowerBound(times, time);
  if (times[at] === time) return at;
  const nearest = [times[at - 1], times[at]]
    .filter((t): t is number => t !== undefined)
    .sort((a, b) => Math.abs(a - time) - Math.abs(b - time))[0];
  const hint =
    nearest === undefined
      ? "it has no times at all"
      : `It has ${describeTimes(times)}; the nearest is ${formatTimeShort(nearest)}.`;
  throw new DataError(`there is no data for ${formatTimeShort(time)}`, {
    ...(where === undefined ? {} : { where }),
    hint,
  });
}

/** What to say when a forecast is not there. */
export function noRun(wanted: number, runs: readonly number[], where: string): DataError {
  const list = listShort(runs.map(formatTimeShort), 6);
  return new DataError(`there is no forecast that starts ${formatTimeShort(wanted)}`, {
    where,
    hint: runs.length === 0 ? "the data have no initial times: leave `run` out" : `there are: ${list}`,
  });
}

/** The usual distance between times: the most frequent difference; undefined for fewer than two times. */
export function usualStep(times: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (let i = 1; i < times.length; i++) {
    const step = times[i]! - times[i - 1]!;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0];
}

/** `744 times from 2019-03-01 00:00 to 2019-03-31 23:00 by 1h`; gaps are mentioned. */
export function describeTimes(times: readonly number[]): string {
  if (times.length === 0) return "no times";
  const first = times[0]!;
  const last = times[times.length - 1]!;
  if (times.length === 1) return `one time, ${formatTimeShort(first)}`;
  const step = usualStep(times)!;
  const even = (last - first) / step + 1 === times.length;
  return `${times.length} times from ${formatTimeShort(first)} to ${formatTimeShort(last)} by ${formatDuration(step)}${even ? "" : " with gaps"}`;
}

/** Names for a message: all of them when few, otherwise the first ones and how many more. */
export function listShort(names: readonly string[], max = 24): string {
  return names.length <= max ? names.join(", ") : `${names.slice(0, max).join(", ")} … (${names.length} in all)`;
}

/** The values times a factor; the same array for factor 1. */
export function scaled(values: Float32Array, factor: number): Float32Array {
  return factor === 1 ? values : values.map((x) => x * factor);
}
