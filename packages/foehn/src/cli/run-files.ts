// What the other verbs read of a run folder.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../core/errors.js";
import { readMetrics } from "../training/metrics-log.js";

/**
 * The records of a run.
 * @param path the run folder or its metrics.jsonl
 * @throws UsageError when there are none
 */
export function readRunMetrics(path: string): ReturnType<typeof readMetrics> {
  if (!existsSync(path))
    throw new UsageError(`there is no run ${path}`, { hint: "give the folder that foehn train printed" });
  const file = statSync(path).isDirectory() ? join(path, "metrics.jsonl") : path;
  if (!existsSync(file)) {
    throw new UsageError(`${path} is not a run folder: it has no metrics.jsonl`, {
      hint: "give the folder that foehn train printed",
    });
  }
  const records = readMetrics(file);
  if (records.length === 0) throw new UsageError(`${file} has no records yet`, { hint: "wait for the first step" });
  return records;
}
