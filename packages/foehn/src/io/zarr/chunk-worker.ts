// A worker thread of chunk-writer.ts: writes chunks as they come, several at once, and sends their buffers back.

import { parentPort } from "node:worker_threads";
import { writeChunkFile } from "./chunk-file.js";
import type { ChunkDone, ChunkJob } from "./chunk-writer.js";
import { ShardFiles } from "./shard-files.js";

const shards = new ShardFiles();

// Node hands over all messages that wait in one turn of its loop, and within a turn no write ends. With one chunk a turn, the disk works
// while the next chunks are compressed.
const jobs: ChunkJob[] = [];

parentPort?.on("message", (job: ChunkJob) => {
  if (jobs.push(job) === 1) setImmediate(next);
});

function next(): void {
  void work(jobs.shift()!);
  if (jobs.length > 0) setImmediate(next);
}

async function work(job: ChunkJob): Promise<void> {
  const answer = (more: Partial<ChunkDone>): void => {
    const { id } = job;
    if (job.buffer) parentPort?.postMessage({ id, buffer: job.buffer, ...more } satisfies ChunkDone, [job.buffer]);
    else parentPort?.postMessage({ id, ...more } satisfies ChunkDone);
  };
  try {
    if (!job.buffer) {
      await shards.finish(job.file);
      answer({ isComplete: true });
    } else answer({ isComplete: await writeChunkFile(job.place, new Uint8Array(job.buffer, 0, job.bytes), shards) });
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    answer({
      error: { message, ...(code === undefined ? {} : { code }), ...(syscall === undefined ? {} : { syscall }) },
    });
  }
}
