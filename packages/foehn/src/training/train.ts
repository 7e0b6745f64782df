// Training, as others call it: `train` starts a run from options, `resumeTraining` goes on with one from its folder. Both open
// the data, make the network and hand over to training.ts, which is the loop.

import { join } from "node:path";
import * as torch from "@foehn/torch";
import { cacheDir } from "../core/cache-dir.js";
import { ConfigError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import type { DatasetInfo, DatasetSplits } from "../datasets/dataset.js";
import { modelFeatures } from "../datasets/features.js";
import { openDataset } from "../datasets/registry.js";
import type { Network } from "../models/network.js";
import { createNetwork } from "../models/registry.js";
import type { TrainingCallback } from "./callbacks.js";
import { CheckpointFolder } from "./checkpoints.js";
import { longestUnroll } from "./curriculum.js";
import { checkSameDataset, readDatasetRecord } from "./dataset-record.js";
import { checkBatches } from "./epoch-batches.js";
import { lossContext } from "./losses/loss.js";
import { createLoss } from "./losses/registry.js";
import { type ChosenObserver, observers } from "./observer.js";
import { parseTrainOptions, type TrainOptions, type TrainOptionsInput, usesMask } from "./options.js";
import { loadPluginsFor } from "./plugins.js";
import { resolveDevice, resolvePrecision } from "./precision.js";
import { collectProvenance } from "./provenance.js";
import { resolveFiles } from "./resolve-files.js";
import { staticTensors } from "./rollout.js";
import { createRunFolder, newRunId, readRunFolder } from "./run-folder.js";
import { refuseRunning } from "./run-status.js";
import type { TrainingState } from "./state.js";
import { numInputFeatures, numOutputFeatures } from "./step.js";
import { createStrategy } from "./strategies/registry.js";
import { useThreads } from "./threads.js";
import { Training, type TrainResult } from "./training.js";
import { checkWeightsFit, loadWeights } from "./weights.js";

export type { TrainResult } from "./training.js";

/** Who follows and steers a training. */
export interface TrainHooks {
  /** An open dataset to use instead of the one the options name; it stays open. */
  readonly dataset?: DatasetSplits;
  readonly progress?: Progress;
  /** Aborting it stops after the current batch, with `last` saved. */
  readonly signal?: AbortSignal;
  readonly callbacks?: readonly TrainingCallback[];
  /** Epoch seconds now; for the run's name. */
  readonly now?: () => number;
}

/**
 * Trains a new network.
 * @param input options; see `trainOptionsSchema`
 * @throws ConfigError and UsageError before anything is written; NumericalError when the loss is not finite, StorageError when the
 * disk is full, InterruptedError after an abort: then the last good checkpoint is in the run folder
 */
export async function train(input: TrainOptionsInput, hooks: TrainHooks = {}): Promise<TrainResult> {
  await loadPluginsFor(input);
  const options = resolveFiles(parseTrainOptions(input));
  const watchers = chooseObservers(options);
  for (const callback of hooks.callbacks ?? []) callback.check?.(options);
  return openData(options, hooks, async (splits) => {
    if (splits.train.length === 0) {
      throw new ConfigError("the training split has no samples", {
        hint: "widen its period, or lower num_input_steps and num_pred_steps_train",
      });
    }
    checkUnrollFits(options, splits);
    checkLoss(options, splits.info);
    useThreads(options.threads);
    const device = resolveDevice(options.device);
    const precision = resolvePrecision(options.precision, device);
    torch.manualSeed(options.seed);
    const network = createNetworkFor(options, splits.info);
    if (options.load_weights !== null) {
      await checkWeightsFit(options.load_weights, splits.info);
      loadWeights(network, options.load_weights);
    } else network.loadInitialWeights();
    checkBatches(network, splits.train, options);
    const now = hooks.now?.() ?? Math.floor(Date.now() / 1000);
    const id = newRunId(options, now);
    const runDir = await createRunFolder({
      id,
      options,
      provenance: collectProvenance(id, now, device, precision),
      dataset: { info: splits.info, climatology: { ...splits.climatology } },
    });
    return new Training({ ...hooks, ...watchers, runDir, options, splits, network, device, precision }).run(null);
  });
}

/** What may change when a run goes on. */
export interface ResumeChanges {
  /** Train to this many epochs in all. With a cosine schedule this changes the rest of the schedule. */
  readonly epochs?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly num_workers?: number;
  readonly prefetch_factor?: number;
}

/**
 * Goes on with a run from its last checkpoint. On the CPU in fp32, with the same number of threads, the result is bit for bit that
 * of an uninterrupted run.
 * @throws StorageError when the folder is no run or has no checkpoint, UsageError when another process is training it, ConfigError when
 * the data are not those of the run
 */
export async function resumeTraining(
  runDir: string,
  changes: ResumeChanges = {},
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  const run = await readRunFolder(runDir);
  refuseRunning(runDir);
  const options = parseTrainOptions({ ...run.options, ...changes }, join(runDir, "config.json"));
  const watchers = chooseObservers(options);
  for (const callback of hooks.callbacks ?? []) callback.check?.(options);
  const checkpoint = await new CheckpointFolder(join(runDir, "checkpoints")).load<TrainingState>("last");
  return openData(options, hooks, async (splits) => {
    checkSameDataset((await readDatasetRecord(runDir)).info, splits.info);
    checkUnrollFits(options, splits);
    useThreads(options.threads);
    const device = resolveDevice(options.device);
    const precision = resolvePrecision(options.precision, device);
    torch.manualSeed(options.seed);
    const network = createNetworkFor(options, splits.info);
    return new Training({ ...hooks, ...watchers, runDir, options, splits, network, device, precision }).run(checkpoint);
  });
}

/** What looks at validations by default, as far as it is registered. */
const defaultObservers = ["state_error", "prediction"];

/** The observers of validations and of the test at the end. @throws UsageError for an unknown name, before anything is written */
export function chooseObservers(options: TrainOptions): {
  readonly observers: readonly ChosenObserver[];
  readonly testObservers: readonly ChosenObserver[];
} {
  const names = options.observers ?? defaultObservers.filter((name) => observers.has(name));
  return {
    observers: observers.choose(names, options.observer_settings),
    testObservers: observers.choose(["all"], options.observer_settings),
  };
}

/** An open dataset that was handed in may have shorter samples than the options ask for. */
function checkUnrollFits(options: TrainOptions, { train, info }: DatasetSplits): void {
  const wanted = longestUnroll(options);
  const available = train.length === 0 ? wanted : train.times(0).outputs.length;
  if (available >= wanted) return;
  throw new ConfigError(`training unrolls up to ${wanted} steps, the samples of ${info.name} have ${available}`, {
    hint: `open the dataset with numPredStepsTrain ${wanted}`,
  });
}

/** A network for a dataset: the number of features follows from the options and the data. */
export function createNetworkFor(options: TrainOptions, info: DatasetInfo): Network {
  const strategy = createStrategy(options.strategy, options.strategy_settings);
  const features = modelFeatures(info);
  strategy.checkFeatures(features);
  const hasMask = usesMask(options, info);
  if (hasMask && !info.masksMissing) {
    throw new ConfigError(`mask_as_input needs on_nan mask; the dataset ${info.name} stops at missing values`, {
      hint: "pass --on-nan mask, or set on_nan: mask in the dataset's file",
    });
  }
  const inputs = numInputFeatures({ strategy, features, numInputSteps: options.num_input_steps, hasMask });
  const { model, model_settings: settings } = options;
  return createNetwork(model, inputs, numOutputFeatures(features, options.output_std), settings, info.grid.shape);
}

/** A loss that does not fit the data is refused before anything is written. */
function checkLoss(options: TrainOptions, info: DatasetInfo): void {
  torch.scope(() =>
    createLoss(options.loss, lossContext(info, staticTensors(info, "cpu").interiorMask.tensor, options)).dispose(),
  );
}

/** The data that options name, open while `fn` runs; or those of the hooks, which stay open. */
export async function openData<T>(
  options: TrainOptions,
  hooks: Pick<TrainHooks, "dataset" | "progress">,
  fn: (splits: DatasetSplits) => Promise<T>,
): Promise<T> {
  if (hooks.dataset !== undefined) return fn(hooks.dataset);
  const splits = await openDataset(options.dataset, {
    numInputSteps: options.num_input_steps,
    numPredStepsTrain: longestUnroll(options),
    numPredStepsValTest: options.num_pred_steps_val_test,
    // Only steps between those of the data interpolate the forcing.
    initialForcing: options.num_inter_steps > 1,
    onNan: options.on_nan ?? undefined,
    cacheDir: options.cache_dir ?? cacheDir("datasets"),
    confPath: options.dataset_conf ?? undefined,
    overrides: options.data === null ? undefined : { source: options.data },
    numWorkers: options.num_workers ?? undefined,
    prefetchFactor: options.prefetch_factor ?? undefined,
    progress: hooks.progress,
  });
  try {
    return await fn(splits);
  } finally {
    await splits.close();
  }
}
