// One chunk becomes one file on the disk, compressed and flushed, or a part of a shard. Runs in a worker thread, or in place.

import { open, rename } from "node:fs/promises";
import { zarrCodec } from "./codecs.js";
import { returnBuffer } from "./output-buffers.js";
import type { ShardFiles, ShardPlace } from "./shard-files.js";

/** A chunk on its way. */
export interface ChunkPlace {
  /** Where it goes: its own file, or the shard that it is a part of. */
  readonly file: string;
  readonly codec: string;
  /** Bytes of one element. */
  readonly elementBytes: number;
  /** Its own file is written here first, then renamed: nobody sees half of it, and two who write the same do not mix. */
  readonly temporary?: string | undefined;
  readonly shard?: ShardPlace | undefined;
}

/**
 * Compresses and writes; what is thrown comes from the operating system as it is.
 * @returns true when a file has been finished: always, except for a shard that still lacks chunks
 */
export async function writeChunkFile(place: ChunkPlace, bytes: Uint8Array, shards: ShardFiles): Promise<boolean> {
  const { file, codec, elementBytes, temporary, shard } = place;
  const encoded = await zarrCodec(codec).encode(bytes, elementBytes);
  try {
    if (shard) return await shards.add(file, encoded, shard, codec === "none");
    await writeDurably(temporary ?? file, encoded);
  } finally {
    returnBuffer(encoded);
  }
  if (temporary !== undefined) await rename(temporary, file);
  return true;
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
