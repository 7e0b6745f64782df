// Flags of py4cast's train.py that foehn train spells otherwise, or does not need: hidden from the help, with the same meaning.
// Those that differ only by underscores need nothing: command-line.ts makes dashes of them.

import { type Command, Option } from "commander";
import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";

type Flags = Readonly<Record<string, unknown>>;

/** Values of `--precision`. */
export const precisionChoices = ["auto", "fp32", "bf16-mixed"] as const;

/** Lightning's words for them. */
const precisions: Readonly<Record<string, string>> = {
  "32": "fp32",
  "32-true": "fp32",
  bf16: "bf16-mixed",
  "16": "bf16-mixed",
  "16-mixed": "bf16-mixed",
};

const hidden = [
  ["--load-model-ckpt <path>", "is --load-weights"],
  ["--resume-from-ckpt <path>", "is --resume"],
  ["--dev-mode", "three epochs of three batches"],
  ["--no-log", "no trackers"],
  ["--mlflow-log", "MLflow beside TensorBoard"],
  ["--use-lr-scheduler", "cosine after 1000 batches of growth"],
  ["--channels-last", "always so"],
  ["--pin-memory", "never needed"],
] as const;

/** Adds them. */
export function addPy4castFlags(command: Command): void {
  for (const [flags, description] of hidden) command.addOption(new Option(flags, description).hideHelp());
}

/**
 * The flags in Foehn's own words. What was also said in them wins.
 * @param warn is told of what means something else here, or nothing
 * @throws UsageError for a precision that Foehn does not have
 */
export function translateFlags(flags: Flags, warn: (line: string) => void): Flags {
  const { loadModelCkpt, resumeFromCkpt, devMode, log, mlflowLog, useLrScheduler, channelsLast, pinMemory, ...own } =
    flags;
  const from: Record<string, unknown> = {};
  if (loadModelCkpt !== undefined) from.loadWeights = loadModelCkpt;
  if (resumeFromCkpt !== undefined) from.resume = runOfCheckpoint(String(resumeFromCkpt));
  if (devMode === true) Object.assign(from, { epochs: 3, limitTrainBatches: 3, limitValBatches: 3 });
  if (mlflowLog === true) from.trackers = ["tensorboard", "mlflow"];
  if (log === false) from.trackers = [];
  if (useLrScheduler === true) {
    from.scheduler = "cosine";
    from.warmupSteps = Math.floor(1000 / Number(own.accumulateGradBatches ?? 1));
  }
  if (channelsLast === true) warn("--channels-last: networks that gain from it always run so");
  if (pinMemory === true) warn("--pin-memory: batches need no pinning here");
  const precision = own.precision === undefined ? {} : { precision: precisionOf(String(own.precision), warn) };
  return { ...from, ...own, ...precision };
}

function precisionOf(text: string, warn: (line: string) => void): string {
  const own = precisions[text] ?? text;
  if (!precisionChoices.some((choice) => choice === own)) {
    throw new UsageError(`--precision: expected one of ${precisionChoices.join(", ")}, got "${text}"`, {
      hint: didYouMean(text, precisionChoices) || "weights are always float32; bf16-mixed calculates in bfloat16",
    });
  }
  if (text.startsWith("16")) {
    warn(
      `--precision ${text}: Foehn does not calculate in float16; bf16-mixed is as fast and has the range of float32`,
    );
  }
  return own;
}

/** The run folder of a checkpoint inside it. */
function runOfCheckpoint(path: string): string {
  return path.replace(/\/+$/, "").replace(/\/checkpoints(\/[^/]+)?$/, "");
}
