// From a finished (or stopped) run to what a package is made of. Needs the run folder only, not the data.

import { basename, join } from "node:path";
import { networks } from "../models/registry.js";
import { CheckpointFolder, type CheckpointName } from "./checkpoints.js";
import { readDatasetRecord } from "./dataset-record.js";
import { usesMask } from "./options.js";
import type { PackageContents } from "./package-contents.js";
import { readRunFolder } from "./run-folder.js";
import type { TrainingState } from "./state.js";
import type { TrainResult } from "./training.js";

/** Options of `inferenceModel`. */
export interface InferenceModelOptions {
  /** Default `best`, or `last` where there is no best. */
  readonly checkpoint?: CheckpointName;
  /** Default: the run's name without its time. */
  readonly name?: string;
  /** Default 1.0.0. */
  readonly version?: string;
}

/**
 * The model of a run. The caller disposes `weights`.
 * @param run what `train` returned, or a run folder
 * @throws StorageError when the folder is no run or has no checkpoint
 */
export async function inferenceModel(
  run: TrainResult | string,
  options: InferenceModelOptions = {},
): Promise<PackageContents> {
  const runDir = typeof run === "string" ? run : run.runDir;
  const { options: trained, provenance } = await readRunFolder(runDir);
  const { info, climatology } = await readDatasetRecord(runDir);
  const folder = new CheckpointFolder(join(runDir, "checkpoints"));
  const which = options.checkpoint ?? (folder.has("best") ? "best" : "last");
  const { model, optimizer, state } = await folder.load<TrainingState>(which);
  for (const tensor of optimizer.values()) tensor.dispose();
  return {
    name: options.name ?? basename(runDir).replace(/^\d{8}T\d{6}Z-/, ""),
    version: options.version ?? "1.0.0",
    architecture: networks.get(trained.model).modelName,
    settings: trained.model_settings,
    weights: model,
    strategy: trained.strategy,
    strategySettings: trained.strategy_settings,
    numInputSteps: trained.num_input_steps,
    numInterSteps: trained.num_inter_steps,
    maskAsInput: usesMask(trained, info),
    outputStd: trained.output_std,
    info,
    climatology,
    provenance: {
      ...provenance,
      training: trained,
      checkpoint: which,
      epochs: state.epoch,
      steps: state.step,
      best: state.best,
    },
  };
}
