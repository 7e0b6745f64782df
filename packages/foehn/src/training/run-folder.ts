// The folder of one training run: config.json, provenance.json, dataset.{json,safetensors}, metrics.jsonl, checkpoints/.
// It appears under its final name complete with its description; names sort by time and are unique.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FormatError, StorageError } from "../core/errors.js";
import { atomicWrite, temporaryPath, toStorageError } from "../core/files.js";
import { formatTime } from "../core/time.js";
import { type DatasetRecord, writeDatasetRecord } from "./dataset-record.js";
import { parseTrainOptions, type TrainOptions } from "./options.js";
import { loadPluginsFor, type NeededNames } from "./plugins.js";
import type { Provenance } from "./provenance.js";

/** `20190301T120000Z-synthetic-halfunet-3f9a`: time, what, four random letters. @param now epoch seconds */
export function newRunId(options: TrainOptions, now: number): string {
  const time = formatTime(now).replace(/[-:]/g, "");
  const what = options.run_name ?? `${options.dataset}-${options.model}`;
  return `${time}-${what.replace(/[^\w.-]+/g, "_")}-${randomBytes(2).toString("hex")}`;
}

/** What a run folder is made of at its birth. */
export interface RunDescription {
  readonly id: string;
  readonly options: TrainOptions;
  readonly provenance: Provenance;
  readonly dataset: DatasetRecord;
}

/** Makes the folder. @returns its absolute path @throws StorageError */
export async function createRunFolder(description: RunDescription): Promise<string> {
  const { options, provenance, dataset } = description;
  const path = resolve(options.runs_dir, options.campaign_name ?? "", description.id);
  const temporary = temporaryPath(path);
  try {
    await mkdir(temporary, { recursive: true });
    await atomicWrite(join(temporary, "config.json"), `${JSON.stringify(options, null, 1)}\n`);
    await atomicWrite(join(temporary, "provenance.json"), `${JSON.stringify(provenance, null, 1)}\n`);
    await writeDatasetRecord(temporary, dataset);
    // A rename refuses a folder that is not empty, so two runs can never share one.
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}); // the first error counts
    throw toStorageError(error, path);
  }
  return path;
}

/** Options and provenance of a run. @throws StorageError when the folder is no run, FormatError when one of its files is damaged */
export async function readRunFolder(path: string): Promise<{ options: TrainOptions; provenance: Provenance }> {
  const config = join(path, "config.json");
  if (!existsSync(config) || !existsSync(join(path, "provenance.json"))) {
    throw new StorageError(`${path} is not a run folder: config.json or provenance.json is missing`, {
      hint: "give the folder that `foehn train` printed, e.g. runs/20190301T120000Z-…",
    });
  }
  const written = (await readJson(config)) as NeededNames;
  await loadPluginsFor(written);
  return {
    options: parseTrainOptions(written, config),
    provenance: (await readJson(join(path, "provenance.json"))) as Provenance,
  };
}

/** An object of a run folder. @throws FormatError when the file is damaged */
async function readJson(path: string): Promise<object> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw toStorageError(cause, path);
  }
  throw new FormatError("the file is damaged: it holds no JSON object", {
    where: path,
    hint: "put it back from a copy of the run; its weights can be used without it: foehn train --load-weights",
  });
}
