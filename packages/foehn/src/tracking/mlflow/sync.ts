// Sends what an earlier training left in its outbox, because the server was down or the process was killed.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { StorageError } from "../../core/errors.js";
import { MlflowClient } from "./client.js";
import { Outbox } from "./outbox.js";
import { MlflowSender } from "./sender.js";

/** Options of `syncMlflow`. */
export interface SyncOptions {
  /** Address of the tracking server. */
  readonly uri: string;
  readonly note?: (line: string) => void;
  /** Longest time for the training, and for each test, milliseconds. Default 5 minutes. */
  readonly limitMs?: number;
}

/**
 * Sends the records of a run, and of its tests, that MLflow does not have yet.
 * @returns how many there were, and how many are left
 * @throws StorageError when the run has no outbox or the server does not answer, ConfigError for an address that is no server
 */
export async function syncMlflow(runDir: string, options: SyncOptions): Promise<{ pending: number; left: number }> {
  const client = new MlflowClient({ uri: options.uri });
  const folder = join(runDir, "mlflow");
  const folders = [folder, ...(await subfolders(folder))].filter((path) => existsSync(join(path, "outbox.jsonl")));
  if (folders.length === 0) {
    throw new StorageError(`${basename(runDir)} keeps nothing for MLflow`, {
      where: folder,
      hint: "only runs trained with --trackers mlflow do",
    });
  }
  await requireAnswer(client);
  const sum = { pending: 0, left: 0 };
  for (const path of folders) {
    const outbox = new Outbox(path);
    sum.pending += outbox.countPending();
    const sender = new MlflowSender(client, outbox, options.note ? { note: options.note } : {});
    sum.left += await sender.close(options.limitMs ?? 300_000);
  }
  return sum;
}

/** Somebody waits for this one, so a server that is away is said at once. */
async function requireAnswer(client: MlflowClient): Promise<void> {
  try {
    await client.call("POST", "experiments/search", { max_results: 1 });
  } catch (error) {
    throw new StorageError(error instanceof Error ? error.message : String(error), {
      hint: "nothing is lost: the records stay in the run folder; try again when the server answers",
      cause: error,
    });
  }
}

async function subfolders(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name))
    .sort();
}
