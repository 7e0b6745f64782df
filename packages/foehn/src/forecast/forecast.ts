// `foehn forecast` as a function: a package, data and initial times in, a file out. The command line only parses and prints.

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { UsageError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { formatDuration, formatTime, parseDuration, parseTime, parseTimeRange } from "../core/time.js";
import type { DatasetInfo, FeatureInfo } from "../datasets/dataset.js";
import type { Grid } from "../grid/grid.js";
import type { ModelPackage } from "../hub/model-package.js";
import type { Package } from "../hub/package.js";
import { type RegridSpec, regridSource, type SourceRegrid } from "../sources/regrid-source.js";
import type { Source } from "../sources/source.js";
import type { PrecisionName } from "../training/precision.js";
import { lookupVariable } from "../variables/catalogue.js";
import type { Diagnostic } from "./diagnostics/diagnostic.js";
import { openDiagnostic } from "./diagnostics/open-diagnostic.js";
import { withDiagnostics } from "./diagnostics/with-diagnostics.js";
import { dummyData, dummyStart, openDummy } from "./dummy/dummy-package.js";
import type { GetModelOptions } from "./get-model.js";
import { hasTime, historyTimes, stateReader } from "./initial-state.js";
import { describedPackage, openModelPackage } from "./loop-package.js";
import { type DataChoice, type DataSpec, withData } from "./open-data.js";
import { initialFeatures, type OpenLoop, openLoop } from "./open-loop.js";
import { outputFeatures } from "./open-model.js";
import { type FileOutputOptions, fileOutputs } from "./outputs/file-output.js";
import type { ForecastOutput, OutputVariable } from "./outputs/output.js";
import { chooseVariables } from "./outputs/select-output.js";
import { channelStds, type Perturbation } from "./perturbations/perturbation.js";
import { runForecast } from "./rollout.js";
import { shardOf } from "./work-plan.js";

/** What every use of a package on data takes: a forecast, a score. */
export interface RunOptions extends DataChoice {
  /** An open package, or what `getModel` understands. */
  readonly package: ModelPackage | Package | string;
  /** The user vouches for code that the package brings. Default: it runs only when it lies on this machine. */
  readonly trust?: boolean | undefined;
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
  /** The standard deviations that the model gives too, as `<name>_std`: how far each step may be off from where it began. Default: no. */
  readonly outputStd?: boolean | undefined;
  /** Diagnostics to append, as `openDiagnostic` understands them: `wind_speed:850`, or a package. */
  readonly diagnostics?: readonly string[] | undefined;
  /** This process makes part `shard` (from 0) of `nShards`; all of them fill the same outputs, which implies `resume`. Default: all. */
  readonly shard?: number | undefined;
  readonly nShards?: number | undefined;
  /**
   * Dummy fields that spell their names and times instead of the data, and no weights: every slot of the model's inputs and outputs is
   * checked on the way. `source` is not looked at.
   */
  readonly dummy?: boolean | undefined;
  /** Names ending in .zarr, .nc or .grib2, and outputs of one's own: each gets the same forecast. */
  readonly output: string | readonly (string | ForecastOutput)[];
}

/** What was done. */
export interface ForecastResult {
  /** Absolute path of the first file. Undefined for outputs of one's own, and while other shards are not finished. */
  readonly path: string | undefined;
  /** Those of all outputs, in their order. */
  readonly paths: readonly (string | undefined)[];
  /** Forecasts from each initial time; undefined for outputs without an ensemble axis. */
  readonly members: number | undefined;
  readonly variables: readonly string[];
  /** Epoch seconds UTC. */
  readonly initialTimes: readonly number[];
  readonly steps: number;
  readonly stepSeconds: number;
  /** Of a dummy forecast: how many slots were compared; all were right. */
  readonly checkedSlots?: number;
  readonly seconds: number;
}

/**
 * Runs a forecast.
 * @throws UsageError, ConfigError, DataError, ModelError, StorageError, InterruptedError: see the parts. Nothing is left behind then.
 */
export async function forecast(options: ForecastOptions): Promise<ForecastResult> {
  const began = performance.now();
  const { progress = silentProgress } = options;
  // Before anything is loaded: a wrong name should not cost a minute.
  const outputs = openOutputs(options);
  // A dummy forecast looks at what a package says of its model, and reads no weights.
  const open = options.dummy ? describedPackage : openModelPackage;
  const pkg = await open(options.package, modelOptions(options));
  const info = await pkg.info();
  const regrid = options.regrid && { to: info.grid, ...options.regrid };
  const forecastWith = async (source: Source, starts?: readonly number[]): Promise<ForecastResult> => {
    const borderSource = await onGridOf(options.borderSource, regrid);
    const steps = numberOfSteps(options.steps, info.stepSeconds);
    const reader = stateReader(source, initialFeatures(pkg, info), info.grid); // other variables matter more than other times
    const initialTimes = starts ?? chooseInitialTimes(options, source, info, pkg.numInputSteps);
    const diagnostics = await openDiagnostics(options, source, info.grid, initialTimes[0]!);
    const dummy = options.dummy ? openDummy(pkg, info, source) : undefined;
    const model =
      dummy ??
      (await openLoop(pkg, {
        ...(options.device === undefined ? {} : { device: options.device }),
        ...(options.precision === undefined ? {} : { precision: options.precision }),
        forcingSource: source,
        borderSource,
        outputStd: options.outputStd,
      }));
    using loop = diagnostics.length === 0 ? model : withDiagnostics(model, diagnostics, { units: unitsOf(info) });
    loop.requireData?.(initialTimes, steps);
    for (const note of loop.notes) progress.note(note);
    const paths = await runForecast({
      loop,
      reader,
      initialTimes,
      steps,
      variables: [
        ...outputVariables(outputFeatures(info, model.outChannelNames)),
        ...diagnostics.flatMap((diagnostic) => diagnostic.outChannels),
      ],
      outputs,
      members: options.members,
      batchSize: options.batchSize,
      // Noise would spoil what the dummy fields spell.
      perturbation: options.dummy ? undefined : options.perturbation,
      shard: options.shard,
      nShards: options.nShards,
      channelStds: channelStds(loop.inChannelNames, info, pkg.manifest.normalisation !== undefined),
      provenance: forecastProvenance(pkg, source, loop, options),
      signal: options.signal,
      progress,
    });
    return {
      path: paths[0],
      paths,
      members: options.members,
      variables: chooseVariables(options.variables, loop.outChannelNames),
      initialTimes,
      steps,
      stepSeconds: info.stepSeconds,
      ...(dummy ? { checkedSlots: dummy.checked } : {}),
      seconds: (performance.now() - began) / 1000,
    };
  };
  if (options.dummy) {
    const { start = dummyStart, dates } = options;
    const starts = dates === undefined ? [typeof start === "number" ? start : parseTime(start)] : initialTimesOf(dates);
    return forecastWith(dummyData(pkg, info, starts, numberOfSteps(options.steps, info.stepSeconds)), starts);
  }
  return withData(options.source, { ...options, regrid }, (source) => forecastWith(source));
}

/** Options of a run as `getModel` takes them. */
export function modelOptions({ cwd, device, precision, trust, signal, progress }: RunOptions): GetModelOptions {
  return {
    ...(cwd === undefined ? {} : { cwd }),
    ...(device === undefined ? {} : { device }),
    ...(precision === undefined ? {} : { precision }),
    ...{ trust, signal, progress },
  };
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

/** @throws UsageError for a name with another ending, or one that is given twice */
function openOutputs({ output, cwd, ...options }: ForecastOptions): ForecastOutput[] {
  const all = typeof output === "string" ? [output] : output;
  const resume = options.resume === true || (options.nShards ?? 1) > 1;
  const paths = all.flatMap((one) => (typeof one === "string" ? [resolve(cwd ?? "", one)] : []));
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice !== undefined) throw new UsageError(`the output ${twice} is given twice`);
  shardOf([], options.shard, options.nShards);
  const files = fileOutputs(paths, { ...options, resume });
  return all.map((one) => (typeof one === "string" ? files.shift()! : one));
}

/** Features with their CF standard names. */
export function outputVariables(features: readonly FeatureInfo[]): OutputVariable[] {
  return features.map(({ name, units, longName }) => ({
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
  { borderSource, history, perturbation }: Pick<ForecastOptions, "borderSource" | "history" | "perturbation">,
): Record<string, string> {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  return {
    title: `Forecast of ${pkg.name}`,
    source: `${pkg.name} ${pkg.manifest.version} (${pkg.manifest.architecture}), Foehn`,
    model: pkg.name,
    model_version: pkg.manifest.version,
    model_hash: createHash("sha256").update(JSON.stringify(pkg.manifest)).digest("hex").slice(0, 16),
    initial_conditions: source.description,
    ...(borderSource === undefined ? {} : { boundary_conditions: borderSource.description }),
    ...(notes.length === 0 ? {} : { comment: notes.join("; ") }),
    precision,
    ...(perturbation === undefined ? {} : { perturbation: perturbation.description }),
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

/** Where forecasts start: as is said, or from the newest time that the data allow. @throws UsageError */
export function chooseInitialTimes(
  { start, dates }: Pick<ForecastOptions, "start" | "dates">,
  source: Source,
  info: Pick<DatasetInfo, "stepSeconds">,
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
