// The flags of foehn train: the keys of training/options.ts with dashes, and those of the verb itself. A test holds the two lists
// together. They carry no defaults of their own: what is not said here may be said by --config, and otherwise the trainer decides.

import type { Command } from "commander";
import {
  choiceOption,
  deviceOption,
  integerOption,
  listOption,
  namedSettingOption,
  numberOption,
  numbersOption,
  overwriteOption,
  scheduleOption,
  settingOption,
  threadsOption,
} from "./options.js";

import { addPy4castFlags, precisionChoices } from "./py4cast-flags.js";

/** Adds all flags, in groups. */
export function addTrainFlags(command: Command): void {
  command
    .optionsGroup("Data:")
    .option("--dataset <name>", "see foehn dataset list (default: synthetic)")
    .option("--dataset-conf <file>", "what the dataset consists of: YAML, TOML or JSON")
    .option("--data <path>", "read this instead of the source that the dataset's file names")
    .addOption(choiceOption("--on-nan <what>", "missing values: stop, or leave them out of the loss", ["fail", "mask"]))
    .option("--mask-as-input", "tell the network where values are missing; the default with on_nan mask")
    .option("--no-mask-as-input", "leave that out of the network's input")
    .option(
      "--cache-dir <folder>",
      "where statistics are kept between runs (default: in the cache folder, FOEHN_CACHE)",
    )
    .addOption(integerOption("--batch-size <n>", "samples per batch (default: 1)", { min: 1 }))
    .option("--drop-last", "leave the last batch of an epoch out when it is not full")
    .option("--no-drop-last", "train on it too, the default")
    .addOption(integerOption("--num-workers <n>", "threads that read data, 0 for none (default: by size)", { min: 0 }))
    .addOption(
      integerOption("--prefetch-factor <n>", "batches read ahead (default: 2 with threads, else 1)", { min: 1 }),
    )
    .addOption(integerOption("--limit-train-batches <n>", "batches per epoch at most", { min: 1 }))
    .addOption(integerOption("--limit-val-batches <n>", "validation batches at most (default: as above)", { min: 1 }));
  command
    .optionsGroup("Steps:")
    .addOption(integerOption("--num-input-steps <n>", "past states that the network sees (default: 2)", { min: 1 }))
    .addOption(integerOption("--num-pred-steps-train <n>", "steps unrolled in the loss (default: 1)", { min: 1 }))
    .addOption(
      scheduleOption(
        "--num-pred-steps-schedule <epoch:steps,…>",
        "curriculum: 0:1,5:2 unrolls 1 step in the first five epochs, then 2",
      ),
    )
    .addOption(
      integerOption("--pushforward-steps <n>", "first unrolled steps without gradient and loss (default: 0)", {
        min: 0,
      }),
    )
    .option("--checkpoint-steps", "keep only the states between unrolled steps: less memory, more time")
    .option("--no-checkpoint-steps", "keep everything")
    .addOption(integerOption("--num-pred-steps-val-test <n>", "steps unrolled in validation (default: 5)", { min: 1 }));
  command
    .optionsGroup("Model:")
    .option("--model <name>", "see foehn model list (default: halfunet)")
    .option("--model-conf <file>", "settings of the model: YAML, TOML or JSON")
    .addOption(
      settingOption("--model-settings <key=value>", "a setting of the model, over the file's; may be repeated"),
    )
    .option("--load-weights <path>", "start from these: a run, a checkpoint, .safetensors, .pt or .ckpt")
    .option("--strategy <name>", "scaled_ar, diff_ar, downscaling_only, or one of a plugin (default: diff_ar)")
    .addOption(
      settingOption(
        "--strategy-settings <key=value>",
        "a setting of the strategy; values may be JSON; may be repeated",
      ),
    )
    .option("--output-std", "the network gives a standard deviation beside each feature, for --loss nll or crps_gauss")
    .option("--no-output-std", "it gives values alone; the default")
    .addOption(
      integerOption("--num-inter-steps <n>", "network calls per step, scaled_ar only (default: 1)", { min: 1 }),
    )
    .addOption(
      numberOption("--mask-ratio <x>", "part of the input hidden in training, in blocks (default: 0)", {
        min: 0,
        max: 1,
      }),
    );
  command
    .optionsGroup("Loss:")
    .option("--loss <name>", "mse, mae, huber, smooth_l1, scaled, spectral, crps, nll or crps_gauss (default: mse)")
    .addOption(settingOption("--loss-settings <key=value>", "a setting of the loss, such as latitude_weights=true"))
    .option("--loss-conf <file>", "a loss with settings, or a weighted list: YAML, TOML or JSON; instead of --loss")
    .addOption(integerOption("--ensemble-size <n>", "forecasts per sample, for the loss crps (default: 1)", { min: 1 }))
    .addOption(
      numberOption("--ensemble-noise <x>", "noise on their normalised initial states (default: 0)", { min: 0 }),
    );
  command
    .optionsGroup("Optimiser:")
    .addOption(integerOption("--epochs <n>", "passes over the training data (default: 200)", { min: 1 }))
    .addOption(
      choiceOption("--optimizer <name>", "by default adamw", [
        "adamw",
        "adam",
        "sgd",
        "rmsprop",
        "adagrad",
        "adamax",
        "nadam",
        "radam",
        "lion",
      ]),
    )
    .addOption(settingOption("--optimizer-settings <key=value>", "a setting of the optimiser, such as momentum=0.9"))
    .addOption(
      numberOption("--lr <x>", "learning rate, the largest of the schedule (default: 0.001)", { min: 0, above: true }),
    )
    .addOption(numberOption("--weight-decay <x>", "weight decay (default: 0.01 for adamw, 0 for others)", { min: 0 }))
    .addOption(numbersOption("--betas <a,b>", "of adam and its relatives (default: 0.9,0.95)", 2))
    .option("--decay-norms", "weight decay for norms and biases too, the default")
    .option("--no-decay-norms", "none for norms and biases")
    .addOption(listOption("--undecayed <names>", "parameters without weight decay; * stands for anything"))
    .addOption(integerOption("--accumulate-grad-batches <n>", "batches per optimiser step (default: 1)", { min: 1 }))
    .addOption(numberOption("--gradient-clip-norm <x>", "largest norm of all gradients", { min: 0, above: true }))
    .addOption(numberOption("--gradient-clip-value <x>", "largest value of a gradient", { min: 0, above: true }))
    .addOption(
      integerOption("--skip-nonfinite <n>", "leave out n steps in a row that are not finite (default: 0)", { min: 0 }),
    )
    .addOption(numberOption("--ema-decay <x>", "validate and package a moving average of the weights", { min: 0 }))
    .option("--ema-warmup", "let its decay grow at the start, the default")
    .option("--no-ema-warmup", "the same decay from the first step on");
  command
    .optionsGroup("Schedule and validation:")
    .addOption(
      choiceOption("--scheduler <name>", "course of the learning rate", [
        "constant",
        "step",
        "multistep",
        "exponential",
        "cosine",
        "inverse_sqrt",
        "one_cycle",
        "plateau",
      ]),
    )
    .addOption(settingOption("--scheduler-settings <key=value>", "a setting of it, such as milestones=[1000,2000]"))
    .addOption(integerOption("--warmup-steps <n>", "optimiser steps of linear growth (default: 0)", { min: 0 }))
    .addOption(numberOption("--min-lr <x>", "floor, for cosine and plateau (default: 0)", { min: 0 }))
    .addOption(
      integerOption("--step-size <n>", "optimiser steps between reductions, for step (default: 1000)", { min: 1 }),
    )
    .addOption(
      numberOption("--gamma <x>", "reduction, for step, multistep, exponential (default: 0.1)", {
        min: 0,
        above: true,
      }),
    )
    .addOption(integerOption("--val-interval <n>", "validate every n epochs (default: 1)", { min: 1 }))
    .addOption(integerOption("--early-stopping-patience <n>", "stop after n validations without gain", { min: 1 }))
    .addOption(numberOption("--early-stopping-min-delta <x>", "what counts as a gain (default: 0)", { min: 0 }));
  command
    .optionsGroup("Observers:")
    .addOption(listOption("--observers <names>", "what looks at validations (default: state_error, prediction)"))
    .addOption(
      namedSettingOption("--observer-settings <name.key=value>", "such as prediction.num_samples=2; may be repeated"),
    )
    .addOption(integerOption("--plot-every <n>", "draw figures every n epochs (default: 10)", { min: 1 }))
    .option("--test-after-fit", "score the test split with the best checkpoint at the end");
  command
    .optionsGroup("Machine:")
    .addOption(deviceOption())
    .option("--precision <name>", `arithmetic of the network (${precisionChoices.join(", ")})`)
    .addOption(integerOption("--seed <n>", "of weights and of the order of samples (default: 42)", { min: 0 }))
    .addOption(threadsOption())
    .addOption(choiceOption("--profiler <name>", "simple: say where the time of a step went", ["none", "simple"]));
  command
    .optionsGroup("Trackers:")
    .addOption(
      listOption("--trackers <names>", "one or more, separated by commas (tensorboard, mlflow) (default: tensorboard)"),
    )
    .option("--mlflow-uri <uri>", "MLflow server (default: MLFLOW_TRACKING_URI)")
    .option("--mlflow-experiment <name>", "experiment in MLflow (default: MLFLOW_EXPERIMENT_NAME, else foehn)")
    .option("--registered-model <name>", "register the package in MLflow as a version of this model");
  command
    .optionsGroup("Run and package:")
    .option("--config <file>", "these options in a file: YAML, TOML or JSON, with _ for -; flags go over it")
    .option("--resume <run>", "go on with this run folder; only --epochs and what concerns the machine may change")
    .option("--runs-dir <folder>", "where run folders go, in $FOEHN_ROOTDIR where that is set (default: runs)")
    .option("--campaign-name <name>", "subfolder for runs that belong together")
    .option("--run-name <name>", "end of the run folder's name")
    .addOption(integerOption("--checkpoint-every-steps <n>", "checkpoints within epochs too", { min: 1 }))
    .option("-o, --output <folder>", "the package (default: package in the run folder)")
    .option("--package-name <name>", "name of the package (default: from the run)")
    .option("--package-version <version>", "version of the package (default: 1.0.0)")
    .addOption(overwriteOption())
    .option("--print-schema", "print the JSON Schema of --config files and leave");
  addPy4castFlags(command);
}
