// Blocks of Zarr arrays out of their chunks. Every chunk of a store is fetched and decoded once for all who want it at the same time, and
// what was used last stays decoded; requests run side by side within limits of number and memory. Decoding: decoders.ts.

import type * as zarr from "zarrita";
import type { ZarrTypedArray } from "./read.js";

/** A decoded chunk. */
type Chunk = zarr.Chunk<zarr.NumberDataType | zarr.BigintDataType>;

/** Limits of a `ChunkReader`. */
export interface ChunkLimits {
  /** Chunks that are fetched at the same time; default 16. */
  readonly concurrency?: number | undefined;
  /** Bytes of decoded chunks that are kept; default 256 MB. As much again may be on its way. */
  readonly cacheBytes?: number | undefined;
}

/** Reads the chunks of one store. */
export class ChunkReader {
  readonly #concurrency: number;
  readonly #cacheBytes: number;
  /** Decoded chunks, the one used last at the end. */
  readonly #kept = new Map<string, { readonly chunk: Chunk; readonly bytes: number }>();
  #keptBytes = 0;
  readonly #coming = new Map<string, Promise<Chunk>>();
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #running = 0;
  #runningBytes = 0;

  constructor(limits: ChunkLimits = {}) {
    this.#concurrency = limits.concurrency ?? 16;
    this.#cacheBytes = limits.cacheBytes ?? 256e6;
  }

  /** A block of an array, row-major. */
  async read(
    name: string,
    array: zarr.Array<zarr.NumberDataType | zarr.BigintDataType>,
    start: readonly number[],
    count: readonly number[],
    signal?: AbortSignal,
  ): Promise<ZarrTypedArray> {
    const size = count.reduce((product, n) => product * n, 1);
    const first = start.map((from, i) => Math.floor(from / array.chunks[i]!));
    const last = start.map((from, i) => Math.floor((from + count[i]! - 1) / array.chunks[i]!));
    const places = size === 0 ? [] : grid(first, last);
    let out: ZarrTypedArray | undefined;
    await Promise.all(
      places.map(async (place) => {
        const chunk = await this.#chunk(name, array, place, signal);
        const data = chunk.data as ZarrTypedArray;
        out ??= new (data.constructor as new (n: number) => ZarrTypedArray)(size);
        copyPart(chunk, place, array.chunks, out, start, count);
      }),
    );
    return out ?? new Float32Array(size);
  }

  async #chunk(
    name: string,
    array: zarr.Array<zarr.NumberDataType | zarr.BigintDataType>,
    place: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Chunk> {
    const key = `${name}/${place.join("/")}`;
    const kept = this.#kept.get(key);
    if (kept) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept.chunk;
    }
    let coming = this.#coming.get(key);
    if (!coming) {
      const bytes = array.chunks.reduce((product, n) => product * n, 8);
      coming = this.#limited(bytes, async () => {
        const chunk = (await array.getChunk([...place], signal === undefined ? {} : { signal })) as Chunk;
        const [got, wanted] = [chunk.data.length, chunk.shape.reduce((product, n) => product * n, 1)];
        if (got !== wanted) throw new Error(`chunk ${place.join(".")} has ${got} elements in place of ${wanted}`);
        this.#keep(key, chunk);
        return chunk;
      }).finally(() => this.#coming.delete(key));
      this.#coming.set(key, coming);
    }
    return coming;
  }

  #keep(key: string, chunk: Chunk): void {
    const bytes = (chunk.data as ZarrTypedArray).byteLength;
    if (bytes > this.#cacheBytes) return;
    this.#kept.set(key, { chunk, bytes });
    this.#keptBytes += bytes;
    for (const [oldest, { bytes: size }] of this.#kept) {
      if (this.#keptBytes <= this.#cacheBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= size;
    }
  }

  /** Runs `work` when a place is free, in the order of asking. */
  async #limited<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
    } else this.#enter(bytes);
    try {
      return await work();
    } finally {
      this.#running--;
      this.#runningBytes -= bytes;
      for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
        this.#waiting.shift();
        this.#enter(next.bytes);
        next.go();
      }
    }
  }

  /** One chunk always fits, however large. */
  #fits(bytes: number): boolean {
    if (this.#running === 0) return true;
    return this.#running < this.#concurrency && this.#runningBytes + bytes <= this.#cacheBytes;
  }

  #enter(bytes: number): void {
    this.#running++;
    this.#runningBytes += bytes;
  }
}

/** All positions between two corners, both included, row-major. */
function grid(first: readonly number[], last: readonly number[]): number[][] {
  let all: number[][] = [[]];
  for (const [i, from] of first.entries()) {
    const along = Array.from({ length: last[i]! - from + 1 }, (_, n) => from + n);
    all = all.flatMap((place) => along.map((n) => [...place, n]));
  }
  return all;
}

/** Copies what a chunk has of the block `start`, `count` into `out`. */
function copyPart(
  chunk: Chunk,
  place: readonly number[],
  chunkShape: readonly number[],
  out: ZarrTypedArray,
  start: readonly number[],
  count: readonly number[],
): void {
  const data = chunk.data as Float64Array;
  const target = out as Float64Array;
  const rank = start.length;
  const low = place.map((n, i) => Math.max(start[i]!, n * chunkShape[i]!));
  const high = place.map((n, i) => Math.min(start[i]! + count[i]!, (n + 1) * chunkShape[i]!));
  const strides = new Array<number>(rank).fill(1);
  for (let i = rank - 2; i >= 0; i--) strides[i] = strides[i + 1]! * count[i + 1]!;
  const copy = (axis: number, from: number, to: number): void => {
    if (axis === rank) {
      target[to] = data[from]!;
      return;
    }
    const n = high[axis]! - low[axis]!;
    const step = chunk.stride[axis]!;
    if (axis === rank - 1 && step === 1) {
      target.set(data.subarray(from, from + n), to);
      return;
    }
    for (let i = 0; i < n; i++) copy(axis + 1, from + i * step, to + i * strides[axis]!);
  };
  const from = low.reduce((sum, at, i) => sum + (at - place[i]! * chunkShape[i]!) * chunk.stride[i]!, 0);
  const to = low.reduce((sum, at, i) => sum + (at - start[i]!) * strides[i]!, 0);
  copy(0, from, to);
}
