// Sends what an earlier training left in its outbox, because the server was down or the process was killed.

import { existsSync } from "node:fs";
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
  /** Longest time for everything, milliseconds. Default 5 minutes. */
  readonly limitMs?: number;
}

/**
 * Sends the records of a run that MLflow does not have yet.
 * @returns how many there were, and how many are left
 * @throws StorageError when the run has no outbox, ConfigError for an address that is no server
 */
export async function syncMlflow(runDir: string, options: SyncOptions): Promise<{ pending: number; left: number }> {
  const folder = join(runDir, "mlflow");
  if (!existsSync(join(folder, "outbox.jsonl"))) {
    throw new StorageError(`${basename(runDir)} keeps nothing for MLflow`, {
      where: folder,
      hint: "only runs trained with --trackers mlflow do",
    });
  }
  const client = new MlflowClient({ uri: options.uri });
  const outbox = new Outbox(folder);
  const pending = outbox.countPending();
  const sender = new MlflowSender(client, outbox, options.note ? { note: options.note } : {});
  return { pending, left: await sender.close(options.limitMs ?? 300_000) };
}
