// Zarr shards on the disk: many chunks in one file, with an index of offsets and lengths and its CRC-32C at the end
// (zarr-specs, sharding-indexed codec 1.0). A shard is built under a temporary name, chunk by chunk as they come, and gets its name when
// it has all of them, in their order whatever the order of coming. Memory: the indexes of the shards being built. Runs in a worker thread,
// or in place. Not here: which chunk belongs where (shard-grid.ts).

import { open, rename, rm } from "node:fs/promises";
import { crc32c } from "./crc32c.js";

/** A chunk's place in a shard. */
export interface ShardPlace {
  /** Where the shard is built. */
  readonly temporary: string;
  /** Row-major place among all chunks of a shard. */
  readonly slot: number;
  readonly slots: number;
  /** Place among, and number of, the chunks that lie inside the array: at its edge a shard is not full. */
  readonly rank: number;
  readonly count: number;
}

interface OpenShard {
  readonly temporary: string;
  /** Offset and length of each slot; 2^64 - 1 where there is nothing. */
  readonly index: BigUint64Array;
  /** End of what has been given out. */
  size: number;
  written: number;
  underWay: number;
  /** Bytes not yet sent to the disk. */
  waiting: number;
  /** Some chunk lies before one with a lower slot. */
  lastSlot: number;
  isOrdered: boolean;
}

const nothing = 2n ** 64n - 1n;
/** The disk works while the next chunks are compressed, and not only at the end of a shard. */
const flushEvery = 4 << 20;

/** The shards that one thread builds. */
export class ShardFiles {
  readonly #open = new Map<string, OpenShard>();

  /** Writes an encoded chunk. @returns true when the shard has become complete and has its name */
  async add(file: string, bytes: Uint8Array, place: ShardPlace, isFixedSize: boolean): Promise<boolean> {
    let shard = this.#open.get(file);
    if (!shard) {
      const index = new BigUint64Array(2 * place.slots).fill(nothing);
      shard = {
        temporary: place.temporary,
        index,
        size: 0,
        written: 0,
        underWay: 0,
        waiting: 0,
        lastSlot: -1,
        isOrdered: true,
      };
      this.#open.set(file, shard);
    }
    // Uncompressed chunks have a place of their own; others come one after the other and are put in order at the end.
    const isNew = shard.index[2 * place.slot] === nothing;
    const offset = isFixedSize ? place.rank * bytes.length : shard.size;
    shard.size = Math.max(shard.size, offset + bytes.length);
    if (!isFixedSize) {
      if (place.slot < shard.lastSlot || !isNew) shard.isOrdered = false;
      shard.lastSlot = place.slot;
    }
    shard.index[2 * place.slot] = BigInt(offset);
    shard.index[2 * place.slot + 1] = BigInt(bytes.length);
    shard.underWay++;
    shard.waiting += bytes.length;
    const isMuch = shard.waiting >= flushEvery;
    if (isMuch) shard.waiting = 0;
    await writeAt(shard.temporary, bytes, offset, isMuch);
    shard.underWay--;
    if (isNew) shard.written++;
    if (shard.written < place.count || shard.underWay > 0) return false;
    await this.finish(file);
    return true;
  }

  /** Ends a shard with what it has: chunks that never came read as missing. Nothing for one that is not being built. */
  async finish(file: string): Promise<void> {
    const shard = this.#open.get(file);
    if (!shard) return;
    this.#open.delete(file);
    let { index, size, temporary } = shard;
    // A gap between chunks of fixed size would be read by nobody, but hold whatever the file system says.
    if (!shard.isOrdered) ({ index, size, temporary } = await inOrder(shard));
    const footer = new Uint8Array(index.byteLength + 4);
    footer.set(new Uint8Array(index.buffer));
    new DataView(footer.buffer).setUint32(index.byteLength, crc32c(footer.subarray(0, index.byteLength)), true);
    await writeAt(temporary, footer, size, true);
    await rename(temporary, file);
  }
}

/** Copies the chunks of a shard in the order of their slots, so that equal contents are equal files. */
async function inOrder(shard: OpenShard): Promise<Pick<OpenShard, "index" | "size" | "temporary">> {
  const temporary = `${shard.temporary}.ordered`;
  const index = new BigUint64Array(shard.index.length).fill(nothing);
  let size = 0;
  const from = await open(shard.temporary, "r");
  try {
    const to = await open(temporary, "w");
    try {
      for (let slot = 0; slot < index.length / 2; slot++) {
        if (shard.index[2 * slot] === nothing) continue;
        const bytes = Buffer.allocUnsafe(Number(shard.index[2 * slot + 1]));
        const { bytesRead } = await from.read(bytes, 0, bytes.length, Number(shard.index[2 * slot]));
        if (bytesRead !== bytes.length) throw new Error(`${shard.temporary} is shorter than what was written to it`);
        await writeAll(to, bytes, size);
        index[2 * slot] = BigInt(size);
        index[2 * slot + 1] = BigInt(bytes.length);
        size += bytes.length;
      }
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  await rm(shard.temporary);
  return { index, size, temporary };
}

type Handle = Awaited<ReturnType<typeof open>>;

async function writeAll(handle: Handle, bytes: Uint8Array, at: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

// Opened for each chunk: an ensemble has thousands of shards being built, more than a process may hold open.
async function writeAt(path: string, bytes: Uint8Array, offset: number, sync = false): Promise<void> {
  const handle = await open(path, "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return open(path, "a").then((made) => made.close().then(() => open(path, "r+")));
    throw error;
  });
  try {
    await writeAll(handle, bytes, offset);
    if (sync) await handle.datasync();
  } finally {
    await handle.close();
  }
}
