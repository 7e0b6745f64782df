// The last step of writing an output that was built under a temporary name: flush it, move it to its final name, and never destroy
// something that is not an older output of the same kind. Files and folders alike. core/files.ts makes the temporary names.

import { lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UsageError } from "../core/errors.js";
import { temporaryPath, toStorageError } from "../core/files.js";

/** How an existing output is treated. */
export interface FinalNameOptions {
  readonly overwrite: boolean;
  /** Names of files of which an existing folder must hold one to be recognised as an older output. Empty: it must be a file. */
  readonly markers: readonly string[];
}

/**
 * Refuses an output that is there already: at all without `overwrite`, and with it when it is not an older output of this kind.
 * @throws UsageError
 */
export async function refuseExisting(target: string, options: FinalNameOptions): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (!found) return;
  if (!options.overwrite) {
    throw new UsageError(`the output ${target} exists already`, {
      hint: "give another name, or --overwrite to replace it",
    });
  }
  // `-o .` with --overwrite must not take somebody's folder away.
  const old = await stat(target).catch(() => undefined);
  if (!old?.isDirectory()) return;
  const entries = await readdir(target);
  if (entries.length === 0 || options.markers.some((marker) => entries.includes(marker))) return;
  throw new UsageError(`the output ${target} is a folder with other things in it, so it is not replaced`, {
    hint: "give another name",
  });
}

/**
 * Moves a finished temporary file or folder to its final name, replacing an older output when `overwrite` is set.
 * @throws UsageError when the target appeared meanwhile, StorageError when the move fails
 */
export async function moveToFinalName(temporary: string, target: string, options: FinalNameOptions): Promise<void> {
  await refuseExisting(target, options);
  try {
    await syncEntry(temporary);
    const old = await stat(target).catch(() => undefined);
    if (old?.isDirectory()) await replaceFolder(temporary, target);
    else await rename(temporary, target);
    await syncEntry(dirname(target));
  } catch (error) {
    throw toStorageError(error, target);
  }
}

// A folder cannot be renamed over one that is not empty, so the old one steps aside first and comes back when that fails.
async function replaceFolder(temporary: string, target: string): Promise<void> {
  const aside = temporaryPath(target);
  await rename(target, aside);
  try {
    await rename(temporary, target);
  } catch (error) {
    await rename(aside, target);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** Flushes a file, or the entries of a folder, to the disk. Where the system cannot (Windows folders), it does nothing. */
export async function syncEntry(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  if (!handle) return;
  try {
    await handle.sync().catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOSPC" || error.code === "EIO" || error.code === "EDQUOT") throw error;
    });
  } finally {
    await handle.close();
  }
}

/** Flushes every folder below and including `root` to the disk. */
export async function syncFolders(root: string): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(root, entry.name));
  }
  await syncEntry(root);
}
