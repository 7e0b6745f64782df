// A worker thread of chunk-writer.ts: writes chunks as they come, several at once, and sends their buffers back.

import { parentPort } from "node:worker_threads";
import { writeChunkFile } from "./chunk-file.js";
import type { ChunkDone, ChunkJob } from "./chunk-writer.js";
import { ShardFiles } from "./shard-files.js";

const shards = new ShardFiles();

parentPort?.on("message", async (job: ChunkJob) => {
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
});
