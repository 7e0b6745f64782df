// Remote data that were fetched before, on disk: apart from the cache of models (hub/), because these can be large and are worth little.
// An entry is written whole or not at all and carries its length and checksum, so that a cut or damaged one is never taken. The folder
// has a limit; what was used longest ago goes first. Safe with many processes: two that fetch the same write the same.
// Not here: when an entry is stale (cached-store.ts, or keys that carry the version).

import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { cacheDir } from "../core/cache-dir.js";
import { environmentFolder } from "../core/environment.js";
import { UsageError } from "../core/errors.js";
import { atomicWrite, toStorageError } from "../core/files.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where data are cached: `FOEHN_DATA_CACHE`, else the folder `data` of Foehn's cache (`FOEHN_CACHE`, or the system's place). */
export function dataCacheDir(env: Environment = process.env): string {
  return resolve(environmentFolder("FOEHN_DATA_CACHE", env) ?? cacheDir("data", { env }));
}

/** How large it may become: `FOEHN_DATA_CACHE_SIZE` (`500MB`, `100GB`; 0 keeps nothing), else 20 GB. @throws UsageError */
export function dataCacheLimit(env: Environment = process.env): number {
  const text = env.FOEHN_DATA_CACHE_SIZE?.trim();
  if (!text) return 20e9;
  const match = /^(\d+(?:\.\d+)?)\s*([kMGT]?)B?$/i.exec(text);
  if (!match) {
    throw new UsageError(`FOEHN_DATA_CACHE_SIZE is "${text}"`, { hint: "write a size such as 500MB or 100GB, or 0" });
  }
  return Number(match[1]) * 1000 ** ["", "K", "M", "G", "T"].indexOf(match[2]!.toUpperCase());
}

/** An entry of the cache. */
export interface CacheEntry {
  readonly bytes: Uint8Array;
  /** When it was written, or last found to be still right; epoch milliseconds. */
  readonly stored: number;
}

/** Options of a `DataCache`. */
export interface DataCacheOptions {
  /** Bytes on disk; default `dataCacheLimit()`. */
  readonly limit?: number;
  /** Epoch milliseconds; for tests. */
  readonly now?: () => number;
}

// "FDC1", length (8 bytes), CRC-32 (4 bytes), then the bytes.
const headerLength = 16;
const magic = Buffer.from("FDC1");
/** Entries used this recently are not removed: somebody may be about to open them. */
const inUseMs = 10 * 60_000;
const touchMs = 3600_000;

/** Bytes, and whole files, by key. */
export class DataCache {
  readonly folder: string;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #files = new Map<string, Promise<string>>();
  /** Bytes there are, once counted; `#added` since then. */
  #total: number | undefined;
  #added = 0;
  #pruning: Promise<void> | undefined;
  #warned = false;

  /** @param folder made at the first write */
  constructor(folder: string = dataCacheDir(), options: DataCacheOptions = {}) {
    this.folder = folder;
    this.#limit = options.limit ?? dataCacheLimit();
    this.#now = options.now ?? Date.now;
  }

  /** The file of a key; `extension` helps people who look into the folder. */
  pathOf(key: string, extension = ""): string {
    const name = createHash("sha256").update(key).digest("hex");
    return join(this.folder, name.slice(0, 2), `${name.slice(2)}${extension}`);
  }

  /** The bytes of a key; undefined when they are not there or damaged. */
  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.entry(key))?.bytes;
  }

  /** The bytes of a key, and since when they are known. */
  async entry(key: string): Promise<CacheEntry | undefined> {
    const path = this.pathOf(key);
    let whole: Buffer;
    let times: { atimeMs: number; mtimeMs: number };
    try {
      const handle = await open(path, "r");
      try {
        [whole, times] = [await handle.readFile(), await handle.stat()];
      } finally {
        await handle.close();
      }
    } catch {
      return undefined;
    }
    const bytes = whole.subarray(headerLength);
    const sound =
      whole.length >= headerLength &&
      whole.subarray(0, 4).equals(magic) &&
      whole.readDoubleLE(4) === bytes.length &&
      whole.readUInt32LE(12) === crc32(bytes);
    if (!sound) {
      await rm(path, { force: true }).catch(() => {});
      return undefined;
    }
    // The access time says when it was used, the modification time when it was known to be right.
    if (this.#now() - times.atimeMs > touchMs) await this.#setTimes(path, times.mtimeMs);
    return { bytes, stored: times.mtimeMs };
  }

  /** Notes that the entry was found to be still right. */
  async refresh(key: string): Promise<void> {
    await this.#setTimes(this.pathOf(key), this.#now());
  }

  /** Keeps bytes under a key. A cache that cannot be written is warned of once; it is no reason to fail. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.#limit) return;
    const header = Buffer.alloc(headerLength);
    magic.copy(header);
    header.writeDoubleLE(bytes.length, 4);
    header.writeUInt32LE(crc32(bytes), 12);
    const path = this.pathOf(key);
    const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      await mkdir(dirname(path), { recursive: true });
      // Not flushed: after a crash the checksum tells.
      await writeFile(temporary, [header, bytes]);
      await this.#setTimes(temporary, this.#now());
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      this.#warn(error);
      return;
    }
    this.#grow(bytes.length + headerLength);
  }

  /** Forgets a key. */
  async remove(key: string): Promise<void> {
    await rm(this.pathOf(key), { force: true });
  }

  /**
   * A whole file, for readers that need one on disk.
   * @param key names the file and its version
   * @param name its base name, as messages show it
   * @param fill writes the file to the path it is given; called when it is not there, or damaged
   * @returns its path
   * @throws StorageError when the disk does not take it; what `fill` throws
   */
  async file(key: string, name: string, fill: (temporary: string) => Promise<void>): Promise<string> {
    const path = join(this.pathOf(key, ".d"), basename(name));
    const coming = this.#files.get(path) ?? this.#file(path, fill).finally(() => this.#files.delete(path));
    this.#files.set(path, coming);
    return coming;
  }

  /** The path of a whole file that is there and sound. */
  async findFile(key: string, name: string): Promise<string | undefined> {
    const path = join(this.pathOf(key, ".d"), basename(name));
    return (await this.#isSound(path)) ? path : undefined;
  }

  async #file(path: string, fill: (temporary: string) => Promise<void>): Promise<string> {
    if (await this.#isSound(path)) return path;
    try {
      await atomicWrite(path, fill);
      const record = await recordOf(path);
      await atomicWrite(recordPath(path), JSON.stringify(record));
      this.#grow(record.size);
    } catch (error) {
      throw toStorageError(error, path);
    }
    return path;
  }

  /** Size and time tell that nobody touched the file; where they do not, its checksum does. */
  async #isSound(path: string): Promise<boolean> {
    try {
      const kept = JSON.parse(await readFile(recordPath(path), "utf8")) as FileRecord;
      const found = await stat(path);
      if (found.size !== kept.size) return false;
      if (found.mtimeMs !== kept.mtimeMs && (await recordOf(path)).crc32 !== kept.crc32) return false;
      await this.#setTimes(recordPath(path), this.#now());
      return true;
    } catch {
      return false;
    }
  }

  async #setTimes(path: string, modified: number): Promise<void> {
    await utimes(path, this.#now() / 1000, modified / 1000).catch(() => {}); // removed by another process, or read-only
  }

  #grow(bytes: number): void {
    this.#added += bytes;
    if (this.#total !== undefined && this.#total + this.#added <= this.#limit) return;
    this.#pruning ??= this.prune().finally(() => {
      this.#pruning = undefined;
    });
    // Nobody waits for it; what goes wrong was already told by `put`.
    this.#pruning.catch(() => {});
  }

  /** Resolves when nothing is being removed any more. */
  async settled(): Promise<void> {
    await this.#pruning;
  }

  /** What is in the folder now. */
  async usage(): Promise<{ readonly entries: number; readonly bytes: number }> {
    const entries = await this.#entries();
    return { entries: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) };
  }

  /** Counts what there is, and removes what was used longest ago when it is more than the limit, down to nine tenths of it. */
  async prune(): Promise<void> {
    const before = this.#added;
    const entries = await this.#entries();
    let total = entries.reduce((sum, { size }) => sum + size, 0);
    if (total > this.#limit) {
      entries.sort((a, b) => a.used - b.used);
      for (const { path, size, used, whole } of entries) {
        if (total <= this.#limit * 0.9) break;
        if (whole && this.#now() - used < inUseMs) continue;
        await rm(path, { recursive: true, force: true }).catch(() => {});
        total -= size;
      }
    }
    this.#total = total;
    this.#added -= before;
  }

  async #entries(): Promise<{ path: string; size: number; used: number; whole: boolean }[]> {
    const found: { path: string; size: number; used: number; whole: boolean }[] = [];
    for (const part of await readdir(this.folder).catch(() => [] as string[])) {
      if (!/^[0-9a-f]{2}$/.test(part)) continue;
      for (const name of await readdir(join(this.folder, part)).catch(() => [] as string[])) {
        const path = join(this.folder, part, name);
        const whole = name.endsWith(".d");
        try {
          const inside = whole ? await readdir(path) : [];
          const sizes = await Promise.all((whole ? inside : ["."]).map((file) => stat(join(path, file))));
          const size = sizes.reduce((sum, s) => sum + s.size, 0);
          // What a process that died left behind counts as old.
          const left = name.endsWith(".tmp") && this.#now() - sizes[0]!.mtimeMs > inUseMs;
          const used = left ? 0 : Math.max(0, ...sizes.map((s) => s.atimeMs));
          found.push({ path, size, used, whole });
        } catch {
          // removed meanwhile
        }
      }
    }
    return found;
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const reason = toStorageError(error, this.folder).message;
    process.emitWarning(`the data cache cannot be written, so data are fetched again each time: ${reason}`, {
      code: "FOEHN_DATA_CACHE",
    });
  }
}

interface FileRecord {
  readonly size: number;
  readonly mtimeMs: number;
  readonly crc32: number;
}

const recordPath = (path: string): string => join(dirname(path), "entry.json");

async function recordOf(path: string): Promise<FileRecord> {
  let sum = 0;
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) sum = crc32(part as Buffer, sum);
  const { size, mtimeMs } = await stat(path);
  return { size, mtimeMs, crc32: sum };
}
