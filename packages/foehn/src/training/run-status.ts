// status.json of a run folder: whether somebody works on it now, and how it ended. A process that was killed leaves "running"
// behind; whether it still lives is asked of the system, on the machine where it ran.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../core/errors.js";
import { atomicWriteSync } from "../core/files.js";
import { formatTime } from "../core/time.js";
import type { TrainingEnd } from "./callbacks.js";

/** How a run stands. `interrupted` can go on with `--resume`. */
export type RunState = "running" | "finished" | "interrupted" | "failed";

const fileName = "status.json";

const statusSchema = z.looseObject({
  state: z.enum(["running", "finished", "interrupted", "failed"]),
  /** Why it ended; null while it runs. */
  reason: z.string().nullable(),
  pid: z.number(),
  host: z.string(),
  updated: z.string(),
  /** Epochs in all, which a resume may have changed. */
  epochs: z.number().optional(),
});

/** Contents of status.json. */
export type RunStatus = Readonly<z.output<typeof statusSchema>>;

const states: Readonly<Record<TrainingEnd["reason"], RunState>> = {
  completed: "finished",
  "early-stopping": "finished",
  interrupted: "interrupted",
  failed: "failed",
};

/**
 * Writes it: when work begins, without a reason; when it ends, with one.
 * @param epochs how many there are to be
 * @throws StorageError
 */
export function writeRunStatus(runDir: string, epochs: number, reason: TrainingEnd["reason"] | null = null): void {
  const status: RunStatus = {
    state: reason === null ? "running" : states[reason],
    reason,
    pid: process.pid,
    host: hostname(),
    updated: formatTime(Math.floor(Date.now() / 1000)),
    epochs,
  };
  atomicWriteSync(join(runDir, fileName), `${JSON.stringify(status, null, 1)}\n`);
}

/** How a run stands; undefined where the folder does not say. A "running" one whose process is gone was interrupted. */
export function readRunState(runDir: string): RunState | undefined {
  const status = readRunStatus(runDir);
  if (status?.state !== "running") return status?.state;
  // On another machine nobody can be asked: believe the file.
  return status.host !== hostname() || isAlive(status.pid) ? "running" : "interrupted";
}

/**
 * Two processes that train one run overwrite each other's checkpoints and metrics.
 * @throws UsageError when another living process of this machine works on the run
 */
export function refuseRunning(runDir: string): void {
  const status = readRunStatus(runDir);
  if (status?.state !== "running" || status.host !== hostname()) return;
  if (status.pid === process.pid || !isAlive(status.pid)) return;
  throw new UsageError(`process ${status.pid} is training this run`, {
    where: runDir,
    hint: `wait for it or stop it; if that process is something else, remove ${join(runDir, fileName)}`,
  });
}

/** The file as it is; undefined where there is none or it is damaged: what else is in the folder must tell then. */
export function readRunStatus(runDir: string): RunStatus | undefined {
  try {
    return statusSchema.parse(JSON.parse(readFileSync(join(runDir, fileName), "utf8")));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
