// Unpacking a tar that came from elsewhere, plain or gzipped, by the rules of unzip.ts: PhysicsNeMo's `.mdlus` checkpoints are such files.
// Format: POSIX pax and ustar, read by the package tar.

import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import * as tar from "tar";
import { FoehnError } from "../../core/errors.js";
import { atomicWrite, toStorageError } from "../../core/files.js";
import { EntryCheck } from "./entries.js";
import { type UnpackOptions, watch } from "./unzip.js";

/**
 * Unpacks a tar archive into a new folder, which gets its name when it is complete.
 * @returns names of the files, in the order of the archive
 * @throws FormatError when the archive is damaged or hostile; StorageError when the disk does not let us write
 */
export async function untar(archive: string, folder: string, options: UnpackOptions = {}): Promise<string[]> {
  const names: string[] = [];
  const { size } = await stat(archive).catch((error) => {
    throw toStorageError(error, archive);
  });
  const check = new EntryCheck(archive, size, options);
  await atomicWrite(folder, async (temporary) => {
    await mkdir(temporary);
    await unpack(archive, temporary, { check, names, signal: options.signal });
    if (names.length === 0) throw check.refuse("is no tar archive, or has no files");
  });
  return names;
}

interface Unpacking {
  readonly check: EntryCheck;
  readonly names: string[];
  readonly signal: AbortSignal | undefined;
}

async function unpack(archive: string, folder: string, { check, names, signal }: Unpacking): Promise<void> {
  const writes: Promise<void>[] = [];
  let failed: unknown;
  const stop = new AbortController();
  const fail = (error: unknown) => {
    failed ??= error;
    stop.abort();
  };
  const take = async (entry: tar.ReadEntry): Promise<void> => {
    signal?.throwIfAborted();
    if (failed !== undefined) {
      entry.resume();
      return;
    }
    const name = check.name(entry.path);
    if (entry.type === "Directory") {
      entry.resume();
      return;
    }
    if (entry.type !== "File" && entry.type !== "OldFile") {
      throw check.refuse(`has an entry that is a link or a device: ${JSON.stringify(entry.path.slice(0, 200))}`);
    }
    names.push(name); // here, because several small entries may be on their way at once
    const target = join(folder, name);
    await mkdir(dirname(target), { recursive: true });
    const looked = watch((chunk) => check.count(chunk.length));
    const ends = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    await pipeline(entry, looked, createWriteStream(target, { flags: "wx" }), { signal: ends });
  };
  try {
    await parse(archive, stop.signal, (entry) => {
      // The next entry comes when this one has been read; what was refused is read to nowhere, and then no more is unpacked.
      const written = take(entry).catch((error: unknown) => {
        fail(error);
        entry.resume();
      });
      writes.push(written);
    });
    await Promise.all(writes);
  } catch (error) {
    fail(error);
  }
  if (failed === undefined) return;
  await Promise.allSettled(writes); // nothing is written any more when the folder is removed
  if (failed instanceof FoehnError || signal?.aborted) throw failed;
  const known = toStorageError(failed, folder);
  throw known instanceof FoehnError ? known : check.refuse(`cannot be unpacked: ${known.message}`, failed);
}

/** Entries in their order. Their data wait until they are read. Ends at once when `signal` is aborted. */
function parse(archive: string, signal: AbortSignal, onReadEntry: (entry: tar.ReadEntry) => void): Promise<void> {
  return new Promise((done, failed) => {
    const parser = new tar.Parser({ strict: true, onReadEntry });
    const file = createReadStream(archive);
    const stop = (error: unknown) => {
      file.destroy();
      failed(error);
    };
    parser.on("end", done).on("error", stop).on("abort", stop);
    signal.addEventListener("abort", () => stop(signal.reason), { once: true });
    file.on("error", stop).pipe(parser as unknown as NodeJS.WritableStream);
  });
}
