// Validation and test: rollouts over a split in evaluation mode, without gradients. The loss is the training loss by lead; errors are
// pooled over samples and interior points (error-sums.ts); observers look on. Nothing of a batch stays, so memory is flat.

import * as torch from "@foehn/torch";
import { throwIfInterrupted } from "../core/interrupt.js";
import { batches } from "../datasets/batches.js";
import type { Dataset, DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { disposeBatch, moveBatch } from "./batch.js";
import { type Ensemble, predictMembers } from "./ensemble.js";
import { ErrorSums } from "./error-sums.js";
import { ensembleMean, type Loss } from "./losses/loss.js";
import type { ObserverPhase, PassInfo } from "./observer.js";
import { ObserverPass, type ObserverPassOptions, type PassResults } from "./observer-pass.js";
import { valuesOf } from "./output-std.js";
import { type Precision, withPrecision } from "./precision.js";
import type { RolloutContext } from "./rollout.js";

/** Scores of one pass. */
export interface ValidationScores {
  readonly loss: number;
  readonly lossByLead: readonly number[];
  /** By feature, by lead, in the feature's units. */
  readonly rmse: Readonly<Record<string, readonly number[]>>;
  readonly errors: ErrorSums;
  /** Of the forecast that repeats the last input state; only in a test. */
  readonly persistence: ErrorSums | undefined;
  readonly samples: number;
  readonly leadHours: readonly number[];
  /** What the observers left behind. */
  readonly observed: PassResults;
}

/** What a validation runs with. */
export interface ValidationInput {
  readonly context: RolloutContext;
  readonly loss: Loss;
  readonly info: DatasetInfo;
  readonly precision: Precision;
  readonly device: string;
  readonly batchSize: number;
  readonly limit: number | null;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: (done: number) => void;
  /** Default `val`. In a test persistence is scored too. */
  readonly phase?: ObserverPhase;
  /** Epochs and steps that the weights have seen; for the observers. */
  readonly epoch?: number;
  readonly step?: number;
  /** By feature, physical units: gives ACC. Default: none. */
  readonly climatology?: Readonly<Record<string, Float32Array>>;
  readonly observe?: ObserverPassOptions | undefined;
  /** Forecasts per sample; the loss sees all of them, errors and observers their mean. Default: one, without noise. */
  readonly ensemble?: Ensemble | undefined;
}

/** Scores a network; null when the split has no samples. The network's mode is restored. */
export async function validate(dataset: Dataset, input: ValidationInput): Promise<ValidationScores | null> {
  const { context, info, batchSize, limit, phase = "val", climatology = {} } = input;
  if (dataset.length === 0) return null;
  const { network } = context;
  const wasTraining = network.training;
  const leadHours = leadsOf(dataset, info);
  const interiorMask = context.statics.interiorMask.tensor;
  const sums = () => new ErrorSums({ info, numLeads: leadHours.length, interiorMask, climatology });
  const pass: PassInfo = {
    phase,
    info,
    leadHours,
    numSamples: Math.min(dataset.length, limit === null ? Number.POSITIVE_INFINITY : limit * batchSize),
    interiorMask,
    climatology,
    epoch: input.epoch ?? 0,
    step: input.step ?? 0,
  };
  const errors = { model: sums(), persistence: phase === "test" ? sums() : undefined };
  const observers = await ObserverPass.begin(pass, input.observe ?? noObservers);
  network.eval();
  try {
    const { lossSums, samples } = await runBatches(dataset, input, { errors, observers });
    const lossByLead = lossSums.map((sum) => sum / samples);
    return {
      loss: lossByLead.reduce((a, b) => a + b, 0) / lossByLead.length,
      lossByLead,
      rmse: errors.model.score("rmse"),
      errors: errors.model,
      persistence: errors.persistence,
      samples,
      leadHours,
      observed: await observers.finish(errors),
    };
  } finally {
    network.train(wasTraining);
    observers.dispose();
    errors.model.dispose();
    errors.persistence?.dispose();
  }
}

const noObservers: ObserverPassOptions = { observers: [], folder: "", draws: false, warn: () => {} };

interface Watchers {
  readonly errors: { readonly model: ErrorSums; readonly persistence: ErrorSums | undefined };
  readonly observers: ObserverPass;
}

async function runBatches(dataset: Dataset, input: ValidationInput, watchers: Watchers) {
  const { batchSize, limit, signal } = input;
  const lossSums: number[] = [];
  let samples = 0;
  let index = 0;
  for await (const item of batches(dataset, { batchSize, epoch: 0, ...(limit !== null && { limit }) })) {
    const batch = moveBatch(item, input.device);
    try {
      throwIfInterrupted(signal, input.phase === "test" ? "the test" : "validation");
      const losses = torch.noGrad(() => torch.scope(() => scoreBatch(input, batch, watchers, index, samples)));
      for (const [lead, loss] of losses.entries()) lossSums[lead] = (lossSums[lead] ?? 0) + loss;
      samples += batch.batchSize;
    } finally {
      disposeBatch(batch);
    }
    input.onBatch?.(++index);
    await new Promise(setImmediate); // let Ctrl-C in
  }
  return { lossSums, samples };
}

/** Adds a batch to the sums and shows it to the observers. @returns the loss by lead, summed over samples */
function scoreBatch(
  input: ValidationInput,
  batch: ItemBatch,
  { errors, observers }: Watchers,
  index: number,
  firstSample: number,
): number[] {
  const { context, loss } = input;
  const ensemble = input.ensemble ?? { size: 1, noise: 0 };
  const members = withPrecision(input.precision, input.device, () => predictMembers(context, batch, ensemble));
  const target = batch.outputs;
  const values = valuesOf(members, target.featureNames.length);
  const prediction =
    ensemble.size === 1 ? values : new NamedTensor(ensembleMean(values), target.names, target.featureNames);
  const mask = batch.mask?.tensor;
  errors.model.add(prediction.tensor, target.tensor, mask);
  if (errors.persistence !== undefined) addPersistence(errors.persistence, batch);
  if (!observers.isIdle) observers.update({ prediction, target, mask: batch.mask, batch, index, firstSample });
  return Array.from(
    loss
      .forward(members, target, mask)
      .sum({ dim: [0] })
      .toTypedArray() as Float32Array,
  );
}

/** Scores the last input state at every lead. Features that are no input (diagnostic ones) have no such forecast: NaN. */
function addPersistence(sums: ErrorSums, { inputs, outputs, mask, inputMask }: ItemBatch): void {
  const lastOf = (part: NamedTensor, missing: number) => {
    const last = part.slice("timestep", -1);
    const absent = torch.full([...last.shape.slice(0, -1), 1], missing, { device: last.device });
    const features = outputs.featureNames.map((name) => (last.hasFeature(name) ? last.feature(name) : absent));
    return torch.cat(features, { dim: -1 }).expand(outputs.shape);
  };
  // Where the input was missing it holds a filler, which nobody forecasts.
  const valid = mask !== undefined && inputMask !== undefined ? mask.tensor.mul(lastOf(inputMask, 1)) : mask?.tensor;
  sums.add(lastOf(inputs, Number.NaN), outputs.tensor, valid);
}

/** Hours after the initial state of each step that a dataset's samples predict. */
export function leadsOf(dataset: Dataset, info: DatasetInfo): number[] {
  const steps = dataset.times(0).outputs.length;
  return Array.from({ length: steps }, (_, i) => ((i + 1) * info.stepSeconds) / 3600);
}
