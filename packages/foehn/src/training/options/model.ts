// Options of the model: network, settings, first weights, and how one step follows from another.

import { z } from "zod";
import { strategies } from "../strategies/registry.js";
import { count } from "./counts.js";

/** Keys of the schema. */
export const modelOptions = {
  plugins: z.array(z.string()).default([]).describe("files that bring networks and strategies of their own"),
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
  strategy: strategies.nameSchema().default("diff_ar").describe("how one step follows from another"),
  strategy_settings: z.record(z.string(), z.unknown()).default({}).describe("settings of the strategy"),
  output_std: z
    .boolean()
    .default(false)
    .describe("the network gives a standard deviation beside each feature, for the losses nll and crps_gauss"),
  num_inter_steps: count().default(1).describe("network calls per dataset step (scaled_ar)"),
};
