// Writes a Zarr group of local files, one array per variable, chunk by chunk, while a forecast runs.
// Formats: Zarr 3 (zarr-specs.readthedocs.io, default) and Zarr 2, with CF attributes and consolidated metadata, so xarray opens it.
// Everything goes to a temporary folder beside the target; `close` flushes it to disk and renames it, `abort` removes it.
// In a work folder, several processes fill one store, each its own chunks or shards, and the last one closes it.
// A chunk that is never written reads as NaN (the fill value), never as zero. Not here: remote stores.

import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../../core/errors.js";
import { temporaryPath, toStorageError } from "../../core/files.js";
import {
  type ArrayAttributes,
  type ArraySpec,
  type ArrayValues,
  type ArrayWriter,
  chunkProblem,
  chunkShapeOf,
  elementBytes,
  specProblem,
  wholeShape,
} from "../array-writer.js";
import { moveToFinalName, refuseExisting, syncEntry, syncFolders } from "../final-name.js";
import type { WorkFolder } from "../work-folder.js";
import { type ChunkPlace, writeDurably } from "./chunk-file.js";
import { ChunkWriter } from "./chunk-writer.js";
import { type ZarrCodec, zarrCodec } from "./codecs.js";
import { chunkKey, storeDocuments, type ZarrArrayInfo } from "./metadata.js";
import { shardSlot } from "./shard-grid.js";

/** Options of `ZarrWriter.create`. */
export interface ZarrWriteOptions {
  readonly attributes?: ArrayAttributes;
  /** Default 3. */
  readonly format?: 2 | 3;
  /** none (default), gzip, zstd or blosc. */
  readonly compression?: string;
  /** Replace an existing folder or file, at the very end. Default false. */
  readonly overwrite?: boolean;
  /** Where the store is built, for one that several calls fill. Default: a temporary folder of this writer. */
  readonly work?: WorkFolder | undefined;
}

/** Files of which an older store has one. */
export const zarrMarkers = ["zarr.json", ".zgroup"] as const;

const finalName = (options: ZarrWriteOptions) => ({
  overwrite: options.overwrite === true,
  markers: zarrMarkers,
});

interface ArrayState {
  readonly spec: ArraySpec;
  /** Chunks written along a growing first axis. */
  grown: number;
}

/** A Zarr group being written; see the top of this file. */
export class ZarrWriter implements ArrayWriter {
  readonly path: string;
  /** The store while it is built. */
  readonly #folder: string;
  readonly #options: ZarrWriteOptions;
  readonly #codec: ZarrCodec;
  readonly #arrays = new Map<string, ArrayState>();
  readonly #chunks: ChunkWriter;
  /** Temporary names of the shards being built in a work folder. */
  readonly #shardNames = new Map<string, string>();
  #closed = false;

  private constructor(path: string, folder: string, options: ZarrWriteOptions) {
    this.path = path;
    this.#folder = folder;
    this.#options = options;
    this.#chunks = new ChunkWriter(path);
    this.#codec = zarrCodec(options.compression ?? "none");
  }

  /**
   * Starts a store in a temporary folder beside `path`.
   * @throws UsageError when `path` exists and `overwrite` is not set; StorageError when the folder cannot be made
   */
  static async create(path: string, options: ZarrWriteOptions = {}): Promise<ZarrWriter> {
    const target = resolve(path);
    if (options.work) return new ZarrWriter(target, options.work.store, options);
    await refuseExisting(target, finalName(options));
    const temporary = temporaryPath(target);
    const writer = new ZarrWriter(target, temporary, options);
    await guard(temporary, async () => {
      await mkdir(dirname(target), { recursive: true });
      await mkdir(temporary);
    });
    return writer;
  }

  get #format(): 2 | 3 {
    return this.#options.format ?? 3;
  }

  async declare(spec: ArraySpec): Promise<void> {
    if (this.#arrays.has(spec.name)) throw new UsageError(`the array "${spec.name}" is declared twice`);
    const problem = specProblem(spec, { partialChunks: true });
    if (problem !== undefined) throw new UsageError(problem);
    if (spec.shardShape && this.#format === 2) {
      throw new UsageError("Zarr format 2 has no shards", { hint: "leave the shards out, or write format 3" });
    }
    this.#arrays.set(spec.name, { spec, grown: 0 });
    await guard(this.path, () => mkdir(join(this.#folder, spec.name), { recursive: true }));
  }

  async writeArray(spec: ArraySpec, values: ArrayValues): Promise<void> {
    const shape = wholeShape(spec, values);
    await this.declare({ ...spec, shape, chunkShape: shape });
    const index = shape.map(() => 0);
    await this.writeChunk(spec.name, index, values);
  }

  async writeChunk(name: string, index: readonly number[], values: ArrayValues): Promise<void> {
    if (this.#closed) throw new UsageError(`the Zarr store ${this.path} is closed`);
    const array = this.#arrays.get(name);
    if (!array) throw new UsageError(`the array "${name}" was not declared`);
    const problem = chunkProblem(array.spec, index, values);
    if (problem !== undefined) throw new UsageError(problem);
    if (array.spec.shape[0] === null) array.grown = Math.max(array.grown, index[0]! + 1);
    await this.#chunks.write(this.#placeOf(array.spec, index), values);
  }

  #placeOf(spec: ArraySpec, index: readonly number[]): ChunkPlace {
    const { work } = this.#options;
    const of = { codec: this.#codec.name, elementBytes: elementBytes(spec.dataType) };
    const fileOf = (at: readonly number[]): string => join(this.#folder, chunkKey(this.#format, spec.name, at));
    if (!spec.shardShape) return { ...of, file: fileOf(index), temporary: work?.temporaryName() };
    const shape = spec.shape.map((size) => size ?? 0);
    const { shard, ...place } = shardSlot(index, shape, chunkShapeOf(spec), spec.shardShape);
    const file = fileOf(shard);
    if (!work) return { ...of, file, shard: { ...place, temporary: `${file}.part` } };
    // Each chunk of a shard must find the same name.
    const temporary = this.#shardNames.get(file) ?? work.temporaryName();
    this.#shardNames.set(file, temporary);
    return { ...of, file, shard: { ...place, temporary } };
  }

  /**
   * Waits until what was written so far is on the disk, in place. Of the shards that still lack chunks, those are ended of which `which`
   * is true, by the index of the shard: what they lack reads as missing.
   */
  async flush(which: (index: readonly number[]) => boolean): Promise<void> {
    await this.#chunks.flush((file) => which(indexOfKey(basename(file))));
    for (const file of this.#shardNames.keys()) if (which(indexOfKey(basename(file)))) this.#shardNames.delete(file);
    if (!this.#options.work) return;
    await guard(this.path, async () => {
      for (const name of this.#arrays.keys()) await syncEntry(join(this.#folder, name));
    });
  }

  /**
   * Writes the metadata, flushes the folders and gives the store its final name.
   * @returns the absolute path of the store
   * @throws StorageError when the disk fails; the temporary folder is then removed and the target is as it was
   */
  async close(): Promise<string> {
    this.#closed = true;
    const arrays = this.#finishedArrays();
    try {
      await this.#chunks.flush();
      const { attributes = {}, work } = this.#options;
      await guard(this.path, async () => {
        for (const { key, json } of storeDocuments(this.#format, attributes, arrays)) {
          const file = join(this.#folder, key);
          const temporary = work?.temporaryName() ?? file;
          await writeDurably(temporary, Buffer.from(asciiJson(json)));
          if (temporary !== file) await rename(temporary, file);
        }
        await syncFolders(this.#folder);
      });
      await this.#chunks.close();
      if (work) await work.complete();
      else await moveToFinalName(this.#folder, this.path, finalName(this.#options));
    } catch (error) {
      await this.abort();
      throw error;
    }
    return this.path;
  }

  // Arrays on one growing axis share its length: what one of them lacks reads as the fill value.
  #finishedArrays(): ZarrArrayInfo[] {
    const lengths = new Map<string, number>();
    for (const { spec, grown } of this.#arrays.values()) {
      if (spec.shape.length === 0) continue;
      const length = spec.shape[0] ?? grown * chunkShapeOf(spec)[0]!;
      lengths.set(spec.dimensions[0]!, Math.max(length, lengths.get(spec.dimensions[0]!) ?? 0));
    }
    return [...this.#arrays.values()].map(({ spec }) => ({
      name: spec.name,
      dimensions: spec.dimensions,
      shape: spec.shape.map((size, axis) => size ?? lengths.get(spec.dimensions[axis]!)!),
      chunkShape: chunkShapeOf(spec),
      shardShape: spec.shardShape,
      dataType: spec.dataType,
      attributes: spec.attributes ?? {},
      codec: this.#codec,
    }));
  }

  /** Removes what was written; in a work folder only what is not finished. */
  async abort(): Promise<void> {
    this.#closed = true;
    await this.#chunks.close();
    if (!this.#options.work) return rm(this.#folder, { recursive: true, force: true });
    for (const temporary of this.#shardNames.values()) await rm(temporary, { force: true });
  }
}

/** `c.0.3` and `0.3` are [0, 3]. */
function indexOfKey(key: string): number[] {
  return key
    .split(".")
    .filter((part) => part !== "c")
    .map(Number);
}

/** Letters beyond ASCII are escaped: zarr-python 2 reads its metadata as ASCII. */
function asciiJson(json: unknown): string {
  return JSON.stringify(json, null, 1).replace(
    /[\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStorageError(error, path);
  }
}
