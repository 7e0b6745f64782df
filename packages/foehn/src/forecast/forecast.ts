// `foehn forecast` as a function: a package, data and initial times in, a file out. The command line only parses and prints.

import { UsageError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { didYouMean } from "../core/suggest.js";
import { formatDuration, formatTime, parseDuration, parseTime, parseTimeRange } from "../core/time.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import type { Grid } from "../grid/grid.js";
import { type ModelPackage, openPackage } from "../hub/model-package.js";
import { type RegridSpec, regridSource, type SourceRegrid } from "../sources/regrid-source.js";
import type { Source } from "../sources/source.js";
import type { PrecisionName } from "../training/precision.js";
import { lookupVariable } from "../variables/catalogue.js";
import type { Diagnostic } from "./diagnostics/diagnostic.js";
import { openDiagnostic } from "./diagnostics/open-diagnostic.js";
import { withDiagnostics } from "./diagnostics/with-diagnostics.js";
import { hasTime, historyTimes, stateReader } from "./initial-state.js";
import { type DataSpec, withData } from "./open-data.js";
import { initialFeatures, type OpenLoop, openLoop } from "./open-loop.js";
import { type FileOutputOptions, fileOutput } from "./outputs/file-output.js";
import type { ForecastOutput, OutputVariable } from "./outputs/output.js";
import { channelStds, type Perturbation } from "./perturbations/perturbation.js";
import { runForecast } from "./rollout.js";

/** What every use of a package on data takes: a forecast, a score. */
export interface RunOptions {
  /** An open package, or what `hub/uri.ts` understands. */
  readonly package: ModelPackage | string;
  /** Gives the border at every valid time, for models trained with forced borders. */
  readonly borderSource?: Source | undefined;
  /** Brings the data, and those of the border, to the model's grid. Default: they must have its points. */
  readonly regrid?: RegridSpec | undefined;
  readonly precision?: PrecisionName | undefined;
  readonly device?: string | undefined;
  readonly cwd?: string | undefined;
  /** Command line, kept in the file's `history` attribute. */
  readonly history?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** What to forecast. */
export interface ForecastOptions extends RunOptions, FileOutputOptions {
  /** Closed afterwards only when it was opened here. */
  readonly source: DataSpec;
  /** Initial time: text or epoch seconds. Default: the newest time of the data from which a forecast can start. */
  readonly start?: string | number | undefined;
  /** Several initial times instead: `a/to/b/by/6h`, or epoch seconds. */
  readonly dates?: string | readonly number[] | undefined;
  /** Number of steps after the initial time, or a lead time such as `10d`. */
  readonly steps: number | string;
  /** Forecasts from each initial time; the outputs then have an ensemble axis. Default: one, without. */
  readonly members?: number | undefined;
  /** Forecasts that the model computes at once. Default 1. */
  readonly batchSize?: number | undefined;
  /** Makes the members differ. Default: nothing does. */
  readonly perturbation?: Perturbation | undefined;
  /** Diagnostics to append, as `openDiagnostic` understands them: `wind_speed:850`, or a package. */
  readonly diagnostics?: readonly string[] | undefined;
  /** A name ending in .zarr or .nc, or outputs of one's own. */
  readonly output: string | readonly ForecastOutput[];
}

/** What was done. */
export interface ForecastResult {
  /** Absolute path of the file, when `output` was a name. */
  readonly path: string | undefined;
  readonly variables: readonly string[];
  /** Epoch seconds UTC. */
  readonly initialTimes: readonly number[];
  readonly steps: number;
  readonly stepSeconds: number;
  readonly seconds: number;
}

/**
 * Runs a forecast.
 * @throws UsageError, ConfigError, DataError, ModelError, StorageError, InterruptedError: see the parts. Nothing is left behind then.
 */
export async function forecast(options: ForecastOptions): Promise<ForecastResult> {
  const began = performance.now();
  const { cwd, progress = silentProgress } = options;
  // Before anything is loaded: a wrong name should not cost a minute.
  const outputs = typeof options.output === "string" ? [fileOutput(options.output, options)] : options.output;
  const where = cwd === undefined ? {} : { cwd };
  const pkg = typeof options.package === "string" ? await openPackage(options.package, where) : options.package;
  const info = await pkg.info();
  const regrid = options.regrid && { to: info.grid, ...options.regrid };
  const forecastWith = async (source: Source): Promise<ForecastResult> => {
    const borderSource = await onGridOf(options.borderSource, regrid);
    const steps = numberOfSteps(options.steps, info.stepSeconds);
    const reader = stateReader(source, initialFeatures(pkg, info), info.grid); // other variables matter more than other times
    const initialTimes = chooseInitialTimes(options, source, info, pkg.numInputSteps);
    const diagnostics = await openDiagnostics(options, source, info.grid, initialTimes[0]!);
    const model = await openLoop(pkg, {
      ...(options.device === undefined ? {} : { device: options.device }),
      ...(options.precision === undefined ? {} : { precision: options.precision }),
      forcingSource: source,
      borderSource,
    });
    using loop = diagnostics.length === 0 ? model : withDiagnostics(model, diagnostics, { units: unitsOf(info) });
    loop.requireData?.(initialTimes, steps);
    for (const note of loop.notes) progress.note(note);
    const [path] = await runForecast({
      loop,
      reader,
      initialTimes,
      steps,
      variables: [...outputVariables(info), ...diagnostics.flatMap((diagnostic) => diagnostic.outChannels)],
      outputs,
      members: options.members,
      batchSize: options.batchSize,
      perturbation: options.perturbation,
      channelStds: channelStds(loop.inChannelNames, info, pkg.manifest.normalisation !== undefined),
      provenance: forecastProvenance(pkg, source, loop, options),
      signal: options.signal,
      progress,
    });
    return {
      path,
      variables: loop.outChannelNames,
      initialTimes,
      steps,
      stepSeconds: info.stepSeconds,
      seconds: (performance.now() - began) / 1000,
    };
  };
  return withData(options.source, cwd, forecastWith, regrid);
}

/** Border data brought to the model's grid. */
export async function onGridOf(
  source: Source | undefined,
  regrid: SourceRegrid | undefined,
): Promise<Source | undefined> {
  return source && regrid ? regridSource(source, regrid) : source;
}

async function openDiagnostics(
  { diagnostics = [], device, precision, cwd }: ForecastOptions,
  source: Source,
  grid: Grid,
  firstTime: number,
): Promise<Diagnostic[]> {
  const invariant = async (name: string): Promise<Float32Array> => {
    const wanted = { name, units: lookupVariable(name)?.units ?? "" };
    const [field] = await stateReader(source, [wanted], grid).read(firstTime);
    return field!;
  };
  const opened: Diagnostic[] = [];
  for (const name of diagnostics) opened.push(await openDiagnostic(name, { grid, invariant, device, precision, cwd }));
  return opened;
}

const unitsOf = (info: DatasetInfo): Record<string, string> =>
  Object.fromEntries(info.features.map(({ name, units }) => [name, units]));

/** Features with their CF standard names. */
export function outputVariables(info: DatasetInfo): OutputVariable[] {
  return info.features.map(({ name, units, longName }) => ({
    name,
    units,
    longName,
    standardName: lookupVariable(name)?.standardName,
  }));
}

/** Global attributes of an output file. */
export function forecastProvenance(
  pkg: ModelPackage,
  source: Source,
  { precision, notes }: Pick<OpenLoop, "precision" | "notes">,
  { borderSource, history }: Pick<RunOptions, "borderSource" | "history">,
): Record<string, string> {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  return {
    title: `Forecast of ${pkg.name}`,
    source: `${pkg.name} ${pkg.manifest.version} (${pkg.manifest.architecture}), Foehn`,
    model: pkg.name,
    model_version: pkg.manifest.version,
    initial_conditions: source.description,
    ...(borderSource === undefined ? {} : { boundary_conditions: borderSource.description }),
    ...(notes.length === 0 ? {} : { comment: notes.join("; ") }),
    precision,
    history: `${now} ${history ?? "foehn forecast"}`,
  };
}

/** Whole steps from a number or a lead time. @throws UsageError */
export function numberOfSteps(wanted: number | string, stepSeconds: number): number {
  if (typeof wanted === "number" || /^\d+$/.test(wanted)) {
    const steps = Number(wanted);
    if (Number.isInteger(steps) && steps > 0) return steps;
    throw new UsageError(`${wanted} is not a number of steps`, { hint: "give a whole number from 1" });
  }
  const seconds = parseDuration(wanted);
  if (seconds > 0 && seconds % stepSeconds === 0) return seconds / stepSeconds;
  throw new UsageError(
    `a lead time of ${wanted} is not a whole number of the model's steps of ${formatDuration(stepSeconds)}`,
  );
}

function chooseInitialTimes(
  { start, dates }: ForecastOptions,
  source: Source,
  info: DatasetInfo,
  numInputSteps: number,
): readonly number[] {
  if (start !== undefined && dates !== undefined) {
    throw new UsageError("give either one start or several dates, not both");
  }
  if (start !== undefined) return [typeof start === "number" ? start : parseTime(start)];
  if (dates !== undefined) return initialTimesOf(dates);
  const ready = source.times.findLast((time) =>
    historyTimes(time, numInputSteps, info.stepSeconds).every((t) => hasTime(source.times, t)),
  );
  if (ready !== undefined) return [ready];
  const span =
    source.times.length === 0 ? "no times" : `${formatTime(source.times[0]!)} to ${formatTime(source.times.at(-1)!)}`;
  throw new UsageError(
    `the data have no ${numInputSteps} states ${formatDuration(info.stepSeconds)} apart to start from (${span})`,
  );
}

/** Initial times in ascending order, without repeats. @throws UsageError */
export function initialTimesOf(dates: string | readonly number[]): readonly number[] {
  const times = typeof dates === "string" ? parseTimeRange(dates) : dates;
  if (times.length === 0) throw new UsageError("no initial times were given");
  return [...new Set(times)].sort((a, b) => a - b);
}

/** The variables to look at, checked against those of a model. @throws UsageError with the nearest names */
export function chooseVariables(wanted: readonly string[] | undefined, known: readonly string[]): readonly string[] {
  if (!wanted || wanted.length === 0) return known;
  for (const name of wanted) {
    if (known.includes(name)) continue;
    throw new UsageError(`the model has no variable "${name}"`, {
      hint: `${didYouMean(name, known)} It has ${known.join(", ")}.`.trim(),
    });
  }
  return wanted;
}
