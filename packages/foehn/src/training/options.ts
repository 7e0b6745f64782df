// Options of a training: one schema for the command line's flags, for `--config` files and for the run folder's config.json.
// Names and defaults follow py4cast's bin/train.py, written in snake_case as they stand in files. The keys are in options/, by topic.

import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { ConfigError } from "../core/errors.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { checkUnrollPlan } from "./curriculum.js";
import { optimizerSettings } from "./optimizers.js";
import { dataOptions } from "./options/data.js";
import { modelOptions } from "./options/model.js";
import { observerOptions } from "./options/observers.js";
import { optimisationOptions } from "./options/optimisation.js";
import { runOptions } from "./options/run.js";
import { trackerOptions } from "./options/trackers.js";
import { unrollOptions } from "./options/unroll.js";
import { scheduleSettings } from "./schedules.js";
import { createStrategy } from "./strategies/registry.js";

/** Schema of all options. Unknown keys are refused. */
export const trainOptionsSchema = z.strictObject({
  ...dataOptions,
  ...modelOptions,
  ...unrollOptions,
  ...optimisationOptions,
  ...observerOptions,
  ...trackerOptions,
  ...runOptions,
});

/** Options with all defaults filled in. */
export type TrainOptions = Readonly<z.output<typeof trainOptionsSchema>>;
/** Options as a caller gives them: every key is optional. */
export type TrainOptionsInput = Readonly<z.input<typeof trainOptionsSchema>>;

/** The options as JSON Schema, for editors and other programs. */
export function trainOptionsJsonSchema(): unknown {
  return z.toJSONSchema(trainOptionsSchema, { io: "input", unrepresentable: "any" });
}

/** Whether the network is told which values exist: asked for, or by default where the data may have gaps. */
export function usesMask(
  options: Pick<TrainOptions, "mask_as_input">,
  info: Pick<DatasetInfo, "masksMissing">,
): boolean {
  return options.mask_as_input ?? info.masksMissing === true;
}

/** Fills in defaults and checks what goes together. @throws ConfigError */
export function parseTrainOptions(input: unknown, where = "training options"): TrainOptions {
  const options = validateSettings(trainOptionsSchema, input, where);
  const strategy = createStrategy(options.strategy, options.strategy_settings);
  checkUnrollPlan(options);
  strategy.check({ numInputSteps: options.num_input_steps, numInterSteps: options.num_inter_steps });
  if (options.mask_as_input === true && options.on_nan === "fail") {
    throw new ConfigError("mask_as_input needs on_nan mask, got on_nan fail", {
      hint: "without gaps there is nothing to tell the network: leave mask_as_input out",
    });
  }
  return {
    ...options,
    strategy_settings: { ...strategy.settings },
    optimizer_settings: { ...optimizerSettings(options) },
    scheduler_settings: { ...scheduleSettings(options) },
  };
}
