// Fields in NumPy's .npy files, as plain float32 arrays and without the tensor engine: reading threads use this. Little-endian floats
// of 2, 4 and 8 bytes and integers are read, C order only; float16 and float32 are written.
// Format: numpy.lib.format, versions 1 to 3. (Tensors in .npy files: @foehn/torch.)

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { FormatError, StorageError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import { fromFloat16, toFloat16 } from "./float16.js";

/** What a .npy file holds. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float32Array;
}

interface Header {
  readonly type: string;
  readonly shape: readonly number[];
  /** Offset of the data. */
  readonly offset: number;
  readonly count: number;
}

const itemBytes: Readonly<Record<string, number>> = {
  "<f2": 2,
  "<f4": 4,
  "<f8": 8,
  "|u1": 1,
  "|i1": 1,
  "<u2": 2,
  "<i2": 2,
  "<i4": 4,
};

/** Reads .npy files one after the other, with one buffer for all of them. Not for two threads at once. */
export class NpyReader {
  #buffer = Buffer.alloc(0);
  // Files of one dataset have the same header, byte for byte.
  #lastText = "";
  #lastHeader: Header | undefined;

  /**
   * Reads a file. `values` may be a view of the reader's buffer: it is good until the next call.
   * @throws StorageError when it cannot be opened, FormatError when it is no such file, is cut short, or has a type that is not read
   */
  read(path: string): NpyArray {
    const bytes = this.#load(path);
    const header = this.#header(bytes, path);
    const size = header.count * itemBytes[header.type]!;
    if (bytes.length - header.offset !== size) {
      throw new FormatError(
        `the array needs ${size} bytes for its shape (${header.shape.join(", ")}), the file has ${bytes.length - header.offset}`,
        { where: path, hint: "the file is cut short or damaged; make it again" },
      );
    }
    return { shape: header.shape, values: decode(bytes, header) };
  }

  #load(path: string): Buffer {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch (error) {
      throw new StorageError(`cannot open ${path}: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
    }
    try {
      // Most files are as long as the one before; one read finds out.
      let length = 0;
      if (this.#buffer.length > 0) length = readSync(file, this.#buffer, 0, this.#buffer.length, 0);
      if (length === this.#buffer.length) {
        const size = fstatSync(file).size;
        if (size > this.#buffer.length) {
          const larger = Buffer.allocUnsafeSlow(size);
          this.#buffer.copy(larger, 0, 0, length);
          this.#buffer = larger;
          while (length < size) {
            const count = readSync(file, larger, length, size - length, length);
            if (count === 0) break;
            length += count;
          }
        }
      }
      return this.#buffer.subarray(0, length);
    } finally {
      closeSync(file);
    }
  }

  #header(bytes: Buffer, path: string): Header {
    const wide = bytes.length > 6 && bytes[6]! >= 2;
    const start = wide ? 12 : 10;
    if (bytes.length < start || bytes.toString("latin1", 0, 6) !== "\x93NUMPY") {
      throw new FormatError("this is not a .npy file", { where: path });
    }
    const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
    if (end > bytes.length) throw new FormatError("the .npy file ends inside its header", { where: path });
    const text = bytes.toString("latin1", start, end);
    if (text === this.#lastText) return this.#lastHeader!;
    const type = /'descr':\s*'([^']*)'/.exec(text)?.[1];
    const shape = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
    if (type === undefined || shape === undefined) {
      throw new FormatError(`the .npy header cannot be read: ${text.trim()}`, { where: path });
    }
    if (!Object.hasOwn(itemBytes, type)) {
      throw new FormatError(`arrays of type ${type} cannot be read`, {
        where: path,
        hint: `write it as float32; readable are ${Object.keys(itemBytes).join(", ")}`,
      });
    }
    if (/'fortran_order':\s*True/.test(text)) {
      throw new FormatError("the array is in Fortran order", { where: path, hint: "write numpy.ascontiguousarray(x)" });
    }
    const sizes = shape.split(",").flatMap((size) => (size.trim() === "" ? [] : [Number(size)]));
    this.#lastText = text;
    this.#lastHeader = { type, shape: sizes, offset: end, count: sizes.reduce((product, size) => product * size, 1) };
    return this.#lastHeader;
  }
}

function decode(bytes: Buffer, { type, offset, count }: Header): Float32Array {
  const at = bytes.byteOffset + offset;
  const view = <T>(Type: new (buffer: ArrayBufferLike, offset: number, count: number) => T, size: number): T =>
    at % size === 0 ? new Type(bytes.buffer, at, count) : new Type(bytes.buffer.slice(at, at + count * size), 0, count);
  switch (type) {
    case "<f4":
      return view(Float32Array, 4);
    case "<f2":
      return fromFloat16(view(Uint16Array, 2));
    case "<f8":
      return Float32Array.from(view(Float64Array, 8));
    case "|u1":
      return Float32Array.from(view(Uint8Array, 1));
    case "|i1":
      return Float32Array.from(view(Int8Array, 1));
    case "<u2":
      return Float32Array.from(view(Uint16Array, 2));
    case "<i2":
      return Float32Array.from(view(Int16Array, 2));
    default:
      return Float32Array.from(view(Int32Array, 4));
  }
}

/** Writes an array, atomically. @param type `float16` halves the size; values beyond ±65504 become infinite there */
export async function writeNpy(
  path: string,
  values: Float32Array,
  shape: readonly number[],
  type: "float32" | "float16" = "float32",
): Promise<void> {
  const sizes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${type === "float16" ? "<f2" : "<f4"}', 'fortran_order': False, 'shape': ${sizes}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const head = Buffer.from(`\x93NUMPY\x01\x00..${text.padEnd(length - 11)}\n`, "latin1");
  head.writeUInt16LE(length - 10, 8);
  const data = type === "float16" ? toFloat16(values) : values;
  await atomicWrite(path, Buffer.concat([head, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}
