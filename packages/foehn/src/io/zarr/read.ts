// Opens a Zarr group of local files, format 2 or 3, and reads parts of its arrays, through zarrita.
// Not here: CF meaning of the attributes (scale_factor, _FillValue, time units), remote stores, nested groups.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import FileSystemStore from "@zarrita/storage/fs";
import * as zarr from "zarrita";
import { DataError, FormatError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";

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
  readonly path: string;
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

/**
 * Opens a local Zarr group.
 * @throws DataError when there is none at `path`; FormatError when its metadata cannot be read
 */
export async function openZarr(path: string): Promise<ZarrGroup> {
  const root = resolve(path);
  if (!(await isZarr(root))) {
    throw new DataError(`${root} is not a Zarr store`, { hint: "a Zarr folder has a zarr.json or .zgroup file" });
  }
  const location = zarr.root(new FileSystemStore(root));
  try {
    const group = await zarr.open(location, { kind: "group" });
    const arrays: ZarrArray[] = [];
    for (const entry of (await readdir(root, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!entry.isDirectory() || !(await isArray(join(root, entry.name)))) continue;
      arrays.push(describe(root, entry.name, await zarr.open(location.resolve(entry.name), { kind: "array" })));
    }
    return {
      path: root,
      attributes: group.attrs,
      arrays,
      array(name) {
        const found = arrays.find((array) => array.name === name);
        if (found) return found;
        const names = arrays.map((array) => array.name);
        throw new DataError(`${root} has no array "${name}"`, {
          hint: `${didYouMean(name, names)} It has ${names.join(", ") || "no arrays"}.`.trim(),
        });
      },
    };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw unreadable(root, error);
  }
}

async function isArray(folder: string): Promise<boolean> {
  for (const name of ["zarr.json", ".zarray"]) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile()) return true;
  }
  return false;
}

function describe(root: string, name: string, array: zarr.Array<zarr.DataType>): ZarrArray {
  const { _ARRAY_DIMENSIONS: _, ...attributes } = array.attrs;
  const fill = array.fillValue;
  const where = `${root}/${name}`;
  return {
    name,
    dimensions: array.dimensionNames ?? array.shape.map((_size, axis) => `dim_${axis}`),
    shape: array.shape,
    chunkShape: array.chunks,
    dataType: array.dtype,
    attributes,
    fillValue: typeof fill === "number" || typeof fill === "bigint" ? fill : undefined,
    async read(selections) {
      if (!array.is("number") && !array.is("bigint")) {
        throw new FormatError(`the array "${name}" has the type ${array.dtype}, not numbers`, { where });
      }
      const wanted = array.shape.map((size, axis) => {
        const selection = selections?.[axis] ?? null;
        const [start, stop] = typeof selection === "number" ? [selection, selection + 1] : (selection ?? [0, size]);
        if (!Number.isInteger(start) || !Number.isInteger(stop) || start < 0 || stop > size || start > stop) {
          throw new DataError(`elements ${start} to ${stop} lie outside axis ${axis} of "${name}" (${size} elements)`, {
            where,
          });
        }
        return typeof selection === "number" ? selection : selection === null ? null : zarr.slice(start, stop);
      });
      try {
        const result: unknown = await zarr.get(array, wanted);
        if (typeof result === "number") return { data: typedArray(array.dtype, [result]), shape: [] };
        if (typeof result === "bigint") return { data: BigInt64Array.of(result), shape: [] };
        const chunk = result as { data: ZarrTypedArray; shape: number[] };
        return { data: chunk.data, shape: chunk.shape };
      } catch (error) {
        throw unreadable(where, error);
      }
    },
  };
}

function typedArray(dtype: string, values: number[]): ZarrTypedArray {
  return dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values);
}

function unreadable(where: string, error: unknown): FormatError {
  const reason = error instanceof Error ? error.message : String(error);
  return new FormatError(`the Zarr store cannot be read: ${reason}`, { where, cause: error });
}
