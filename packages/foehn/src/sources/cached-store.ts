// An object store behind the data cache: every object, or part of one, that is read is fetched once (streams are not kept). What can change (metadata) is asked for anew each
// time it is opened; the rest is trusted for a week, and after that when the server still has the same version. Without a network
// (`FOEHN_OFFLINE`) everything that was read before can be read again.

import { setTimeout as sleep } from "node:timers/promises";
import { isOffline } from "../core/environment.js";
import { DataError, NetworkError } from "../core/errors.js";
import { download } from "../io/remote/download.js";
import { isNotFound, isTransient } from "../io/remote/http.js";
import type { ObjectStore, RangeOptions } from "../io/remote/object-store.js";
import { DataCache } from "./data-cache.js";

/** Options of `cachedStore`. */
export interface CachedStoreOptions {
  readonly cache?: DataCache | undefined;
  /** What tells this store from others of the same description, such as the address of an S3 service. */
  readonly identity?: string | undefined;
  /** True for objects that may change while they keep their name: they are asked for each time. */
  readonly mutable?: ((path: string) => boolean) | undefined;
  /** Nothing is fetched; default `FOEHN_OFFLINE`. */
  readonly offline?: boolean | undefined;
  /** Milliseconds for which an entry is trusted without a question; default a week. */
  readonly maxAge?: number | undefined;
  readonly now?: (() => number) | undefined;
}

const week = 7 * 86_400_000;
const hour = 3600_000;

/** What is kept with the bytes. */
interface Label {
  /** ETag, or the time of modification. */
  readonly version?: string | undefined;
  /** The object was not there. */
  readonly missing?: boolean | undefined;
}

/** Puts the cache before a store. Writing is not offered. */
export function cachedStore(store: ObjectStore, options: CachedStoreOptions = {}): ObjectStore {
  const { cache = new DataCache(), identity = "", mutable = () => false, maxAge = week, now = Date.now } = options;
  const offline = options.offline ?? isOffline();
  const prefix = `${identity} ${store.description}`;
  /** Entries from before this are doubtful: something else in the store has changed since. */
  let doubtedBefore = 0;

  async function isFresh(
    path: string,
    label: Label,
    stored: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (offline) return true;
    const age = now() - stored;
    if (label.missing) return !mutable(path) && age < hour && stored >= doubtedBefore;
    if (!mutable(path) && age < maxAge && stored >= doubtedBefore) return true;
    const info = await store.head(path, { signal });
    const version = info?.etag ?? info?.lastModified;
    if (version !== undefined && version === label.version) return true;
    if (mutable(path)) doubtedBefore = now();
    return false;
  }

  async function read(path: string, range: RangeOptions = {}): Promise<Uint8Array> {
    const { start = 0, end, signal } = range;
    const key = `${prefix} ${path} ${start} ${end ?? ""}`;
    const kept = await cache.entry(key);
    if (kept) {
      const { label, bytes } = unpack(kept.bytes);
      if (await isFresh(path, label, kept.stored, signal)) {
        if (!offline && now() - kept.stored > maxAge) await cache.refresh(key);
        if (label.missing) throw notThere(store, path);
        return bytes;
      }
    }
    if (offline) throw notKept(store, path, cache.folder);
    try {
      const { bytes, version } = await fetchAll(store, path, range);
      await cache.put(key, pack({ version }, bytes));
      return bytes;
    } catch (error) {
      if (isNotFound(error)) await cache.put(key, pack({ missing: true }, new Uint8Array()));
      throw error;
    }
  }

  const { list } = store;
  return {
    description: store.description,
    read,
    async head(path, { signal } = {}) {
      if (!offline) return store.head(path, { signal });
      const kept = await cache.entry(`${prefix} ${path} 0 `);
      if (!kept) throw notKept(store, path, cache.folder);
      const { label, bytes } = unpack(kept.bytes);
      return label.missing ? undefined : { size: bytes.length, etag: label.version, ranges: true };
    },
    async stream(path, range = {}) {
      if (offline) throw notKept(store, path, cache.folder);
      return store.stream(path, range);
    },
    ...(list && {
      async *list(start: string, how: { signal?: AbortSignal | undefined; shallow?: boolean | undefined } = {}) {
        const key = `${prefix} list ${start} ${how.shallow === true}`;
        if (offline) {
          const kept = await cache.get(key);
          if (!kept) throw notKept(store, start, cache.folder);
          yield* JSON.parse(Buffer.from(kept).toString()) as { path: string; size?: number }[];
          return;
        }
        const found: { readonly path: string; readonly size?: number | undefined }[] = [];
        for await (const entry of list.call(store, start, how)) found.push(entry);
        await cache.put(key, Buffer.from(JSON.stringify(found)));
        yield* found;
      },
    }),
  };
}

/**
 * An object as a file of the data cache, downloaded when this version of it is not there; a download that breaks off goes on.
 * @param onProgress bytes so far, and in all where the server says so
 * @returns the path of the file
 * @throws DataError when there is no such object, or none in the cache without a network; NetworkError, StorageError
 */
export async function fetchFile(
  store: ObjectStore,
  path: string,
  options: Pick<CachedStoreOptions, "cache" | "identity" | "offline"> & {
    readonly name: string;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  },
): Promise<string> {
  const { cache = new DataCache(), identity = "", name, signal, onProgress } = options;
  const address = `${identity} ${store.description} ${path} file`;
  const versionOf = async (): Promise<string | undefined> => {
    const kept = await cache.get(address);
    return kept && Buffer.from(kept).toString();
  };
  if (options.offline ?? isOffline()) {
    const version = await versionOf();
    const found = version === undefined ? undefined : await cache.findFile(`${address} ${version}`, name);
    if (found === undefined) throw notKept(store, path, cache.folder);
    return found;
  }
  const info = await store.head(path, { signal });
  if (!info) throw notThere(store, path);
  const version = info.etag ?? info.lastModified ?? `${info.size} bytes`;
  const file = await cache.file(`${address} ${version}`, name, async (temporary) => {
    const hints = {
      disk: "free some space, or name another disk in FOEHN_DATA_CACHE",
      replaced: "try again later",
    };
    await download(store, path, temporary, {
      expected: { size: info.size },
      notes: false, // the name is never given again
      hints,
      signal,
      onBytes: onProgress,
    });
  });
  if ((await versionOf()) !== version) await cache.put(address, Buffer.from(version));
  return file;
}

/** The bytes of a range with their version. @throws NetworkError when fewer come than were announced */
async function fetchAll(
  store: ObjectStore,
  path: string,
  { start = 0, end, signal }: RangeOptions,
): Promise<{ bytes: Uint8Array; version: string | undefined }> {
  for (let attempt = 0; ; attempt++) {
    try {
      const { body, offset, size, etag, lastModified } = await store.stream(path, { start, end, signal });
      const parts: Uint8Array[] = [];
      for await (const part of body) parts.push(part);
      const got = Buffer.concat(parts);
      // A server that does not know ranges sends the whole.
      const whole = offset + got.length;
      const from = start < 0 ? Math.max(0, (size ?? whole) + start) : start;
      const bytes = got.subarray(Math.max(0, from - offset), end === undefined ? undefined : Math.max(0, end - offset));
      const expected = size === undefined ? undefined : Math.max(0, Math.min(end ?? size, size) - from);
      if (expected !== undefined && bytes.length < expected) throw brokenOff(store, path, bytes.length, expected);
      return { bytes, version: etag ?? lastModified };
    } catch (error) {
      // A refusal was tried again by the store; a body that breaks off was not.
      const refused = error instanceof NetworkError && error.status !== undefined;
      if (refused || attempt >= 4 || !isTransient(error)) throw error;
      await sleep(100 * (attempt + 1), undefined, { signal }).catch(() => {});
    }
  }
}

/** Label and bytes in one: two bytes of length, JSON, the bytes. */
function pack(label: Label, bytes: Uint8Array): Uint8Array {
  const json = Buffer.from(JSON.stringify(label));
  const length = Buffer.alloc(2);
  length.writeUInt16LE(json.length);
  return Buffer.concat([length, json, bytes]);
}

function unpack(packed: Uint8Array): { label: Label; bytes: Uint8Array } {
  const length = packed[0]! + packed[1]! * 256;
  const label = JSON.parse(Buffer.from(packed.subarray(2, 2 + length)).toString()) as Label;
  return { label, bytes: packed.subarray(2 + length) };
}

function notThere(store: ObjectStore, path: string): NetworkError {
  return new NetworkError("there is no such object", {
    where: addressOf(store, path),
    status: 404,
    hint: "check the address",
  });
}

function brokenOff(store: ObjectStore, path: string, got: number, expected: number): NetworkError {
  return new NetworkError(`the transfer broke off after ${got} of ${expected} bytes`, {
    where: addressOf(store, path),
  });
}

function notKept(store: ObjectStore, path: string, folder: string): DataError {
  return new DataError("this is not in the data cache, and FOEHN_OFFLINE forbids to fetch it", {
    where: addressOf(store, path),
    hint: `run once with the network; the cache is ${folder}`,
  });
}

const addressOf = (store: ObjectStore, path: string): string =>
  path === "" ? store.description : `${store.description}/${path}`;
