// safetensors files: tensors by name, nothing executable. Reading is lazy: the header first, each tensor when asked for.
// Format: https://huggingface.co/docs/safetensors; its checks are in `safetensors-header.ts`.
import { closeSync, fstatSync, openSync } from "node:fs";
import type { Device, DType } from "../dtype.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { tensorOverBytes, withBytes } from "./bytes.js";
import { readExactly, writeAll, writeFileAtomic } from "./disk.js";
import { TensorFileError } from "./errors.js";
import {
  buildHeader,
  parseHeader,
  parseHeaderSize,
  type SafetensorsDType,
  type SafetensorsHeader,
} from "./safetensors-header.js";

export type { SafetensorsDType, SafetensorsEntry, SafetensorsHeader } from "./safetensors-header.js";

/** The format's name of a dtype; `complex128` has none. */
const NAMES: Readonly<Partial<Record<DType, SafetensorsDType>>> = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  int16: "I16",
  int32: "I32",
  int64: "I64",
  float16: "F16",
  bfloat16: "BF16",
  float32: "F32",
  float64: "F64",
  complex64: "C64",
};

/** The dtype that holds a type of the format; unsigned types of 2 and 4 bytes are widened, as libtorch 1.13 has none. */
const DTYPES: Readonly<Record<SafetensorsDType, DType>> = {
  BOOL: "bool",
  U8: "uint8",
  I8: "int8",
  I16: "int16",
  U16: "int32",
  I32: "int32",
  U32: "int64",
  I64: "int64",
  F16: "float16",
  BF16: "bfloat16",
  F32: "float32",
  F64: "float64",
  C64: "complex64",
};

/** A safetensors file opened for reading; holds a file handle, so close it (or `using`). */
export class SafetensorsFile implements Disposable {
  readonly header: SafetensorsHeader;
  readonly #fd: number;

  constructor(readonly path: string) {
    this.#fd = openSync(path, "r");
    try {
      const { size } = fstatSync(this.#fd);
      if (size < 8)
        throw new TensorFileError(path, `has ${size} bytes; a safetensors file starts with 8 bytes of length`);
      const first8 = new Uint8Array(8);
      readExactly(this.#fd, first8, 0, path);
      const bytes = new Uint8Array(parseHeaderSize(first8, size, path));
      readExactly(this.#fd, bytes, 8, path);
      this.header = parseHeader(bytes, size - 8 - bytes.byteLength, path);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Names in the order of the header. */
  names(): string[] {
    return [...this.header.tensors.keys()];
  }

  /**
   * Reads one tensor from the disk.
   * @throws TensorFileError when there is no such name
   */
  tensor(name: string, { device = "cpu" }: { readonly device?: Device } = {}): Tensor {
    const entry = this.header.tensors.get(name);
    if (entry === undefined) {
      throw new TensorFileError(this.path, `has no tensor "${name}"; it has ${this.names().slice(0, 20).join(", ")}`);
    }
    const { dtype, shape, begin, end } = entry;
    const bytes = new Uint8Array(end - begin);
    readExactly(this.#fd, bytes, this.header.dataStart + begin, this.path);
    const buffer = dtype === "U16" ? widen16(bytes) : dtype === "U32" ? widen32(bytes) : bytes.buffer;
    return scope(() => tensorOverBytes(buffer, DTYPES[dtype]).reshape(shape).to({ device }));
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const widen16 = (bytes: Uint8Array<ArrayBuffer>) => Int32Array.from(new Uint16Array(bytes.buffer)).buffer;
const widen32 = (bytes: Uint8Array<ArrayBuffer>) => BigInt64Array.from(new Uint32Array(bytes.buffer), BigInt).buffer;

/** Reads and checks the header only. */
export function readHeader(path: string): SafetensorsHeader {
  using file = new SafetensorsFile(path);
  return file.header;
}

/** What `load` returns. */
export interface SafetensorsContents {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Opens a file for reading tensors one by one. */
export function open(path: string): SafetensorsFile {
  return new SafetensorsFile(path);
}

/**
 * Reads all tensors.
 * @throws TensorFileError for a damaged file
 */
export function load(path: string, options: { readonly device?: Device } = {}): SafetensorsContents {
  using file = new SafetensorsFile(path);
  const tensors = new Map(file.names().map((name) => [name, file.tensor(name, options)]));
  return { tensors, metadata: file.header.metadata };
}

/**
 * Writes tensors (row-major, from any device) and text metadata, atomically: the file appears under its name when it is complete
 * and on the disk. Tensors that share memory are written once each.
 * @throws TypeError for a complex128 tensor, which the format lacks
 */
export function save(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  { metadata = {} }: { readonly metadata?: Readonly<Record<string, string>> } = {},
): void {
  const entries: (readonly [string, Tensor])[] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string")
      throw new TypeError(`safetensors metadata "${key}" must be text, got ${typeof value}`);
  }
  const layouts = entries.map(([name, tensor]) => {
    const dtype = NAMES[tensor.dtype];
    if (dtype === undefined) throw new TypeError(`safetensors cannot hold ${tensor.dtype} (tensor "${name}")`);
    if (name === "__metadata__") throw new RangeError('safetensors: "__metadata__" cannot be the name of a tensor');
    return { name, dtype, shape: tensor.shape, tensor };
  });
  const { bytes, order } = buildHeader(layouts, metadata);
  writeFileAtomic(path, (fd) => {
    writeAll(fd, bytes);
    for (const { tensor } of order) withBytes(tensor, (data) => writeAll(fd, data));
  });
}
