// Reads single fields of a GRIB file on a web server or in a bucket: an index says where they lie, neighbours are fetched in one range
// request, several requests run at once, and every message is checked for being whole and the one that was wanted before it is kept in
// the data cache. Indexes are parsed in grib-index/; what is a source is in remote-grib-source.ts and forecast-archive.ts.

import { isOffline } from "../core/environment.js";
import { DataError, FormatError, NetworkError } from "../core/errors.js";
import type { AnyGrid } from "../grid/any-grid.js";
import { type GribFile, type GribMessage, openGribBytes } from "../io/grib/read.js";
import { isNotFound } from "../io/remote/http.js";
import { type ObjectInfo, type ObjectStore, openObjectStore } from "../io/remote/object-store.js";
import { publicUrl } from "../io/remote/public-url.js";
import { Limit, mergeRanges } from "./byte-ranges.js";
import { DataCache } from "./data-cache.js";

/** A field of a remote file. */
export interface WantedField {
  readonly offset: number;
  /** Bytes of its message; undefined for the last message of an index that does not say: it goes to the end of the file. */
  readonly length: number | undefined;
  /** Number of the field in its message, from 1. */
  readonly field: number;
  /** For people: `t2m of 2024-01-01 00:00`. */
  readonly label: string;
  /** How the message differs from what is wanted; undefined when it is the one. */
  readonly differs: (message: GribMessage) => string | undefined;
}

/** A decoded field. */
export interface RemoteField {
  readonly message: GribMessage;
  readonly grid: AnyGrid;
  /** Row-major (lat, lon), north to south, west to east, in the file's units; missing is NaN. */
  readonly values: Float32Array;
}

/** What remote reading takes. */
export interface RemoteOptions {
  /** Default: the data cache of this machine. */
  readonly cache?: DataCache | undefined;
  /** Requests at a time, shared by all files of a source; default 8. */
  readonly limit?: Limit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Nothing is fetched; default `FOEHN_OFFLINE`. */
  readonly offline?: boolean | undefined;
  /** How an address becomes a store; `openObjectStore` by default. */
  readonly open?: ((url: string) => ObjectStore) | undefined;
}

/** A GRIB file at an address. Nothing is asked of the server before the first call. */
export class RemoteGrib {
  readonly #store: ObjectStore;
  readonly #cache: DataCache;
  readonly #limit: Limit;
  readonly #options: RemoteOptions;
  readonly #offline: boolean;
  #info: Promise<ObjectInfo | undefined> | undefined;

  constructor(
    readonly url: string,
    options: RemoteOptions = {},
  ) {
    this.#options = options;
    this.#offline = options.offline ?? isOffline();
    this.#store = (options.open ?? openObjectStore)(url);
    this.#cache = options.cache ?? new DataCache();
    this.#limit = options.limit ?? new Limit(8);
  }

  /**
   * Size and version, asked once; undefined when there is no such file. Without a network (`FOEHN_OFFLINE`), what was known last.
   * @throws NetworkError; DataError without a network when nothing is known
   */
  info(): Promise<ObjectInfo | undefined> {
    this.#info ??= this.#head().catch((error) => {
      this.#info = undefined;
      throw error;
    });
    return this.#info;
  }

  async #head(): Promise<ObjectInfo | undefined> {
    const key = `grib ${publicUrl(this.url)} head`;
    if (this.#offline) {
      const kept = await this.#cache.get(key);
      if (!kept) throw this.#notKept();
      return JSON.parse(Buffer.from(kept).toString("utf8")) as ObjectInfo;
    }
    const info = await this.#limit.run(() => this.#store.head("", { signal: this.#options.signal }));
    if (info) await this.#cache.put(key, Buffer.from(JSON.stringify(info)));
    return info;
  }

  #notKept(): DataError {
    return new DataError("this is not in the data cache, and FOEHN_OFFLINE forbids to fetch it", {
      where: publicUrl(this.url),
      hint: `run once with the network; the cache is ${this.#cache.folder}`,
    });
  }

  /**
   * What a text beside the file (its index) says; undefined when there is none. Kept in the cache, for this version of the file, once
   * it has been understood.
   * @throws NetworkError, and what `parse` throws
   */
  async sidecar<T>(url: string, parse: (text: string, where: string) => T): Promise<T | undefined> {
    const key = await this.#key(`index ${publicUrl(url)}`);
    const kept = await this.#cache.get(key);
    if (kept) return parse(Buffer.from(kept).toString("utf8"), publicUrl(url));
    if (this.#offline) return undefined; // a file without an index, or its headers are kept
    let bytes: Uint8Array;
    try {
      const store = (this.#options.open ?? openObjectStore)(url);
      bytes = await this.#limit.run(() => store.read("", { signal: this.#options.signal }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    const parsed = parse(Buffer.from(bytes).toString("utf8"), publicUrl(url));
    await this.#cache.put(key, bytes);
    return parsed;
  }

  /**
   * Something worked out from this version of the file, kept in the cache.
   * @throws what `make` throws
   */
  async derived<T>(
    name: string,
    make: () => Promise<T>,
    pack: (value: T) => Uint8Array,
    unpack: (bytes: Uint8Array) => T,
  ): Promise<T> {
    const key = await this.#key(name);
    const kept = await this.#cache.get(key);
    if (kept) return unpack(kept);
    const value = await make();
    await this.#cache.put(key, pack(value));
    return value;
  }

  /**
   * The fields, in the order asked.
   * @throws NetworkError; FormatError for a message that is cut, damaged or not the wanted one, with the address and the byte
   */
  async read(wanted: readonly WantedField[]): Promise<RemoteField[]> {
    const messages = await this.#messages(wanted);
    const fields: RemoteField[] = [];
    for (const want of wanted) {
      const file = messages.get(want.offset)!;
      const message = this.#check(want, file);
      fields.push({ message, grid: file.anyGridOf(message), values: file.readValues(message) });
      // Decoding is synchronous: other work gets its turn between fields.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return fields;
  }

  /** The grid of a field, from the field's message. @throws as `read` */
  async grid(want: WantedField): Promise<AnyGrid> {
    const file = (await this.#messages([want])).get(want.offset)!;
    return file.anyGridOf(this.#check(want, file));
  }

  /** Bytes `[start, end)`. @throws NetworkError when the server sends fewer */
  async bytes(start: number, end: number): Promise<Uint8Array> {
    if (this.#offline) throw this.#notKept();
    // A server may end an answer early and still call it complete; once more, then it is an error.
    for (let attempt = 0; ; attempt++) {
      const bytes = await this.#limit.run(() => this.#store.read("", { start, end, signal: this.#options.signal }));
      if (bytes.length === end - start) return bytes;
      if (attempt === 0) continue;
      throw new NetworkError(`the server sent ${bytes.length} of ${end - start} bytes`, {
        where: `${publicUrl(this.url)}, bytes ${start}-${end - 1}`,
        hint: "the file is shorter than its index says, or the server is out of order: try again later",
      });
    }
  }

  /** The messages of the wanted fields by offset, from the cache or the server, checked. */
  async #messages(wanted: readonly WantedField[]): Promise<Map<number, GribFile>> {
    const found = new Map<number, GribFile>();
    const missing = new Map<number, { start: number; end: number; key: string; wants: WantedField[] }>();
    for (const want of wanted) {
      const known = missing.get(want.offset);
      if (known) {
        known.wants.push(want);
        continue;
      }
      if (found.has(want.offset)) continue;
      const end = want.offset + (want.length ?? (await this.#rest(want.offset)));
      const key = await this.#key(`${want.offset}-${end}`);
      const bytes = await this.#cache.get(key);
      if (bytes) found.set(want.offset, this.#open(bytes, want.offset));
      else missing.set(want.offset, { start: want.offset, end, key, wants: [want] });
    }
    const groups = mergeRanges([...missing.values()]);
    await Promise.all(
      groups.map(async ({ start, end, parts }) => {
        const bytes = await this.bytes(start, end);
        for (const part of parts) {
          const own = bytes.subarray(part.start - start, part.end - start);
          const file = this.#open(own, part.start);
          for (const want of part.wants) this.#check(want, file);
          found.set(part.start, file);
          await this.#cache.put(part.key, own);
        }
      }),
    );
    return found;
  }

  async #rest(offset: number): Promise<number> {
    const size = (await this.info())?.size;
    if (size === undefined || size <= offset) {
      throw new FormatError(
        `the index has a field at byte ${offset}, but the file has ${size ?? "no known number of"} bytes`,
        {
          where: publicUrl(this.url),
          hint: "the index belongs to another version of the file; try again later",
        },
      );
    }
    return size - offset;
  }

  #open(bytes: Uint8Array, offset: number): GribFile {
    return openGribBytes(bytes, `${publicUrl(this.url)}, bytes from ${offset}`);
  }

  /** The wanted field of its message. */
  #check(want: WantedField, file: GribFile): GribMessage {
    const own = file.messages.filter((m) => m.offset === 0);
    const message = own[want.field - 1];
    const why =
      message !== undefined
        ? want.differs(message)
        : own.length === 0
          ? "no message that begins there"
          : `${own.length} fields, not ${want.field}`;
    if (message !== undefined && why === undefined) return message;
    throw new FormatError(`the message is not ${want.label}: it has ${why}`, {
      where: `${publicUrl(this.url)}, byte ${want.offset}`,
      hint: "the index does not belong to this file; try again later, or take another server",
    });
  }

  /** Cache key: the address, the version of the file, and what of it. */
  async #key(part: string): Promise<string> {
    const info = await this.info();
    const version = info?.etag ?? [info?.lastModified ?? "", info?.size ?? ""].join(" ");
    return `grib ${publicUrl(this.url)}\n${version}\n${part}`;
  }
}
