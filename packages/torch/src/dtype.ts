// Element types, layouts and memory formats by name, with libtorch's codes (c10/core/ScalarType.h, Layout.h, MemoryFormat.h:
// the numbers are part of the serialisation format and do not change between versions).
import { didYouMean, TorchError } from "./errors.js";

/** Element type of a tensor. */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "uint8"
  | "int16"
  | "int32"
  | "int64"
  | "bool"
  | "complex64"
  | "complex128";

/** `"cpu"`, `"cuda"`, `"cuda:1"`. */
export type Device = string;

/** Order of the elements in memory; `channels_last` puts the channels of [N, C, H, W] together, which convolutions in bfloat16 like. */
export type MemoryFormat = "contiguous" | "preserve" | "channels_last" | "channels_last_3d";

/** How the elements are stored. */
export type Layout = "strided" | "sparse_coo" | "sparse_csr" | "mkldnn";

/** The typed arrays a tensor can be made of. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Int32Array
  | BigInt64Array;

const DTYPE_CODES: Readonly<Record<DType, number>> = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  complex64: 9,
  complex128: 10,
  bool: 11,
  bfloat16: 15,
};
const DTYPE_NAMES = new Map<number, DType>(Object.entries(DTYPE_CODES).map(([name, code]) => [code, name as DType]));
const LAYOUT_CODES: Readonly<Record<Layout, number>> = { strided: 0, sparse_coo: 1, sparse_csr: 2, mkldnn: 3 };
const FORMAT_CODES: Readonly<Record<MemoryFormat, number>> = {
  contiguous: 0,
  preserve: 1,
  channels_last: 2,
  channels_last_3d: 3,
};

function code(table: Readonly<Record<string, number>>, what: string, name: string): number {
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found === undefined) {
    throw new TorchError(`unknown ${what} "${name}"${didYouMean(name, Object.keys(table))}`, {
      code: "ERR_TORCH_DTYPE",
    });
  }
  return found;
}

export const isDType = (name: unknown): name is DType => typeof name === "string" && Object.hasOwn(DTYPE_CODES, name);
export const dtypeCode = (name: string): number => code(DTYPE_CODES, "dtype", name);
export const layoutCode = (name: string): number => code(LAYOUT_CODES, "layout", name);
export const formatCode = (name: string): number => code(FORMAT_CODES, "memory format", name);
export const isLayout = (name: string): boolean => Object.hasOwn(LAYOUT_CODES, name);
export const isMemoryFormat = (name: string): boolean => Object.hasOwn(FORMAT_CODES, name);

export function dtypeName(value: number): DType {
  const name = DTYPE_NAMES.get(value);
  if (name === undefined) {
    throw new TorchError(`element type ${value} of libtorch has no name here (quantised types are not supported)`, {
      code: "ERR_TORCH_DTYPE",
    });
  }
  return name;
}

export function formatName(value: number): MemoryFormat {
  return (Object.keys(FORMAT_CODES) as MemoryFormat[]).find((name) => FORMAT_CODES[name] === value) ?? "contiguous";
}

export function layoutName(value: number): Layout {
  return (Object.keys(LAYOUT_CODES) as Layout[]).find((name) => LAYOUT_CODES[name] === value) ?? "strided";
}

/** The dtype of a typed array's elements. */
export function dtypeOfArray(array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return "uint8";
  if (array instanceof Int32Array) return "int32";
  if (array instanceof BigInt64Array) return "int64";
  if (array instanceof Int16Array) return "int16";
  if (array instanceof Int8Array) return "int8";
  throw new TorchError(
    `a ${array.constructor.name} has no tensor type; copy it into an Int32Array, BigInt64Array, Float32Array or Float64Array`,
    { code: "ERR_TORCH_DTYPE" },
  );
}

/**
 * An empty typed array that holds `length` elements of `dtype`: bool as bytes, half types as Float32Array, complex
 * numbers as real and imaginary part in turn.
 */
export function arrayFor(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case "float32":
    case "float16":
    case "bfloat16":
      return new Float32Array(length);
    case "complex64":
      return new Float32Array(2 * length);
    case "float64":
      return new Float64Array(length);
    case "complex128":
      return new Float64Array(2 * length);
    case "int8":
      return new Int8Array(length);
    case "uint8":
    case "bool":
      return new Uint8Array(length);
    case "int16":
      return new Int16Array(length);
    case "int32":
      return new Int32Array(length);
    case "int64":
      return new BigInt64Array(length);
    default:
      return dtype satisfies never;
  }
}

/** A typed array over existing memory; undefined for half types, whose elements no typed array has. */
export function viewFor(dtype: DType, buffer: ArrayBuffer): TypedArray | undefined {
  switch (dtype) {
    case "float32":
    case "complex64":
      return new Float32Array(buffer);
    case "float64":
    case "complex128":
      return new Float64Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "uint8":
    case "bool":
      return new Uint8Array(buffer);
    case "int16":
      return new Int16Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "float16":
    case "bfloat16":
      return undefined;
    default:
      return dtype satisfies never;
  }
}
