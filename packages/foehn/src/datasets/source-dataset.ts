// The dataset over any source: periods, samples, statistics, normalisation. `gridded`, `synthetic` and `dummy` differ only in
// the source and the plan they pass here.

import { availableParallelism } from "node:os";
import { ConfigError, DataError } from "../core/errors.js";
import { silentProgress } from "../core/progress.js";
import { cropField, cropGrid, type Region } from "../grid/geometry.js";
import { resolveVariable, usualStep } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";
import { lookupVariable } from "../variables/catalogue.js";
import type { Role } from "../variables/roles.js";
import type {
  Dataset,
  DatasetInfo,
  DatasetOptions,
  DatasetSplits,
  FeatureInfo,
  Item,
  LoadedBatch,
  LoadOptions,
  OnNan,
} from "./dataset.js";
import { prognosticFeatures } from "./features.js";
import { type ForcingSpec, forcingNames } from "./forcings.js";
import { type FrameLayout, FrameStore } from "./frames.js";
import { SampleLoader, sampleTimes } from "./loading/loader.js";
import { BatchMemoryPool } from "./loading/memory.js";
import type { SourceRecipe } from "./loading/protocol.js";
import type { SampleLayout } from "./loading/sample.js";
import { canUseWorkers, ReadingThreads } from "./loading/workers.js";
import {
  checkPeriods,
  defaultPeriods,
  describePeriod,
  type Periods,
  type SampleStart,
  type SplitName,
  splitNames,
} from "./periods.js";
import { type Sampling, timeSampling } from "./sampling.js";
import { buildStatics, type StaticField, type StaticsSpec } from "./statics.js";
import { surveyTraining } from "./survey.js";
import { defaultWeight } from "./weights.js";

/** One variable of a plan. */
export interface PlannedVariable {
  /** As the source or the catalogue calls it. */
  readonly name: string;
  readonly role: Role;
  /** State weight; the default rule when left out. */
  readonly weight?: number | undefined;
}

/** What a dataset makes of its source. */
export interface DatasetPlan {
  readonly name: string;
  readonly variables: readonly PlannedVariable[];
  /** Seconds between states; the source's usual step when left out. */
  readonly stepSeconds?: number | undefined;
  readonly periods?: Periods | undefined;
  /** Seconds between the last input times of two samples, counted from the start of the period; default: every time. */
  readonly sampleEvery?: Readonly<Record<SplitName, number>> | undefined;
  /** Samples of a source with several values for one valid time; takes the place of `periods` and `sampleEvery`. */
  readonly sampling?: Sampling | undefined;
  /** How a reading thread opens the source once more; without it the main thread reads. */
  readonly recipe?: SourceRecipe | undefined;
  /** Stamps of the source's files, where it has some on this machine; see `fileStamps`. */
  readonly stamps?: readonly string[] | undefined;
  readonly region?: Region | undefined;
  /** Computed forcings; those read come from `variables`. */
  readonly forcing: Omit<ForcingSpec, "variables">;
  readonly statics: StaticsSpec;
  readonly onNan: OnNan;
  /** Bytes of data to keep in memory. Default 2 GB. */
  readonly memoryLimit?: number | undefined;
  /** Statistics to use instead of the measured ones. */
  readonly statistics?: Pick<DatasetInfo, "stats" | "diffStats"> | undefined;
  /** False for a simulated planet. Default true. */
  readonly isOfThisEarth?: boolean | undefined;
}

/**
 * Opens the three parts of a dataset over a source; closing them closes the source.
 * @throws ConfigError or DataError for a plan that does not fit the source (the source is closed then)
 */
export async function openSourceDataset(
  source: Source,
  plan: DatasetPlan,
  options: DatasetOptions,
): Promise<DatasetSplits> {
  try {
    return await openOver(source, plan, options);
  } catch (err) {
    await source.close();
    throw err;
  }
}

async function openOver(source: Source, plan: DatasetPlan, options: DatasetOptions): Promise<DatasetSplits> {
  const { progress = silentProgress } = options;
  for (const [name, value] of Object.entries({
    num_input_steps: options.numInputSteps,
    num_pred_steps_train: options.numPredStepsTrain,
    num_pred_steps_val_test: options.numPredStepsValTest,
  })) {
    if (!Number.isInteger(value) || value < 1) throw new ConfigError(`${name} must be at least 1, got ${value}`);
  }
  const variables = resolveVariables(source, plan);
  const state = [
    ...variables.filter((v) => v.role === "prognostic"),
    ...variables.filter((v) => v.role === "diagnostic"),
  ];
  if (!variables.some((v) => v.role === "prognostic")) throw new ConfigError("no variable has the role prognostic");
  const forcing: ForcingSpec = {
    ...plan.forcing,
    variables: variables.filter((v) => v.role === "forcing").map((v) => v.info.name),
  };
  const times = commonTimes(
    source,
    variables.filter((v) => v.role !== "static").map((v) => v.sourceName),
  );
  const step = plan.stepSeconds ?? usualStep(times);
  if (step === undefined || step <= 0)
    throw new DataError("the data have fewer than two times", { where: source.description });
  const sampling = plan.sampling ?? samplingOver(plan, times, step, progress);
  const stepsOf = (name: SplitName) => (name === "train" ? options.numPredStepsTrain : options.numPredStepsValTest);
  const samples = Object.fromEntries(
    splitNames.map((name) => [name, sampling.samples(name, options.numInputSteps, stepsOf(name))]),
  ) as Record<SplitName, ReturnType<Sampling["samples"]>>;
  for (const name of splitNames) {
    const { starts, skipped } = samples[name];
    if (skipped > 0)
      progress.note(`${name}: ${starts.length} samples; ${skipped} left out because a time in them is missing`);
  }

  const crop = plan.region ? cropGrid(source.grid, plan.region) : undefined;
  const grid = crop?.grid ?? source.grid;
  const onNan: OnNan = options.onNan ?? plan.onNan;
  const layout: FrameLayout = {
    crop,
    grid,
    features: state.map((v) => v.info.name),
    forcing,
    onNan,
    memoryLimit: plan.memoryLimit ?? 2e9,
  };
  const frames = new FrameStore({ ...layout, source });
  const trainingFrames = sampling.frames("train");
  const first = trainingFrames[0]!;
  const staticFields: StaticField[] = [];
  for (const variable of variables.filter((v) => v.role === "static")) {
    const [field] = await source.read({ ...first, variables: [variable.sourceName] });
    staticFields.push({ name: variable.info.name, values: crop ? cropField(field!.values, crop) : field!.values });
  }
  const statics = buildStatics(grid, plan.statics, staticFields);
  const survey = await surveyTraining({
    frames,
    keys: trainingFrames,
    step,
    onNan,
    cacheDir: options.cacheDir,
    stamps: plan.stamps,
    progress,
  });
  const { stats, diffStats } = plan.statistics ?? survey;
  frames.useStats(stats);

  const info: DatasetInfo = {
    name: plan.name,
    grid,
    stepSeconds: step,
    features: state.map((v) => v.info),
    forcingNames: forcingNames(forcing),
    forcing,
    stats,
    diffStats,
    borderSize: plan.statics.borderSize ?? 0,
    statics,
    ...(onNan === "mask" && { masksMissing: true }),
    periods: sampling.periods,
    ...(plan.isOfThisEarth === false && { isOfThisEarth: false }),
  };
  const numFrames = Math.max(source.times.length, trainingFrames.length);
  const fits = frames.frameBytes * numFrames <= layout.memoryLimit;
  const numWorkers = plan.recipe && canUseWorkers() ? (options.numWorkers ?? (fits ? 0 : defaultWorkers())) : 0;
  const threads =
    numWorkers > 0
      ? new ReadingThreads(
          { recipe: plan.recipe!, layout: { ...layout, memoryLimit: layout.memoryLimit / numWorkers }, stats },
          numWorkers,
        )
      : undefined;
  // What the survey left behind is of no use to the threads.
  if (threads) frames.clear();
  const memory = new BatchMemoryPool();
  const part = (name: SplitName) => {
    const sampleLayout: SampleLayout = {
      numInputSteps: options.numInputSteps,
      numPredSteps: stepsOf(name),
      stepSeconds: step,
      shape: grid.shape,
      numPrognostic: prognosticFeatures(info).length,
      numFeatures: state.length,
      numForcing: info.forcingNames.length,
      hasInitialForcing: options.initialForcing ?? true,
    };
    const loader = new SampleLoader({ info, layout: sampleLayout, frames, memory, threads });
    const loadAhead = options.prefetchFactor ?? (threads ? 2 : 1);
    return new SourceDataset(info, loader, sampleLayout, samples[name].starts, fits, loadAhead);
  };
  return {
    info,
    train: part("train"),
    valid: part("valid"),
    test: part("test"),
    climatology: Object.fromEntries(info.features.map((f) => [f.name, survey.climatology[f.name]!])),
    fields: {
      names: frames.names,
      units: Object.fromEntries(variables.map((v) => [v.info.name, v.info.units])),
      frames: (name) => sampling.frames(name),
      read: (key) => frames.raw(key),
    },
    async close() {
      await threads?.close();
      await source.close();
    },
  };
}

/** Reading is cheap beside computing, and the engine wants the cores. */
const defaultWorkers = (): number => Math.min(4, Math.max(1, availableParallelism() - 1));

/** Samples along the times of a source, in the plan's periods or by default in 70, 15 and 15 % of the times. */
function samplingOver(
  plan: DatasetPlan,
  times: readonly number[],
  step: number,
  progress: { note(line: string): void },
): Sampling {
  const periods = plan.periods ?? defaultPeriods(times);
  checkPeriods(periods, times);
  if (!plan.periods) {
    for (const name of splitNames)
      progress.note(`${name}: ${describePeriod(periods[name])} (by default: 70, 15 and 15 % of the times)`);
  }
  return timeSampling({ periods, times, step, sampleEvery: plan.sampleEvery });
}

interface ResolvedVariable {
  readonly info: FeatureInfo;
  readonly role: Role;
  /** What the source is asked for. */
  readonly sourceName: string;
}

/** The variables under their catalogue names, with units and long names. @throws DataError for one that the source lacks or that comes twice */
function resolveVariables(source: Source, plan: DatasetPlan): ResolvedVariable[] {
  const resolved = plan.variables.map(({ name, role, weight }): ResolvedVariable => {
    const { info, factor } = resolveVariable(name, source.variables, source.description);
    const known = lookupVariable(name);
    // A source's own name stays; an alias becomes the catalogue's name, which is what packages carry.
    const feature = info.name === name ? name : (known?.name ?? name);
    return {
      role,
      sourceName: feature,
      info: {
        name: feature,
        units: factor === 1 ? info.units : (known?.units ?? info.units),
        longName: info.name === name ? info.longName : (known?.longName ?? info.longName),
        role,
        weight: weight ?? defaultWeight(feature),
      },
    };
  });
  const names = resolved.map((v) => v.info.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`the variable "${twice}" comes twice`);
  return resolved;
}

/** Times at which every variable can be read. */
function commonTimes(source: Source, variables: readonly string[]): readonly number[] {
  let times = source.times;
  if (!source.timesOf) return times;
  for (const variable of variables) {
    const own = source.timesOf(variable);
    if (own === source.times) continue;
    const set = new Set(own);
    times = times.filter((t) => set.has(t));
  }
  return times;
}

class SourceDataset implements Dataset {
  readonly #loader: SampleLoader;
  readonly #layout: SampleLayout;
  readonly #starts: readonly SampleStart[];
  readonly #fits: boolean;

  constructor(
    readonly info: DatasetInfo,
    loader: SampleLoader,
    layout: SampleLayout,
    starts: readonly SampleStart[],
    fits: boolean,
    readonly loadAhead: number,
  ) {
    this.#loader = loader;
    this.#layout = layout;
    this.#starts = starts;
    this.#fits = fits;
  }

  get length(): number {
    return this.#starts.length;
  }

  #start(i: number): SampleStart {
    const start = Number.isInteger(i) ? this.#starts[i] : undefined;
    if (start === undefined) throw new DataError(`there is no sample ${i}; the dataset has ${this.length}`);
    return start;
  }

  times(i: number): { inputs: number[]; outputs: number[] } {
    return sampleTimes(this.#layout, this.#start(i));
  }

  async item(i: number): Promise<Item> {
    return this.#loader.item(this.#start(i));
  }

  async load(samples: readonly number[], { isShuffled }: LoadOptions): Promise<LoadedBatch> {
    // In random order over more data than memory holds, a frame is gone before it is wanted again.
    return this.#loader.load(
      samples.map((i) => this.#start(i)),
      this.#fits || !isShuffled,
    );
  }
}
