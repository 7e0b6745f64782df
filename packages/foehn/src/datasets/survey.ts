// The survey: one pass over the training period that yields the statistics of every feature, of its one-step differences, and
// the time mean of every grid point. Each time counts once, whatever the samples look like. The result can be kept in a cache
// folder under a name made from what the data are, so that changed data do not meet old statistics.

import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import { type Progress, silentProgress } from "../core/progress.js";
import type { FeatureStats, OnNan } from "./dataset.js";
import { type FrameKey, type FrameStore, findMissing, type MissingField, missingError } from "./frames.js";
import { FieldMean, RunningStats } from "./statistics.js";

/** What the training period says about each read feature. */
export interface Survey {
  readonly stats: Readonly<Record<string, FeatureStats>>;
  /** Differences over one step of fields normalised with `stats`. */
  readonly diffStats: Readonly<Record<string, FeatureStats>>;
  /** Time-mean fields in physical units, (H, W). */
  readonly climatology: Readonly<Record<string, Float32Array>>;
}

/** Options of `surveyTraining`. */
export interface SurveyOptions {
  readonly frames: FrameStore;
  /** Frames of the training period, ascending within a run. */
  readonly keys: readonly FrameKey[];
  /** Seconds between the two fields of a difference. */
  readonly step: number;
  readonly onNan: OnNan;
  readonly cacheDir?: string | undefined;
  /** What else tells that the data have changed: sizes and times of their files. */
  readonly stamps?: readonly string[] | undefined;
  /** How often an unfinished survey is put into the cache, so that an interrupted one goes on. Default 60. */
  readonly saveEverySeconds?: number | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Surveys the training period, or reads the survey of the same data from the cache.
 * @throws DataError listing the first missing values when `onNan` is "fail", and for a variable without any value
 */
export async function surveyTraining(options: SurveyOptions): Promise<Survey> {
  const { cacheDir } = options;
  if (cacheDir === undefined) return survey(options);
  const key = await surveyKey(options);
  const known = await readSurvey(cacheDir, key, options.frames.names);
  if (known) {
    (options.progress ?? silentProgress).note(`statistics of ${options.keys.length} times are taken from ${cacheDir}`);
    return known;
  }
  const partial = new PartialSurvey(join(cacheDir, `survey-${key}.f64`), options.saveEverySeconds ?? 60);
  const made = await survey(options, partial);
  try {
    await writeSurvey(cacheDir, key, made);
    await partial.remove();
  } catch (err) {
    // A cache that cannot be written costs time, and no training.
    (options.progress ?? silentProgress).note(`the statistics are not kept: ${(err as Error).message}`);
  }
  return made;
}

async function survey(options: SurveyOptions, partial?: PartialSurvey): Promise<Survey> {
  const { frames, keys, step, onNan, progress = silentProgress } = options;
  const { names } = frames;
  const width = names.length;
  const fieldStats = names.map(() => new RunningStats());
  const diffs = names.map(() => new RunningStats());
  const missing: MissingField[] = [];
  // Fields that a later time of the same run may still be subtracted from.
  const window = new Map<number, Float32Array>();
  let run: string | undefined;
  let mean: FieldMean | undefined;
  let difference: Float64Array | undefined;
  progress.start("statistics", keys.length);
  let done = 0;
  const saved = await partial?.read(names.length, frames.points * width);
  if (saved) {
    done = saved.done;
    for (const [k, stats] of [...fieldStats, ...diffs].entries()) stats.restore(saved.stats.subarray(5 * k, 5 * k + 5));
    mean = saved.mean;
    difference = new Float64Array(frames.points * width);
    // The fields that the next one is subtracted from.
    run = keys[done]?.run;
    for (let k = done - 1; k >= 0 && keys[k]!.run === run && keys[k]!.time >= keys[done]!.time - step; k--) {
      window.set(keys[k]!.time, await frames.raw(keys[k]!));
    }
    progress.note(`statistics go on after ${done} of ${keys.length} times`);
  }
  for (let i = done; i < keys.length; i++) {
    const key = keys[i]!;
    const { time } = key;
    const raw = await frames.raw(key);
    if (key.run !== run) window.clear();
    run = key.run;
    mean ??= new FieldMean(raw.length);
    difference ??= new Float64Array(raw.length);
    mean.add(raw);
    let anyMissing = 0;
    for (const [f, stats] of fieldStats.entries()) anyMissing += stats.add(raw, width, f);
    if (anyMissing > 0 && onNan === "fail") {
      missing.push(...findMissing(raw, names, time));
      if (missing.length > 5) break;
    }
    const before = window.get(time - step);
    if (before) {
      for (let k = 0; k < raw.length; k++) difference[k] = raw[k]! - before[k]!;
      for (const [f, stats] of diffs.entries()) stats.add(difference, width, f);
    }
    window.set(time, raw);
    for (const old of window.keys()) {
      if (old > time - step) break;
      window.delete(old);
    }
    progress.update(i + 1);
    if (missing.length === 0) await partial?.save(i + 1, [...fieldStats, ...diffs], mean);
  }
  if (missing.length > 0) throw missingError(missing);
  const empty = names.filter((_, f) => fieldStats[f]!.count === 0);
  if (empty.length > 0) {
    throw new DataError(`${empty.join(", ")}: not one value in the whole training period`, {
      hint: "leave the variable out, or look whether the training period is one in which it was observed",
    });
  }
  progress.finish();
  const result: { [K in keyof Survey]: Record<string, Survey[K][string]> } = {
    stats: {},
    diffStats: {},
    climatology: {},
  };
  for (const [f, name] of names.entries()) {
    const stats = fieldStats[f]!.result();
    result.stats[name] = stats;
    result.diffStats[name] = diffs[f]!.result(0, stats.std);
    result.climatology[name] = mean?.result(width, f) ?? new Float32Array(0);
    if (fieldStats[f]!.isConstant) {
      progress.note(
        `"${name}" is ${stats.mean} at every point and time of the training period; its standard deviation is taken as 1`,
      );
    } else if (diffs[f]!.isConstant) {
      const why = diffs[f]!.count === 0 ? "has no two values a step apart" : "never changes within a step";
      progress.note(`"${name}" ${why}; the standard deviation of its differences is taken as that of the field`);
    }
  }
  return result;
}

/** Times whose values are part of the cache's key. */
const NUM_SAMPLED = 16;

/**
 * Hash of what the survey depends on: names, times, step, what is done about missing values, the stamps of the files, and the values at
 * a few times from the first to the last. Values that change at other times only, in data without stamps, are not noticed.
 */
async function surveyKey(options: SurveyOptions): Promise<string> {
  const { frames, keys, step, onNan, stamps = [] } = options;
  const hash = createHash("sha256");
  hash.update(JSON.stringify({ version: 2, names: frames.names, step, onNan, stamps }));
  hash.update(Float64Array.from(keys, (key) => key.time));
  if (keys.some((key) => key.run !== undefined)) hash.update(JSON.stringify(keys.map((key) => key.run)));
  const sampled = Array.from({ length: NUM_SAMPLED }, (_, i) =>
    Math.round((i * (keys.length - 1)) / (NUM_SAMPLED - 1)),
  );
  for (const at of new Set(sampled)) hash.update(await frames.raw(keys[at]!));
  return hash.digest("hex").slice(0, 24);
}

/** A survey that is not finished: `[times done, features, values per frame]`, the statistics, sums and counts of the time means. */
class PartialSurvey {
  #savedAt = performance.now();

  constructor(
    private readonly path: string,
    private readonly everySeconds: number,
  ) {}

  /** What an earlier run left, where it fits. */
  async read(
    features: number,
    values: number,
  ): Promise<{ done: number; stats: Float64Array; mean: FieldMean } | undefined> {
    const bytes = await readFile(this.path).catch(() => undefined);
    const numbers = 3 + 10 * features + 2 * values;
    if (bytes?.byteLength !== 8 * numbers) return undefined;
    const all = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    if (all[1] !== features || all[2] !== values) return undefined;
    const mean = new FieldMean(values);
    const [sum, count] = mean.state;
    sum.set(all.subarray(3 + 10 * features, 3 + 10 * features + values));
    count.set(all.subarray(3 + 10 * features + values));
    return { done: all[0]!, stats: all.subarray(3, 3 + 10 * features), mean };
  }

  /** Writes when it is time. */
  async save(done: number, stats: readonly RunningStats[], mean: FieldMean): Promise<void> {
    if (performance.now() - this.#savedAt < 1000 * this.everySeconds) return;
    const [sum, count] = mean.state;
    const all = new Float64Array(3 + 5 * stats.length + 2 * sum.length);
    all.set([done, stats.length / 2, sum.length]);
    for (const [k, one] of stats.entries()) all.set(one.state, 3 + 5 * k);
    all.set(sum, 3 + 5 * stats.length);
    all.set(count, 3 + 5 * stats.length + sum.length);
    await atomicWrite(this.path, new Uint8Array(all.buffer)).catch(() => undefined);
    this.#savedAt = performance.now();
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

const jsonPath = (dir: string, key: string) => join(dir, `statistics-${key}.json`);
const fieldsPath = (dir: string, key: string) => join(dir, `climatology-${key}.f32`);

async function readSurvey(dir: string, key: string, names: readonly string[]): Promise<Survey | undefined> {
  try {
    const { stats, diffStats, points } = JSON.parse(await readFile(jsonPath(dir, key), "utf8"));
    const bytes = await readFile(fieldsPath(dir, key));
    if (bytes.byteLength !== points * names.length * 4) return undefined;
    const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const climatology = Object.fromEntries(
      names.map((name, f) => [name, all.slice(f * points, (f + 1) * points)] as const),
    );
    return { stats, diffStats, climatology };
  } catch {
    // Absent or unreadable: the survey is made again.
    return undefined;
  }
}

async function writeSurvey(dir: string, key: string, made: Survey): Promise<void> {
  const fields = Object.values(made.climatology);
  const points = fields[0]?.length ?? 0;
  const all = new Float32Array(points * fields.length);
  for (const [f, field] of fields.entries()) all.set(field, f * points);
  await atomicWrite(fieldsPath(dir, key), new Uint8Array(all.buffer));
  const { stats, diffStats } = made;
  // The small file last: where it is, the large one is complete.
  await atomicWrite(jsonPath(dir, key), `${JSON.stringify({ version: 1, points, stats, diffStats }, null, 1)}\n`);
}
