// The test of a network: one pass over the test split, its scores beside persistence, and the observers' figures, all in a folder of
// the run: `test-001/scores.json` has the shape that `foehn score --json` prints. scores.json is written last: a folder that has it
// is complete.

import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../core/errors.js";
import { atomicWrite, toStorageError } from "../core/files.js";
import { formatTime } from "../core/time.js";
import type { Dataset } from "../datasets/dataset.js";
import type { ErrorSums } from "./error-sums.js";
import { type ValidationInput, type ValidationScores, validate } from "./validation.js";

/** Metric → variable → one value per lead; NaN (null in JSON) where there is none. */
type Metrics = Readonly<Record<"rmse" | "mae" | "bias" | "acc", Readonly<Record<string, readonly number[]>>>>;

/** What a test found: scores.json. */
export interface TestScores {
  readonly schema_version: 1;
  readonly created: string;
  readonly checkpoint: string;
  readonly epoch: number;
  readonly step: number;
  readonly dataset: string;
  /** The training loss on the test split: mean, and by lead. */
  readonly loss: number;
  readonly loss_by_lead: readonly number[];
  readonly variables: readonly string[];
  readonly lead_hours: readonly number[];
  /** Samples that were scored, and the initial times of the first and the last. */
  readonly n_dates: number;
  readonly first_date: string;
  readonly last_date: string;
  readonly acc_convention: "uncentred";
  /** Every interior point counts the same; `foehn score` weights by area. */
  readonly point_weights: "equal";
  readonly units: Readonly<Record<string, string>>;
  readonly model: Metrics;
  readonly persistence: Metrics;
}

/** What a test runs with, besides what every pass does. */
export interface TestInput extends Omit<ValidationInput, "phase" | "observe"> {
  readonly runDir: string;
  readonly dataset: Dataset;
  /** Name of the checkpoint that the weights are from. */
  readonly checkpoint: string;
  readonly observe: Omit<NonNullable<ValidationInput["observe"]>, "folder" | "draws">;
  /** Draw only, and write no scores. */
  readonly onlyPlots?: boolean | undefined;
  /** Epoch seconds now. */
  readonly now: number;
}

/** What a test left behind. */
export interface TestResult {
  /** The folder. */
  readonly path: string;
  readonly scores: TestScores;
  /** Absolute paths of figures and JSON. */
  readonly files: readonly string[];
}

/** Runs it. A folder of a test that failed is removed. @throws DataError when there are no samples, StorageError */
export async function testNetwork(input: TestInput): Promise<TestResult> {
  const { dataset, observe } = input;
  if (dataset.length === 0) throw new DataError("the test split has no samples", { hint: "widen its period" });
  const path = await freshFolder(input.runDir);
  try {
    const scores = await validate(dataset, {
      ...input,
      phase: "test",
      observe: { ...observe, folder: path, draws: true },
    });
    const found = describe(input, scores!);
    const file = join(path, "scores.json");
    if (!input.onlyPlots) await atomicWrite(file, `${JSON.stringify(found, null, 1)}\n`);
    const files = [...scores!.observed.files, ...(input.onlyPlots ? [] : [file])];
    return { path, scores: found, files };
  } catch (error) {
    await rm(path, { recursive: true, force: true }).catch(() => {}); // the first error counts
    throw error;
  }
}

function describe(input: TestInput, scores: ValidationScores): TestScores {
  const { dataset, info } = input;
  const initial = (i: number) => formatTime(dataset.times(i).inputs.at(-1)!);
  return {
    schema_version: 1,
    created: formatTime(input.now),
    checkpoint: input.checkpoint,
    epoch: input.epoch ?? 0,
    step: input.step ?? 0,
    dataset: info.name,
    loss: scores.loss,
    loss_by_lead: scores.lossByLead,
    variables: info.features.map((feature) => feature.name),
    lead_hours: scores.leadHours,
    n_dates: scores.samples,
    first_date: initial(0),
    last_date: initial(scores.samples - 1),
    acc_convention: "uncentred",
    point_weights: "equal",
    units: Object.fromEntries(info.features.map(({ name, units }) => [name, units])),
    model: metricsOf(scores.errors),
    persistence: metricsOf(scores.persistence!),
  };
}

function metricsOf(sums: ErrorSums): Metrics {
  return { rmse: sums.score("rmse"), mae: sums.score("mae"), bias: sums.score("bias"), acc: sums.score("acc") };
}

/** Makes `test-001`, or the next number that is free. */
async function freshFolder(runDir: string): Promise<string> {
  try {
    for (let n = (await testFolders(runDir)).length + 1; ; n++) {
      const path = join(runDir, `test-${String(n).padStart(3, "0")}`);
      if (existsSync(path)) continue;
      await mkdir(path);
      return path;
    }
  } catch (error) {
    throw toStorageError(error, runDir);
  }
}

/** Names of the test folders of a run, oldest first. */
export async function testFolders(runDir: string): Promise<string[]> {
  return (await readdir(runDir)).filter((name) => /^test-\d{3,}$/.test(name)).sort();
}
