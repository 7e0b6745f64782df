// Options of a training: one schema for the command line's flags, for `--config` files and for the run folder's config.json.
// Names and defaults follow py4cast's bin/train.py, written in snake_case as they stand in files.

import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { lossKinds } from "./losses/loss.js";
import { precisionNames } from "./precision.js";
import { getStrategy, type StrategyName, strategyNames } from "./strategies/registry.js";

/** Values of `--scheduler`. */
export const schedulerNames = ["constant", "step", "cosine"] as const;

const count = () => z.int().positive();
const optionalCount = () => count().nullable().default(null);

/** Schema of all options. Unknown keys are refused. */
export const trainOptionsSchema = z.strictObject({
  // Data
  dataset: z.string().default("synthetic").describe("name in the dataset registry"),
  dataset_conf: z.string().nullable().default(null).describe("config file of the dataset"),
  data: z.string().nullable().default(null).describe("data to read instead of the source that the config names"),
  cache_dir: z.string().nullable().default(null).describe("where statistics are cached"),
  on_nan: z
    .enum(["fail", "mask"])
    .nullable()
    .default(null)
    .describe("missing values: stop, or leave them out of the loss; default: what the dataset's file says"),
  num_input_steps: count().default(2).describe("past states in the network's input"),
  num_pred_steps_train: count().default(1).describe("steps unrolled in the training loss"),
  num_pred_steps_val_test: count().default(5).describe("steps unrolled in validation"),
  batch_size: count().default(1),
  limit_train_batches: optionalCount().describe("batches per epoch at most"),
  limit_val_batches: optionalCount().describe("validation batches at most; default: limit_train_batches"),

  // Model
  model: z.string().default("halfunet").describe("name in the model registry"),
  model_conf: z.string().nullable().default(null).describe("settings file of the model"),
  model_settings: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("settings of the model, over those of the file"),
  load_weights: z
    .string()
    .nullable()
    .default(null)
    .describe("start from these weights: run, checkpoint, .safetensors, .pt, .ckpt"),
  strategy: z.enum(strategyNames as [StrategyName, ...StrategyName[]]).default("diff_ar"),
  num_inter_steps: count().default(1).describe("network calls per dataset step (scaled_ar)"),

  // Optimisation
  loss: z.enum(lossKinds).default("mse"),
  lr: z.number().positive().default(1e-3),
  weight_decay: z.number().nonnegative().default(0.01),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.95]),
  scheduler: z.enum(schedulerNames).default("constant"),
  warmup_steps: z.int().nonnegative().default(0).describe("optimiser steps of linear growth (cosine)"),
  min_lr: z.number().nonnegative().default(0).describe("floor of the cosine"),
  step_size: count().default(1000).describe("optimiser steps between two reductions (step)"),
  gamma: z.number().positive().default(0.1).describe("factor of each reduction (step)"),
  accumulate_grad_batches: count().default(1).describe("batches per optimiser step"),
  gradient_clip_norm: z.number().positive().nullable().default(null),
  epochs: count().default(200),
  early_stopping_patience: optionalCount().describe("validations without improvement before stopping"),
  early_stopping_min_delta: z.number().nonnegative().default(0),
  val_interval: count().default(1).describe("validate each n epochs"),

  // Machine and run
  precision: z.enum(precisionNames).default("auto"),
  device: z.string().default("auto").describe("auto, cpu, cuda, cuda:N"),
  threads: optionalCount().describe("threads of one operator; default: one per core"),
  seed: z.int().nonnegative().default(42),
  checkpoint_every_steps: optionalCount().describe(
    "also write `last` each n optimiser steps, not only after each epoch",
  ),
  runs_dir: z.string().default("runs").describe("folder of run folders"),
  run_name: z
    .string()
    .regex(/^[\w.-]+$/)
    .nullable()
    .default(null)
    .describe("end of the run folder's name"),
});

/** Options with all defaults filled in. */
export type TrainOptions = Readonly<z.output<typeof trainOptionsSchema>>;
/** Options as a caller gives them: every key is optional. */
export type TrainOptionsInput = Readonly<z.input<typeof trainOptionsSchema>>;

/** Fills in defaults and checks what goes together. @throws ConfigError */
export function parseTrainOptions(input: unknown, where = "training options"): TrainOptions {
  const options = validateSettings(trainOptionsSchema, input, where);
  getStrategy(options.strategy).check({
    numInputSteps: options.num_input_steps,
    numInterSteps: options.num_inter_steps,
  });
  return options;
}
