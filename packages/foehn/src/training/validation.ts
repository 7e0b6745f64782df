// Validation: rollouts over the validation split in evaluation mode, without gradients. The loss is the training loss by lead;
// the RMSE pools squared errors over samples and interior points before the root, in the features' units.

import * as torch from "@foehn/torch";
import { throwIfInterrupted } from "../core/interrupt.js";
import { batches } from "../datasets/batches.js";
import type { Dataset, DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { disposeBatch, moveBatch } from "./batch.js";
import { pointwiseError } from "./losses/loss.js";
import type { WeightedLoss } from "./losses/weighted-loss.js";
import { type Precision, withPrecision } from "./precision.js";
import { type RolloutContext, rollout } from "./rollout.js";

/** Scores of one validation. */
export interface ValidationScores {
  readonly loss: number;
  readonly lossByLead: readonly number[];
  /** By feature, by lead, in the feature's units. */
  readonly rmse: Readonly<Record<string, readonly number[]>>;
}

/** What a validation runs with. */
export interface ValidationInput {
  readonly context: RolloutContext;
  readonly loss: WeightedLoss;
  readonly info: DatasetInfo;
  readonly precision: Precision;
  readonly device: string;
  readonly batchSize: number;
  readonly limit: number | null;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: (done: number) => void;
}

/** Scores a network; null when the split has no samples. The network's mode is restored. */
export async function validate(dataset: Dataset, input: ValidationInput): Promise<ValidationScores | null> {
  const { context, info, batchSize, limit, signal } = input;
  const { network } = context;
  const wasTraining = network.training;
  const lossSums: number[] = [];
  // Flat [lead][feature], as the tensors give them.
  const squares: number[] = [];
  const counts: number[] = [];
  let samples = 0;
  let done = 0;
  network.eval();
  try {
    for await (const item of batches(dataset, { batchSize, epoch: 0, ...(limit !== null && { limit }) })) {
      const batch = moveBatch(item, input.device);
      try {
        throwIfInterrupted(signal, "validation");
        const sums = torch.noGrad(() => torch.scope(() => scoreBatch(input, batch)));
        addTo(lossSums, sums.loss);
        addTo(squares, sums.squares);
        addTo(counts, sums.counts);
        samples += sums.samples;
      } finally {
        disposeBatch(batch);
      }
      input.onBatch?.(++done);
      await new Promise(setImmediate); // let Ctrl-C in
    }
  } finally {
    network.train(wasTraining);
  }
  if (samples === 0) return null;
  const lossByLead = lossSums.map((sum) => sum / samples);
  const rmse: Record<string, number[]> = {};
  for (const [v, { name }] of info.features.entries()) {
    const std = info.stats[name]?.std ?? 1;
    rmse[name] = lossByLead.map((_, lead) => {
      const at = lead * info.features.length + v;
      return std * Math.sqrt(squares[at]! / counts[at]!);
    });
  }
  return { loss: lossByLead.reduce((a, b) => a + b, 0) / lossByLead.length, lossByLead, rmse };
}

/** Sums over a batch: loss by lead, squared errors and numbers of points by lead and feature. */
function scoreBatch(input: ValidationInput, batch: ItemBatch) {
  const { context, loss } = input;
  const prediction = withPrecision(input.precision, input.device, () => rollout(context, batch));
  const { outputs } = batch;
  const mask = batch.mask?.tensor;
  const [samples, leads] = outputs.shape as [number, number];
  const features = outputs.featureNames.length;
  const space = outputs.spatialDimIndices;
  const interior = context.statics.interiorMask.tensor;
  const square = pointwiseError("mse", prediction.tensor, outputs.tensor, mask).mul(interior);
  const overBatchAndSpace = [0, ...space];
  const interiorPoints = interior.sum().item();
  return {
    samples,
    loss: numbers(loss.forward(prediction, outputs, mask).sum({ dim: [0] })),
    squares: numbers(square.sum({ dim: overBatchAndSpace, dtype: "float64" })),
    counts:
      mask === undefined
        ? new Array<number>(leads * features).fill(samples * interiorPoints)
        : numbers(mask.ne(0).mul(interior).sum({ dim: overBatchAndSpace, dtype: "float64" })),
  };
}

const numbers = (tensor: torch.Tensor) => Array.from(tensor.toTypedArray() as Float32Array | Float64Array);

function addTo(sums: number[], values: readonly number[]): void {
  for (const [i, value] of values.entries()) sums[i] = (sums[i] ?? 0) + value;
}
