// What a file of gridded arrays looks like to the code that fills it, whatever the format: arrays with named axes, attributes
// and chunks written one by one. Implemented by zarr/write.ts and netcdf/write.ts. Not here: what the arrays mean.

/** Element types that every format here can write. */
export type ArrayDataType = "float32" | "float64" | "int32" | "int64";

/** Values of a chunk, of the type that the array's `dataType` says. */
export type ArrayValues = Float32Array | Float64Array | Int32Array | BigInt64Array;

/** Values of attributes: JSON, without NaN or infinities. */
export type ArrayAttributes = Readonly<
  Record<string, string | number | boolean | readonly number[] | readonly string[]>
>;

/** An array to be written. */
export interface ArraySpec {
  readonly name: string;
  readonly dimensions: readonly string[];
  /** A first entry of `null` is an axis that grows with the chunks written (NetCDF: unlimited). */
  readonly shape: readonly (number | null)[];
  /** Default: the whole array is one chunk, or one step of a growing axis. Must divide the shape, except in Zarr. */
  readonly chunkShape?: readonly number[];
  /** Zarr 3: several chunks share a file, each of this shape: whole chunks. Default: a file for each chunk. */
  readonly shardShape?: readonly number[] | undefined;
  readonly dataType: ArrayDataType;
  readonly attributes?: ArrayAttributes;
}

/**
 * A file being written. Nothing exists under the final name before `close` has resolved; after `abort` nothing is left.
 * Elements that were never written read as NaN (0 for integers).
 */
export interface ArrayWriter {
  /** Absolute path of the finished file. */
  readonly path: string;
  /** Announces an array; its chunks may then come in any order. Coordinates come before the arrays that use them. */
  declare(spec: ArraySpec): Promise<void>;
  /** Declares an array and writes all of it: coordinates, mostly. A growing axis gets the length of `values`. */
  writeArray(spec: ArraySpec, values: ArrayValues): Promise<void>;
  /**
   * Takes one chunk at a chunk index (not an element index). Resolves when `values` may change again; the writer holds a bounded
   * number of chunks and lets the caller wait beyond it. A chunk that fails later makes a later call, or `close`, throw.
   */
  writeChunk(name: string, index: readonly number[], values: ArrayValues): Promise<void>;
  /** Flushes everything to disk, gives the file its final name and returns it. @throws StorageError when the disk fails */
  close(): Promise<string>;
  /** Removes what was written. Safe to call at any time, also twice. */
  abort(): Promise<void>;
}

/** Chunk shape of a spec with its default filled in. */
export function chunkShapeOf(spec: ArraySpec): readonly number[] {
  return spec.chunkShape ?? spec.shape.map((size) => size ?? 1);
}

/** The shape of an array that is written at once: a growing axis has as many elements as the values fill. */
export function wholeShape(spec: ArraySpec, values: ArrayValues): number[] {
  const rest = spec.shape.slice(1).reduce<number>((product, size) => product * (size ?? 1), 1);
  return spec.shape.map((size) => size ?? values.length / rest);
}

/** Bytes of one element. */
export function elementBytes(dataType: ArrayDataType): number {
  return dataType === "float32" || dataType === "int32" ? 4 : 8;
}

/** What is wrong with writing `values` as chunk `index` of an array, or undefined when nothing is. */
export function chunkProblem(spec: ArraySpec, index: readonly number[], values: ArrayValues): string | undefined {
  const chunkShape = chunkShapeOf(spec);
  const elements = chunkShape.reduce((product, size) => product * size, 1);
  if (values.length !== elements || values.BYTES_PER_ELEMENT !== elementBytes(spec.dataType)) {
    return `array "${spec.name}": a chunk is ${elements} ${spec.dataType} values, got ${values.length} of ${values.BYTES_PER_ELEMENT} bytes`;
  }
  const outside = spec.shape.some((size, axis) => {
    const place = index[axis] ?? -1;
    return !Number.isInteger(place) || place < 0 || (size !== null && place * chunkShape[axis]! >= size);
  });
  return outside || index.length !== spec.shape.length
    ? `array "${spec.name}": chunk [${index}] lies outside its shape [${spec.shape.map((size) => size ?? "…")}]`
    : undefined;
}

/** What is wrong with a spec itself, or undefined when nothing is. */
export function specProblem(spec: ArraySpec, { partialChunks = false } = {}): string | undefined {
  const { name, dimensions, shape } = spec;
  const chunkShape = chunkShapeOf(spec);
  if (!/^[A-Za-z_][A-Za-z0-9_.@+-]*$/.test(name)) {
    return `"${name}" cannot name an array: start with a letter, then letters, digits, _ . @ + -`;
  }
  if (dimensions.length !== shape.length || chunkShape.length !== shape.length) {
    return `array "${name}": ${dimensions.length} dimensions, ${shape.length} sizes, ${chunkShape.length} chunk sizes`;
  }
  for (const [axis, size] of shape.entries()) {
    const chunk = chunkShape[axis]!;
    const divides = partialChunks || (size ?? 0) % chunk === 0;
    if (!Number.isInteger(chunk) || chunk < 1 || !divides || (size === null && axis > 0)) {
      return `array "${name}": shape [${shape.map((n) => n ?? "…")}] is not made of whole chunks [${chunkShape}]`;
    }
  }
  return shardProblem(spec);
}

function shardProblem(spec: ArraySpec): string | undefined {
  const { name, shape, shardShape } = spec;
  if (shardShape === undefined) return undefined;
  const chunkShape = chunkShapeOf(spec);
  const fits = shardShape.every((size, axis) => size >= 1 && size % chunkShape[axis]! === 0);
  if (shardShape.length === shape.length && fits && !shape.includes(null)) return undefined;
  return `array "${name}": shards of [${shardShape}] are not made of whole chunks of [${chunkShape}]`;
}
