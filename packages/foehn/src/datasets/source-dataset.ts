// The dataset over any source: periods, samples, statistics, normalisation. `gridded`, `synthetic` and `dummy` differ only in
// the source and the plan they pass here.

import * as torch from "@foehn/torch";
import { ConfigError, DataError } from "../core/errors.js";
import { silentProgress } from "../core/progress.js";
import { cropField, cropGrid, type Region } from "../grid/geometry.js";
import { resolveVariable, usualStep } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { lookupVariable } from "../variables/catalogue.js";
import type { Role } from "../variables/roles.js";
import type {
  Dataset,
  DatasetInfo,
  DatasetOptions,
  DatasetSplits,
  FeatureInfo,
  Item,
  ItemDims,
  OnNan,
} from "./dataset.js";
import { prognosticFeatures } from "./features.js";
import { type ForcingSpec, forcingNames } from "./forcings.js";
import { type Frame, FrameStore } from "./frames.js";
import { createItem } from "./item.js";
import {
  checkPeriods,
  defaultPeriods,
  describePeriod,
  type Periods,
  requireSamples,
  type SampleStarts,
  sampleStarts,
  splitNames,
  timesWithin,
} from "./periods.js";
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
  readonly region?: Region | undefined;
  /** Computed forcings; those read come from `variables`. */
  readonly forcing: Omit<ForcingSpec, "variables">;
  readonly statics: StaticsSpec;
  readonly onNan: OnNan;
  /** Bytes of data to keep in memory. Default 2 GB. */
  readonly memoryLimit?: number | undefined;
  /** Statistics to use instead of the measured ones. */
  readonly statistics?: Pick<DatasetInfo, "stats" | "diffStats"> | undefined;
}

const dims: ItemDims = ["timestep", "lat", "lon", "features"];

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
  const periods = plan.periods ?? defaultPeriods(times);
  checkPeriods(periods, times);
  if (!plan.periods) {
    for (const name of splitNames)
      progress.note(`${name}: ${describePeriod(periods[name])} (by default: 70, 15 and 15 % of the times)`);
  }
  const samples = samplesOf(periods, times, step, options);
  for (const name of splitNames) {
    const { starts, skipped } = samples[name];
    if (skipped > 0)
      progress.note(`${name}: ${starts.length} samples; ${skipped} left out because a time in them is missing`);
  }

  const crop = plan.region ? cropGrid(source.grid, plan.region) : undefined;
  const grid = crop?.grid ?? source.grid;
  const onNan: OnNan = options.onNan ?? plan.onNan;
  const frames = new FrameStore({
    source,
    crop,
    grid,
    features: state.map((v) => v.info.name),
    forcing,
    onNan,
    memoryLimit: plan.memoryLimit ?? 2e9,
  });
  const staticFields: StaticField[] = [];
  for (const variable of variables.filter((v) => v.role === "static")) {
    const [field] = await source.read({ time: times[0]!, variables: [variable.sourceName] });
    staticFields.push({ name: variable.info.name, values: crop ? cropField(field!.values, crop) : field!.values });
  }
  const statics = buildStatics(grid, plan.statics, staticFields);
  const survey = await surveyTraining({
    frames,
    times: timesWithin(periods.train, times),
    step,
    onNan,
    cacheDir: options.cacheDir,
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
    periods,
  };
  const part = (name: (typeof splitNames)[number], numPredSteps: number) =>
    new SourceDataset(info, frames, samples[name].starts, options.numInputSteps, numPredSteps, onNan);
  return {
    info,
    train: part("train", options.numPredStepsTrain),
    valid: part("valid", options.numPredStepsValTest),
    test: part("test", options.numPredStepsValTest),
    climatology: Object.fromEntries(info.features.map((f) => [f.name, survey.climatology[f.name]!])),
    close: () => source.close(),
  };
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

function samplesOf(
  periods: Periods,
  times: readonly number[],
  step: number,
  options: DatasetOptions,
): Readonly<Record<(typeof splitNames)[number], SampleStarts>> {
  const make = (name: (typeof splitNames)[number]) => {
    const length = options.numInputSteps + (name === "train" ? options.numPredStepsTrain : options.numPredStepsValTest);
    const samples = sampleStarts(periods[name], times, step, length);
    requireSamples(name, periods[name], samples, step, length);
    return samples;
  };
  return { train: make("train"), valid: make("valid"), test: make("test") };
}

class SourceDataset implements Dataset {
  constructor(
    readonly info: DatasetInfo,
    private readonly frames: FrameStore,
    private readonly starts: readonly number[],
    private readonly numInputSteps: number,
    private readonly numPredSteps: number,
    private readonly onNan: OnNan,
  ) {}

  get length(): number {
    return this.starts.length;
  }

  times(i: number): { inputs: number[]; outputs: number[] } {
    const start = Number.isInteger(i) ? this.starts[i] : undefined;
    if (start === undefined) throw new DataError(`there is no sample ${i}; the dataset has ${this.length}`);
    const at = (k: number) => start + k * this.info.stepSeconds;
    return {
      inputs: Array.from({ length: this.numInputSteps }, (_, k) => at(k)),
      outputs: Array.from({ length: this.numPredSteps }, (_, k) => at(this.numInputSteps + k)),
    };
  }

  async prefetch(i: number): Promise<void> {
    await this.#read(i);
  }

  async item(i: number): Promise<Item> {
    const times = this.times(i);
    const all = await this.#read(i);
    const past = all.slice(0, this.numInputSteps);
    const future = all.slice(this.numInputSteps);
    const names = this.info.features.map((f) => f.name);
    const numPrognostic = prognosticFeatures(this.info).length;
    const { forcingNames } = this.info;
    const state = (frame: Frame) => frame.state;
    const forcing = (frame: Frame) => frame.forcing;
    const prognostic = (frame: Frame) => firstFeatures(frame.state, names.length, numPrognostic);
    const parts = {
      inputs: this.#tensor(past.map(prognostic), names.slice(0, numPrognostic)),
      outputs: this.#tensor(future.map(state), names),
      forcing: this.#tensor(future.map(forcing), forcingNames),
      initialForcing: this.#tensor(past.slice(-1).map(forcing), forcingNames),
    };
    if (this.onNan !== "mask") return createItem({ ...parts, times });
    const masks = {
      mask: maskOf(parts.outputs),
      inputMask: maskOf(parts.inputs),
      forcingMask: maskOf(parts.forcing),
    };
    for (const part of Object.values(parts)) part.tensor.nanToNum_({ nan: 0 });
    return createItem({ ...parts, ...masks, times });
  }

  #read(i: number): Promise<Frame[]> {
    const { inputs, outputs } = this.times(i);
    return Promise.all([...inputs, ...outputs].map((time) => this.frames.frame(time)));
  }

  #tensor(slices: readonly Float32Array[], features: readonly string[]): NamedTensor<ItemDims> {
    const [ny, nx] = this.info.grid.shape;
    const size = ny * nx * features.length;
    const values = new Float32Array(slices.length * size);
    for (const [k, slice] of slices.entries()) values.set(slice, k * size);
    return new NamedTensor(torch.fromTypedArray(values, [slices.length, ny, nx, features.length]), dims, features);
  }
}

/** The first `count` of `width` features at every point. */
function firstFeatures(values: Float32Array, width: number, count: number): Float32Array {
  if (count === width) return values;
  const first = new Float32Array((values.length / width) * count);
  for (let n = 0, at = 0; n < values.length; n += width) {
    for (let f = 0; f < count; f++) first[at++] = values[n + f]!;
  }
  return first;
}

/** 1 where a value exists, 0 where it is NaN. */
function maskOf(nt: NamedTensor<ItemDims>): NamedTensor<ItemDims> {
  return nt.withTensor(torch.scope(() => nt.tensor.isnan().logicalNot().to("float32")));
}
