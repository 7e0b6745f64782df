// `foehn score` as a function: forecasts of a package from many initial times, verified against data while they run.
// Not here: the formulas (sums.ts) and their figures (plots/).

import { resolve } from "node:path";
import { DataError, UsageError } from "../core/errors.js";
import { silentProgress } from "../core/progress.js";
import { formatDuration, formatTime } from "../core/time.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import {
  forecastProvenance,
  initialTimesOf,
  modelOptions,
  numberOfSteps,
  onGridOf,
  outputVariables,
  type RunOptions,
} from "../forecast/forecast.js";
import { hasTime, historyTimes, stateReader } from "../forecast/initial-state.js";
import { openModelPackage } from "../forecast/loop-package.js";
import { type DataSpec, withData } from "../forecast/open-data.js";
import { initialFeatures, openLoop } from "../forecast/open-loop.js";
import { fileOutput } from "../forecast/outputs/file-output.js";
import { runForecast } from "../forecast/rollout.js";
import { refuseExisting } from "../io/final-name.js";
import type { Source } from "../sources/source.js";
import { readClimatology, timeMeans } from "./climatology.js";
import type { NamedRegion } from "./ensemble/regions.js";
import { ScoreOutput, wholeGrid } from "./score-output.js";
import { type MergedScores, mergeScoreFolders, openScoreShard, type ScoresConfig } from "./score-shards.js";
import { type ScoreFormat, scoreFormatOf, writeScoresFile } from "./scores-file.js";
import { type AccConvention, type ScoreTable, scoreTable } from "./table.js";

/** What to score. */
export interface ScoreOptions extends RunOptions {
  /** Gives the initial states and the truth. */
  readonly source: DataSpec;
  /** Number of steps, or a lead time such as `2d`. */
  readonly steps: number | string;
  /** Initial times: `a/to/b/by/6h`, or epoch seconds. Default: see `defaultDates`. */
  readonly dates?: string | readonly number[] | undefined;
  /**
   * scores.nc, .zarr or .json; or a folder (a name without an ending) for CSV, one line per date, lead, variable and metric, which
   * several processes can fill and go on with. Nothing is written when left out.
   */
  readonly output?: string | undefined;
  /** The form, where the name does not say it. */
  readonly format?: ScoreFormat | undefined;
  /** Writes the forecasts too, in the same pass: a name ending in .zarr or .nc. */
  readonly forecastOutput?: string | undefined;
  readonly overwrite?: boolean;
  /** Which ACC the table shows; the file has both. Default `uncentred`. */
  readonly accConvention?: AccConvention | undefined;
  /** Time-mean fields for the anomalies, or fields by day of year: see climatology.ts. Default: the package's, of the training period. */
  readonly climatology?: string | undefined;
  /** Areas to score beside the whole grid. */
  readonly regions?: readonly NamedRegion[] | undefined;
  /** This process does part `shard` (from 0) of `nShards` of the dates; needs a folder of CSV. */
  readonly shard?: number | undefined;
  readonly nShards?: number | undefined;
  /** Forecasts that the model computes at once. Default 1. It does not change the scores. */
  readonly batchSize?: number | undefined;
}

/** What came out. */
export interface ScoreResult {
  /** For a folder of CSV of all dates that it has, other processes' too. */
  readonly table: ScoreTable;
  /** Initial times in the table, epoch seconds. */
  readonly initialTimes: readonly number[];
  /** Absolute paths of what was written. */
  readonly path: string | undefined;
  readonly forecastPath: string | undefined;
  readonly seconds: number;
}

/**
 * Scores a package. Memory does not grow with the number of steps or dates.
 * @throws as `forecast`; UsageError when the data allow no date; DataError when the truth of an asked date is not in the data
 */
export async function scoreForecast(options: ScoreOptions): Promise<ScoreResult> {
  const began = performance.now();
  const { output, progress = silentProgress, overwrite = false, accConvention = "uncentred" } = options;
  const format = output === undefined ? undefined : (options.format ?? scoreFormatOf(output));
  if (format !== "csv" && (options.nShards ?? 1) > 1) {
    throw new UsageError("scores in shards go to a folder, where they are merged afterwards", {
      hint: "give -o a name without an ending, or --format csv; then foehn score merge FOLDER -o scores.nc",
    });
  }
  if (output !== undefined && format !== "csv") {
    await refuseExisting(output, { overwrite, markers: format === "zarr" ? ["zarr.json", ".zgroup"] : [] });
  }
  const files = options.forecastOutput === undefined ? [] : [fileOutput(options.forecastOutput, { overwrite })];
  const pkg = await openModelPackage(options.package, modelOptions(options));
  const info = await pkg.info();
  const regrid = options.regrid && { to: info.grid, ...options.regrid };
  const scoreWith = async (source: Source): Promise<ScoreResult> => {
    const borderSource = await onGridOf(options.borderSource, regrid);
    const steps = numberOfSteps(options.steps, info.stepSeconds);
    const initialTimes =
      options.dates === undefined
        ? defaultDates(source.times, info, pkg.numInputSteps, steps)
        : initialTimesOf(options.dates);
    requireTruth(source, initialTimes, steps, info.stepSeconds);
    const seen = initialTimes.filter((time) => touchesTraining(time, info, pkg.numInputSteps, steps)).length;
    if (seen > 0) {
      progress.note(
        `${seen} of ${initialTimes.length} forecasts lie in the training or validation period: the model has seen their truth`,
      );
    }
    const reader = stateReader(source, initialFeatures(pkg, info), info.grid);
    const truth = stateReader(source, info.features, info.grid);
    await using climatology =
      options.climatology === undefined
        ? timeMeans(await pkg.climatology())
        : await readClimatology(options.climatology, info.features, info.grid, options);
    climatology.requireTimes(validTimes(initialTimes, steps, info.stepSeconds));
    using loop = await openLoop(pkg, {
      ...(options.device === undefined ? {} : { device: options.device }),
      ...(options.precision === undefined ? {} : { precision: options.precision }),
      forcingSource: source,
      borderSource,
    });
    loop.requireData?.(initialTimes, steps);
    for (const note of loop.notes) progress.note(note);
    const variables = outputVariables(info.features);
    const leadHours = Array.from({ length: steps }, (_, i) => ((i + 1) * info.stepSeconds) / 3600);
    const provenance = {
      ...forecastProvenance(pkg, source, loop, { ...options, history: options.history ?? "foehn score" }),
      ...(options.climatology === undefined ? {} : { climatology: options.climatology }),
    };
    const regions = options.regions ?? [];
    const config: ScoresConfig = {
      kind: "foehn scores",
      model: pkg.name,
      model_version: pkg.manifest.version,
      variables: variables.map(({ name, units, longName }) => ({ name, units, long_name: longName })),
      lead_hours: leadHours,
      areas: [wholeGrid, ...regions.map((region) => region.name)],
      climatology: variables.map(({ name }) => name).filter((name) => climatology.variables.has(name)),
      provenance,
    };
    const folder = output !== undefined && format === "csv" ? resolve(output) : undefined;
    const store =
      folder === undefined ? undefined : await openScoreShard(folder, options.shard ?? 0, config, { overwrite });
    const scores = new ScoreOutput({ truth, climatology, regions }, store);
    const [, forecastPath] = await runForecast({
      loop,
      reader,
      initialTimes,
      steps,
      variables,
      outputs: [scores, ...files],
      batchSize: options.batchSize,
      shard: options.shard,
      nShards: options.nShards,
      provenance,
      signal: options.signal,
      progress,
    });
    const shared = { forecastPath, seconds: (performance.now() - began) / 1000 };
    if (folder !== undefined) {
      const merged = await mergeScoreFolders([folder], { allowNone: true });
      return { table: tableOf(merged, accConvention), initialTimes: merged.initialTimes, path: folder, ...shared };
    }
    const table = scoreTable(scores.sums, {
      variables,
      leadHours,
      initialTimes,
      accConvention,
      climatology: options.climatology,
    });
    const contents = { variables, leadHours, sums: scores.sums, table, attributes: fileAttributes(config, table) };
    const path =
      output === undefined || format === undefined || format === "csv"
        ? undefined
        : await writeScoresFile(output, contents, { overwrite, format });
    return { table, initialTimes, path, ...shared };
  };
  return withData(options.source, { ...options, regrid }, scoreWith);
}

function fileAttributes(config: ScoresConfig, table: ScoreTable): Record<string, string | number> {
  return {
    ...config.provenance,
    title: `Scores of ${config.model}`,
    n_dates: table.n_dates,
    first_date: table.first_date,
    last_date: table.last_date,
  };
}

function tableOf({ config, sums, initialTimes }: MergedScores, accConvention: AccConvention): ScoreTable {
  return scoreTable(sums, {
    variables: config.variables,
    leadHours: config.lead_hours,
    initialTimes,
    accConvention,
    climatology: config.provenance.climatology,
  });
}

/** What to merge. */
export interface MergeScoresOptions {
  /** Folders of CSV that `scoreForecast` has filled. */
  readonly folders: readonly string[];
  /** scores.nc, .zarr or .json; nothing is written when left out. */
  readonly output?: string | undefined;
  readonly format?: Exclude<ScoreFormat, "csv"> | undefined;
  readonly overwrite?: boolean;
  readonly accConvention?: AccConvention | undefined;
}

/**
 * One result of folders of scores: `foehn score merge`. The same to the bit however the dates were divided among processes.
 * @throws DataError when the folders are of different scores or hold no complete date; FormatError, UsageError, StorageError
 */
export async function mergeScores(options: MergeScoresOptions): Promise<{
  readonly table: ScoreTable;
  readonly initialTimes: readonly number[];
  /** Dates that a process has begun and not finished, left out. */
  readonly incomplete: readonly number[];
  readonly path: string | undefined;
}> {
  const { output, overwrite = false, accConvention = "uncentred" } = options;
  const format = output === undefined ? undefined : (options.format ?? scoreFormatOf(output));
  if (format === "csv") {
    throw new UsageError("a merged result is one file", { hint: "end its name in .nc, .zarr or .json" });
  }
  if (output !== undefined) {
    await refuseExisting(output, { overwrite, markers: format === "zarr" ? ["zarr.json", ".zgroup"] : [] });
  }
  const merged = await mergeScoreFolders(options.folders);
  const { config, sums, initialTimes, incomplete } = merged;
  const table = tableOf(merged, accConvention);
  const variables = config.variables.map(({ name, units, long_name }) => ({ name, units, longName: long_name }));
  const contents = { variables, leadHours: config.lead_hours, sums, table, attributes: fileAttributes(config, table) };
  const path = output && format && (await writeScoresFile(output, contents, { overwrite, format }));
  return { table, initialTimes, incomplete, path: path || undefined };
}

function* validTimes(initialTimes: readonly number[], steps: number, stepSeconds: number): Generator<number> {
  for (const start of initialTimes) for (let step = 1; step <= steps; step++) yield start + step * stepSeconds;
}

// Before the first forecast: the truth of the last date should not turn out to be missing after an hour.
function requireTruth(source: Source, initialTimes: readonly number[], steps: number, stepSeconds: number): void {
  for (const start of initialTimes) {
    for (let step = 1; step <= steps; step++) {
      const time = start + step * stepSeconds;
      if (hasTime(source.times, time)) continue;
      const last = source.times.at(-1);
      throw new DataError(
        `there is no truth at ${formatTime(time)} to score +${formatDuration(step * stepSeconds)} of the forecast from ${formatTime(start)}`,
        {
          where: source.description,
          hint:
            last === undefined || time < last
              ? "leave this date out, or give data without the gap"
              : `the last initial time that these data can score is ${formatTime(last - steps * stepSeconds)}`,
        },
      );
    }
  }
}

/** Whether a forecast uses or predicts a time that the model was trained or selected on. */
function touchesTraining(
  time: number,
  { stepSeconds, periods }: Pick<DatasetInfo, "stepSeconds" | "periods">,
  numInputSteps: number,
  steps: number,
): boolean {
  if (periods === undefined) return false;
  const first = time - (numInputSteps - 1) * stepSeconds;
  const last = time + steps * stepSeconds;
  return [periods.train, periods.valid].some(({ start, end }) => first <= end && last >= start);
}

/**
 * Initial times when nobody names any: all that have their history and the truth of every lead in the data, six hours apart (or one
 * model step, when that is longer), on round hours where the data have them. Where the package says what it was trained on, only
 * forecasts that lie outside of it; all, where there are no others.
 * @throws UsageError when there is none
 */
export function defaultDates(
  times: readonly number[],
  info: Pick<DatasetInfo, "stepSeconds" | "periods">,
  numInputSteps: number,
  steps: number,
): number[] {
  const { stepSeconds } = info;
  const stride = Math.ceil((6 * 3600) / stepSeconds) * stepSeconds;
  const ready = times.filter(
    (time) =>
      historyTimes(time, numInputSteps, stepSeconds).every((t) => hasTime(times, t)) &&
      Array.from({ length: steps }, (_, i) => time + (i + 1) * stepSeconds).every((t) => hasTime(times, t)),
  );
  if (ready.length === 0) {
    throw new UsageError(
      `the data hold no initial time with ${numInputSteps} states before and ${steps} steps of ${formatDuration(stepSeconds)} after it`,
      {
        hint: `ask for fewer steps, or give data that reach further than ${formatDuration((steps + numInputSteps) * stepSeconds)}`,
      },
    );
  }
  const unseen = ready.filter((time) => !touchesTraining(time, info, numInputSteps, steps));
  const chosen = unseen.length > 0 ? unseen : ready;
  const offset = chosen.find((time) => time % stride === 0) ?? chosen[0]!;
  return chosen.filter((time) => (time - offset) % stride === 0);
}
