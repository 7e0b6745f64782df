// Looking through a dataset for what would spoil a training: missing times and values, fields that never vary, values far from
// the rest, units that contradict the name, files that cannot be read. Every frame of every part is read once.

import { isFoehnError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { formatDuration, formatTimeShort } from "../core/time.js";
import { lookupVariable } from "../variables/catalogue.js";
import { conversion } from "../variables/units.js";
import type { DatasetSplits } from "./dataset.js";
import type { FrameKey } from "./frames.js";
import { type SplitName, splitNames } from "./periods.js";

/** Kinds of problems. */
export type ProblemKind = "times" | "missing" | "constant" | "outlier" | "units" | "file";

/** One thing that is wrong. */
export interface DatasetProblem {
  readonly kind: ProblemKind;
  readonly part?: SplitName | undefined;
  /** Epoch seconds. */
  readonly time?: number | undefined;
  readonly run?: string | undefined;
  readonly variable?: string | undefined;
  readonly text: string;
}

/** What a check looks at. */
export interface CheckOptions {
  /** How many standard deviations from the mean are too far. Default 10. */
  readonly sigmas?: number | undefined;
  /** Frames of each part at most, evenly chosen; default all. */
  readonly limit?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was looked at and found. */
export interface CheckResult {
  readonly frames: number;
  readonly problems: readonly DatasetProblem[];
}

/** Reads a dataset and reports what is wrong with it. Missing values are problems, so open it with `onNan: "mask"`. */
export async function checkDataset(splits: DatasetSplits, options: CheckOptions = {}): Promise<CheckResult> {
  const { sigmas = 10, limit, progress = silentProgress, signal } = options;
  const { info, fields } = splits;
  const problems: DatasetProblem[] = [...unitProblems(splits)];
  if (!fields) return { frames: 0, problems };
  const chosen = splitNames.flatMap((part) => {
    const frames = fields.frames(part);
    problems.push(...gapsOf(part, frames, info.stepSeconds));
    return evenly(frames, limit).map((key) => ({ part, key }));
  });
  progress.start("checking", chosen.length);
  for (const [k, { part, key }] of chosen.entries()) {
    if (signal?.aborted) break;
    const place = { part, time: key.time, run: key.run };
    try {
      const values = await fields.read(key);
      for (const [f, variable] of fields.names.entries()) {
        const found = lookThrough(values, f, fields.names.length, info.stats[variable], sigmas);
        const never = info.stats[variable]?.min === info.stats[variable]?.max;
        // A variable that is constant everywhere is reported once, below.
        problems.push(
          ...found.filter(({ kind }) => kind !== "constant" || !never).map((p) => ({ ...place, variable, ...p })),
        );
      }
    } catch (error) {
      if (!isFoehnError(error)) throw error;
      problems.push({ ...place, kind: "file", text: [error.message, error.where].filter(Boolean).join("; ") });
    }
    progress.update(k + 1, { problems: problems.length });
  }
  progress.finish();
  for (const variable of fields.names) {
    const stats = info.stats[variable];
    if (stats && stats.min === stats.max) {
      problems.push({
        kind: "constant",
        variable,
        text: `is ${stats.mean} at every point and time of the training period`,
      });
    }
  }
  return { frames: chosen.length, problems };
}

/** One line of a problem: where, what. */
export function describeProblem({ kind, part, time, run, variable, text }: DatasetProblem): string {
  const place = [part, run, time === undefined ? undefined : formatTimeShort(time), variable].filter(Boolean).join(" ");
  return `${kind}: ${place}${place === "" ? "" : ": "}${text}`;
}

function lookThrough(
  values: Float32Array,
  offset: number,
  stride: number,
  stats: { readonly mean: number; readonly std: number } | undefined,
  sigmas: number,
): Pick<DatasetProblem, "kind" | "text">[] {
  let [missing, outliers, worst] = [0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let n = offset; n < values.length; n += stride) {
    const value = values[n]!;
    if (Number.isNaN(value)) {
      missing++;
      continue;
    }
    if (value < min) min = value;
    if (value > max) max = value;
    const distance = stats ? Math.abs(value - stats.mean) / stats.std : 0;
    if (distance > sigmas) {
      outliers++;
      if (distance > Math.abs(worst)) worst = value > stats!.mean ? distance : -distance;
    }
  }
  const points = values.length / stride;
  const found: Pick<DatasetProblem, "kind" | "text">[] = [];
  if (missing > 0) found.push({ kind: "missing", text: `${missing} of ${points} values are missing` });
  if (missing < points && min === max && points > 1) found.push({ kind: "constant", text: `is ${min} at every point` });
  if (outliers > 0) {
    const sign = worst < 0 ? "below" : "above";
    const number = Math.abs(worst).toPrecision(3);
    const count = `${outliers} value${outliers === 1 ? "" : "s"}`;
    found.push({
      kind: "outlier",
      text: `${count} more than ${sigmas} standard deviations off, up to ${number} ${sign} the mean`,
    });
  }
  return found;
}

/** Steps of more than one step of the dataset. */
function gapsOf(part: SplitName, frames: readonly FrameKey[], step: number): DatasetProblem[] {
  const problems: DatasetProblem[] = [];
  for (let k = 1; k < frames.length; k++) {
    const [before, after] = [frames[k - 1]!, frames[k]!];
    const gap = after.time - before.time;
    if (before.run !== after.run || gap <= step) continue;
    const count = Math.round(gap / step) - 1;
    const text =
      count === 1
        ? "this time is missing"
        : `${count} times are missing until ${formatTimeShort(after.time)} (step ${formatDuration(step)})`;
    problems.push({ kind: "times", part, run: before.run, time: before.time + step, text });
  }
  return problems;
}

/** Units that cannot be those of the variable that the name means. */
function unitProblems({ info, fields }: DatasetSplits): DatasetProblem[] {
  const units = fields?.units ?? Object.fromEntries(info.features.map((f) => [f.name, f.units]));
  return Object.entries(units).flatMap(([variable, unit]): DatasetProblem[] => {
    const known = lookupVariable(variable);
    if (!known) return [];
    try {
      const { factor, offset } = conversion(unit, known.units);
      if (factor === 1 && offset === 0) return [];
      return [{ kind: "units", variable, text: `comes in ${unit}; packages expect ${known.units}` }];
    } catch {
      return [{ kind: "units", variable, text: `comes in "${unit}", which cannot be ${known.units}` }];
    }
  });
}

/** At most `limit` entries, spread over the whole list. */
function evenly<T>(list: readonly T[], limit: number | undefined): T[] {
  if (limit === undefined || list.length <= limit) return [...list];
  return Array.from({ length: limit }, (_, k) => list[Math.floor((k * list.length) / limit)]!);
}
