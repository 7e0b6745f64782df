// Tensors from and to raw little-endian bytes: what every file format here needs. Not public.
import { endianness } from "node:os";
import { fromTypedArray } from "../creation.js";
import type { DType, TypedArray } from "../dtype.js";
import { aten } from "../operators.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";

if (endianness() !== "LE") throw new Error("@foehn/torch reads and writes tensor files on little-endian machines only");

/** Bytes per element. */
export const ITEM_SIZE: Readonly<Record<DType, number>> = {
  bool: 1,
  uint8: 1,
  int8: 1,
  int16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  float32: 4,
  int64: 8,
  float64: 8,
  complex64: 8,
  complex128: 16,
};

/**
 * A CPU tensor of shape [n] over a buffer that starts at a multiple of the element size; no copy is made.
 * Types without a typed array (float16, bfloat16, bool, complex) are made as another type of the same size and viewed.
 */
export function tensorOverBytes(buffer: ArrayBuffer, dtype: DType): Tensor {
  switch (dtype) {
    case "uint8":
      return fromTypedArray(new Uint8Array(buffer));
    case "int8":
      return fromTypedArray(new Int8Array(buffer));
    case "int16":
      return fromTypedArray(new Int16Array(buffer));
    case "int32":
      return fromTypedArray(new Int32Array(buffer));
    case "int64":
      return fromTypedArray(new BigInt64Array(buffer));
    case "float32":
      return fromTypedArray(new Float32Array(buffer));
    case "float64":
      return fromTypedArray(new Float64Array(buffer));
    case "bool":
      return viewed(fromTypedArray(new Uint8Array(buffer)), dtype);
    case "float16":
    case "bfloat16":
      return viewed(fromTypedArray(new Int16Array(buffer)), dtype);
    case "complex64":
      return viewed(fromTypedArray(new Float32Array(buffer)), dtype);
    case "complex128":
      return viewed(fromTypedArray(new Float64Array(buffer)), dtype);
    default:
      throw new TypeError(`no bytes for dtype ${dtype satisfies never}`);
  }
}

function viewed(tensor: Tensor, dtype: DType): Tensor {
  return scope(() => aten("view.dtype", tensor, dtype) as Tensor);
}

/** Calls `use` with the row-major bytes of a tensor; they are valid only during the call. CPU contiguous tensors are not copied. */
export function withBytes<T>(tensor: Tensor, use: (bytes: Uint8Array) => T): T {
  return scope(() => {
    let plain = tensor.detach().cpu().contiguous();
    const asType: Partial<Record<DType, DType>> = {
      bool: "uint8",
      float16: "int16",
      bfloat16: "int16",
      complex64: "float32",
      complex128: "float64",
    };
    const other = asType[plain.dtype];
    // A complex number viewed as real doubles the last dimension, so there must be one: view_as_real would do, resolving
    // conjugation first, but flattening is the same for all types.
    if (other !== undefined) plain = aten("view.dtype", plain.reshape([-1]), other) as Tensor;
    const array: TypedArray = plain.toTypedArray({ copy: false });
    return use(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  });
}
