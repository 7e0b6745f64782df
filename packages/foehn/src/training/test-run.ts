// `foehn test` as a function: a run's network with the weights of a checkpoint, on the test split of the run's data or of others.
// What the network sees is scaled with the statistics of its training, whatever data it is tried on.

import { join } from "node:path";
import { ConfigError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { formatDuration } from "../core/time.js";
import { numBatches } from "../datasets/batches.js";
import type { DatasetInfo, DatasetSplits } from "../datasets/dataset.js";
import { renormalised } from "../datasets/renormalise.js";
import { describeGrid, sameGrid } from "../grid/grid.js";
import { sameUnits } from "../variables/units.js";
import type { TrainingCallback } from "./callbacks.js";
import { CheckpointFolder, type CheckpointName } from "./checkpoints.js";
import { readDatasetRecord } from "./dataset-record.js";
import { Learner } from "./learner.js";
import { type ObserverSettings, observers } from "./observer.js";
import { parseTrainOptions, type TrainOptionsInput } from "./options.js";
import { resolveDevice, resolvePrecision } from "./precision.js";
import { readRunFolder } from "./run-folder.js";
import { checkSameFeatures } from "./same-features.js";
import type { TrainingState } from "./state.js";
import { type TestResult, testNetwork } from "./test-pass.js";
import { useThreads } from "./threads.js";
import { createNetworkFor, openData } from "./train.js";

/** What may differ from the run's own options. */
export interface TestRunOptions {
  /** Default `best`, or `last` where there is no best. */
  readonly checkpoint?: CheckpointName | undefined;
  /** Steps to predict; default: as many as the run's validation. */
  readonly numPredSteps?: number | undefined;
  readonly dataset?: string | undefined;
  readonly datasetConf?: string | undefined;
  readonly data?: string | undefined;
  readonly batchSize?: number | undefined;
  /** Batches at most; default all. */
  readonly limitBatches?: number | undefined;
  /** Names, `all` or `none`; default all. */
  readonly observers?: readonly string[] | undefined;
  /** Over those of the run. */
  readonly observerSettings?: ObserverSettings | undefined;
  readonly onlyPlots?: boolean | undefined;
  readonly device?: string | undefined;
  readonly precision?: TrainOptionsInput["precision"];
  readonly threads?: number | undefined;
}

/** Who follows and steers it. */
export interface TestHooks {
  /** Open data to use instead of those that the options name; they stay open. */
  readonly dataset?: DatasetSplits;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  readonly callbacks?: readonly TrainingCallback[];
  /** Epoch seconds now. */
  readonly now?: () => number;
}

/**
 * Tests a run.
 * @param runDir the run folder
 * @throws StorageError when the folder is no run or has no checkpoint; ConfigError when the data have other features or another grid
 */
export async function testRun(
  runDir: string,
  options: TestRunOptions = {},
  hooks: TestHooks = {},
): Promise<TestResult> {
  const run = await readRunFolder(runDir);
  const record = await readDatasetRecord(runDir);
  const changes = {
    num_pred_steps_val_test: options.numPredSteps,
    dataset: options.dataset,
    dataset_conf: options.datasetConf,
    data: options.data,
    batch_size: options.batchSize,
    device: options.device,
    precision: options.precision,
    threads: options.threads,
  };
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  const trained = parseTrainOptions({ ...run.options, ...given }, join(runDir, "config.json"));
  const settings = { ...trained.observer_settings, ...options.observerSettings };
  const chosen = observers.choose(options.observers ?? ["all"], settings);
  const folder = new CheckpointFolder(join(runDir, "checkpoints"));
  const checkpoint = options.checkpoint ?? (folder.has("best") ? "best" : "last");
  const { progress = silentProgress, signal } = hooks;
  return openData(trained, hooks, async (splits) => {
    const { info } = record;
    checkFits(info, splits.info);
    useThreads(trained.threads);
    const device = resolveDevice(trained.device);
    const precision = resolvePrecision(trained.precision, device);
    const network = createNetworkFor(trained, info);
    const { model, optimizer, state } = await folder.load<TrainingState>(checkpoint);
    network.loadStateDict(model);
    for (const tensor of [...model.values(), ...optimizer.values()]) tensor.dispose();
    const learner = new Learner({ network, info, options: trained, precision, device, totalSteps: 1 });
    try {
      const limit = options.limitBatches ?? null;
      const dataset = renormalised(splits.test, info);
      const batchSize = trained.batch_size;
      progress.start("test", numBatches(dataset, { batchSize, ...(limit !== null && { limit }) }));
      const result = await testNetwork({
        runDir,
        dataset,
        info: splits.info === info ? info : { ...info, name: splits.info.name },
        context: learner.context,
        loss: learner.loss,
        climatology: record.climatology,
        precision,
        device,
        batchSize,
        limit,
        checkpoint,
        epoch: state.epoch,
        step: state.step,
        onlyPlots: options.onlyPlots,
        observe: {
          observers: chosen,
          callbacks: hooks.callbacks,
          warn: (line) => progress.note(`warning: ${line}`),
          signal,
        },
        signal,
        onBatch: (done) => progress.update(done),
        ensemble: learner.ensemble.noise > 0 ? learner.ensemble : undefined,
        now: hooks.now?.() ?? Math.floor(Date.now() / 1000),
      });
      progress.finish();
      return result;
    } finally {
      learner.dispose();
      network.dispose();
    }
  });
}

/** @throws ConfigError with both sides when data cannot be what a run's network takes */
function checkFits(run: DatasetInfo, data: DatasetInfo): void {
  const refuse = (what: string, mine: string, theirs: string, hint: string) => {
    throw new ConfigError(`the data do not fit the run: ${what}\n  run:  ${mine}\n  data: ${theirs}`, { hint });
  };
  checkSameFeatures(run, data, {
    what: "the data do not fit the run",
    hint: "give data with the variables of the run, in its order (--dataset-conf)",
  });
  for (const [i, { name, units }] of run.features.entries()) {
    const theirs = data.features[i]!.units;
    if (units !== theirs && !sameUnits(units, theirs))
      refuse(`units of ${name} differ`, units, theirs, "convert the data");
  }
  if (!sameGrid(run.grid, data.grid)) {
    refuse("grids differ", describeGrid(run.grid), describeGrid(data.grid), "choose the region of the run");
  }
  if (run.stepSeconds !== data.stepSeconds) {
    const [mine, theirs] = [run, data].map((info) => formatDuration(info.stepSeconds));
    refuse("time steps differ", mine!, theirs!, "set `step` in the dataset's file");
  }
}
