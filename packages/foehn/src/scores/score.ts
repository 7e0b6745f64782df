// `foehn score` as a function: forecasts of a package from many initial times, verified against data while they run.
// Not here: the formulas (sums.ts) and their figures (plots/).

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
import { ScoreOutput } from "./score-output.js";
import { writeScoresFile } from "./scores-file.js";
import { type AccConvention, metricSet, type ScoreTable } from "./table.js";

/** What to score. */
export interface ScoreOptions extends RunOptions {
  /** Gives the initial states and the truth. */
  readonly source: DataSpec;
  /** Number of steps, or a lead time such as `2d`. */
  readonly steps: number | string;
  /** Initial times: `a/to/b/by/6h`, or epoch seconds. Default: see `defaultDates`. */
  readonly dates?: string | readonly number[] | undefined;
  /** scores.nc; nothing is written when left out. */
  readonly output?: string | undefined;
  /** Writes the forecasts too, in the same pass: a name ending in .zarr or .nc. */
  readonly forecastOutput?: string | undefined;
  readonly overwrite?: boolean;
  /** Which ACC the table shows; the file has both. Default `uncentred`. */
  readonly accConvention?: AccConvention | undefined;
}

/** What came out. */
export interface ScoreResult {
  readonly table: ScoreTable;
  /** Initial times, epoch seconds. */
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
  const { cwd, progress = silentProgress, overwrite = false, accConvention = "uncentred" } = options;
  if (options.output !== undefined) await refuseExisting(options.output, { overwrite, markers: [] });
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
    const scores = new ScoreOutput({ truth, climatology: await pkg.climatology() });
    using loop = await openLoop(pkg, {
      ...(options.device === undefined ? {} : { device: options.device }),
      ...(options.precision === undefined ? {} : { precision: options.precision }),
      forcingSource: source,
      borderSource,
    });
    loop.requireData?.(initialTimes, steps);
    for (const note of loop.notes) progress.note(note);
    const variables = outputVariables(info);
    const provenance = forecastProvenance(pkg, source, loop, { ...options, history: options.history ?? "foehn score" });
    const [, forecastPath] = await runForecast({
      loop,
      reader,
      initialTimes,
      steps,
      variables,
      outputs: [scores, ...files],
      provenance,
      signal: options.signal,
      progress,
    });
    const leadHours = Array.from({ length: steps }, (_, i) => ((i + 1) * info.stepSeconds) / 3600);
    const table = makeTable(scores, info, leadHours, initialTimes, accConvention);
    const path =
      options.output === undefined
        ? undefined
        : await writeScoresFile(
            options.output,
            {
              variables,
              leadHours,
              model: scores.model,
              persistence: scores.persistence,
              attributes: {
                ...provenance,
                title: `Scores of ${pkg.name}`,
                n_dates: initialTimes.length,
                first_date: table.first_date,
                last_date: table.last_date,
              },
            },
            { overwrite },
          );
    return { table, initialTimes, path, forecastPath, seconds: (performance.now() - began) / 1000 };
  };
  return withData(options.source, cwd, scoreWith, regrid);
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

function makeTable(
  scores: ScoreOutput,
  info: DatasetInfo,
  leadHours: readonly number[],
  initialTimes: readonly number[],
  convention: AccConvention,
): ScoreTable {
  const names = info.features.map((feature) => feature.name);
  let missing = 0;
  for (const v of names.keys()) for (const lead of leadHours.keys()) missing += scores.model.scores(v, lead).missing;
  return {
    variables: names,
    lead_hours: leadHours,
    n_dates: initialTimes.length,
    first_date: formatTime(initialTimes[0]!),
    last_date: formatTime(initialTimes.at(-1)!),
    acc_convention: convention,
    units: Object.fromEntries(info.features.map((feature) => [feature.name, feature.units])),
    n_missing: missing,
    model: metricSet(scores.model, names, convention),
    persistence: metricSet(scores.persistence, names, convention),
  };
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
