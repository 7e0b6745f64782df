// metrics.jsonl: one JSON object per line, appended as training goes. A resumed run cuts the file back to where its checkpoint
// was written, so that no step stands there twice.

import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { toStorageError } from "../core/files.js";
import type { EpochRecord, ScalarsRecord, StepRecord } from "./callbacks.js";

/** A line of the file. */
export type MetricsRecord = StepRecord | EpochRecord | ScalarsRecord;

/** The open file. */
export class MetricsLog {
  readonly #file: number;
  /** Length of the file in bytes: what a checkpoint remembers. */
  bytes: number;

  /** @param keepBytes how much of an existing file stays */
  constructor(
    readonly path: string,
    keepBytes = 0,
  ) {
    try {
      this.#file = openSync(path, existsSync(path) ? "r+" : "w");
      ftruncateSync(this.#file, keepBytes);
    } catch (error) {
      throw toStorageError(error, path);
    }
    this.bytes = keepBytes;
  }

  write(record: MetricsRecord): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      writeSync(this.#file, line, 0, line.length, this.bytes);
    } catch (error) {
      throw toStorageError(error, this.path);
    }
    this.bytes += line.length;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** All records of a file; a last line that was cut off is left out. */
export function readMetrics(path: string): MetricsRecord[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const records: MetricsRecord[] = [];
  for (const line of lines.slice(0, -1)) records.push(JSON.parse(line) as MetricsRecord);
  return records;
}
