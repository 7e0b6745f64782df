// One chunk becomes one file on the disk, compressed and flushed. Runs in the worker thread, or in place.

import { open } from "node:fs/promises";
import { zarrCodec } from "./codecs.js";

/** Compresses and writes; what is thrown comes from the operating system as it is. */
export async function writeChunkFile(file: string, bytes: Uint8Array, codec: string): Promise<void> {
  await writeDurably(file, await zarrCodec(codec).encode(bytes));
}

/** Writes a file and flushes its contents to the disk. */
export async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, "w");
  try {
    let done = 0;
    // One write call may be short, above 2 GiB always.
    while (done < bytes.byteLength) done += (await handle.write(bytes, done)).bytesWritten;
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
