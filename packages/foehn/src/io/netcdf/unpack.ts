// From stored to physical values: scale_factor, add_offset, _FillValue, missing_value, valid_range and _Unsigned, as the CF conventions
// §2.5.1 and §8.1 and the NetCDF users' guide (Appendix A) define them. Missing becomes NaN.

import {
  type LabelledArray,
  type NumericArray,
  numberAttribute,
  numbersAttribute,
  textAttribute,
  toFloat64,
} from "../labelled-arrays.js";

/** The fill values that the NetCDF library writes where nothing was written and the file names none. Bytes have none. */
export const defaultFill: Partial<Record<LabelledArray["type"], number>> = {
  int16: -32767,
  int32: -2147483647,
  float32: 9.969209968386869e36,
  float64: 9.969209968386869e36,
};

interface Rules {
  readonly missing: readonly number[];
  readonly low: number;
  readonly high: number;
  readonly scale: number;
  readonly offset: number;
}

/** What to add to negative attribute values: those of signed storage with unsigned meaning are signed too (-1 stands for 255). */
function unsignedTurn(array: LabelledArray): number {
  if (textAttribute(array, "_Unsigned") !== "true") return 0;
  return array.type === "int8" ? 2 ** 8 : array.type === "int16" ? 2 ** 16 : array.type === "int32" ? 2 ** 32 : 0;
}

function rulesOf(array: LabelledArray): Rules {
  const turn = unsignedTurn(array);
  const stored = (value: number) => (value < 0 ? value + turn : value);
  const named = [...numbersAttribute(array, "_FillValue"), ...numbersAttribute(array, "missing_value")];
  const fill = defaultFill[array.type];
  const missing = named.length > 0 ? named.map(stored) : fill === undefined ? [] : [fill];
  const range = numbersAttribute(array, "valid_range").map(stored);
  const bound = (name: string) => numbersAttribute(array, name).map(stored)[0];
  return {
    // A float32 fill value is often written as a double in the attribute: compare after the rounding that the data had.
    missing: (array.type === "float32" ? missing.map(Math.fround) : missing).filter((m) => !Number.isNaN(m)),
    low: bound("valid_min") ?? range[0] ?? Number.NEGATIVE_INFINITY,
    high: bound("valid_max") ?? range[1] ?? Number.POSITIVE_INFINITY,
    scale: numberAttribute(array, "scale_factor") ?? 1,
    offset: numberAttribute(array, "add_offset") ?? 0,
  };
}

/** Signed integers that hold unsigned numbers: the classic format has no unsigned types. */
function withSign(array: LabelledArray, stored: NumericArray): NumericArray {
  const unsigned = textAttribute(array, "_Unsigned");
  if (unsigned === "true" && stored instanceof Int8Array)
    return new Uint8Array(stored.buffer, stored.byteOffset, stored.length);
  if (unsigned === "true" && stored instanceof Int16Array)
    return new Uint16Array(stored.buffer, stored.byteOffset, stored.length);
  if (unsigned === "true" && stored instanceof Int32Array)
    return new Uint32Array(stored.buffer, stored.byteOffset, stored.length);
  if (unsigned === "false" && stored instanceof Uint8Array)
    return new Int8Array(stored.buffer, stored.byteOffset, stored.length);
  return stored;
}

/** Physical values in double precision; missing is NaN. */
export function unpackFloat64(array: LabelledArray, stored: NumericArray): Float64Array {
  return unpackInto(array, stored, new Float64Array(stored.length));
}

/** Physical values in single precision, computed in double; missing is NaN. */
export function unpackFloat32(array: LabelledArray, stored: NumericArray): Float32Array {
  return unpackInto(array, stored, new Float32Array(stored.length));
}

function unpackInto<A extends Float32Array | Float64Array>(array: LabelledArray, stored: NumericArray, out: A): A {
  const { missing, low, high, scale, offset } = rulesOf(array);
  const signed = withSign(array, stored);
  const values = signed instanceof BigInt64Array || signed instanceof BigUint64Array ? toFloat64(signed) : signed;
  const [first, second] = missing;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const isMissing =
      value === first ||
      value === second ||
      value < low ||
      value > high ||
      (missing.length > 2 && missing.includes(value));
    out[i] = isMissing ? Number.NaN : value * scale + offset;
  }
  return out;
}
