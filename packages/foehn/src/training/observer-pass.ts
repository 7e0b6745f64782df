// One pass of several observers: makes them, hands them every batch, and writes what they report into the run folder and to the
// callbacks. An observer that fails is left out for the rest of the pass, with a warning: a figure is not worth a training.

import { join, parse } from "node:path";
import { UsageError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import type { TrainingCallback } from "./callbacks.js";
import type { ErrorSums } from "./error-sums.js";
import type { ChosenObserver, ErrorObserver, ObservedBatch, ObserverReport, PassInfo } from "./observer.js";

/** Who looks on, and where the results go. */
export interface ObserverPassOptions {
  readonly observers: readonly ChosenObserver[];
  /** Folder for figures and JSON; made when there is something to put there. */
  readonly folder: string;
  /** False: numbers only, from those observers that report in every pass. */
  readonly draws: boolean;
  readonly callbacks?: readonly TrainingCallback[] | undefined;
  readonly warn: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The sums that a pass has collected for everybody. */
export interface PassErrors {
  readonly model: ErrorSums;
  readonly persistence: ErrorSums | undefined;
}

/** What a pass left behind. */
export interface PassResults {
  /** By tag, phase included. */
  readonly scalars: Readonly<Record<string, number>>;
  /** Absolute paths, in the order in which they were written. */
  readonly files: readonly string[];
}

/** What the caller's callbacks or disk refused: not the observer's fault, so the pass does not go on. */
class DeliveryError extends Error {}

/** The observers of one pass. */
export class ObserverPass {
  readonly #pass: PassInfo;
  readonly #options: ObserverPassOptions;
  readonly #open = new Map<string, ErrorObserver>();
  readonly #scalars: Record<string, number> = {};
  readonly #files: string[] = [];

  private constructor(pass: PassInfo, options: ObserverPassOptions) {
    this.#pass = pass;
    this.#options = options;
  }

  /** Makes the observers. Dispose the pass whatever happens. */
  static async begin(pass: PassInfo, options: ObserverPassOptions): Promise<ObserverPass> {
    const begun = new ObserverPass(pass, options);
    for (const chosen of options.observers) {
      if (!options.draws && !chosen.everyPass) continue;
      try {
        begun.#open.set(chosen.name, await chosen.create(pass));
      } catch (error) {
        begun.#leaveOut(chosen.name, error);
      }
    }
    return begun;
  }

  /** True when nobody looks on: then nothing needs to be prepared for them. */
  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Shows a batch to all. Call it inside a scope, without gradients. */
  update(observed: Omit<ObservedBatch, "pass">): void {
    for (const [name, observer] of this.#open) {
      try {
        observer.update({ ...observed, pass: this.#pass });
      } catch (error) {
        this.#leaveOut(name, error);
      }
    }
  }

  /** Lets all report. @throws what the disk or a callback threw, InterruptedError */
  async finish(errors: PassErrors): Promise<PassResults> {
    for (const [name, observer] of this.#open) {
      try {
        await observer.finish(this.#report(name, errors));
      } catch (error) {
        if (error instanceof DeliveryError) throw error.cause;
        this.#leaveOut(name, error);
      }
    }
    const { epoch, step } = this.#pass;
    if (Object.keys(this.#scalars).length > 0) {
      await this.#tell((callback) => callback.onScalars?.({ kind: "scalars", step, epoch, values: this.#scalars }));
    }
    return { scalars: this.#scalars, files: this.#files };
  }

  /** Frees what the observers keep. */
  dispose(): void {
    for (const observer of this.#open.values()) observer.dispose?.();
    this.#open.clear();
  }

  #report(name: string, errors: PassErrors): ObserverReport {
    const { draws, folder } = this.#options;
    const { phase, epoch, step } = this.#pass;
    return {
      pass: this.#pass,
      errors: errors.model,
      persistence: errors.persistence,
      draws,
      scalar: (tag, value) => {
        this.#scalars[`${phase}_${tag}`] = value;
      },
      figure: async (file, draw) => {
        if (!draws) return;
        if (!/\.(png|gif)$/.test(file)) throw new UsageError(`a figure's name ends in .png or .gif, got "${file}"`);
        let bytes: Uint8Array;
        try {
          bytes = await draw();
        } catch (error) {
          this.#options.warn(`the figure ${file} of ${name} could not be drawn: ${messageOf(error)}`);
          return;
        }
        const path = join(folder, file);
        const { dir, name: stem, ext } = parse(file);
        if ((await this.#write(path, bytes)) && ext === ".png") {
          const tag = [phase, dir, stem].filter((part) => part !== "").join("/");
          await this.#tell((callback) => callback.onFigure?.({ kind: "figure", tag, step, epoch, path }));
        }
        await new Promise(setImmediate); // let Ctrl-C in
        await deliver(async () => throwIfInterrupted(this.#options.signal, `drawing ${name}`));
      },
      json: async (file, value) => {
        if (draws) await this.#write(join(folder, file), `${JSON.stringify(value, null, 1)}\n`);
      },
    };
  }

  /** In a test the files are what it is for; a training goes on without them. */
  async #write(path: string, data: string | Uint8Array): Promise<boolean> {
    try {
      await atomicWrite(path, data);
    } catch (cause) {
      if (this.#pass.phase === "test") throw new DeliveryError("not written", { cause });
      this.#options.warn(messageOf(cause));
      return false;
    }
    this.#files.push(path);
    return true;
  }

  async #tell(call: (callback: TrainingCallback) => void | Promise<void> | undefined): Promise<void> {
    for (const callback of this.#options.callbacks ?? []) await deliver(async () => call(callback));
  }

  #leaveOut(name: string, error: unknown): void {
    this.#options.warn(`the observer ${name} failed and is left out of this pass: ${messageOf(error)}`);
    this.#open.get(name)?.dispose?.();
    this.#open.delete(name);
  }
}

async function deliver(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw new DeliveryError("not delivered", { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
