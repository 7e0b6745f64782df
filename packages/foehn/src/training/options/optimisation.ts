// Options of the optimisation: loss, optimiser, schedule, averages, when to validate and when to stop.

import { z } from "zod";
import { lossSpecSchema } from "../losses/registry.js";
import { optimizerNames } from "../optimizers.js";
import { schedulerNames } from "../schedules.js";
import { count, optionalCount } from "./counts.js";

const settings = () => z.record(z.string(), z.unknown()).default({});
const atLeastZero = () => z.number().nonnegative();
const optionalLimit = () => z.number().positive().nullable().default(null);
const beta = () => z.number().min(0).lt(1);

/** Keys of the schema. */
export const optimisationOptions = {
  epochs: count().default(200),

  // Loss
  loss: lossSpecSchema.default("mse").describe("name, block {name, …settings}, or a list of blocks with weights"),
  loss_conf: z.string().nullable().default(null).describe("file with the same as loss, instead of it"),
  loss_settings: settings().describe("settings of the loss that `loss` names"),
  ensemble_size: count().default(1).describe("forecasts per sample in training, for losses of ensembles (crps)"),
  ensemble_noise: atLeastZero()
    .default(0)
    .describe("standard deviation of the noise that sets their normalised input states apart"),

  // Optimiser
  optimizer: z.enum(optimizerNames).default("adamw"),
  optimizer_settings: settings().describe("settings of the optimiser, as PyTorch names them"),
  lr: z.number().positive().default(1e-3),
  weight_decay: atLeastZero().nullable().default(null).describe("default: 0.01 for adamw, 0 for the others"),
  betas: z.tuple([beta(), beta()]).default([0.9, 0.95]).describe("of adam and its relatives"),
  decay_norms: z.boolean().default(true).describe("false: no weight decay for norms and biases"),
  undecayed: z
    .array(z.string())
    .default([])
    .describe("names of parameters without weight decay; * stands for anything"),
  accumulate_grad_batches: count().default(1).describe("batches per optimiser step"),
  gradient_clip_norm: optionalLimit().describe("largest norm of all gradients together"),
  gradient_clip_value: optionalLimit().describe("largest value of a gradient"),
  skip_nonfinite: z
    .int()
    .nonnegative()
    .default(0)
    .describe("steps in a row that are left out when loss or gradients are not finite; one more stops the training"),
  ema_decay: beta().nullable().default(null).describe("moving average of the weights, for validation and the package"),
  ema_warmup: z.boolean().default(true).describe("the decay grows as (1 + n) / (10 + n) until it reaches ema_decay"),

  // Learning rate
  scheduler: z.enum(schedulerNames).default("constant"),
  scheduler_settings: settings().describe("settings of the schedule, as PyTorch names them"),
  warmup_steps: z.int().nonnegative().default(0).describe("optimiser steps of linear growth (not one_cycle, plateau)"),
  min_lr: atLeastZero().default(0).describe("floor (cosine, plateau)"),
  step_size: count().default(1000).describe("optimiser steps between two reductions (step)"),
  gamma: z.number().positive().default(0.1).describe("factor of each reduction (step, multistep, exponential)"),

  // Validation
  val_interval: count().default(1).describe("validate each n epochs"),
  early_stopping_patience: optionalCount().describe("validations without improvement before stopping"),
  early_stopping_min_delta: atLeastZero()
    .default(0)
    .describe("smallest fall of the validation loss that counts as an improvement"),
};
