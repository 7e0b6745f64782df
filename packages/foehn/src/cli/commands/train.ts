// foehn train: flags and configuration file to the trainer's options, a training, a package.
// The flags are the keys of training/options.ts with dashes; a test holds the two lists together. They carry no defaults of
// their own: what is not said here may be said by --config, and otherwise the trainer decides.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../../core/errors.js";
import { withInterrupt } from "../../core/interrupt.js";
import type { TrainOptionsInput } from "../../training/options.js";
import type { TrainHooks, TrainResult } from "../../training/train.js";
import type { Console, GlobalOptions } from "../io.js";
import { table } from "../io.js";
import {
  choiceOption,
  deviceOption,
  integerOption,
  numberOption,
  numbersOption,
  overwriteOption,
  settingOption,
  threadsOption,
  toSnakeCase,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

/** Flags that are not options of the trainer. */
interface OwnFlags {
  readonly config?: string;
  readonly resume?: string;
  readonly output?: string;
  readonly packageName?: string;
  readonly packageVersion?: string;
  readonly overwrite?: boolean;
}

type Flags = OwnFlags & Readonly<Record<string, unknown>>;

/** foehn train */
export const define: DefineVerb = (command, run) => {
  command
    .usage("--dataset <name> [options]")
    .optionsGroup("Data:")
    .option("--dataset <name>", "gridded, synthetic or dummy (default: synthetic)")
    .option("--dataset-conf <file>", "what the dataset consists of: YAML, TOML or JSON")
    .option("--data <path>", "read this instead of the source that the dataset's file names")
    .addOption(choiceOption("--on-nan <what>", "missing values: stop, or leave them out of the loss", ["fail", "mask"]))
    .option("--cache-dir <folder>", "where statistics are kept between runs")
    .addOption(integerOption("--num-input-steps <n>", "past states that the network sees (default: 2)", { min: 1 }))
    .addOption(integerOption("--num-pred-steps-train <n>", "steps unrolled in the loss (default: 1)", { min: 1 }))
    .addOption(integerOption("--num-pred-steps-val-test <n>", "steps unrolled in validation (default: 5)", { min: 1 }))
    .addOption(integerOption("--batch-size <n>", "samples per batch (default: 1)", { min: 1 }))
    .addOption(integerOption("--limit-train-batches <n>", "batches per epoch at most", { min: 1 }))
    .addOption(integerOption("--limit-val-batches <n>", "validation batches at most (default: as above)", { min: 1 }));
  command
    .optionsGroup("Model:")
    .option("--model <name>", "see foehn model list (default: halfunet)")
    .option("--model-conf <file>", "settings of the model: YAML, TOML or JSON")
    .addOption(
      settingOption("--model-settings <key=value>", "a setting of the model, over the file's; may be repeated"),
    )
    .option("--load-weights <path>", "start from these: a run, a checkpoint, .safetensors, .pt or .ckpt")
    .addOption(choiceOption("--strategy <name>", "how one step follows from another", ["scaled_ar", "diff_ar"]))
    .addOption(
      integerOption("--num-inter-steps <n>", "network calls per step, scaled_ar only (default: 1)", { min: 1 }),
    );
  command
    .optionsGroup("Optimisation:")
    .addOption(choiceOption("--loss <name>", "what to minimise", ["mse", "mae"]))
    .addOption(integerOption("--epochs <n>", "passes over the training data (default: 200)", { min: 1 }))
    .addOption(numberOption("--lr <x>", "learning rate of AdamW (default: 0.001)", { min: 0, above: true }))
    .addOption(numberOption("--weight-decay <x>", "of AdamW (default: 0.01)", { min: 0 }))
    .addOption(numbersOption("--betas <a,b>", "of AdamW (default: 0.9,0.95)", 2))
    .addOption(choiceOption("--scheduler <name>", "course of the learning rate", ["constant", "step", "cosine"]))
    .addOption(integerOption("--warmup-steps <n>", "steps of linear growth before the cosine (default: 0)", { min: 0 }))
    .addOption(numberOption("--min-lr <x>", "end of the cosine (default: 0)", { min: 0 }))
    .addOption(integerOption("--step-size <n>", "steps between reductions, step only (default: 1000)", { min: 1 }))
    .addOption(numberOption("--gamma <x>", "factor of a reduction, step only (default: 0.1)", { min: 0, above: true }))
    .addOption(integerOption("--accumulate-grad-batches <n>", "batches per optimiser step (default: 1)", { min: 1 }))
    .addOption(numberOption("--gradient-clip-norm <x>", "largest norm of the gradients", { min: 0, above: true }))
    .addOption(integerOption("--val-interval <n>", "validate every n epochs (default: 1)", { min: 1 }))
    .addOption(integerOption("--early-stopping-patience <n>", "stop after n validations without gain", { min: 1 }))
    .addOption(numberOption("--early-stopping-min-delta <x>", "what counts as a gain (default: 0)", { min: 0 }));
  command
    .optionsGroup("Machine:")
    .addOption(deviceOption())
    .addOption(choiceOption("--precision <name>", "arithmetic of the network", ["auto", "fp32", "bf16-mixed"]))
    .addOption(integerOption("--seed <n>", "of weights and of the order of samples (default: 42)", { min: 0 }))
    .addOption(threadsOption());
  command
    .optionsGroup("Run and package:")
    .option("--config <file>", "these options in a file: YAML, TOML or JSON, with _ for -; flags go over it")
    .option("--resume <run>", "go on with this run folder; only --epochs, --device and --threads may change")
    .option("--runs-dir <folder>", "where run folders go (default: runs)")
    .option("--run-name <name>", "end of the run folder's name")
    .addOption(integerOption("--checkpoint-every-steps <n>", "checkpoints within epochs too", { min: 1 }))
    .option("-o, --output <folder>", "the package (default: package in the run folder)")
    .option("--package-name <name>", "name of the package (default: from the run)")
    .option("--package-version <version>", "version of the package (default: 1.0.0)")
    .addOption(overwriteOption())
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

const ownFlags = ["config", "resume", "output", "packageName", "packageVersion", "overwrite", "json", "quiet", "debug"];
const resumable = ["epochs", "device", "threads"];

async function trainAndPackage(console: Console, flags: Flags & GlobalOptions, command: Command): Promise<void> {
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
        hint: "only --epochs, --device and --threads may; start a new run, with --load-weights if you want its weights",
      });
    }
  }
  const settings = toSnakeCase(given);
  const { train, resumeTraining } = await import("../../training/train.js");
  const { tensorboardCallback } = await import("../../tracking/tensorboard-callback.js");
  const result = await withInterrupt((signal) => {
    const hooks: TrainHooks = { signal, progress: console.progress(), callbacks: [tensorboardCallback()] };
    if (resume !== undefined) return resumeTraining(resume, settings, hooks);
    return config === undefined ? train(settings as TrainOptionsInput, hooks) : trainFromFile(config, settings, hooks);
  });
  try {
    await finish(console, result, flags);
  } finally {
    result.network.dispose();
  }
}

async function trainFromFile(file: string, settings: Record<string, unknown>, hooks: TrainHooks): Promise<TrainResult> {
  const { loadConfig } = await import("../../core/config.js");
  const { trainOptionsSchema } = await import("../../training/options.js");
  const { train } = await import("../../training/train.js");
  return train(loadConfig(file, trainOptionsSchema, settings) as TrainOptionsInput, hooks);
}

/** The package, and what there is to say at the end. */
async function finish(console: Console, result: TrainResult, flags: OwnFlags): Promise<void> {
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
  rows.push(["next", `foehn score ${path} --data … -n 12`]);
  console.result(value, table(rows));
}

function bestEpoch({ history }: TrainResult): TrainResult["history"][number] | undefined {
  const value = (record: TrainResult["history"][number]): number => record.val_loss ?? Number.POSITIVE_INFINITY;
  const validated = history.filter((record) => record.val_loss !== null);
  return validated.length === 0 ? history.at(-1) : validated.reduce((a, b) => (value(b) < value(a) ? b : a));
}
