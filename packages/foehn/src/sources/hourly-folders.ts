// Data in one folder per time: which folders have all the files that are wanted. Folders are listed many at a time, because on a
// network file system each one waits for a server, and the answer is kept in a cache that knows when a folder has changed.

import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "../core/errors.js";
import { atomicWrite, toStorageError } from "../core/files.js";

/** What was found. */
export interface FolderTimes {
  /** Times whose folder has every file, ascending. */
  readonly times: readonly number[];
  /** Times whose folder lacks files, and which. */
  readonly incomplete: readonly { readonly time: number; readonly missing: readonly string[] }[];
}

/** What to look for. */
export interface FolderSearch {
  /** Folder of the folders. */
  readonly root: string;
  /** The time of a folder by its name; undefined for a folder that is none of them. */
  readonly timeOf: (name: string) => number | undefined;
  /** Names of the files that each folder needs. */
  readonly files: readonly string[];
  /** Only times for which this is true. */
  readonly wanted?: ((time: number) => boolean) | undefined;
  readonly cacheDir?: string | undefined;
}

/** Folders looked at together. */
const concurrency = 32;

/** By folder: when it changed last, and the positions of the files that it lacks. */
type Index = Record<string, readonly [changed: number, lacking: readonly number[]]>;

/** @throws StorageError when the root cannot be listed */
export async function folderTimes(search: FolderSearch): Promise<FolderTimes> {
  const { root, timeOf, files, wanted = () => true } = search;
  let names: string[];
  try {
    names = await readdir(root);
  } catch (error) {
    throw new StorageError(`the folder ${root} cannot be listed: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    });
  }
  const folders = names
    .map((name) => ({ name, time: timeOf(name) }))
    .filter((f): f is { name: string; time: number } => f.time !== undefined && wanted(f.time))
    .sort((a, b) => a.time - b.time);
  const cachePath = search.cacheDir === undefined ? undefined : join(search.cacheDir, cacheName(root, files));
  const known = await readIndex(cachePath);
  const found: Index = {};
  let changed = false;
  let next = 0;
  const look = async (): Promise<void> => {
    for (let folder = folders[next++]; folder; folder = folders[next++]) {
      const path = join(root, folder.name);
      const { mtimeMs } = await stat(path).catch((error: unknown) => {
        throw toStorageError(error, path);
      });
      const before = known[folder.name];
      if (before?.[0] === mtimeMs) found[folder.name] = before;
      else {
        const names = await readdir(path).catch((error: unknown) => {
          throw toStorageError(error, path);
        });
        const inside = new Set(names);
        found[folder.name] = [mtimeMs, files.flatMap((file, i) => (inside.has(file) ? [] : [i]))];
        changed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, look));
  if (cachePath !== undefined && changed) await atomicWrite(cachePath, JSON.stringify({ ...known, ...found }));
  const lacking = (name: string) => found[name]![1];
  return {
    times: folders.filter(({ name }) => lacking(name).length === 0).map(({ time }) => time),
    incomplete: folders
      .filter(({ name }) => lacking(name).length > 0)
      .map(({ name, time }) => ({ time, missing: lacking(name).map((i) => files[i]!) })),
  };
}

const cacheName = (root: string, files: readonly string[]): string =>
  `folders-${createHash("sha256")
    .update(JSON.stringify([1, root, files]))
    .digest("hex")
    .slice(0, 24)}.json`;

async function readIndex(path: string | undefined): Promise<Index> {
  if (path === undefined) return {};
  try {
    return JSON.parse(await readFile(path, "utf8")) as Index;
  } catch {
    return {}; // absent or unreadable: every folder is looked at
  }
}
