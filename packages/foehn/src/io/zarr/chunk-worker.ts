// The worker thread of chunk-writer.ts: writes chunks as they come, several at once, and sends their buffers back.

import { parentPort } from "node:worker_threads";
import { writeChunkFile } from "./chunk-file.js";
import type { ChunkDone, ChunkJob } from "./chunk-writer.js";

parentPort?.on("message", async ({ id, file, codec, buffer, bytes }: ChunkJob) => {
  const answer = (error?: ChunkDone["error"]): void =>
    parentPort?.postMessage({ id, buffer, ...(error ? { error } : {}) } satisfies ChunkDone, [buffer]);
  try {
    await writeChunkFile(file, new Uint8Array(buffer, 0, bytes), codec);
    answer();
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    answer({ message, ...(code === undefined ? {} : { code }), ...(syscall === undefined ? {} : { syscall }) });
  }
});
