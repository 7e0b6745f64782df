// Options of the machine and of the run: arithmetic, device, seed, checkpoints, where it is written.

import { z } from "zod";
import { defaultRunsDir } from "../../core/environment.js";
import { precisionNames } from "../precision.js";
import { optionalCount } from "./counts.js";

const folderName = () =>
  z
    .string()
    .regex(/^\w[\w.-]*$/)
    .nullable()
    .default(null);

/** Keys of the schema. */
export const runOptions = {
  precision: z.enum(precisionNames).default("auto"),
  device: z.string().default("auto").describe("auto, cpu, cuda, cuda:N"),
  threads: optionalCount().describe("threads of one operator; default: one per core"),
  seed: z.int().nonnegative().default(42),
  profiler: z.enum(["none", "simple"]).default("none").describe("simple: say where the time of a step went"),
  checkpoint_every_steps: optionalCount().describe(
    "also write `last` each n optimiser steps, not only after each epoch",
  ),
  runs_dir: z
    .string()
    .default(() => defaultRunsDir())
    .describe("folder of run folders; default: runs, in $FOEHN_ROOTDIR where that is set"),
  campaign_name: folderName().describe("subfolder of runs_dir that holds runs which belong together"),
  run_name: folderName().describe("end of the run folder's name"),
};
