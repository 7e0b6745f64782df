// Upkeep of the model cache: what is in it, is it whole, and away with what nobody uses. Safe beside running processes: what is being
// downloaded or was just brought stays. Not here: the verbs (cli/commands/package.ts).

import { createHash } from "node:crypto";
import { lstat, readdir, realpath, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { sha256File, toStorageError } from "../../core/files.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { type Progress, silentProgress } from "../../core/progress.js";
import { isArchiveName } from "../archive-path.js";
import { type CacheEntry, isPresent, readEntry } from "./entry.js";
import { ModelCache, type ModelCacheOptions } from "./model-cache.js";
import { unpackedFolder } from "./place.js";

/** A package of which something is in the cache. */
export interface CachedPackage {
  /** Address with revision, without secrets. */
  readonly package: string;
  readonly files: readonly (Pick<CacheEntry, "path" | "size" | "sha256"> & { readonly local: string })[];
  readonly bytes: number;
  /** Epoch seconds, to the hour. */
  readonly lastUsed: number;
}

/** Options of the functions below. */
export interface MaintenanceOptions {
  readonly cache?: ModelCache | ModelCacheOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

interface Found {
  readonly file: string;
  readonly entry: CacheEntry;
  readonly usedMs: number;
}

/** What is in the cache, most recently used first. */
export async function listCached(options: MaintenanceOptions = {}): Promise<CachedPackage[]> {
  const cache = cacheOf(options);
  const byPackage = new Map<string, Found[]>();
  for (const found of await entriesOf(cache)) {
    byPackage.set(found.entry.package, [...(byPackage.get(found.entry.package) ?? []), found]);
  }
  return [...byPackage]
    .map(([id, list]) => ({
      package: id,
      files: list.map(({ entry: { path, size, sha256 } }) => ({
        path,
        size,
        sha256,
        local: cache.snapshotFile(id, path),
      })),
      bytes: list.reduce((sum, { entry }) => sum + entry.size, 0),
      lastUsed: Math.floor(Math.max(...list.map(({ usedMs }) => usedMs)) / 1000),
    }))
    .sort((a, b) => b.lastUsed - a.lastUsed || (a.package < b.package ? -1 : 1));
}

/** A file that is not what it was. */
export interface DamagedFile {
  readonly package: string;
  readonly path: string;
  readonly why: string;
}

/**
 * Computes the hash of every cached file. What is damaged is taken out of the cache, so that the next use brings it again.
 * @returns number of files that were looked at, and those that were damaged
 * @throws StorageError; InterruptedError
 */
export async function verifyCache(
  options: MaintenanceOptions = {},
): Promise<{ readonly checked: number; readonly damaged: readonly DamagedFile[] }> {
  const cache = cacheOf(options);
  const { signal, progress = silentProgress } = options;
  const entries = await entriesOf(cache);
  const damaged: DamagedFile[] = [];
  progress.start("verifying", entries.length);
  for (const [i, { file, entry }] of entries.entries()) {
    throwIfInterrupted(signal, "the check of the cache");
    const path = cache.snapshotFile(entry.package, entry.path);
    const found = await sha256File(path).catch(() => undefined);
    if (found?.sha256 !== entry.sha256) {
      const why =
        found === undefined ? "it is missing or cannot be read" : `its sha256 is ${found.sha256}, not ${entry.sha256}`;
      damaged.push({ package: entry.package, path: entry.path, why });
      await Promise.all([file, path, cache.blobFile(entry.sha256)].map((name) => rm(name, { force: true })));
    }
    progress.update(i + 1);
  }
  progress.finish();
  return { checked: entries.length, damaged };
}

/** What `prune` takes away. Without any of these: only what belongs to nothing any more. */
export interface PruneOptions extends MaintenanceOptions {
  /** Files that were not used for so many seconds. */
  readonly unusedFor?: number | undefined;
  /** The least recently used until at most so many bytes are left. */
  readonly maxBytes?: number | undefined;
  /** Packages whose address contains this text. */
  readonly package?: string | undefined;
  /** Take nothing away, only say what would be. */
  readonly dryRun?: boolean | undefined;
}

/** Longer ago than any process needs between writing a file and naming it. */
const settledMs = 3_600_000;
const weekMs = 7 * 24 * 3_600_000;

/**
 * Takes files out of the cache.
 * @returns what was taken away, and the bytes that this frees
 * @throws StorageError
 */
export async function prune(options: PruneOptions = {}): Promise<{
  readonly removed: readonly { readonly package: string; readonly path: string }[];
  readonly bytes: number;
}> {
  const cache = cacheOf(options);
  const { unusedFor, maxBytes, dryRun = false } = options;
  const now = Date.now();
  const kept = new Set((await entriesOf(cache)).sort((a, b) => a.usedMs - b.usedMs));
  const removed: Found[] = [];
  const drop = (found: Found): void => {
    kept.delete(found);
    removed.push(found);
  };
  for (const found of [...kept]) {
    const named = options.package !== undefined && found.entry.package.includes(options.package);
    const old = unusedFor !== undefined && now - found.usedMs > unusedFor * 1000;
    if (named || old) drop(found);
  }
  const sizes = new Map([...kept].map(({ entry }) => [entry.sha256, entry.size]));
  let left = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  for (const found of [...kept]) {
    if (maxBytes === undefined || left <= maxBytes) break;
    drop(found);
    // Equal contents of another package stay as long as that one does.
    if (![...kept].some(({ entry }) => entry.sha256 === found.entry.sha256)) left -= found.entry.size;
  }
  const used = new Set([...kept].map(({ entry }) => entry.sha256));
  const gone = new Map(removed.map(({ entry }) => [entry.sha256, entry.size]));
  let bytes = [...gone].reduce((sum, [sha256, size]) => sum + (used.has(sha256) ? 0 : size), 0);
  if (!dryRun) {
    for (const { file, entry } of removed) {
      const snapshot = cache.snapshotFile(entry.package, entry.path);
      await rm(file, { force: true });
      await rm(snapshot, { force: true });
      for (const folder of [dirname(file), dirname(snapshot)]) await rmdir(folder).catch(() => {}); // when empty
      if (!used.has(entry.sha256)) await rm(cache.blobFile(entry.sha256), { force: true });
    }
  }
  bytes += await removeStrays(cache, used, gone, now, dryRun);
  return { removed: removed.map(({ entry: { package: id, path } }) => ({ package: id, path })), bytes };
}

/** Contents, partial downloads, unpacked archives and locks that belong to nothing any more. */
async function removeStrays(
  cache: ModelCache,
  used: ReadonlySet<string>,
  gone: ReadonlyMap<string, number>,
  now: number,
  dryRun: boolean,
): Promise<number> {
  let bytes = 0;
  await removeUnknownNames(cache, now, dryRun);
  const strays: [folder: string, isUsed: (name: string) => boolean, ageMs: number][] = [
    ...(await namesIn(join(cache.folder, "blobs", "sha256"))).map(
      (part): [string, (name: string) => boolean, number] => [
        join(cache.folder, "blobs", "sha256", part),
        (name) => used.has(name) || gone.has(name),
        settledMs,
      ],
    ),
    [join(cache.folder, "partial"), () => false, weekMs],
    [join(cache.folder, "locks"), () => false, weekMs],
    [unpackedFolder(cache.folder), await unpackedInUse(cache, used), weekMs],
  ];
  for (const [folder, isUsed, ageMs] of strays) {
    for (const name of await namesIn(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || isUsed(name) || now - found.mtimeMs < ageMs) continue;
      if (found.isFile() && found.nlink <= 1) bytes += found.size;
      if (!dryRun) await rm(path, { recursive: true, force: true });
    }
  }
  return bytes;
}

/** Names in packages of which no entry tells any more: they would keep their contents on the disk for ever. */
async function removeUnknownNames(cache: ModelCache, now: number, dryRun: boolean): Promise<void> {
  const [snapshots, entries] = ["snapshots", "entries"].map((name) => join(cache.folder, name)) as [string, string];
  for (const item of await readdir(snapshots, { withFileTypes: true, recursive: true }).catch(noFolder(snapshots))) {
    if (item.isDirectory()) continue;
    const path = join(item.parentPath, item.name);
    const entry = readEntry(join(entries, `${relative(snapshots, path)}.json`));
    const found = await lstat(path).catch(() => undefined);
    if (isPresent(entry) || found === undefined || now - found.ctimeMs < settledMs) continue;
    if (!dryRun) await rm(path, { force: true });
  }
}

/** Folders of archives that are still in the cache; named as in archive/unpacked.ts. */
async function unpackedInUse(cache: ModelCache, used: ReadonlySet<string>): Promise<(name: string) => boolean> {
  const names = new Set<string>();
  for (const { entry } of await entriesOf(cache)) {
    if (!used.has(entry.sha256) || !isArchiveName(entry.path)) continue;
    const file = cache.snapshotFile(entry.package, entry.path);
    const found = await stat(file).catch(() => undefined);
    if (!found) continue;
    const identity = `${await realpath(file)}|${found.size}|${found.mtimeMs}`;
    names.add(createHash("sha256").update(identity).digest("hex").slice(0, 32));
  }
  return (name) => names.has(name);
}

async function entriesOf(cache: ModelCache): Promise<Found[]> {
  const root = join(cache.folder, "entries");
  const found: Found[] = [];
  for (const item of await readdir(root, { withFileTypes: true, recursive: true }).catch(noFolder(root))) {
    if (!item.isFile() || !item.name.endsWith(".json") || item.name.startsWith(".")) continue;
    const file = join(item.parentPath, item.name);
    const entry = readEntry(file);
    if (isPresent(entry)) found.push({ file, entry, usedMs: (await stat(file)).mtimeMs });
  }
  return found;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(noFolder(folder));
}

const noFolder =
  (folder: string) =>
  (error: unknown): never[] => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw toStorageError(error, folder);
  };

const cacheOf = ({ cache }: MaintenanceOptions): ModelCache =>
  cache instanceof ModelCache ? cache : new ModelCache(cache);
