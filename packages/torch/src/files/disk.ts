// Reading ranges of a file, and writing a file so that its final name never shows half of it:
// temporary file in the same folder, fsync, rename, fsync of the folder.
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { TensorFileError } from "./errors.js";

/** One read or write call of the operating system moves at most 2 GiB; stay below. */
const MAX_CHUNK = 1 << 30;

/** Fills `target` with the bytes at `position`; throws when the file ends before. */
export function readExactly(fd: number, target: Uint8Array, position: number, path: string): void {
  let done = 0;
  while (done < target.byteLength) {
    const count = readSync(fd, target, done, Math.min(MAX_CHUNK, target.byteLength - done), position + done);
    if (count === 0) {
      throw new TensorFileError(
        path,
        `ends at byte ${position + done}, inside a block that should go on to byte ${position + target.byteLength}; ` +
          "the file is truncated, copy or download it again",
      );
    }
    done += count;
  }
}

/** Writes all of `bytes` at the current position. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.byteLength) {
    done += writeSync(fd, bytes, done, Math.min(MAX_CHUNK, bytes.byteLength - done));
  }
}

/**
 * Writes a file atomically: `write` fills a temporary file beside `path`, which takes the final name only when
 * everything is on the disk. On any error the temporary file is removed and an older file under `path` is untouched.
 */
export function writeFileAtomic(path: string, write: (fd: number) => void): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
  const fd = openSync(temporary, "wx");
  try {
    try {
      write(fd);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

/** Makes the rename itself durable; some file systems do not allow opening a folder, which is no reason to fail. */
function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // The data is safe under its final name already.
  }
}
