// A reading thread: opens the source by its recipe and fills the shared memory of samples as it is asked to. Knows nothing of tensors
// and does not load the engine.

import { parentPort, workerData } from "node:worker_threads";
import type { Source } from "../../sources/source.js";
import { FrameStore } from "../frames.js";
import { sampleMemory } from "./memory-layout.js";
import { type ReadDone, type ReaderSetup, type ReadJob, toPlainError } from "./protocol.js";
import { fillSample } from "./sample.js";

const { recipe, layout, stats } = workerData as ReaderSetup;

async function openFrames(): Promise<FrameStore> {
  const module = (await import(recipe.module)) as Readonly<Record<string, unknown>>;
  const open = module[recipe.open] as (...args: readonly unknown[]) => Source | Promise<Source>;
  const frames = new FrameStore({ ...layout, source: await open(...recipe.args) });
  frames.useStats(stats);
  return frames;
}

const frames = openFrames();
frames.catch(() => {}); // each job reports it

// One after the other: most sources read synchronously, and then order costs nothing and saves memory.
let previous: Promise<void> = Promise.resolve();
parentPort?.on("message", (job: ReadJob) => {
  previous = previous.then(() => work(job));
});

async function work({ id, start, memory, index, keep }: ReadJob): Promise<void> {
  let done: ReadDone = { id };
  try {
    await fillSample(await frames, memory.layout, start, sampleMemory(memory, index), keep);
  } catch (error) {
    done = { id, error: toPlainError(error) };
  }
  parentPort?.postMessage(done);
}
