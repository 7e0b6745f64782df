// The batches of an epoch of training: how many samples each has, and whether the network can be trained on them. Asked before
// anything is written: else a last batch of one sample would stop a training at the end of its first epoch.

import { ConfigError } from "../core/errors.js";
import { type BatchOptions, numBatches } from "../datasets/batches.js";
import type { Dataset } from "../datasets/dataset.js";
import type { Network } from "../models/network.js";
import type { TrainOptions } from "./options.js";

type EpochOptions = Pick<TrainOptions, "batch_size" | "limit_train_batches" | "drop_last">;

/** The options as `batches` takes them. */
export function epochBatches(options: EpochOptions): BatchOptions {
  return {
    batchSize: options.batch_size,
    limit: options.limit_train_batches ?? undefined,
    dropLast: options.drop_last,
  };
}

/** @throws ConfigError when there is no batch, or one that the network cannot train on */
export function checkBatches(
  network: Network,
  train: Dataset,
  options: EpochOptions & Pick<TrainOptions, "ensemble_size">,
): void {
  const { batch_size: size, ensemble_size: members } = options;
  const count = numBatches(train, epochBatches(options));
  if (count === 0) {
    throw new ConfigError(
      `drop_last leaves no batch: the training split has ${train.length} samples, a batch ${size}`,
      {
        hint: "use a smaller batch_size, or keep the last batch",
      },
    );
  }
  network.checkTrainingBatch(Math.min(size, train.length) * members);
  const last = Math.min(size, train.length - (count - 1) * size);
  if (last === size) return;
  try {
    network.checkTrainingBatch(last * members);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`the last of ${count} batches has ${last} sample${last === 1 ? "" : "s"}: ${error.message}`, {
      hint: "leave that batch out (drop_last), or choose another batch_size",
      cause: error,
    });
  }
}
