// Options that name other files (`model_conf`, `loss_conf`), with what those files say put in their place: the run folder then holds
// everything that was used, and a resume does not read them again.

import { resolve } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { ConfigError } from "../core/errors.js";
import { networks } from "../models/registry.js";
import { type LossSpec, lossParts, lossSpecSchema, requireStdLoss } from "./losses/registry.js";
import type { TrainOptions } from "./options.js";

/** Reads and checks the files. @throws ConfigError with the place of what is wrong */
export function resolveFiles(options: TrainOptions): TrainOptions {
  return resolveLoss(resolveModel({ ...options, plugins: options.plugins.map((file) => resolve(file)) }));
}

function resolveModel(options: TrainOptions): TrainOptions {
  const network = networks.get(options.model);
  const file = options.model_conf === null ? {} : loadConfig(options.model_conf, network.settings);
  const given = { ...(file as object), ...options.model_settings };
  const checked = network.settings.safeParse(given);
  // A wrong setting is reported by createNetwork, with its place.
  return { ...options, model: network.modelName, model_settings: checked.success ? { ...checked.data } : given };
}

/** A loss file: what `loss` may say, alone or under a key `loss` or py4cast's `losses`. */
const lossFileSchema = z.union([
  z.strictObject({ loss: lossSpecSchema }),
  z.strictObject({ losses: lossSpecSchema }),
  lossSpecSchema,
]);

function resolveLoss(options: TrainOptions): TrainOptions {
  const { loss_conf: file, loss_settings: settings } = options;
  let loss: LossSpec = options.loss;
  if (file !== null) {
    const read = loadConfig(file, lossFileSchema);
    loss =
      isObject(read) && "losses" in read
        ? (read.losses as LossSpec)
        : isObject(read) && "loss" in read
          ? (read.loss as LossSpec)
          : (read as LossSpec);
  }
  if (Object.keys(settings).length > 0) {
    if (Array.isArray(loss)) {
      throw new ConfigError("loss_settings are for one loss, but the loss is a sum", {
        hint: "write them into its parts",
      });
    }
    loss = { ...(typeof loss === "string" ? { name: loss } : loss), ...settings };
  }
  lossParts(loss, file ?? "loss");
  if (options.output_std) requireStdLoss(loss);
  return { ...options, loss, loss_settings: {} };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
