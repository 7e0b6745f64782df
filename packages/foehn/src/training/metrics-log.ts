// metrics.jsonl: one JSON object per line, appended as training goes. A resumed run cuts the file back to where its checkpoint
// was written, so that no step stands there twice.

import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { FormatError } from "../core/errors.js";
import { toStorageError } from "../core/files.js";
import type { EpochRecord, ScalarsRecord, StepRecord } from "./callbacks.js";

/** A line of the file. */
export type MetricsRecord = StepRecord | EpochRecord | ScalarsRecord;

/** The open file. */
export class MetricsLog {
  readonly #file: number;
  /** Length of the file in bytes: what a checkpoint remembers. */
  bytes: number;

  /** @param keepBytes how much of an existing file stays; where it has become shorter than that, its whole lines */
  constructor(
    readonly path: string,
    keepBytes = 0,
  ) {
    try {
      const before = existsSync(path) ? readFileSync(path) : undefined;
      this.#file = openSync(path, before === undefined ? "w" : "r+");
      this.bytes = before === undefined ? 0 : before.length < keepBytes ? before.lastIndexOf(0x0a) + 1 : keepBytes;
      ftruncateSync(this.#file, this.bytes);
    } catch (error) {
      throw toStorageError(error, path);
    }
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

/** All records of a file; a last line that was cut off is left out. @throws FormatError naming a line that is damaged */
export function readMetrics(path: string): MetricsRecord[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const records: MetricsRecord[] = [];
  for (const [i, line] of lines.slice(0, -1).entries()) {
    try {
      records.push(JSON.parse(line) as MetricsRecord);
    } catch (cause) {
      throw new FormatError(`line ${i + 1} is no JSON`, {
        where: path,
        hint: "remove the line: the others can be read without it",
        cause,
      });
    }
  }
  return records;
}
