// Opens a Zarr group, format 2 or 3, of local files or of a store elsewhere, and reads parts of its arrays. zarrita decodes, with the
// libraries of decoders.ts; which documents and chunks are fetched is decided here (group-metadata.ts, chunks.ts), so that a remote store
// costs few requests.
// Not here: CF meaning of the attributes (scale_factor, _FillValue, time units), nested groups, caching on disk (sources/data-cache.ts).

import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as zarr from "zarrita";
import { DataError, FormatError, isFoehnError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { isNotFound } from "../remote/http.js";
import { type ObjectStore, openObjectStore } from "../remote/object-store.js";
import { type ChunkLimits, ChunkReader } from "./chunks.js";
import { registerNativeDecoders } from "./decoders.js";
import { type GroupOptions, type Json, readGroup } from "./group-metadata.js";

registerNativeDecoders();

/** Values as they are stored, row-major. Strings and booleans are not offered. */
export type ZarrTypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** What to take along one axis: everything (null), one index (the axis goes away), or `[start, stop)`. */
export type ZarrSelection = null | number | readonly [start: number, stop: number];

/** An array of a group. */
export interface ZarrArray {
  readonly name: string;
  /** Names of the axes; `dim_0` … where the file gives none. */
  readonly dimensions: readonly string[];
  readonly shape: readonly number[];
  readonly chunkShape: readonly number[];
  readonly dataType: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** The value of elements that were never written, where the file gives one. */
  readonly fillValue: number | bigint | undefined;
  /**
   * Reads a part; without selections everything.
   * @throws DataError for a selection outside the shape, FormatError for a chunk that cannot be decoded
   */
  read(selections?: readonly ZarrSelection[]): Promise<{ data: ZarrTypedArray; shape: readonly number[] }>;
}

/** An open group. It holds no file handles. */
export interface ZarrGroup {
  /** Folder or address. */
  readonly path: string;
  readonly format: 2 | 3;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly arrays: readonly ZarrArray[];
  /** The array of a name. @throws DataError listing what there is */
  array(name: string): ZarrArray;
}

/** True when the folder is a Zarr group or array of either format. */
export async function isZarr(path: string): Promise<boolean> {
  for (const name of ["zarr.json", ".zgroup", ".zarray", ".zmetadata"]) {
    const found = await stat(join(path, name)).catch(() => undefined);
    if (found?.isFile()) return true;
  }
  return false;
}

/** Options of `openZarr`. */
export interface ZarrReadOptions extends GroupOptions, ChunkLimits {}

/**
 * Opens a Zarr group.
 * @param where a local folder, or a store whose address is the group's
 * @throws DataError when there is none; FormatError when its metadata cannot be read; NetworkError, StorageError
 */
export async function openZarr(where: string | ObjectStore, options: ZarrReadOptions = {}): Promise<ZarrGroup> {
  const store = typeof where === "string" ? openObjectStore(resolve(where)) : where;
  const path = store.description;
  try {
    const found = await readGroup(store, options);
    if (!found) {
      throw new DataError(`${path} is not a Zarr store`, {
        hint: "a Zarr store has a zarr.json, .zmetadata or .zgroup",
      });
    }
    const location = zarr.root(readable(store, found.documents, options.signal));
    const open = found.format === 3 ? zarr.open.v3 : zarr.open.v2;
    const chunks = new ChunkReader(options);
    const arrays = await Promise.all(
      found.arrays.map(async (name) => {
        const array = await open(location.resolve(encodeURIComponent(name)), { kind: "array" });
        return describe(path, name, array, chunks, options.signal);
      }),
    );
    return {
      path,
      format: found.format,
      attributes: found.attributes,
      arrays,
      array(name) {
        const known = arrays.find((array) => array.name === name);
        if (known) return known;
        const names = arrays.map((array) => array.name);
        throw new DataError(`${path} has no array "${name}"`, {
          hint: `${didYouMean(name, names)} It has ${names.join(", ") || "no arrays"}.`.trim(),
        });
      },
    };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The store as zarrita sees it: metadata documents are at hand, chunks are fetched. Keys begin with a slash. */
function readable(
  store: ObjectStore,
  documents: ReadonlyMap<string, Json>,
  signal: AbortSignal | undefined,
): zarr.AsyncReadable {
  const read = async (key: string, range: { start?: number; end?: number }): Promise<Uint8Array | undefined> => {
    try {
      return await store.read(key.slice(1), { ...range, signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  return {
    async get(key) {
      const known = documents.get(key.slice(1));
      return known ? Buffer.from(JSON.stringify(known)) : read(key, {});
    },
    async getRange(key, range) {
      if (!("suffixLength" in range)) return read(key, { start: range.offset, end: range.offset + range.length });
      // The index of a shard lies at its end, unless the codec says otherwise: zarrita asks for the end in any case.
      const n = range.suffixLength;
      return read(key, indexAtStart(documents, key.slice(1)) ? { start: 0, end: n } : { start: -n });
    },
  };
}

function indexAtStart(documents: ReadonlyMap<string, Json>, key: string): boolean {
  const codecs = documents.get(`${key.slice(0, key.indexOf("/"))}/zarr.json`)?.codecs;
  const list = Array.isArray(codecs)
    ? (codecs as { name?: unknown; configuration?: { index_location?: unknown } }[])
    : [];
  return list.some((c) => c.name === "sharding_indexed" && c.configuration?.index_location === "start");
}

function describe(
  root: string,
  name: string,
  array: zarr.Array<zarr.DataType>,
  chunks: ChunkReader,
  signal: AbortSignal | undefined,
): ZarrArray {
  const { _ARRAY_DIMENSIONS: dimensions, ...attributes } = array.attrs;
  const named = array.dimensionNames ?? (Array.isArray(dimensions) ? (dimensions as unknown[]) : []);
  const fill = array.fillValue;
  const where = `${root}/${name}`;
  return {
    name,
    dimensions: array.shape.map((_size, axis) => (typeof named[axis] === "string" ? named[axis] : `dim_${axis}`)),
    shape: array.shape,
    chunkShape: array.chunks,
    dataType: array.dtype,
    attributes,
    fillValue: typeof fill === "number" || typeof fill === "bigint" ? fill : undefined,
    async read(selections) {
      if (!array.is("number") && !array.is("bigint")) {
        throw new FormatError(`the array "${name}" has the type ${array.dtype}, not numbers`, { where });
      }
      const ranges = array.shape.map((size, axis): readonly [start: number, stop: number] => {
        const selection = selections?.[axis] ?? null;
        const [start, stop] = typeof selection === "number" ? [selection, selection + 1] : (selection ?? [0, size]);
        if (!Number.isInteger(start) || !Number.isInteger(stop) || start < 0 || stop > size || start > stop) {
          throw new DataError(`elements ${start} to ${stop} lie outside axis ${axis} of "${name}" (${size} elements)`, {
            where,
          });
        }
        return [start, stop];
      });
      const count = ranges.map(([start, stop]) => stop - start);
      try {
        const numbers = array as zarr.Array<zarr.NumberDataType | zarr.BigintDataType>;
        const data = await chunks.read(
          name,
          numbers,
          ranges.map(([start]) => start),
          count,
          signal,
        );
        return { data, shape: count.filter((_n, axis) => typeof selections?.[axis] !== "number") };
      } catch (error) {
        throw unreadable(where, error);
      }
    },
  };
}

/** Errors of ours, such as those of the network, stay as they are, also when zarrita wrapped them. */
function unreadable(where: string, error: unknown): Error {
  for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) if (isFoehnError(inner)) return inner;
  const reason = error instanceof Error ? error.message : String(error);
  return new FormatError(`the Zarr store cannot be read: ${reason}`, { where, cause: error });
}
