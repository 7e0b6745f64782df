// Options of the optimisation: loss, optimiser, schedule, when to validate and when to stop.

import { z } from "zod";
import { lossSpecSchema } from "../losses/registry.js";
import { count, optionalCount } from "./counts.js";

/** Values of `--scheduler`. */
export const schedulerNames = ["constant", "step", "cosine"] as const;

/** Keys of the schema. */
export const optimisationOptions = {
  loss: lossSpecSchema.default("mse").describe("name, block {name, …settings}, or a list of blocks with weights"),
  loss_conf: z.string().nullable().default(null).describe("file with the same as loss, instead of it"),
  loss_settings: z.record(z.string(), z.unknown()).default({}).describe("settings of the loss that `loss` names"),
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
};
