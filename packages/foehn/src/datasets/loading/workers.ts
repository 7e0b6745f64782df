// The reading threads of a dataset, seen from the main thread: they start with the first job, share the work sample by sample, never
// keep the process alive while idle, and end with the dataset. Where there is no compiled worker (running from TypeScript
// sources) `canUseWorkers` says so and the main thread reads.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { DataError } from "../../core/errors.js";
import type { SampleStart } from "../periods.js";
import type { BatchMemory } from "./memory-layout.js";
import { fromPlainError, type ReadDone, type ReaderSetup, type ReadJob } from "./protocol.js";

const script = fileURLToPath(new URL("./worker.js", import.meta.url));

/** True for compiled code: threads run JavaScript files. */
export function canUseWorkers(): boolean {
  return existsSync(script);
}

interface Waiting {
  readonly worker: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Threads that read samples into shared memory. */
export class ReadingThreads {
  readonly #setup: ReaderSetup;
  readonly #count: number;
  readonly #workers: Worker[] = [];
  readonly #waiting = new Map<number, Waiting>();
  /** Jobs under way by worker. */
  readonly #load: number[] = [];
  #nextId = 0;
  #isClosed = false;

  constructor(setup: ReaderSetup, count: number) {
    this.#setup = setup;
    this.#count = count;
  }

  /** Fills sample `index` of a batch. @throws the error of the reading, of its own class; DataError after `close` */
  read(start: SampleStart, memory: BatchMemory, index: number, keep: boolean): Promise<void> {
    if (this.#isClosed) throw new DataError("the dataset is closed");
    const at = this.#leastBusy();
    const worker = this.#workers[at]!;
    const job: ReadJob = { id: this.#nextId++, start, memory, index, keep };
    return new Promise((resolve, reject) => {
      this.#waiting.set(job.id, { worker: at, resolve, reject });
      if (this.#load[at]!++ === 0) worker.ref();
      worker.postMessage(job);
    });
  }

  #leastBusy(): number {
    const at = this.#load.indexOf(Math.min(...this.#load));
    if (at >= 0 && (this.#load[at] === 0 || this.#workers.length === this.#count)) return at;
    return this.#start();
  }

  #start(): number {
    const at = this.#workers.length;
    // Flags such as --input-type are for the main script and would stop the thread.
    const worker = new Worker(script, { workerData: this.#setup, execArgv: [] });
    worker.unref();
    worker.on("message", (done: ReadDone) => this.#finish(done));
    worker.on("error", (error) => this.#fail(at, error));
    worker.on("exit", () => this.#fail(at, new DataError("a reading thread ended before its work was done")));
    this.#workers.push(worker);
    this.#load.push(0);
    return at;
  }

  #finish({ id, error }: ReadDone): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    if (--this.#load[waiting.worker]! === 0) this.#workers[waiting.worker]?.unref();
    if (error) waiting.reject(fromPlainError(error));
    else waiting.resolve();
  }

  /** Whoever waits for a thread that has died must not wait for ever. */
  #fail(at: number, error: Error): void {
    for (const [id, { worker, reject }] of this.#waiting) {
      if (worker !== at) continue;
      this.#waiting.delete(id);
      reject(error);
    }
  }

  /** Ends the threads; what is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#workers.length = 0;
    this.#load.length = 0;
  }
}
