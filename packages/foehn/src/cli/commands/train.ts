// foehn train: flags and configuration file to the trainer's options, a training, a package.
// The flags are in cli/train-flags.ts. What they do not say may be said by --config, and otherwise the trainer decides.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../../core/errors.js";
import { withInterrupt } from "../../core/interrupt.js";
import type { TrainOptionsInput } from "../../training/options.js";
import type { TrainHooks, TrainResult } from "../../training/train.js";
import type { Console, GlobalOptions } from "../io.js";
import { table } from "../io.js";
import { toSnakeCase } from "../options.js";
import { translateFlags } from "../py4cast-flags.js";
import { addTrainFlags } from "../train-flags.js";
import type { DefineVerb } from "../verb.js";

/** Flags that are not options of the trainer. */
interface OwnFlags {
  readonly config?: string;
  readonly resume?: string;
  readonly output?: string;
  readonly packageName?: string;
  readonly packageVersion?: string;
  readonly overwrite?: boolean;
  readonly printSchema?: boolean;
}

type Flags = OwnFlags & Readonly<Record<string, unknown>>;

/** foehn train */
export const define: DefineVerb = (command, run) => {
  addTrainFlags(command);
  command
    .usage("--dataset <name> [options]")
    .addHelpText(
      "after",
      `
Examples:
  foehn train --dataset synthetic --epochs 4
  foehn train --dataset gridded --dataset-conf dataset.yaml --model halfunet --strategy scaled_ar \\
              --num-pred-steps-train 2 --batch-size 4 --epochs 12 --output my-model
  foehn train --config run.toml --lr 5e-4
  foehn train --resume runs/20190301T120000Z-gridded-halfunet-3f9a

Ctrl-C saves where it is; --resume goes on from there as if nothing had happened.
`,
    )
    .action(run((console, flags: Flags) => trainAndPackage(console, flags, command)));
};

const ownFlags = [
  "config",
  "resume",
  "output",
  "packageName",
  "packageVersion",
  "overwrite",
  "printSchema",
  "json",
  "quiet",
  "debug",
  "plugin",
];
const resumable = ["epochs", "device", "threads", "numWorkers", "prefetchFactor"];

async function trainAndPackage(console: Console, typed: Flags & GlobalOptions, command: Command): Promise<void> {
  const flags: Flags = translateFlags(typed, console.warn);
  if (flags.printSchema) return printSchema(console);
  const given = Object.fromEntries(Object.entries(flags).filter(([key]) => !ownFlags.includes(key)));
  const { config, resume, output, overwrite = false } = flags;
  if (output !== undefined && !overwrite && existsSync(output)) {
    throw new UsageError(`${output} exists already`, { hint: "choose another --output, or pass --overwrite" });
  }
  if (resume !== undefined) {
    const refused = Object.keys(given).filter((key) => !resumable.includes(key));
    if (config !== undefined) refused.push("config");
    if (refused.length > 0) {
      const names = command.options.filter((o) => refused.includes(o.attributeName())).map((o) => o.long);
      throw new UsageError(`${names.join(", ")} cannot change when a run goes on`, {
        hint: "only --epochs and the flags of the machine (--device, --threads, --num-workers, …) may; start a new run, with --load-weights if you want its weights",
      });
    }
  }
  const settings: Record<string, unknown> = toSnakeCase(given);
  if (flags.plugin !== undefined && resume === undefined) settings.plugins = flags.plugin;
  const { train, resumeTraining } = await import("../../training/train.js");
  const { Trackers } = await import("../../tracking/trackers.js");
  await import("../../plots/observers/builtin.js"); // registers them
  const progress = console.progress();
  const trackers = new Trackers({ progress });
  try {
    const result = await withInterrupt((signal) => {
      const hooks: TrainHooks = { signal, progress, callbacks: [trackers] };
      if (resume !== undefined) return resumeTraining(resume, settings, hooks);
      return config === undefined
        ? train(settings as TrainOptionsInput, hooks)
        : trainFromFile(config, settings, hooks);
    });
    try {
      await trackers.onPackage(await finish(console, result, flags));
    } finally {
      result.network.dispose();
    }
  } finally {
    await trackers.close();
  }
}

async function printSchema(console: Console): Promise<void> {
  const { trainOptionsJsonSchema } = await import("../../training/options.js");
  const schema = trainOptionsJsonSchema();
  console.result(schema, JSON.stringify(schema, null, 2));
}

async function trainFromFile(file: string, settings: Record<string, unknown>, hooks: TrainHooks): Promise<TrainResult> {
  const [{ loadConfig }, { z }] = await Promise.all([import("../../core/config.js"), import("zod")]);
  const { trainOptionsSchema } = await import("../../training/options.js");
  const { train } = await import("../../training/train.js");
  const { loadPluginsFor } = await import("../../training/plugins.js");
  // The schema knows registered names only, and the file may say what brings others.
  await loadPluginsFor(loadConfig(file, z.looseObject({}), settings));
  return train(loadConfig(file, trainOptionsSchema, settings) as TrainOptionsInput, hooks);
}

/** Writes the package and says what there is to say at the end. @returns the package's path */
async function finish(console: Console, result: TrainResult, flags: OwnFlags): Promise<string> {
  const { packageRun } = await import("../../hub/package-run.js");
  const inRun = flags.output === undefined;
  const path = await packageRun(result, flags.output ?? join(result.runDir, "package"), {
    // A resumed run replaces its own package; one that the user named is replaced on request only.
    overwrite: inRun || flags.overwrite === true,
    ...(flags.packageName === undefined ? {} : { name: flags.packageName }),
    ...(flags.packageVersion === undefined ? {} : { version: flags.packageVersion }),
  });
  const best = bestEpoch(result);
  const value = {
    run: resolve(result.runDir),
    package: resolve(path),
    metrics: result.metricsPath,
    epochs: result.history.length,
    best: best === undefined ? null : { epoch: best.epoch, train_loss: best.train_loss, val_loss: best.val_loss },
    test: result.test === null ? null : { path: result.test.path, ...result.test.scores },
    history: result.history,
  };
  const rows = [
    ["run", resolve(result.runDir)],
    ["package", path],
  ];
  if (best !== undefined) {
    const loss = best.val_loss ?? best.train_loss;
    rows.push([
      "best",
      `epoch ${best.epoch}, ${best.val_loss === null ? "training" : "validation"} loss ${loss.toPrecision(4)}`,
    ]);
  }
  if (result.test !== null) rows.push(["test", result.test.path]);
  rows.push(["next", `foehn score ${path} --data … -n 12`]);
  console.result(value, table(rows));
  return path;
}

function bestEpoch({ history }: TrainResult): TrainResult["history"][number] | undefined {
  const value = (record: TrainResult["history"][number]): number => record.val_loss ?? Number.POSITIVE_INFINITY;
  const validated = history.filter((record) => record.val_loss !== null);
  return validated.length === 0 ? history.at(-1) : validated.reduce((a, b) => (value(b) < value(a) ? b : a));
}
