// Options of a training: one schema for the command line's flags, for `--config` files and for the run folder's config.json.
// Names and defaults follow py4cast's bin/train.py, written in snake_case as they stand in files. The keys are in options/, by topic.

import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { dataOptions } from "./options/data.js";
import { modelOptions } from "./options/model.js";
import { observerOptions } from "./options/observers.js";
import { optimisationOptions } from "./options/optimisation.js";
import { runOptions } from "./options/run.js";
import { trackerOptions } from "./options/trackers.js";
import { getStrategy } from "./strategies/registry.js";

/** Schema of all options. Unknown keys are refused. */
export const trainOptionsSchema = z.strictObject({
  ...dataOptions,
  ...modelOptions,
  ...optimisationOptions,
  ...observerOptions,
  ...trackerOptions,
  ...runOptions,
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
