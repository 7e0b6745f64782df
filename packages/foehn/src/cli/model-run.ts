// What the verbs that run a package's model over data have in common: the machine's options, border data, regridding, shards; and what
// of it every one of them hands to the library. Not here: what each of them computes.

import type { Command } from "commander";
import { withInterrupt } from "../core/interrupt.js";
import type { Progress } from "../core/progress.js";
import type { Source } from "../sources/source.js";
import type { PrecisionName } from "../training/precision.js";
import { commandLine } from "./command-line.js";
import { withOptionalData } from "./data.js";
import type { Console } from "./io.js";
import { choiceOption, deviceOption, threadsOption, trustOption } from "./options.js";

/** Flags that all of these verbs have. */
export interface ModelRunFlags {
  readonly borderData?: readonly string[];
  readonly regrid?: { readonly method: string };
  readonly shard?: number;
  readonly nShards?: number;
  readonly device?: string;
  readonly precision?: PrecisionName;
  readonly threads?: number;
  readonly trust?: boolean;
}

/** What they come to for the library. */
export interface ModelRun {
  readonly regrid: { readonly method: string } | undefined;
  readonly shard: number | undefined;
  readonly nShards: number | undefined;
  readonly device: string | undefined;
  readonly precision: PrecisionName | undefined;
  readonly trust: boolean | undefined;
  readonly borderSource: Source | undefined;
  /** The command, for the file's history. */
  readonly history: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** The group "Machine" of the help: `--device`, `--precision`, `--threads`, `--trust`. */
export function addMachineOptions(command: Command): Command {
  return command
    .optionsGroup("Machine:")
    .addOption(deviceOption())
    .addOption(choiceOption("--precision <name>", "arithmetic of the network", ["auto", "fp32", "bf16-mixed"]))
    .addOption(threadsOption())
    .addOption(trustOption());
}

/** Runs `work` with what the flags say, the border data open, and Ctrl-C as a signal. */
export async function runModel<T>(
  console: Console,
  flags: ModelRunFlags,
  work: (run: ModelRun) => Promise<T>,
): Promise<T> {
  (await import("../training/threads.js")).useThreads(flags.threads ?? null);
  const { regrid, shard, nShards, device, precision, trust } = flags;
  const progress = console.progress();
  return withInterrupt((signal) =>
    withOptionalData(flags.borderData, { signal, progress }, (borderSource) =>
      work({
        regrid,
        shard,
        nShards,
        device,
        precision,
        trust,
        borderSource,
        history: commandLine(),
        signal,
        progress,
      }),
    ),
  );
}

/** Data as the library takes them: one path, or several that belong together. */
export function oneOrMany(paths: readonly string[]): string | readonly string[] {
  return paths.length === 1 ? paths[0]! : paths;
}
