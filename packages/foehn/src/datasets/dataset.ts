// The contracts of training data: one sample (Item), several (ItemBatch), a list of samples (Dataset), and what is the same
// for all of them (DatasetInfo). All values are float32 and normalised, features last; all times epoch seconds UTC.
// Not here: where the fields come from (sources/) and the kinds of datasets (gridded.ts, synthetic.ts, dummy.ts).

import type { Progress } from "../core/progress.js";
import type { Grid } from "../grid/grid.js";
import type { NamedTensor } from "../tensor/named-tensor.js";
import type { Role } from "../variables/roles.js";
import type { ForcingSpec } from "./forcings.js";
import type { FrameKey } from "./frames.js";
import type { Periods, SplitName } from "./periods.js";
import type { Statics } from "./statics.js";

export { collate, disposeBatch } from "./item.js";

/** Statistics of one feature over all points and times of the training period, in float64, NaN left out. */
export interface FeatureStats {
  readonly mean: number;
  /** Population standard deviation; 1 for a feature that never changes, so that it can be divided by. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
}

/** One feature of the state: a variable at one level. */
export interface FeatureInfo {
  readonly name: string;
  readonly units: string;
  readonly longName: string;
  /** `prognostic` or `diagnostic`. */
  readonly role: Role;
  /** State weight w_v of the losses. */
  readonly weight: number;
}

/** What all samples of a dataset share. */
export interface DatasetInfo {
  readonly name: string;
  readonly grid: Grid;
  /** Seconds between two time steps of a sample. */
  readonly stepSeconds: number;
  /** Features of inputs and outputs in tensor order: prognostic, then diagnostic. */
  readonly features: readonly FeatureInfo[];
  /** Features of the forcing in tensor order: read ones, then computed ones. */
  readonly forcingNames: readonly string[];
  /** What to read and compute; plain JSON, so that a package carries it. */
  readonly forcing: ForcingSpec;
  /** By feature, also of the forcings that are read. */
  readonly stats: Readonly<Record<string, FeatureStats>>;
  /** By feature: differences over one dataset step of normalised fields (times that truly follow each other). */
  readonly diffStats: Readonly<Record<string, FeatureStats>>;
  /** Width of the frame on each side, in cells. */
  readonly borderSize: number;
  readonly statics: Statics;
  /** True where samples have masks for missing values (`on_nan: mask`). */
  readonly masksMissing?: boolean | undefined;
  /** What was for training, validation and test; left out where times mean nothing (`dummy`). */
  readonly periods?: Periods | undefined;
  /** False for a simulated planet: its maps have no coastlines. Default true. */
  readonly isOfThisEarth?: boolean | undefined;
}

/** Dimensions of a sample. */
export type ItemDims = readonly ["timestep", "lat", "lon", "features"];

/** Dimensions of a batch of samples. */
export type BatchDims = readonly ["batch", "timestep", "lat", "lon", "features"];

/** One training sample. */
export interface Item {
  /** The past states, oldest first: (num_input_steps, H, W, F_prognostic). */
  readonly inputs: NamedTensor<ItemDims>;
  /** What is to be predicted: (num_pred_steps, H, W, F), the features of the inputs, then the diagnostic ones. */
  readonly outputs: NamedTensor<ItemDims>;
  /** Forcing valid at each output time: (num_pred_steps, H, W, F_forcing). */
  readonly forcing: NamedTensor<ItemDims>;
  /** Forcing valid at the newest input time, (1, H, W, F_forcing): the start of the first step. */
  readonly initialForcing?: NamedTensor<ItemDims> | undefined;
  readonly times: { readonly inputs: readonly number[]; readonly outputs: readonly number[] };
  /** With `onNan: "mask"`: 1 where an output value exists, 0 where it was missing (and is 0 in `outputs`). */
  readonly mask?: NamedTensor<ItemDims> | undefined;
  /** With `onNan: "mask"`: the same for the inputs. */
  readonly inputMask?: NamedTensor<ItemDims> | undefined;
  /** With `onNan: "mask"`: the same for the forcing. */
  readonly forcingMask?: NamedTensor<ItemDims> | undefined;
}

/** Several samples along a leading `batch` dimension. Plain data: copies made by spreading stay batches. */
export interface ItemBatch {
  readonly inputs: NamedTensor;
  readonly outputs: NamedTensor;
  readonly forcing: NamedTensor;
  readonly initialForcing?: NamedTensor | undefined;
  /** One list of times per sample. */
  readonly times: { readonly inputs: readonly (readonly number[])[]; readonly outputs: readonly (readonly number[])[] };
  readonly mask?: NamedTensor | undefined;
  readonly inputMask?: NamedTensor | undefined;
  readonly forcingMask?: NamedTensor | undefined;
  readonly batchSize: number;
  readonly numInputSteps: number;
  readonly numPredSteps: number;
  /** How long the caller of `batches` waited for this batch, seconds. */
  readonly waitSeconds?: number | undefined;
}

/** A list of samples, read when asked for. */
export interface Dataset {
  readonly info: DatasetInfo;
  /** Number of samples. */
  readonly length: number;
  /** The valid times of sample `i`, without reading it. */
  times(i: number): { readonly inputs: readonly number[]; readonly outputs: readonly number[] };
  /** Sample `i`. The caller disposes its tensors. @throws DataError for an index out of range or for NaN with `onNan: "fail"` */
  item(i: number): Promise<Item>;
  /**
   * Reads samples as one batch and makes no tensors, so that it can run ahead of its use. `batches` uses it where it exists.
   * @throws as `item`
   */
  load?(samples: readonly number[], options: LoadOptions): Promise<LoadedBatch>;
  /** How many batches `batches` loads ahead of the one in use. Default 1. */
  readonly loadAhead?: number | undefined;
}

/** How samples are asked for. */
export interface LoadOptions {
  /** In random order: samples that follow each other in time do not follow each other here. */
  readonly isShuffled: boolean;
}

/** A batch in memory that is not made of tensors yet. Ends with a call of one of the two. */
export interface LoadedBatch {
  /** The batch; its tensors belong to the scope that is open at this call. */
  toBatch(): ItemBatch | Promise<ItemBatch>;
  /** Gives the memory back: the batch is not wanted any more. */
  release(): void;
}

/** The three parts of a dataset: no time is in two of them. */
export interface DatasetSplits {
  readonly info: DatasetInfo;
  readonly train: Dataset;
  readonly valid: Dataset;
  readonly test: Dataset;
  /** By feature: time-mean field of the training period in physical units, (H, W). */
  readonly climatology: Readonly<Record<string, Float32Array>>;
  /** The fields behind the samples; left out by datasets that have none. */
  readonly fields?: DatasetFields | undefined;
  close(): Promise<void>;
}

/** The fields that a dataset reads, in physical units: for looking at data, checking and converting them. */
export interface DatasetFields {
  /** Features of the state, then the forcings that are read. */
  readonly names: readonly string[];
  readonly units: Readonly<Record<string, string>>;
  /** Every frame of a part, by run and time. */
  frames(part: SplitName): readonly FrameKey[];
  /** All fields of a frame, (H, W, names), NaN where missing. */
  read(key: FrameKey): Promise<Float32Array>;
}

/** What to do with missing values: stop with their names and times, or give masks with the samples. */
export type OnNan = "fail" | "mask";

/** Options of `openDataset`. */
export interface DatasetOptions {
  /** Past states in a sample. */
  readonly numInputSteps: number;
  /** States to predict in a training sample. */
  readonly numPredStepsTrain: number;
  /** States to predict in a validation or test sample. */
  readonly numPredStepsValTest: number;
  /**
   * Whether samples hold the forcing at their newest input time, which only strategies that interpolate within a step look at.
   * Default true.
   */
  readonly initialForcing?: boolean | undefined;
  /** Default: what the configuration says, and `fail` where it says nothing. */
  readonly onNan?: OnNan | undefined;
  /** Where statistics are kept between runs; nowhere when left out. */
  readonly cacheDir?: string | undefined;
  /** The dataset's configuration file: needed for `gridded`, optional for `synthetic`. */
  readonly confPath?: string | undefined;
  /** Settings that win over the file. */
  readonly overrides?: { readonly source?: string | undefined } | undefined;
  /**
   * Threads that read samples while the engine computes; 0 reads in the main thread. Default: 0 where the data fit in memory,
   * else one less than there are processor cores, and at most 4. Results do not depend on it. For sources over files.
   */
  readonly numWorkers?: number | undefined;
  /** Batches loaded ahead of the one in use; each takes memory. Default 2 with threads, 1 without. */
  readonly prefetchFactor?: number | undefined;
  readonly progress?: Progress | undefined;
}
