// Unpacking a zip that came from elsewhere: all of it under a temporary name, or nothing. Names that leave the folder, links, encrypted
// entries, entries of another size than they say and bombs are refused. Format: APPNOTE.TXT (PKWARE), read by yauzl.

import { createWriteStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import yauzl from "yauzl";
import { FoehnError } from "../../core/errors.js";
import { atomicWrite, toStorageError } from "../../core/files.js";
import { type ArchiveLimits, EntryCheck } from "./entries.js";

/** Options of `unzip` and `untar`. */
export interface UnpackOptions extends ArchiveLimits {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks a zip archive into a new folder, which gets its name when it is complete.
 * @returns names of the files, with `/`, in the order of the archive
 * @throws FormatError when the archive is damaged or hostile; StorageError when the disk does not let us write
 */
export async function unzip(archive: string, folder: string, options: UnpackOptions = {}): Promise<string[]> {
  let names: string[] = [];
  const { size } = await stat(archive).catch((error) => {
    throw toStorageError(error, archive);
  });
  const check = new EntryCheck(archive, size, options);
  await atomicWrite(folder, async (temporary) => {
    await mkdir(temporary);
    names = await unpack(archive, temporary, check, options.signal);
  });
  return names;
}

async function unpack(archive: string, folder: string, check: EntryCheck, signal?: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  try {
    const zip = await yauzl.openPromise(archive, { lazyEntries: true, autoClose: false });
    try {
      for await (const entry of zip.eachEntry()) {
        signal?.throwIfAborted();
        const name = check.name(entry.fileName);
        refuseSpecial(check, entry);
        if (name === "") continue;
        const target = join(folder, name);
        if (entry.fileName.endsWith("/")) {
          await mkdir(target, { recursive: true });
          continue;
        }
        await mkdir(dirname(target), { recursive: true });
        const source = await zip.openReadStreamPromise(entry);
        let crc = 0;
        const looked = watch((chunk) => {
          check.count(chunk.length);
          crc = crc32(chunk, crc);
        });
        await pipeline(source, looked, createWriteStream(target, { flags: "wx" }), signal ? { signal } : {});
        if (crc !== entry.crc32) throw check.refuse(`is damaged: ${name} has another checksum than it says`);
        names.push(name);
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    if (error instanceof FoehnError || signal?.aborted) throw error;
    const known = toStorageError(error, folder);
    if (known instanceof FoehnError) throw known;
    throw check.refuse(`cannot be unpacked: ${known.message}`, error);
  }
  return names;
}

const [typeBits, regularFile, folderType] = [0o170000, 0o100000, 0o040000];

function refuseSpecial(check: EntryCheck, entry: yauzl.Entry): void {
  if (entry.isEncrypted()) throw check.refuse("is encrypted");
  const made = entry.versionMadeBy >>> 8;
  const type = (entry.externalFileAttributes >>> 16) & typeBits;
  // Only archives made on Unix (3) or macOS (19) carry file types.
  if ((made === 3 || made === 19) && type !== 0 && type !== regularFile && type !== folderType) {
    throw check.refuse(`has an entry that is a link or a device: ${JSON.stringify(entry.fileName.slice(0, 200))}`);
  }
}

/** Lets bytes through and shows them. */
export function watch(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        look(chunk);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
}
