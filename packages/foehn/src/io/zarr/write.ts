// Writes a Zarr group of local files, one array per variable, chunk by chunk, while a forecast runs.
// Formats: Zarr 3 (zarr-specs.readthedocs.io, default) and Zarr 2, with CF attributes and consolidated metadata, so xarray opens it.
// Everything goes to a temporary folder beside the target; `close` flushes it to disk and renames it, `abort` removes it.
// A chunk that is never written reads as NaN (the fill value), never as zero. Not here: shards and remote stores.

import { mkdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../../core/errors.js";
import { temporaryPath, toStorageError } from "../../core/files.js";
import {
  type ArrayAttributes,
  type ArraySpec,
  type ArrayValues,
  type ArrayWriter,
  chunkProblem,
  chunkShapeOf,
  specProblem,
  wholeShape,
} from "../array-writer.js";
import { moveToFinalName, refuseExisting, syncFolders } from "../final-name.js";
import { writeDurably } from "./chunk-file.js";
import { ChunkWriter } from "./chunk-writer.js";
import { type ZarrCodec, zarrCodec } from "./codecs.js";
import { chunkKey, storeDocuments, type ZarrArrayInfo } from "./metadata.js";

/** Options of `ZarrWriter.create`. */
export interface ZarrWriteOptions {
  readonly attributes?: ArrayAttributes;
  /** Default 3. */
  readonly format?: 2 | 3;
  /** none (default), gzip, zstd or blosc. */
  readonly compression?: string;
  /** Replace an existing folder or file, at the very end. Default false. */
  readonly overwrite?: boolean;
}

const finalName = (options: ZarrWriteOptions) => ({
  overwrite: options.overwrite === true,
  markers: ["zarr.json", ".zgroup"],
});

interface ArrayState {
  readonly spec: ArraySpec;
  /** Chunks written along a growing first axis. */
  grown: number;
}

/** A Zarr group being written; see the top of this file. */
export class ZarrWriter implements ArrayWriter {
  readonly path: string;
  readonly #temporary: string;
  readonly #options: ZarrWriteOptions;
  readonly #codec: ZarrCodec;
  readonly #arrays = new Map<string, ArrayState>();
  readonly #chunks: ChunkWriter;
  #closed = false;

  private constructor(path: string, temporary: string, options: ZarrWriteOptions) {
    this.path = path;
    this.#temporary = temporary;
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
    const problem = specProblem(spec);
    if (problem !== undefined) throw new UsageError(problem);
    this.#arrays.set(spec.name, { spec, grown: 0 });
    await guard(this.#temporary, () => mkdir(join(this.#temporary, spec.name)));
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
    const file = join(this.#temporary, chunkKey(this.#format, name, index));
    await this.#chunks.write(file, values, this.#codec.name);
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
      await guard(this.path, async () => {
        for (const { key, json } of storeDocuments(this.#format, this.#options.attributes ?? {}, arrays)) {
          await writeDurably(join(this.#temporary, key), Buffer.from(JSON.stringify(json, null, 1)));
        }
        await syncFolders(this.#temporary);
      });
      await this.#chunks.close();
      await moveToFinalName(this.#temporary, this.path, finalName(this.#options));
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
      dataType: spec.dataType,
      attributes: spec.attributes ?? {},
      codec: this.#codec,
    }));
  }

  async abort(): Promise<void> {
    this.#closed = true;
    await this.#chunks.close();
    await rm(this.#temporary, { recursive: true, force: true });
  }
}

async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStorageError(error, path);
  }
}
