// What can be said of a run without the engine: from its config.json, the state of its last checkpoint, its status and its tests.
// Folders that are damaged, of another version or half-written are told by name, never an error: a list of runs must not fail
// because of one of them.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { StorageError, UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { parseTime } from "../core/time.js";
import { type RunState, readRunState, readRunStatus } from "./run-status.js";

/** A run in one line. */
export interface RunSummary {
  /** Name of the folder. */
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  /** Folders between the runs folder and the run: `` or a campaign. */
  readonly campaign: string;
  readonly dataset: string;
  readonly model: string;
  readonly strategy: string;
  /** Epochs completed, and asked for. */
  readonly epochs: number;
  readonly epochsWanted: number;
  readonly steps: number;
  /** Best validation loss (training loss where nothing was validated) and its epoch. */
  readonly best: { readonly value: number; readonly epoch: number } | null;
  readonly state: RunState;
  /** Epoch seconds. */
  readonly created: number;
  /** Bytes of all files. */
  readonly size: number;
  /** Names of complete test folders, oldest first. */
  readonly tests: readonly string[];
  /** Options as they stand in config.json. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A folder that looks like a run and cannot be read as one. */
export interface DamagedRun {
  readonly path: string;
  readonly problem: string;
}

const configSchema = z.looseObject({
  dataset: z.string(),
  model: z.string(),
  strategy: z.string(),
  epochs: z.number(),
});

const stateSchema = z.looseObject({
  step: z.number(),
  epoch: z.number(),
  best: z.looseObject({ value: z.number(), epoch: z.number() }).nullable(),
  is_stopped_early: z.boolean(),
});

/** Reads the summary. @throws StorageError saying what is wrong with the folder */
export function summariseRun(path: string, root = dirname(path)): RunSummary {
  const options = readJson(path, "config.json", configSchema);
  const provenance = readJson(path, "provenance.json", z.looseObject({ created: z.string() }));
  const checkpoint = "checkpoints/last/state.json";
  const state = existsSync(join(path, checkpoint)) ? readJson(path, checkpoint, stateSchema) : null;
  const epochsWanted = readRunStatus(path)?.epochs ?? options.epochs;
  const isDone = state !== null && (state.is_stopped_early || state.epoch >= epochsWanted);
  const campaign = relative(root, dirname(path));
  return {
    id: basename(path),
    path: resolve(path),
    campaign: campaign.startsWith("..") ? "" : campaign,
    dataset: options.dataset,
    model: options.model,
    strategy: options.strategy,
    epochs: state?.epoch ?? 0,
    epochsWanted,
    steps: state?.step ?? 0,
    best: state?.best ? { value: state.best.value, epoch: state.best.epoch } : null,
    state: readRunState(path) ?? (isDone ? "finished" : "interrupted"),
    created: parseTime(provenance.created),
    size: sizeOf(path),
    tests: completeTests(path),
    options,
  };
}

function readJson<T>(folder: string, name: string, schema: z.ZodType<T>): T {
  const path = join(folder, name);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new StorageError(`${name} is missing`, { where: folder });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const problem =
      error instanceof z.ZodError ? `${error.issues[0]?.path.join(".")}: ${error.issues[0]?.message}` : "";
    throw new StorageError(`${name} is damaged${problem === "" ? "" : ` (${problem})`}`, { where: folder });
  }
}

/** Test folders with scores, oldest first. */
export function completeTests(runDir: string): string[] {
  return readdirSync(runDir)
    .filter((name) => /^test-\d{3,}$/.test(name) && existsSync(join(runDir, name, "scores.json")))
    .sort();
}

/** Bytes of all files below a folder. Links are not followed. */
function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    try {
      if (entry.isDirectory()) bytes += sizeOf(path);
      else if (entry.isFile()) bytes += statSync(path).size;
    } catch {
      // removed since the folder was read: a training prunes its checkpoints
    }
  }
  return bytes;
}

const runFiles = ["config.json", "provenance.json", "metrics.jsonl", "dataset.json"];

/** True for a folder that is, or was meant to be, a run. */
export function looksLikeRun(folder: string): boolean {
  return runFiles.filter((name) => existsSync(join(folder, name))).length >= 2;
}

/** How deep campaigns may be nested below the runs folder. */
const maxDepth = 6;

/** All runs below a folder, newest first, and the folders that look like runs and are none. */
export function findRuns(root: string): { readonly runs: RunSummary[]; readonly damaged: DamagedRun[] } {
  const runs: RunSummary[] = [];
  const damaged: DamagedRun[] = [];
  const visit = (folder: string, depth: number): void => {
    if (looksLikeRun(folder)) {
      try {
        runs.push(summariseRun(folder, root));
      } catch (error) {
        damaged.push({ path: folder, problem: error instanceof Error ? error.message : String(error) });
      }
      return;
    }
    if (depth === maxDepth) return;
    for (const entry of entriesOf(folder)) {
      if (entry.isDirectory() && !entry.name.startsWith(".")) visit(join(folder, entry.name), depth + 1);
    }
  };
  visit(resolve(root), 0);
  runs.sort((a, b) => b.created - a.created || a.id.localeCompare(b.id));
  return { runs, damaged };
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // not ours to read
  }
}

/**
 * The run that a word means: a folder, the name of a run below `runsDir`, or a part of just one name.
 * @throws UsageError when there is no such run or there are several
 */
export function resolveRun(word: string, runsDir: string): string {
  if (existsSync(word) && looksLikeRun(word)) return resolve(word);
  const { runs } = findRuns(runsDir);
  const exact = runs.filter((run) => run.id === word);
  const found = exact.length > 0 ? exact : runs.filter((run) => join(run.campaign, run.id).includes(word));
  if (found.length === 1) return found[0]!.path;
  const ids = runs.map((run) => run.id);
  if (found.length > 1) {
    const some = found.slice(0, 5).map((run) => join(run.campaign, run.id));
    throw new UsageError(`"${word}" means ${found.length} runs`, { hint: `say more of the name: ${some.join(", ")}` });
  }
  throw new UsageError(existsSync(word) ? `${word} is not a run folder` : `there is no run "${word}" in ${runsDir}`, {
    hint: didYouMean(word, ids) || "foehn runs list shows what there is; --runs-dir says where to look",
  });
}
