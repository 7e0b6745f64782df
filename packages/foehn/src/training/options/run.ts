// Options of the machine and of the run: arithmetic, device, seed, checkpoints, where it is written.

import { z } from "zod";
import { defaultRunsDir } from "../../core/environment.js";
import { precisionNames } from "../precision.js";
import { optionalCount } from "./counts.js";

/** Keys of the schema. */
export const runOptions = {
  precision: z.enum(precisionNames).default("auto"),
  device: z.string().default("auto").describe("auto, cpu, cuda, cuda:N"),
  threads: optionalCount().describe("threads of one operator; default: one per core"),
  seed: z.int().nonnegative().default(42),
  checkpoint_every_steps: optionalCount().describe(
    "also write `last` each n optimiser steps, not only after each epoch",
  ),
  runs_dir: z
    .string()
    .default(() => defaultRunsDir())
    .describe("folder of run folders; default: runs, in $FOEHN_ROOTDIR where that is set"),
  run_name: z
    .string()
    .regex(/^[\w.-]+$/)
    .nullable()
    .default(null)
    .describe("end of the run folder's name"),
};
