// Files of packages on this machine. Contents lie once under their SHA-256 (`blobs/sha256/ab/…`), are linked under the names that they have
// in their package (`snapshots/<package>/<path>`), and are described by `entries/<package>/<path>.json`. A file is checked when it comes;
// later its size and time are compared, and its hash when those differ. Files without a known hash from places that can change are asked
// for again (by ETag or date, without a new transfer when they are the same) once a day, or on `refresh`.
// Not here: transfers (download.ts), addresses (../uri.ts), cleaning up (maintenance.ts).

import { createHash, randomBytes } from "node:crypto";
import { type Stats, statSync } from "node:fs";
import { chmod, copyFile, link, mkdir, readdir, rename, rm, stat, symlink, utimes } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isOffline } from "../../core/environment.js";
import { InterruptedError, NetworkError } from "../../core/errors.js";
import { sha256File, toStorageError } from "../../core/files.js";
import { type Progress, silentProgress } from "../../core/progress.js";
import { type DownloadOptions, discard, download } from "../../io/remote/download.js";
import { isNotFound, isTransient } from "../../io/remote/http.js";
import type { PackageFile, PackageStore } from "../stores/package-store.js";
import { type CacheEntry, isPresent, type MissingEntry, readEntry, writeEntry } from "./entry.js";
import { withFileLock } from "./file-lock.js";
import { modelCacheFolder, readOnlyCacheFolders } from "./place.js";

/** Options of a `ModelCache`. */
export interface ModelCacheOptions {
  /** Default: see `modelCacheFolder`. */
  readonly folder?: string | undefined;
  /** Caches that are looked into first and never written. Default: FOEHN_CACHE_READONLY. */
  readonly readOnly?: readonly string[] | undefined;
  /** Use no network. Default: FOEHN_OFFLINE. */
  readonly offline?: boolean | undefined;
  /** Ask the server again whether files without a known hash are still the same. */
  readonly refresh?: boolean | undefined;
  /** Seconds after which that is done anyway. Default one day. */
  readonly maxAge?: number | undefined;
  /** Of downloads; for tests and slow lines. */
  readonly transfer?: Pick<DownloadOptions, "connections" | "segmentBytes" | "retryDelayMs"> | undefined;
}

/** Options of one file. */
export interface FetchOptions {
  /** SHA-256 and size that the file must have. */
  readonly expected?: PackageFile | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
  readonly maxBytes?: DownloadOptions["maxBytes"];
  /** Take 401 and 403 for "there is no such file". */
  readonly refusedIsMissing?: boolean | undefined;
  /** Bytes that have come, for who shows many files as one. */
  readonly onBytes?: DownloadOptions["onBytes"];
}

const hints = {
  disk: "free some space (`foehn package prune`), or name another disk in FOEHN_MODEL_CACHE",
  replaced: "`foehn package pull --refresh` looks for a new version",
};
const day = 86_400;
/** Seconds for which "there is no such file" is believed. */
const missingAge = 300;
/** Downloads of this process, by cache and file: who comes second waits for the first. */
const running = new Map<string, Promise<string>>();

/** The model cache. Holds no file handles; many processes may use one folder. */
export class ModelCache {
  readonly folder: string;
  readonly offline: boolean;
  readonly #readOnly: readonly string[];
  readonly #options: ModelCacheOptions;
  /** Files whose server was asked by this object, so that `refresh` asks once. */
  readonly #asked = new Set<string>();

  constructor(options: ModelCacheOptions = {}) {
    this.folder = options.folder ?? modelCacheFolder();
    this.#readOnly = options.readOnly ?? readOnlyCacheFolders();
    this.offline = options.offline ?? isOffline();
    this.#options = options;
  }

  /** The folder that is written, then those that are only read. */
  get roots(): readonly string[] {
    return [this.folder, ...this.#readOnly];
  }

  /** True when what was learnt at `checked` (epoch seconds) need not be asked again. */
  isFresh(checked: number, key: string): boolean {
    if (this.offline || this.#asked.has(key)) return true;
    return this.#options.refresh !== true && now() - checked < (this.#options.maxAge ?? day);
  }

  /** Notes that the server was asked about `key` just now. */
  markAsked(key: string): void {
    this.#asked.add(key);
  }

  /**
   * The path of a file of a package, downloaded if need be.
   * @returns absolute path that ends in the file's own path in the package; undefined when the server says that there is no such file
   * @throws NetworkError when it cannot be had (also: offline and not cached); StorageError; InterruptedError
   */
  async get(store: PackageStore, path: string, options: FetchOptions = {}): Promise<string | undefined> {
    const known = await this.#usable(store, path, options);
    if (known !== undefined) return known === "missing" ? undefined : known;
    const key = `${this.folder}\0${store.id}\0${path}`;
    let promise = running.get(key);
    if (promise !== undefined && options.expected?.sha256 !== undefined) {
      // Whoever began it may expect something else; a second look costs nothing once it is here.
      await promise.catch(() => {});
      const brought = await this.#find(store, path, options.expected);
      if (brought !== undefined) return brought.path;
      promise = running.get(key);
    }
    const isOwn = promise === undefined;
    if (promise === undefined) {
      promise = this.#bring(store, path, options).finally(() => running.delete(key));
      running.set(key, promise);
    }
    return promise.catch(async (error: unknown) => {
      // Whoever began it was stopped; this call was not.
      if (error instanceof InterruptedError && !isOwn && !options.signal?.aborted)
        return this.get(store, path, options);
      const refused = error instanceof NetworkError && (error.status === 401 || error.status === 403);
      if (!isNotFound(error) && !(refused && options.refusedIsMissing)) throw error;
      this.markAsked(entryKey(store, path));
      const entry: MissingEntry = { version: 1, package: store.id, path, missing: true, refused, checked: now() };
      await writeEntry(this.entryFile(store.id, path), entry);
      return undefined;
    });
  }

  /** What is known of a cached file, without the network and without asking whether it is old; undefined when it is not here. */
  async peek(store: PackageStore, path: string, expected?: PackageFile): Promise<CacheEntry | undefined> {
    return (await this.#find(store, path, expected))?.entry;
  }

  /** What is here of a package. */
  async files(store: PackageStore): Promise<PackageFile[]> {
    const found = new Map<string, PackageFile>();
    for (const root of this.roots) {
      const folder = join(root, "entries", packageKey(store.id));
      for (const item of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
        const entry = item.isFile() ? readEntry(join(item.parentPath, item.name)) : undefined;
        if (!isPresent(entry) || entry.package !== store.id || found.has(entry.path)) continue;
        found.set(entry.path, { path: entry.path, size: entry.size, sha256: entry.sha256 });
      }
    }
    return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Where the entry of a file lies. */
  entryFile(id: string, path: string, root = this.folder): string {
    return join(root, "entries", packageKey(id), `${path}.json`);
  }

  /** Where a file of a package lies under its own name. */
  snapshotFile(id: string, path: string, root = this.folder): string {
    return join(root, "snapshots", packageKey(id), path);
  }

  /** A path when the file can be used as it is, "missing" when it is known not to exist, undefined when the server must be asked. */
  async #usable(store: PackageStore, path: string, options: FetchOptions): Promise<string | undefined> {
    const found = await this.#find(store, path, options.expected);
    const fixed = store.immutable || options.expected?.sha256 !== undefined;
    if (found !== undefined && (fixed || this.isFresh(found.entry.checked, entryKey(store, path)))) {
      await this.#touch(store, path, found.root);
      return found.path;
    }
    if (found !== undefined) return undefined;
    const entry = readEntry(this.entryFile(store.id, path));
    if (entry !== undefined && !isPresent(entry) && (!entry.refused || options.refusedIsMissing)) {
      const recent = now() - entry.checked < missingAge && this.isFresh(entry.checked, entryKey(store, path));
      if (this.offline || (store.immutable && !entry.refused) || recent) return "missing";
    }
    if (!this.offline) return undefined;
    throw new NetworkError(`${path} of ${store.id} is not in the cache, and Foehn is offline`, {
      where: this.folder,
      hint: `where there is a network, run \`foehn package pull ${store.id}\`, or unset FOEHN_OFFLINE`,
    });
  }

  /** The first cache that has the file, whole. */
  async #find(
    store: PackageStore,
    path: string,
    expected: PackageFile | undefined,
  ): Promise<{ path: string; entry: CacheEntry; root: string } | undefined> {
    for (const root of this.roots) {
      const entry = readEntry(this.entryFile(store.id, path, root));
      if (!isPresent(entry) || entry.package !== store.id || entry.path !== path) continue;
      if (expected?.sha256 !== undefined && expected.sha256 !== entry.sha256) continue;
      const file = this.snapshotFile(store.id, path, root);
      if (await this.#isWhole(file, entry, root)) return { path: file, entry, root };
    }
    return undefined;
  }

  async #isWhole(file: string, entry: CacheEntry, root: string): Promise<boolean> {
    const found = statOf(file);
    if (!found?.isFile() || found.size !== entry.size) return false;
    if (found.mtimeMs === entry.mtimeMs) return true;
    // Copied, restored, or altered: only the hash can tell.
    if ((await sha256File(file)).sha256 !== entry.sha256) return false;
    if (root === this.folder) {
      await writeEntry(this.entryFile(entry.package, entry.path), { ...entry, mtimeMs: found.mtimeMs }).catch(() => {});
    }
    return true;
  }

  /** When an entry was used last is the time of its file; once an hour is enough. */
  async #touch(store: PackageStore, path: string, root: string): Promise<void> {
    if (root !== this.folder) return;
    const file = this.entryFile(store.id, path);
    const found = statOf(file);
    if (found === undefined || Date.now() - found.mtimeMs < 3_600_000) return;
    await utimes(file, new Date(), new Date()).catch(() => {});
  }

  /** Brings a file here while other processes wait. @throws as `get`; a missing file is a NetworkError of status 404 */
  async #bring(store: PackageStore, path: string, options: FetchOptions): Promise<string> {
    const { signal, progress = silentProgress } = options;
    const name = createHash("sha256").update(`${store.id}\0${path}`).digest("hex").slice(0, 40);
    const lock = join(this.folder, "locks", `${name}.lock`);
    const onWait = ({ pid, host }: { pid: number; host: string }): void =>
      progress.note(`waiting for process ${pid} on ${host.split(" ")[0]}, which downloads ${path}`);
    return withFileLock(
      lock,
      async () => {
        const meanwhile = await this.#usable(store, path, options);
        if (meanwhile !== undefined && meanwhile !== "missing") return meanwhile;
        const old = await this.#find(store, path, options.expected);
        if (old !== undefined && (await this.#isCurrent(store, path, old.entry, options))) {
          this.markAsked(entryKey(store, path));
          if (old.root === this.folder) {
            await writeEntry(this.entryFile(store.id, path), { ...old.entry, checked: now() });
          }
          return old.path;
        }
        const expected = { ...(await store.expected(path, signal)), ...options.expected, path };
        return this.#place(store, path, await this.#blobFor(store, path, name, expected, options));
      },
      { signal, onWait },
    );
  }

  /** Asks the server whether it still has this version. When it cannot be reached, the version that is here is used. */
  async #isCurrent(store: PackageStore, path: string, entry: CacheEntry, options: FetchOptions): Promise<boolean> {
    try {
      const head = await store.objects.head(path, { signal: options.signal });
      if (head === undefined) {
        throw new NetworkError(`${path} is no longer at ${store.id}`, { status: 404 });
      }
      if (head.etag !== undefined && entry.etag !== undefined) return head.etag === entry.etag;
      if (head.size !== undefined && head.size !== entry.size) return false;
      return head.lastModified !== undefined && head.lastModified === entry.lastModified;
    } catch (error) {
      if (!isTransient(error)) throw error;
      (options.progress ?? silentProgress).note(`${store.id} cannot be reached: using ${path} from the cache`);
      return true;
    }
  }

  /** Contents by hash: those that are here already, or new ones. */
  async #blobFor(
    store: PackageStore,
    path: string,
    name: string,
    expected: PackageFile,
    options: FetchOptions,
  ): Promise<{ sha256: string; size: number; etag?: string | undefined; lastModified?: string | undefined }> {
    if (expected.sha256 !== undefined) {
      // The same contents may have come with another package. A file that is not what its name says is taken away.
      const blob = this.blobFile(expected.sha256);
      if ((await stat(blob).catch(() => undefined))?.isFile()) {
        const found = await sha256File(blob);
        if (found.sha256 === expected.sha256) return found;
        await rm(blob, { force: true });
      }
    }
    const partial = join(this.folder, "partial", name);
    const { progress = silentProgress } = options;
    const label = `downloading ${path}`;
    let started = false;
    const onBytes: DownloadOptions["onBytes"] = (done, total) => {
      if (!started) progress.start(label, total);
      started = true;
      progress.update(done);
      options.onBytes?.(done, total);
    };
    const done = await download(store.objects, path, partial, {
      ...this.#options.transfer,
      expected,
      hints,
      maxBytes: options.maxBytes,
      signal: options.signal,
      onBytes,
    }).finally(() => {
      if (started) progress.finish();
    });
    const blob = this.blobFile(done.sha256);
    await mkdir(dirname(blob), { recursive: true });
    await chmod(partial, 0o444);
    await rename(partial, blob);
    await discard(partial);
    return done;
  }

  /** Where contents lie. */
  blobFile(sha256: string, root = this.folder): string {
    return join(root, "blobs", "sha256", sha256.slice(0, 2), sha256);
  }

  /** Links a blob under its name in the package and writes the entry. */
  async #place(
    store: PackageStore,
    path: string,
    blob: { sha256: string; size: number; etag?: string | undefined; lastModified?: string | undefined },
  ): Promise<string> {
    const file = this.snapshotFile(store.id, path);
    const source = this.blobFile(blob.sha256);
    const temporary = join(dirname(file), `.${randomBytes(6).toString("hex")}.tmp`);
    try {
      await mkdir(dirname(file), { recursive: true });
      // A hard link has no trace of the place of its contents: readers that follow symbolic links would look for neighbours there.
      await link(source, temporary)
        .catch(() => symlink(relative(dirname(file), source), temporary))
        .catch(() => copyFile(source, temporary));
      await rename(temporary, file);
      await rm(temporary, { force: true }); // rename does nothing when both are the same file already
      const { mtimeMs } = await stat(file);
      const tags = {
        ...(blob.etag === undefined ? {} : { etag: blob.etag }),
        ...(blob.lastModified === undefined ? {} : { lastModified: blob.lastModified }),
      };
      const { sha256, size } = blob;
      const times = { mtimeMs, fetched: now(), checked: now() };
      const entry: CacheEntry = { version: 1, package: store.id, path, sha256, size, ...tags, ...times };
      await writeEntry(this.entryFile(store.id, path), entry);
      this.markAsked(entryKey(store, path));
      return file;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw toStorageError(error, file);
    }
  }
}

/** Name of a package's folder: readable, and different for every package. */
export function packageKey(id: string): string {
  const readable = id
    .replace(/^([a-z0-9]+):\/\//, "$1-")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .slice(0, 80);
  return `${readable}-${createHash("sha256").update(id).digest("hex").slice(0, 16)}`;
}

const entryKey = (store: PackageStore, path: string): string => `${store.id}\0${path}`;

const now = (): number => Math.floor(Date.now() / 1000);

/** At once, for the same reason as `readEntry`; undefined when there is nothing, or nothing that may be looked at. */
function statOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
