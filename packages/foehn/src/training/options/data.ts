// Options of the data: which, how much of it, and what becomes of gaps.

import { z } from "zod";
import { count, optionalCount } from "./counts.js";

/** Keys of the schema. */
export const dataOptions = {
  dataset: z.string().default("synthetic").describe("name in the dataset registry"),
  dataset_conf: z.string().nullable().default(null).describe("config file of the dataset"),
  data: z.string().nullable().default(null).describe("data to read instead of the source that the config names"),
  cache_dir: z.string().nullable().default(null).describe("where statistics are cached"),
  on_nan: z
    .enum(["fail", "mask"])
    .nullable()
    .default(null)
    .describe("missing values: stop, or leave them out of the loss; default: what the dataset's file says"),
  mask_as_input: z
    .boolean()
    .nullable()
    .default(null)
    .describe("tell the network where values are missing (one more feature); default: with on_nan mask"),
  num_input_steps: count().default(2).describe("past states in the network's input"),
  num_pred_steps_val_test: count().default(5).describe("steps unrolled in validation"),
  batch_size: count().default(1),
  drop_last: z.boolean().default(false).describe("leave the last batch of an epoch out when it is not full"),
  num_workers: z
    .int()
    .nonnegative()
    .nullable()
    .default(null)
    .describe("threads that read data; 0: the main thread; default: by the size of the data and the number of cores"),
  prefetch_factor: optionalCount().describe("batches read ahead; default: 2 with threads, 1 without"),
  limit_train_batches: optionalCount().describe("batches per epoch at most"),
  limit_val_batches: optionalCount().describe("validation batches at most; default: limit_train_batches"),
};
