// Writes a NetCDF-4 file slab by slab while a forecast runs, through h5wasm: HDF5 with dimension scales, which is what NetCDF-4 is
// (NetCDF-4 file format specification, unidata). Everything goes to a temporary file beside the target; `close` flushes it and
// renames it, `abort` removes it. h5wasm works synchronously on the calling thread. Not here: NetCDF-3, groups, reading (read.ts).

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
  /** Chunks written along a growing first axis; the elements before are all defined. */
  grown: number;
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
  readonly #dimensions = new Map<string, number | null>();
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
    const problem = specProblem(spec) ?? this.#dimensionProblem(spec);
    if (problem !== undefined) throw new UsageError(problem);
    const isCoordinate = spec.dimensions.length === 1 && spec.dimensions[0] === spec.name;
    const growing = spec.shape[0] === null;
    const shape = values ? wholeShape(spec, values) : spec.shape.map((size) => size ?? 0);
    const chunks = chunkShapeOf(spec);
    const chunked = growing || spec.chunkShape !== undefined;
    const elements = shape.reduce((product, size) => product * size, 1);
    const dataset = this.#guard(() => {
      const made = this.#file.create_dataset({
        name: spec.name,
        data: values ?? missing(spec, elements),
        shape,
        dtype: hdf5Types[spec.dataType],
        // One-axis arrays are small: chunks of one element would cost far more than they hold.
        ...(chunked ? { chunks: shape.length === 1 ? [512] : [...chunks], maxshape: [...spec.shape] } : {}),
        ...(chunked && shape.length > 1 && this.#options.deflate ? { compression: this.#options.deflate } : {}),
      });
      if (isCoordinate) made.make_scale(spec.name);
      else for (const [axis, name] of spec.dimensions.entries()) made.attach_scale(axis, name);
      for (const [name, value] of Object.entries(spec.attributes ?? {})) setAttribute(made, name, value);
      // NetCDF wants the fill value in the array's own type; coordinates must not have one.
      if (!isCoordinate && spec.dataType === "float32")
        made.create_attribute("_FillValue", Float32Array.of(Number.NaN));
      if (!isCoordinate && spec.dataType === "float64")
        made.create_attribute("_FillValue", Float64Array.of(Number.NaN));
      return made;
    });
    if (isCoordinate) this.#dimensions.set(spec.name, spec.shape[0] ?? null);
    const variable = { spec, dataset, grown: growing && values ? shape[0]! : 0 };
    this.#variables.set(spec.name, variable);
    return variable;
  }

  #dimensionProblem(spec: ArraySpec): string | undefined {
    for (const [axis, name] of spec.dimensions.entries()) {
      if (name === spec.name && spec.dimensions.length === 1) continue;
      const size = this.#dimensions.get(name);
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
    if (variable.spec.shape[0] === null) this.#grow(variable, index[0]! + 1, index[0]!);
    this.#writeSlab(variable, index, values);
  }

  // HDF5 would fill the chunks between with zeros; they must read as missing.
  #grow(variable: Variable, chunkCount: number, skip?: number): void {
    if (chunkCount <= variable.grown) return;
    const { spec, dataset } = variable;
    const chunks = chunkShapeOf(spec);
    const rest = spec.shape.slice(1).map((size) => size ?? 0);
    const first = variable.grown;
    variable.grown = chunkCount;
    this.#guard(() => dataset.resize([chunkCount * chunks[0]!, ...rest]));
    const whole = chunks.slice(1).every((size, axis) => size === rest[axis]);
    const slab = missing(spec, chunks[0]! * rest.reduce((product, size) => product * size, 1));
    for (let step = first; step < chunkCount; step++) {
      if (step === skip && whole) continue;
      const ranges = spec.shape.map((_, axis) => (axis === 0 ? [step * chunks[0]!, (step + 1) * chunks[0]!] : []));
      this.#guard(() => dataset.write_slice(ranges as [number, number][], slab));
    }
  }

  #writeSlab(variable: Variable, index: readonly number[], values: ArrayValues): void {
    const chunks = chunkShapeOf(variable.spec);
    const ranges = index.map((place, axis): [number, number] => [place * chunks[axis]!, (place + 1) * chunks[axis]!]);
    this.#guard(() => variable.dataset.write_slice(ranges, values));
  }

  async close(): Promise<string> {
    try {
      this.#fillToLength();
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

  // Arrays on one growing axis share its length.
  #fillToLength(): void {
    const length = (variable: Variable): number =>
      variable.grown * (variable.spec.shape.length === 1 ? 1 : chunkShapeOf(variable.spec)[0]!);
    const lengths = new Map<string, number>();
    const growing = [...this.#variables.values()].filter(({ spec }) => spec.shape[0] === null);
    for (const variable of growing) {
      const name = variable.spec.dimensions[0]!;
      lengths.set(name, Math.max(lengths.get(name) ?? 0, length(variable)));
    }
    for (const variable of growing) {
      const wanted = lengths.get(variable.spec.dimensions[0]!)!;
      this.#grow(variable, Math.ceil(wanted / chunkShapeOf(variable.spec)[0]!));
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
    target.create_attribute(name, Number.isInteger(value) ? Int32Array.of(value) : Float64Array.of(value));
  } else if (typeof value === "boolean") target.create_attribute(name, Int32Array.of(value ? 1 : 0));
  else if (value.every((entry) => typeof entry === "number")) {
    target.create_attribute(name, Float64Array.from(value as readonly number[]));
  } else target.create_attribute(name, [...(value as readonly string[])]);
}
