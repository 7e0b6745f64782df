// Options of training: who looks at its predictions, and when figures are drawn.

import { z } from "zod";
import { count } from "./counts.js";

/** Keys of `trainOptionsSchema`. */
export const observerOptions = {
  observers: z
    .array(z.string())
    .nullable()
    .default(null)
    .describe("what looks at validations: names, all or none; default: state_error, prediction"),
  observer_settings: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe("settings by observer, such as prediction: { num_samples: 2 }"),
  plot_every: count().default(10).describe("draw their figures each n epochs, and after the last"),
  test_after_fit: z.boolean().default(false).describe("score the test split with the best checkpoint at the end"),
};
