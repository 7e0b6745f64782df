// Turns chunks into files off the main thread, where the network computes: each chunk is copied into one of a bounded set of buffers,
// handed to a worker thread that compresses and writes it, and the buffer comes back. The bound is the back-pressure. Without the
// compiled worker (running from TypeScript sources) the same code runs in place. Not here: what a chunk is called (write.ts).

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { toStorageError } from "../../core/files.js";
import type { ArrayValues } from "../array-writer.js";
import { writeChunkFile } from "./chunk-file.js";

/** Bytes of chunks that may be on their way to the disk. */
const maxBytesUnderWay = 128 << 20;

const script = fileURLToPath(new URL("./chunk-worker.js", import.meta.url));

/** A message to the worker: the buffer is transferred, not copied. */
export interface ChunkJob {
  readonly id: number;
  readonly file: string;
  readonly codec: string;
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
}

/** Its answer, with the buffer. */
export interface ChunkDone {
  readonly id: number;
  readonly buffer: ArrayBuffer;
  readonly error?: { readonly message: string; readonly code?: string; readonly syscall?: string };
}

/** Writes chunks; see the top of this file. */
export class ChunkWriter {
  #worker: Worker | undefined;
  /** Bytes by job. */
  readonly #pending = new Map<number, number>();
  readonly #free: ArrayBuffer[] = [];
  readonly #direct = new Set<Promise<void>>();
  #waiting: (() => void)[] = [];
  #bytesUnderWay = 0;
  #nextId = 0;
  #failure: Error | undefined;

  /** @param target what to name in messages: the final path, not the temporary one */
  constructor(readonly target: string) {}

  // With the first chunk, so that a writer that is given up before costs nothing.
  #start(): Worker | undefined {
    if (this.#worker || !existsSync(script)) return this.#worker;
    // Flags such as --input-type are for the main script and would stop the worker.
    const worker = new Worker(script, { execArgv: [] });
    // An idle worker must not keep the process alive; one with chunks must.
    worker.unref();
    worker.on("message", (done: ChunkDone) => this.#finish(done));
    // Out of memory in the worker, for one. Whoever waits must not wait for ever.
    worker.on("error", (error) => {
      this.#failure ??= error;
      this.#pending.clear();
      this.#bytesUnderWay = 0;
      this.#wake();
    });
    this.#worker = worker;
    return worker;
  }

  /**
   * Takes a chunk; resolves when `values` may change.
   * @throws StorageError of this chunk or of one before it
   */
  async write(file: string, values: ArrayValues, codec: string): Promise<void> {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const worker = this.#start();
    if (!worker) return this.#writeHere(file, bytes, codec);
    while (this.#bytesUnderWay > 0 && this.#bytesUnderWay + bytes.length > maxBytesUnderWay && !this.#failure) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure) throw this.#failure;
    const at = this.#free.findIndex((buffer) => buffer.byteLength === bytes.length);
    const buffer = at >= 0 ? this.#free.splice(at, 1)[0]! : new ArrayBuffer(bytes.length);
    new Uint8Array(buffer).set(bytes);
    const id = this.#nextId++;
    if (this.#pending.size === 0) worker.ref();
    this.#pending.set(id, bytes.length);
    this.#bytesUnderWay += bytes.length;
    worker.postMessage({ id, file, codec, buffer, bytes: bytes.length } satisfies ChunkJob, [buffer]);
  }

  async #writeHere(file: string, bytes: Uint8Array, codec: string): Promise<void> {
    const work = writeChunkFile(file, bytes, codec).catch((error: unknown) => {
      this.#failure ??= toStorageError(error, this.target);
      throw this.#failure;
    });
    const settled = work.catch(() => undefined);
    this.#direct.add(settled);
    await settled.then(() => this.#direct.delete(settled));
    return work;
  }

  #finish({ id, buffer, error }: ChunkDone): void {
    const bytes = this.#pending.get(id);
    if (bytes === undefined) return;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker?.unref();
    this.#bytesUnderWay -= bytes;
    this.#free.push(buffer);
    if (error) this.#failure ??= toStorageError(Object.assign(new Error(error.message), error), this.target);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Waits until everything is on the disk. @throws StorageError of the first chunk that failed */
  async flush(): Promise<void> {
    await this.#settle();
    if (this.#failure) throw this.#failure;
  }

  /** Waits for what is under way, whatever becomes of it, and ends the worker. */
  async close(): Promise<void> {
    await this.#settle();
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#direct);
    while (this.#pending.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
