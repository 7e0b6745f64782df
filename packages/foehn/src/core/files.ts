// Files that are either there in full or not at all: written under a temporary name in the same folder, flushed to the
// disk, then renamed. And what the operating system's refusals mean for the user. Not a virtual file system.

import { createHash, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isFoehnError, StorageError } from "./errors.js";

/** A fresh name beside `path`: `.name.<random>.tmp`. Hidden, and in the same folder, so that a rename is atomic. */
export function temporaryPath(path: string): string {
  const full = resolve(path);
  return join(dirname(full), `.${basename(full)}.${randomBytes(6).toString("hex")}.tmp`);
}

/**
 * Writes a file (or, with a function, whatever it makes at the temporary path: a file or a folder) and gives it its final name last.
 * Missing parent folders are made. On failure the temporary is removed and an existing file stays as it was.
 * @throws StorageError when the disk is full or does not let us write
 */
export async function atomicWrite(
  path: string,
  data: string | Uint8Array | ((temporary: string) => Promise<void>),
): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    await mkdir(dirname(temporary), { recursive: true });
    if (typeof data === "function") {
      await data(temporary);
      await flush(temporary);
    } else {
      const handle = await open(temporary, "wx");
      try {
        await handle.writeFile(data);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    await rename(temporary, path);
    await flush(dirname(temporary));
  } catch (err) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw toStorageError(err, path);
  }
}

/** {@link atomicWrite} for a small file in synchronous code. */
export function atomicWriteSync(path: string, data: string | Uint8Array): void {
  const temporary = temporaryPath(path);
  try {
    mkdirSync(dirname(temporary), { recursive: true });
    const fd = openSync(temporary, "wx");
    try {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (err) {
    try {
      rmSync(temporary, { recursive: true, force: true });
    } catch {
      // the first error says more
    }
    throw toStorageError(err, path);
  }
}

/** Forces a file's or folder's entry onto the disk, where the system has such a thing. */
async function flush(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (err) {
    // Windows cannot open folders, some network disks cannot sync; a full disk must still be heard.
    if (isDiskFull(err)) throw err;
  }
}

/**
 * SHA-256 (hex) and size in bytes, streamed.
 * @throws StorageError
 */
export async function sha256File(path: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    const handle = await open(path, "r");
    try {
      const buffer = Buffer.allocUnsafe(1 << 20);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        size += bytesRead;
      }
    } finally {
      await handle.close();
    }
  } catch (err) {
    throw toStorageError(err, path);
  }
  return { sha256: hash.digest("hex"), size };
}

const errnoCode = (err: unknown): string | undefined =>
  err instanceof Error && "code" in err && typeof err.code === "string" ? err.code : undefined;

/** True when the disk, or the user's quota on it, is full. */
export function isDiskFull(err: unknown): boolean {
  const code = errnoCode(err);
  if (code === "ENOSPC" || code === "EDQUOT") return true;
  return err instanceof StorageError && err.cause !== undefined && isDiskFull(err.cause);
}

/** What each refusal of the operating system means, and what to do about it. */
const refusals: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOSPC: ["the disk is full", "free some space or choose an output on another disk; nothing was left half-written"],
  EDQUOT: ["the disk quota is used up", "free some space or choose an output elsewhere; nothing was left half-written"],
  EFBIG: ["the file is larger than this file system allows", "choose an output on another disk"],
  EACCES: ["no permission", "check who owns the file and its folder, or choose another place"],
  EPERM: ["not permitted", "check who owns the file and its folder, or choose another place"],
  EROFS: ["the file system is read-only", "choose a place that can be written"],
  ENOENT: ["no such file or folder", "check the path"],
  ENOTDIR: ["a part of the path is a file, not a folder", "check the path"],
  EISDIR: ["it is a folder, not a file", "give the path of a file"],
  EEXIST: ["it exists already", "choose another name or pass --overwrite"],
  ENOTEMPTY: ["it exists already and is not empty", "choose another name or pass --overwrite"],
  EMFILE: ["too many open files", "raise the limit (ulimit -n)"],
  ENAMETOOLONG: ["the name is too long", "choose a shorter name"],
  EIO: ["the disk reported an input/output error", "check the disk and the system log"],
};

/** Turns what a file operation threw into a StorageError with advice; Foehn errors and other errors come back as they are. */
export function toStorageError(err: unknown, path: string): Error {
  if (isFoehnError(err)) return err;
  const code = errnoCode(err);
  const known = code === undefined ? undefined : refusals[code];
  if (known) return new StorageError(`${path}: ${known[0]}`, { hint: known[1], cause: err });
  if (err instanceof Error && "syscall" in err) return new StorageError(`${path}: ${err.message}`, { cause: err });
  return err instanceof Error ? err : new Error(String(err));
}
