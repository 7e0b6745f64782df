// Options of the unrolled forecast in training: how long it is, where gradients go, what is hidden from the network.

import { z } from "zod";
import { count } from "./counts.js";

/** Keys of the schema. */
export const unrollOptions = {
  num_pred_steps_train: count().default(1).describe("steps unrolled in the training loss"),
  num_pred_steps_schedule: z
    .array(z.tuple([z.int().nonnegative(), count()]))
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "curriculum: [[0, 1], [5, 2]] unrolls 1 step in the first five epochs, then 2; instead of num_pred_steps_train",
    ),
  pushforward_steps: z
    .int()
    .nonnegative()
    .default(0)
    .describe("first unrolled steps without gradient and loss: the network learns on its own forecasts"),
  checkpoint_steps: z
    .boolean()
    .default(false)
    .describe(
      "keep only the states between unrolled steps and compute each again for its gradient: less memory, more time",
    ),
  mask_ratio: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("part of the network's input hidden in training, in random blocks (masked autoencoder)"),
};
