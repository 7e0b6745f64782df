// Turns chunks into files off the main thread, where the network computes: each chunk is copied into one of a bounded set of buffers,
// handed to a worker thread that compresses and writes it, and the buffer comes back. The bound is the back-pressure. Without the
// compiled worker (running from TypeScript sources) the same code runs in place. Not here: what a chunk is called (write.ts).

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { toStorageError } from "../../core/files.js";
import type { ArrayValues } from "../array-writer.js";
import { type ChunkPlace, writeChunkFile } from "./chunk-file.js";
import { ShardFiles } from "./shard-files.js";

/** Bytes of chunks that may be on their way to the disk. */
const maxBytesUnderWay = 128 << 20;

/** Compression keeps this many threads busy at most; without compression one is enough for the disk. */
const maxWorkers = 4;

const script = fileURLToPath(new URL("./chunk-worker.js", import.meta.url));

/** A message to a worker: a chunk, whose buffer is transferred, not copied; or a shard to finish as it is. */
export type ChunkJob =
  | { readonly id: number; readonly place: ChunkPlace; readonly buffer: ArrayBuffer; readonly bytes: number }
  | { readonly id: number; readonly file: string; readonly buffer?: undefined };

/** Its answer, with the buffer. */
export interface ChunkDone {
  readonly id: number;
  readonly buffer?: ArrayBuffer;
  /** The chunk's file, or its shard, is finished. */
  readonly isComplete?: boolean;
  readonly error?: { readonly message: string; readonly code?: string; readonly syscall?: string };
}

/** A job that a worker has. */
interface Pending {
  readonly bytes: number;
  readonly worker: WorkerState;
  /** The shard that it concerns. */
  readonly shard: string | undefined;
}

interface WorkerState {
  readonly thread: Worker;
  jobs: number;
}

/** Writes chunks; see the top of this file. */
export class ChunkWriter {
  readonly #workers: WorkerState[] = [];
  readonly #pending = new Map<number, Pending>();
  readonly #free: ArrayBuffer[] = [];
  readonly #direct = new Set<Promise<void>>();
  readonly #directShards = new ShardFiles();
  /** Shards being built, with the thread that does it. */
  readonly #shards = new Map<string, WorkerState | undefined>();
  #waiting: (() => void)[] = [];
  #bytesUnderWay = 0;
  #nextId = 0;
  #failure: Error | undefined;

  /** @param target what to name in messages: the final path, not the temporary one */
  constructor(readonly target: string) {}

  // With the first chunks, so that a writer that is given up before costs nothing.
  #worker(codec: string, isShard: boolean): WorkerState | undefined {
    if (!existsSync(script)) return undefined;
    const wanted = codec === "none" ? 1 : Math.min(maxWorkers, availableParallelism());
    // A new shard will bring many chunks: the thread that builds the fewest takes it.
    const shards = [...this.#shards.values()];
    const load = (worker: WorkerState): number =>
      isShard ? shards.filter((other) => other === worker).length : worker.jobs;
    const idle = this.#workers.reduce<WorkerState | undefined>(
      (best, worker) => (best === undefined || load(worker) < load(best) ? worker : best),
      undefined,
    );
    if (idle && (load(idle) === 0 || this.#workers.length >= wanted)) return idle;
    // Flags such as --input-type are for the main script and would stop the worker.
    const thread = new Worker(script, { execArgv: [] });
    // An idle worker must not keep the process alive; one with chunks must.
    thread.unref();
    thread.on("message", (done: ChunkDone) => this.#finish(done));
    // Out of memory in the worker, for one. Whoever waits must not wait for ever.
    thread.on("error", (error) => {
      this.#failure ??= error;
      this.#pending.clear();
      this.#bytesUnderWay = 0;
      this.#wake();
    });
    const worker = { thread, jobs: 0 };
    this.#workers.push(worker);
    return worker;
  }

  /**
   * Takes a chunk; resolves when `values` may change.
   * @throws StorageError of this chunk or of one before it
   */
  async write(place: ChunkPlace, values: ArrayValues): Promise<void> {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const shard = place.shard && place.file;
    // The chunks of a shard go to one thread.
    const known = shard === undefined ? undefined : this.#shards.get(shard);
    const worker = known ?? this.#worker(place.codec, shard !== undefined);
    if (shard !== undefined && !this.#shards.has(shard)) this.#shards.set(shard, worker);
    if (!worker) return this.#here(() => this.#writeHere(place, bytes));
    while (this.#bytesUnderWay > 0 && this.#bytesUnderWay + bytes.length > maxBytesUnderWay && !this.#failure) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure) throw this.#failure;
    const at = this.#free.findIndex((buffer) => buffer.byteLength === bytes.length);
    const buffer = at >= 0 ? this.#free.splice(at, 1)[0]! : new ArrayBuffer(bytes.length);
    new Uint8Array(buffer).set(bytes);
    this.#post(worker, { place, buffer, bytes: bytes.length }, shard);
  }

  #post(
    worker: WorkerState,
    job: { place: ChunkPlace; buffer: ArrayBuffer; bytes: number } | { file: string },
    shard: string | undefined,
  ): void {
    const id = this.#nextId++;
    const bytes = "buffer" in job ? job.bytes : 0;
    if (worker.jobs++ === 0) worker.thread.ref();
    this.#pending.set(id, { bytes, worker, shard });
    this.#bytesUnderWay += bytes;
    worker.thread.postMessage({ id, ...job } satisfies ChunkJob, "buffer" in job ? [job.buffer] : []);
  }

  async #writeHere(place: ChunkPlace, bytes: Uint8Array): Promise<void> {
    const isComplete = await writeChunkFile(place, bytes, this.#directShards);
    if (isComplete) this.#shards.delete(place.file);
  }

  async #here(start: () => Promise<void>): Promise<void> {
    const work = start().catch((error: unknown) => {
      this.#failure ??= toStorageError(error, this.target);
      throw this.#failure;
    });
    const settled = work.catch(() => undefined);
    this.#direct.add(settled);
    await settled.then(() => this.#direct.delete(settled));
    return work;
  }

  #finish({ id, buffer, error, isComplete }: ChunkDone): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (--pending.worker.jobs === 0) pending.worker.thread.unref();
    this.#bytesUnderWay -= pending.bytes;
    if (buffer) this.#free.push(buffer);
    if (pending.shard !== undefined && isComplete) this.#shards.delete(pending.shard);
    if (error) this.#failure ??= toStorageError(Object.assign(new Error(error.message), error), this.target);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /**
   * Waits until everything is on the disk, and ends the shards of which `which` is true, by their file; default all.
   * @throws StorageError of the first chunk that failed
   */
  async flush(which: (file: string) => boolean = () => true): Promise<void> {
    await this.#settle();
    if (this.#failure) throw this.#failure;
    for (const [file, worker] of [...this.#shards]) {
      if (!which(file)) continue;
      if (worker) this.#post(worker, { file }, file);
      else {
        await this.#here(() => this.#directShards.finish(file));
        this.#shards.delete(file);
      }
    }
    await this.#settle();
    if (this.#failure) throw this.#failure;
  }

  /** Waits for what is under way, whatever becomes of it, and ends the workers. */
  async close(): Promise<void> {
    await this.#settle();
    await Promise.all(this.#workers.splice(0).map(({ thread }) => thread.terminate()));
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#direct);
    while (this.#pending.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
