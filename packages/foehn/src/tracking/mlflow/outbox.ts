// What waits to be sent to a tracking server: a file of JSON lines in the run folder, appended to before anything is sent, and how far
// the sending has come. So nothing is lost when the server is down, the training is killed, or the machine restarts.

import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryPath, toStorageError } from "../../core/files.js";

/** One number of a run. */
export interface Metric {
  readonly key: string;
  /** JSON has no NaN: `"NaN"`, `"Infinity"` and `"-Infinity"` are text, as protocol buffers write them. */
  readonly value: number | string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

/** A run by the name that Foehn knows it by. */
export interface RunName {
  /** Stands in the tag `foehn.run_id`, by which it is found again. */
  readonly id: string;
  readonly name: string;
}

/** One thing to tell the server. */
export type OutboxRecord =
  | {
      readonly kind: "start";
      readonly experiment: string;
      readonly run: RunName;
      /** The run that this one is nested in. */
      readonly parent?: RunName | undefined;
      readonly time: number;
      readonly params: Readonly<Record<string, string>>;
      readonly tags: Readonly<Record<string, string>>;
    }
  | { readonly kind: "metrics"; readonly metrics: readonly Metric[] }
  | { readonly kind: "dataset"; readonly name: string; readonly digest: string; readonly source: string }
  | { readonly kind: "artifact"; readonly file: string; readonly path: string }
  | { readonly kind: "text"; readonly text: string; readonly path: string }
  | { readonly kind: "status"; readonly status: "RUNNING" | "FINISHED" | "FAILED" | "KILLED"; readonly time: number }
  | { readonly kind: "model"; readonly name: string; readonly path: string };

/** Where the sending is. */
export interface OutboxState {
  readonly runId?: string;
  readonly artifactUri?: string;
  /** Bytes of the file that the server has. */
  readonly sent: number;
}

/** A record with the place where it ends. */
export interface PendingRecord {
  readonly record: OutboxRecord;
  readonly end: number;
}

/** Most that is read at once. */
const chunkBytes = 1 << 18;

/** The file and the state of one run. */
export class Outbox {
  readonly #fd: number;
  readonly #statePath: string;
  #length: number;
  #state: OutboxState = { sent: 0 };

  /** Opens or makes the folder; a last line that a kill cut off is taken away. @throws StorageError */
  constructor(readonly folder: string) {
    const path = join(folder, "outbox.jsonl");
    this.#statePath = join(folder, "state.json");
    try {
      mkdirSync(folder, { recursive: true });
      this.#fd = openSync(path, existsSync(path) ? "r+" : "w+");
      const text = readFileSync(path);
      this.#length = text.lastIndexOf(0x0a) + 1;
      ftruncateSync(this.#fd, this.#length);
    } catch (error) {
      throw toStorageError(error, path);
    }
    this.#state = readState(this.#statePath, this.#length);
  }

  get state(): OutboxState {
    return this.#state;
  }

  get isEmpty(): boolean {
    return this.#state.sent >= this.#length;
  }

  /** @throws StorageError when the disk refuses: then nothing of the record stays */
  append(record: OutboxRecord): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      // A disk that is nearly full takes a part.
      for (let at = 0; at < line.length; ) at += writeSync(this.#fd, line, at, line.length - at, this.#length + at);
    } catch (error) {
      ftruncateSync(this.#fd, this.#length);
      throw toStorageError(error, this.folder);
    }
    this.#length += line.length;
  }

  /** The records after what is sent: as many as fit a chunk, at least one when there is one. */
  pending(): PendingRecord[] {
    const { sent } = this.#state;
    for (let size = chunkBytes; sent < this.#length; size *= 2) {
      const bytes = Buffer.alloc(Math.min(size, this.#length - sent));
      readSync(this.#fd, bytes, 0, bytes.length, sent);
      const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
      if (whole.length === 0) continue; // one line longer than the chunk
      let end = sent;
      return whole
        .toString()
        .slice(0, -1)
        .split("\n")
        .map((line) => {
          end += Buffer.byteLength(line) + 1;
          return { record: JSON.parse(line) as OutboxRecord, end };
        });
    }
    return [];
  }

  /** Number of records not sent. */
  countPending(): number {
    const size = fstatSync(this.#fd).size;
    const bytes = Buffer.alloc(Math.max(0, size - this.#state.sent));
    readSync(this.#fd, bytes, 0, bytes.length, this.#state.sent);
    return bytes.reduce((count, byte) => count + Number(byte === 0x0a), 0);
  }

  /** Remembers how far the server is. */
  advance(state: OutboxState): void {
    this.#state = state;
    // Renamed, but not forced onto the disk at every request: an older state only means that something is sent twice.
    const temporary = temporaryPath(this.#statePath);
    writeFileSync(temporary, `${JSON.stringify(state)}\n`);
    renameSync(temporary, this.#statePath);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Where the sending was. After a power cut the file may be empty, or ahead of the records: then what is in doubt is sent again. */
function readState(path: string, length: number): OutboxState {
  try {
    const state = JSON.parse(readFileSync(path, "utf8")) as OutboxState;
    if (Number.isInteger(state.sent) && state.sent <= length) return state;
  } catch {
    // absent or damaged
  }
  return { sent: 0 };
}
