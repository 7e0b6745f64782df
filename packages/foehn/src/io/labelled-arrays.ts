// Arrays with named dimensions and attributes, as NetCDF, HDF5 and Zarr files hold them: the common face of the readers. What the
// attributes mean (packing: netcdf/unpack.ts; coordinates and times: sources/cf-source.ts) is decided elsewhere.

/** Numbers as stored. */
export type NumericArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A text, a number, or a list of one of them. 64-bit integers become numbers. */
export type AttributeValue = string | number | readonly string[] | readonly number[];

/** Element types. `other` is what cannot be read as numbers or text. */
export type ElementType =
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float32"
  | "float64"
  | "char"
  | "string"
  | "other";

/** An array of a file. */
export interface LabelledArray {
  readonly name: string;
  readonly type: ElementType;
  readonly dimensions: readonly string[];
  readonly shape: readonly number[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Blocks that the file stores, and decodes, as a whole; undefined where any part can be read on its own. */
  readonly chunkShape?: readonly number[] | undefined;
  /**
   * A block of the values as stored, row-major; everything without arguments. `start` and `count` have one number per dimension.
   * @throws DataError for a block outside the array or values that are not numbers; FormatError when they cannot be decoded
   */
  read(start?: readonly number[], count?: readonly number[]): NumericArray | Promise<NumericArray>;
}

/** A text attribute; undefined when it is absent or not a text. */
export function textAttribute(array: LabelledArray, name: string): string | undefined {
  const value = array.attributes[name];
  if (typeof value === "string") return value;
  return Array.isArray(value) && value.length === 1 && typeof value[0] === "string" ? value[0] : undefined;
}

/** A number attribute; a text that is a number counts (files write `scale_factor = "0.01"`). */
export function numberAttribute(array: LabelledArray, name: string): number | undefined {
  const value = array.attributes[name];
  const single = Array.isArray(value) && value.length === 1 ? (value[0] as string | number) : value;
  if (typeof single === "number") return single;
  if (typeof single !== "string" || single.trim() === "") return undefined;
  const number = Number(single);
  return Number.isNaN(number) ? undefined : number;
}

/** All numbers of an attribute; empty when it is absent. */
export function numbersAttribute(array: LabelledArray, name: string): readonly number[] {
  const value = array.attributes[name];
  if (typeof value === "number") return [value];
  if (Array.isArray(value) && typeof value[0] === "number") return value as readonly number[];
  const single = numberAttribute(array, name);
  return single === undefined ? [] : [single];
}

/** Doubles of any stored numbers. */
export function toFloat64(values: NumericArray): Float64Array {
  return values instanceof Float64Array ? values : Float64Array.from(values as ArrayLike<number | bigint>, Number);
}
