// NumPy's .npy (one array) and .npz (ZIP of arrays). Format: numpy.lib.format, versions 1 to 3. Little-endian and single-byte
// types, C and Fortran order are read; C order is written. bfloat16 has no NumPy type: convert first.
import { readFileSync } from "node:fs";
import type { DType } from "../dtype.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { ITEM_SIZE, tensorOverBytes, withBytes } from "./bytes.js";
import { writeAll, writeFileAtomic } from "./disk.js";
import { TensorFileError } from "./errors.js";
import { writeZip, ZipFile } from "./zip.js";

const DESCRIPTIONS: Readonly<Partial<Record<DType, string>>> = {
  bool: "|b1",
  uint8: "|u1",
  int8: "|i1",
  int16: "<i2",
  int32: "<i4",
  int64: "<i8",
  float16: "<f2",
  float32: "<f4",
  float64: "<f8",
  complex64: "<c8",
  complex128: "<c16",
};
const DTYPES = new Map(Object.entries(DESCRIPTIONS).map(([dtype, description]) => [description, dtype as DType]));

const MAGIC = "\x93NUMPY";

/** Reads a `.npy` file. */
export function load(path: string): Tensor {
  return parseNpy(readFileSync(path), path);
}

/** Writes a `.npy` file, atomically. */
export function save(path: string, tensor: Tensor): void {
  writeFileAtomic(path, (fd) => {
    writeAll(fd, npyHeader(tensor));
    withBytes(tensor, (bytes) => writeAll(fd, bytes));
  });
}

/** Reads a `.npz` file: tensors by name, without the `.npy` of the members. */
export function loadNpz(path: string): Map<string, Tensor> {
  using zip = new ZipFile(path);
  return new Map(zip.names().map((name) => [name.replace(/\.npy$/, ""), parseNpy(zip.read(name), `${path}/${name}`)]));
}

/** Writes a `.npz` file (not compressed), atomically. */
export function saveNpz(path: string, tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>): void {
  const entries: (readonly [string, Tensor])[] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  writeFileAtomic(path, (fd) => {
    const members = entries.map(
      ([name, tensor]) =>
        [`${name}.npy`, withBytes(tensor, (bytes) => Buffer.concat([npyHeader(tensor), bytes]))] as const,
    );
    writeZip(fd, members, path);
  });
}

function npyHeader(tensor: Tensor): Uint8Array {
  const description = DESCRIPTIONS[tensor.dtype];
  if (description === undefined)
    throw new TypeError(`NumPy has no ${tensor.dtype}; convert the tensor first (x.float())`);
  const shape = tensor.shape.length === 1 ? `(${tensor.shape[0]},)` : `(${tensor.shape.join(", ")})`;
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': ${shape}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = Buffer.from(`${MAGIC}\x01\x00..${text.padEnd(length - 1)}\n`, "latin1");
  header.writeUInt16LE(length, 8);
  return header;
}

function parseNpy(file: Uint8Array, path: string): Tensor {
  const fail = (problem: string): never => {
    throw new TensorFileError(path, problem);
  };
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.byteLength < 12 || bytes.toString("latin1", 0, 6) !== MAGIC) fail("is not a .npy file");
  const wide = bytes[6]! >= 2;
  const start = wide ? 12 : 10;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  if (start + length > bytes.byteLength) fail("ends inside its header; truncated");
  const header = bytes.toString("utf8", start, start + length);
  const description = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "(a structured type)";
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const fortran = /'fortran_order':\s*True/.test(header);
  if (shapeText === undefined) return fail(`has an unreadable header: ${header.trim()}`);
  const dtype =
    DTYPES.get(description.replace(/^=/, "<")) ??
    fail(`has type ${description}; readable are ${[...DTYPES.keys()].join(", ")}`);
  const shape = shapeText.split(",").flatMap((size) => (size.trim() === "" ? [] : [Number(size)]));
  const size = shape.reduce((n, count) => n * count, ITEM_SIZE[dtype]);
  const data = bytes.subarray(start + length);
  if (data.byteLength !== size)
    fail(`should have ${size} bytes of data for shape (${shape.join(", ")}) and has ${data.byteLength}`);
  const copy = new Uint8Array(data).buffer; // also aligns it
  return scope(() => {
    const flat = tensorOverBytes(copy, dtype);
    if (!fortran) return flat.reshape(shape);
    return flat.reshape([...shape].reverse()).permute(shape.map((_, i) => shape.length - 1 - i));
  });
}
