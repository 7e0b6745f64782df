// Writes a NetCDF-4 file slab by slab while a forecast runs, through h5wasm: HDF5 with dimension scales, which is what NetCDF-4 is
// (NetCDF-4 file format specification, unidata). Everything goes to a temporary file beside the target; `close` flushes it and
// renames it, `abort` removes it. Arrays may be in groups: `europe/t2m`, after `makeGroup`; their dimensions are looked for in the group,
// then in the root. h5wasm works synchronously on the calling thread. Not here: NetCDF-3, reading (read.ts).

import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Dataset, File as Hdf5File, Module, ready } from "h5wasm/node";
import { StorageError, UsageError } from "../../core/errors.js";
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
import { moveToFinalName, refuseExisting } from "../final-name.js";

/** Options of `NetcdfWriter.create`. */
export interface NetcdfWriteOptions {
  readonly attributes?: ArrayAttributes;
  /** Deflate level 0 (none, default) to 9, for arrays of two and more axes. */
  readonly deflate?: number;
  /** Replace an existing file, at the very end. Default false. */
  readonly overwrite?: boolean;
}

interface Variable {
  readonly spec: ArraySpec;
  readonly dataset: Dataset;
  /** Chunks along a growing first axis. */
  grown: number;
  /** Chunks by their place in row-major order. HDF5 would read zeros where nothing was written: `close` fills the others. */
  readonly written: BitSet;
}

const hdf5Types = { float32: "<f", float64: "<d", int32: "<i", int64: "<q" } as const;
const arrayTypes = { float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array } as const;

/** A NetCDF-4 file being written; see the top of this file. A dimension needs its coordinate (the array of its name) first. */
export class NetcdfWriter implements ArrayWriter {
  readonly path: string;
  readonly #temporary: string;
  readonly #options: NetcdfWriteOptions;
  readonly #file: Hdf5File;
  readonly #variables = new Map<string, Variable>();
  /** By path. */
  readonly #dimensions = new Map<string, number | null>();
  readonly #groups = new Set<string>();
  #closed = false;

  private constructor(path: string, temporary: string, options: NetcdfWriteOptions) {
    this.path = path;
    this.#temporary = temporary;
    this.#options = options;
    this.#file = this.#guard(() => new Hdf5File(temporary, "w"));
    for (const [name, value] of Object.entries({ Conventions: "CF-1.10", ...options.attributes })) {
      this.#guard(() => setAttribute(this.#file, name, value));
    }
  }

  /**
   * Starts a file under a temporary name beside `path`.
   * @throws UsageError when `path` exists and `overwrite` is not set; StorageError when the file cannot be made
   */
  static async create(path: string, options: NetcdfWriteOptions = {}): Promise<NetcdfWriter> {
    const target = resolve(path);
    await refuseExisting(target, { overwrite: options.overwrite === true, markers: [] });
    await ready;
    const temporary = temporaryPath(target);
    try {
      await mkdir(dirname(target), { recursive: true });
      // HDF5 only says that it could not create the file; the system says why.
      closeSync(openSync(temporary, "wx"));
    } catch (error) {
      throw toStorageError(error, target);
    }
    return new NetcdfWriter(target, temporary, options);
  }

  async declare(spec: ArraySpec): Promise<void> {
    this.#declare(spec);
  }

  #declare(spec: ArraySpec, values?: ArrayValues): Variable {
    if (this.#closed) throw new UsageError(`the file ${this.path} is closed`);
    if (this.#variables.has(spec.name)) throw new UsageError(`the array "${spec.name}" is declared twice`);
    const { group, own } = splitName(spec.name);
    const problem = this.#groupProblem(group) ?? specProblem({ ...spec, name: own }) ?? this.#dimensionProblem(spec);
    if (problem !== undefined) throw new UsageError(problem);
    const isCoordinate = spec.dimensions.length === 1 && spec.dimensions[0] === own;
    const growing = spec.shape[0] === null;
    const chunks = chunkShapeOf(spec);
    const isChunked = growing || spec.chunkShape !== undefined;
    // What comes chunk by chunk has no elements yet: memory for all of them at once would be needed otherwise.
    const shape = values ? wholeShape(spec, values) : spec.shape.map((size) => (isChunked ? 0 : (size ?? 0)));
    const elements = shape.reduce((product, size) => product * size, 1);
    const dataset = this.#guard(() => {
      const made = this.#file.create_dataset({
        name: spec.name,
        data: values ?? missing(spec, elements),
        shape,
        dtype: hdf5Types[spec.dataType],
        // One-axis arrays are small: chunks of one element would cost far more than they hold.
        ...(isChunked ? { chunks: shape.length === 1 ? [512] : [...chunks], maxshape: [...spec.shape] } : {}),
        ...(isChunked && shape.length > 1 && this.#options.deflate ? { compression: this.#options.deflate } : {}),
      });
      if (!values && isChunked) made.resize(spec.shape.map((size) => size ?? 0));
      if (isCoordinate) made.make_scale(own);
      else for (const [axis, name] of spec.dimensions.entries()) made.attach_scale(axis, this.#dimension(group, name)!);
      for (const [name, value] of Object.entries(spec.attributes ?? {})) setAttribute(made, name, value);
      // NetCDF wants the fill value in the array's own type; coordinates must not have one.
      if (!isCoordinate && spec.dataType === "float32")
        made.create_attribute("_FillValue", Float32Array.of(Number.NaN));
      if (!isCoordinate && spec.dataType === "float64")
        made.create_attribute("_FillValue", Float64Array.of(Number.NaN));
      return made;
    });
    if (isCoordinate) this.#dimensions.set(spec.name, spec.shape[0] ?? null);
    const variable = { spec, dataset, grown: growing && values ? shape[0]! : 0, written: new BitSet() };
    // Values that came with the declaration are all of them.
    if (values || !isChunked) variable.written.all = true;
    this.#variables.set(spec.name, variable);
    return variable;
  }

  /** Makes a group for arrays named `name/…`. @throws UsageError for a name that cannot be one */
  async makeGroup(name: string, attributes: ArrayAttributes = {}): Promise<void> {
    if (this.#groups.has(name)) throw new UsageError(`the group "${name}" is made twice`);
    if (!/^[\p{L}_][^/\p{Cc}]*$/u.test(name)) {
      throw new UsageError(`"${name}" cannot name a group: start with a letter, and leave out "/"`);
    }
    this.#guard(() => {
      const group = this.#file.create_group(name);
      for (const [key, value] of Object.entries(attributes)) setAttribute(group, key, value);
    });
    this.#groups.add(name);
  }

  #groupProblem(group: string | undefined): string | undefined {
    return group === undefined || this.#groups.has(group) ? undefined : `there is no group "${group}"`;
  }

  /** Path of a dimension as an array in `group` sees it; undefined when there is none. */
  #dimension(group: string | undefined, name: string): string | undefined {
    const inner = group === undefined ? name : `${group}/${name}`;
    if (this.#dimensions.has(inner)) return inner;
    return this.#dimensions.has(name) ? name : undefined;
  }

  #dimensionProblem(spec: ArraySpec): string | undefined {
    const { group, own } = splitName(spec.name);
    for (const [axis, name] of spec.dimensions.entries()) {
      if (name === own && spec.dimensions.length === 1) continue;
      const size = this.#dimensions.get(this.#dimension(group, name) ?? "");
      if (size === undefined) return `array "${spec.name}": its dimension "${name}" has no coordinate yet`;
      if (size !== spec.shape[axis]) {
        return `array "${spec.name}": its axis "${name}" has ${spec.shape[axis] ?? "no fixed"} elements, the coordinate ${size ?? "no fixed number"}`;
      }
    }
    return undefined;
  }

  async writeArray(spec: ArraySpec, values: ArrayValues): Promise<void> {
    const whole = wholeShape(spec, values);
    const problem = chunkProblem(
      { ...spec, shape: whole, chunkShape: whole },
      whole.map(() => 0),
      values,
    );
    if (problem !== undefined) throw new UsageError(problem);
    this.#declare(spec, values);
  }

  /** Writes names along a dimension: a coordinate of names when it has the dimension's own name (the default). */
  async writeNames(
    name: string,
    values: readonly string[],
    options: { readonly dimension?: string; readonly attributes?: ArrayAttributes } = {},
  ): Promise<void> {
    const { dimension = name, attributes = {} } = options;
    const size = dimension === name ? values.length : this.#dimensions.get(dimension);
    if (size !== values.length) {
      throw new UsageError(`"${name}": ${values.length} names along "${dimension}" of ${size ?? "unknown"} elements`);
    }
    this.#guard(() => {
      const dataset = this.#file.create_dataset({ name, data: [...values], dtype: "S" });
      if (dimension === name) dataset.make_scale(name);
      else dataset.attach_scale(0, dimension);
      for (const [key, value] of Object.entries(attributes)) setAttribute(dataset, key, value);
    });
    if (dimension === name) this.#dimensions.set(name, values.length);
  }

  async writeChunk(name: string, index: readonly number[], values: ArrayValues): Promise<void> {
    if (this.#closed) throw new UsageError(`the file ${this.path} is closed`);
    const variable = this.#variables.get(name);
    if (!variable) throw new UsageError(`the array "${name}" was not declared`);
    const problem = chunkProblem(variable.spec, index, values);
    if (problem !== undefined) throw new UsageError(problem);
    if (variable.spec.shape[0] === null) this.#grow(variable, index[0]! + 1);
    this.#writeSlab(variable, index, values);
    variable.written.add(this.#place(variable, index));
  }

  #grow(variable: Variable, chunkCount: number): void {
    if (chunkCount <= variable.grown) return;
    const { spec, dataset } = variable;
    variable.grown = chunkCount;
    this.#guard(() =>
      dataset.resize([chunkCount * chunkShapeOf(spec)[0]!, ...spec.shape.slice(1).map((size) => size ?? 0)]),
    );
  }

  /** Chunks along each axis. */
  #chunkCounts({ spec, grown }: Variable): number[] {
    const chunks = chunkShapeOf(spec);
    return spec.shape.map((size, axis) => (size === null ? grown : size / chunks[axis]!));
  }

  #place(variable: Variable, index: readonly number[]): number {
    const counts = this.#chunkCounts(variable);
    return index.reduce((place, i, axis) => place * counts[axis]! + i, 0);
  }

  #writeSlab(variable: Variable, index: readonly number[], values: ArrayValues): void {
    const chunks = chunkShapeOf(variable.spec);
    const ranges = index.map((place, axis): [number, number] => [place * chunks[axis]!, (place + 1) * chunks[axis]!]);
    this.#guard(() => variable.dataset.write_slice(ranges, values));
  }

  async close(): Promise<string> {
    try {
      this.#fill();
      this.#closed = true;
      this.#guard(() => {
        this.#file.flush();
        if (this.#file.close() < 0) throw new Error("HDF5 could not close the file");
      });
      await moveToFinalName(this.#temporary, this.path, { overwrite: this.#options.overwrite === true, markers: [] });
    } catch (error) {
      await this.abort();
      throw error;
    }
    return this.path;
  }

  // Arrays on one growing axis share its length; what was never written becomes missing.
  #fill(): void {
    const length = (variable: Variable): number =>
      variable.grown * (variable.spec.shape.length === 1 ? 1 : chunkShapeOf(variable.spec)[0]!);
    const lengths = new Map<string, number>();
    const growing = [...this.#variables.values()].filter(({ spec }) => spec.shape[0] === null);
    const pathOf = ({ spec }: Variable): string =>
      this.#dimension(splitName(spec.name).group, spec.dimensions[0]!) ?? spec.dimensions[0]!;
    for (const variable of growing) {
      const name = pathOf(variable);
      lengths.set(name, Math.max(lengths.get(name) ?? 0, length(variable)));
    }
    for (const variable of growing) {
      const wanted = lengths.get(pathOf(variable))!;
      this.#grow(variable, Math.ceil(wanted / chunkShapeOf(variable.spec)[0]!));
    }
    for (const variable of this.#variables.values()) this.#fillChunks(variable);
  }

  #fillChunks(variable: Variable): void {
    const { spec, written } = variable;
    const counts = this.#chunkCounts(variable);
    const total = counts.reduce((product, count) => product * count, 1);
    if (written.all || written.size === total) return;
    const nothing = missing(
      spec,
      chunkShapeOf(spec).reduce((product, size) => product * size, 1),
    );
    for (let place = 0; place < total; place++) {
      if (written.has(place)) continue;
      let rest = place;
      const index = counts.toReversed().map((count) => {
        const i = rest % count;
        rest = (rest - i) / count;
        return i;
      });
      this.#writeSlab(variable, index.reverse(), nothing);
    }
  }

  async abort(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      try {
        this.#guard(() => this.#file.close());
      } catch {
        // The file goes away; what HDF5 could not flush does not matter.
      }
    }
    await rm(this.#temporary, { force: true });
  }

  #guard<T>(work: () => T): T {
    return withHdf5Errors(this.path, work);
  }
}

// HDF5 prints its error stack to stderr and goes on, and h5wasm does not look at what closing a dataset returned: a full disk would
// show hours later. With this handler every error of the library becomes an exception where it happens.
function withHdf5Errors<T>(path: string, work: () => T): T {
  Module.activate_throwing_error_handler();
  try {
    return work();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    if (text.includes("No space left")) {
      throw toStorageError(Object.assign(new Error(text), { code: "ENOSPC", syscall: "write" }), path);
    }
    const reason = /error message = '([^']+)'/.exec(text)?.[1];
    throw new StorageError(`${path}: the file cannot be written${reason ? `: ${reason}` : ""}`, {
      hint: "check the disk; --debug shows what HDF5 says",
      cause: error,
    });
  } finally {
    Module.deactivate_throwing_error_handler();
  }
}

/** `europe/t2m` is t2m in the group europe. */
function splitName(name: string): { readonly group: string | undefined; readonly own: string } {
  const slash = name.lastIndexOf("/");
  return slash < 0 ? { group: undefined, own: name } : { group: name.slice(0, slash), own: name.slice(slash + 1) };
}

/** A set of small whole numbers: one bit each, since a forecast has millions of chunks. */
class BitSet {
  /** Everything is in. */
  all = false;
  size = 0;
  #bits = new Uint8Array(64);

  has(n: number): boolean {
    return this.all || ((this.#bits[n >> 3] ?? 0) & (1 << (n & 7))) !== 0;
  }

  add(n: number): void {
    if (this.has(n)) return;
    if (n >> 3 >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bits.length, (n >> 3) + 1));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[n >> 3]! |= 1 << (n & 7);
    this.size++;
  }
}

function missing(spec: ArraySpec, elements: number): ArrayValues {
  const values = new arrayTypes[spec.dataType](elements);
  if (values instanceof Float32Array || values instanceof Float64Array) values.fill(Number.NaN);
  return values;
}

function setAttribute(
  target: { create_attribute: Dataset["create_attribute"] },
  name: string,
  value: ArrayAttributes[string],
): void {
  if (typeof value === "string") target.create_attribute(name, value);
  else if (typeof value === "number") {
    const isSmall = Number.isInteger(value) && Math.abs(value) < 2 ** 31;
    target.create_attribute(name, isSmall ? Int32Array.of(value) : Float64Array.of(value));
  } else if (typeof value === "boolean") target.create_attribute(name, Int32Array.of(value ? 1 : 0));
  else if (value.every((entry) => typeof entry === "number")) {
    target.create_attribute(name, Float64Array.from(value as readonly number[]));
  } else target.create_attribute(name, [...(value as readonly string[])]);
}
