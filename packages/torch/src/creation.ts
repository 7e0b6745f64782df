// Tensors from JavaScript values, and filled ones. Where PyTorch would take the element type from Python's int or float,
// a JavaScript number means float32 (arange, randperm and randint give int64 for whole numbers, as there).
import {
  type Device,
  type DType,
  dtypeCode,
  dtypeOfArray,
  type Layout,
  type MemoryFormat,
  type TypedArray,
} from "./dtype.js";
import { TorchError } from "./errors.js";
import { adopt } from "./handles.js";
import { native } from "./native.js";
import { invoke, operatorEntry } from "./operators.js";
import type { Generator } from "./random.js";
import type { Scalar } from "./schema.js";
import { Tensor } from "./tensor.js";

/** Sizes of all dimensions. */
export type Shape = readonly number[];

/** What a new tensor is made as: float32 on the CPU, without gradient, unless said otherwise. */
export interface TensorOptions {
  readonly dtype?: DType | undefined;
  readonly device?: Device | undefined;
  readonly requiresGrad?: boolean | undefined;
}

/** {@link TensorOptions} with a generator; without one the device's default generator draws. */
export interface RandomOptions extends TensorOptions {
  readonly generator?: Generator | undefined;
}

/** What differs from the source tensor. */
export interface LikeOptions extends TensorOptions {
  readonly memoryFormat?: MemoryFormat | undefined;
  readonly layout?: Layout | undefined;
}

/** Numbers, booleans or bigints nested in arrays of equal lengths. */
export type NestedArray = readonly (number | boolean | bigint | NestedArray)[];

function bad(message: string): never {
  throw new TorchError(message, { code: "ERR_TORCH_SHAPE" });
}

const product = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

function checkShape(shape: Shape, length: number, what: string): void {
  if (product(shape) !== length)
    bad(`${what} has ${length} elements, the shape [${shape.join(", ")}] needs ${product(shape)}`);
}

function finish(tensor: Tensor, options: TensorOptions, dtype?: DType): Tensor {
  const wanted = options.dtype;
  let out = tensor;
  if ((wanted !== undefined && wanted !== dtype) || (options.device !== undefined && options.device !== "cpu")) {
    out = tensor.to({ dtype: wanted, device: options.device });
    tensor.dispose();
  }
  return options.requiresGrad ? out.requiresGrad_() : out;
}

/** The elements of nested arrays in order, with their common shape. */
function flatten(data: NestedArray): { values: (number | boolean | bigint)[]; shape: number[] } {
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values: (number | boolean | bigint)[] = [];
  const walk = (item: unknown, depth: number, path: string): void => {
    if (Array.isArray(item)) {
      if (depth === shape.length || item.length !== shape[depth]) {
        bad(
          `data${path} has ${item.length} items where ${shape[depth] ?? "a single value"} is needed; all rows must have one length`,
        );
      }
      for (const [i, element] of item.entries()) walk(element, depth + 1, `${path}[${i}]`);
      return;
    }
    if (typeof item !== "number" && typeof item !== "boolean" && typeof item !== "bigint") {
      bad(`data${path} is ${item === null ? "null" : typeof item}, not a number, boolean or bigint`);
    }
    if (depth !== shape.length) bad(`data${path} is a single value where an array of ${shape[depth]} is needed`);
    values.push(item);
  };
  walk(data, 0, "");
  return { values, shape };
}

function fromArray(array: ArrayBufferView, dtype: DType, shape: Shape, share: boolean, released?: Int32Array): Tensor {
  return adopt(native.fromData(array, dtypeCode(dtype), shape, share, released)) as Tensor;
}

/**
 * A new tensor with a copy of `data`. Element type: float32 for numbers and Float32Array, bool for booleans, int64 for
 * bigints and BigInt64Array, that of the typed array otherwise; `dtype` converts.
 * @throws TorchError `ERR_TORCH_SHAPE` for ragged arrays (with the place) or a shape that does not fit.
 */
export function tensor(
  data: number | boolean | bigint | NestedArray | TypedArray,
  options: TensorOptions & { readonly shape?: Shape | undefined } = {},
): Tensor {
  if (ArrayBuffer.isView(data)) {
    const dtype = options.dtype === "bool" && data instanceof Uint8Array ? "bool" : dtypeOfArray(data);
    const shape = options.shape ?? [data.length];
    checkShape(shape, data.length, `the ${data.constructor.name}`);
    return finish(fromArray(data, dtype, shape, false), options, dtype);
  }
  const { values, shape } = Array.isArray(data)
    ? flatten(data as NestedArray)
    : { values: [data as number], shape: [] };
  if (options.shape !== undefined) checkShape(options.shape, values.length, "the data");
  const into = options.shape ?? shape;
  if (values.some((v) => typeof v === "bigint")) {
    return finish(
      fromArray(
        BigInt64Array.from(values, (v) => BigInt(v)),
        "int64",
        into,
        false,
      ),
      options,
      "int64",
    );
  }
  if (values.length > 0 && values.every((v) => typeof v === "boolean")) {
    return finish(fromArray(Uint8Array.from(values, Number), "bool", into, false), options, "bool");
  }
  if (options.dtype === undefined || options.dtype === "float32") {
    return finish(fromArray(Float32Array.from(values as number[]), "float32", into, false), options, "float32");
  }
  return finish(fromArray(Float64Array.from(values as number[]), "float64", into, false), options, "float64");
}

/**
 * A tensor over the memory of `array` (shared memory too): no copy, both see each other's changes. The array is kept alive by the
 * tensor.
 * @param options.released its first element becomes 0 now, and 1 when the last tensor over this memory is gone, views and whatever
 * autograd keeps included: then the memory may be filled again
 */
export function fromTypedArray(
  array: TypedArray,
  shape: Shape = [array.length],
  options: { readonly released?: Int32Array | undefined } = {},
): Tensor {
  checkShape(shape, array.length, `the ${array.constructor.name}`);
  return fromArray(array, dtypeOfArray(array), shape, true, options.released);
}

function filled(name: string): (shape: Shape, options?: TensorOptions) => Tensor {
  const entry = operatorEntry(`aten::${name}`);
  return (shape, options = {}) => {
    const out = invoke(entry, [shape, { dtype: options.dtype ?? "float32", device: options.device }]) as Tensor;
    return options.requiresGrad ? out.requiresGrad_() : out;
  };
}

function random(name: string): (shape: Shape, options?: RandomOptions) => Tensor {
  const plain = operatorEntry(`aten::${name}`);
  const seeded = operatorEntry(`aten::${name}.generator`);
  return (shape, options = {}) => {
    const named = { dtype: options.dtype ?? "float32", device: options.device };
    const out = (
      options.generator === undefined
        ? invoke(plain, [shape, named])
        : invoke(seeded, [shape, { ...named, generator: options.generator }])
    ) as Tensor;
    return options.requiresGrad ? out.requiresGrad_() : out;
  };
}

function like(name: string): (source: Tensor, options?: LikeOptions) => Tensor {
  const entry = operatorEntry(`aten::${name}`);
  return (source, { requiresGrad, ...options } = {}) => {
    const out = invoke(entry, [source, options]) as Tensor;
    return requiresGrad ? out.requiresGrad_() : out;
  };
}

/** Zeros of `shape`; float32 unless said otherwise. */
export const zeros = filled("zeros");
/** Ones of `shape`. */
export const ones = filled("ones");
/** Memory of `shape`, with whatever was in it. */
export const empty = filled("empty.memory_format");
/** Uniform on [0, 1). */
export const rand = random("rand");
/** Standard normal. */
export const randn = random("randn");
/** Zeros in shape, type and device of another tensor. */
export const zerosLike = like("zeros_like");
/** Ones in shape, type and device of another tensor. */
export const onesLike = like("ones_like");
/** Uninitialised memory in shape, type and device of another tensor. */
export const emptyLike = like("empty_like");
/** Uniform on [0, 1), in shape, type and device of another tensor. */
export const randLike = like("rand_like");
/** Standard normal, in shape, type and device of another tensor. */
export const randnLike = like("randn_like");

/** `shape` filled with one value: float32, or bool for a boolean, unless `dtype` is given. */
export function full(shape: Shape, value: Scalar, options: TensorOptions = {}): Tensor {
  const dtype =
    options.dtype ?? (typeof value === "boolean" ? "bool" : typeof value === "bigint" ? "int64" : "float32");
  const out = invoke(operatorEntry("aten::full"), [shape, value, { dtype, device: options.device }]) as Tensor;
  return options.requiresGrad ? out.requiresGrad_() : out;
}

/** One value, in shape, type and device of another tensor. */
export function fullLike(source: Tensor, value: Scalar, options: LikeOptions = {}): Tensor {
  const { requiresGrad, ...named } = options;
  const out = invoke(operatorEntry("aten::full_like"), [source, value, named]) as Tensor;
  return requiresGrad ? out.requiresGrad_() : out;
}

/** `arange(end)` or `arange(start, end, step)`: int64 when all are whole numbers, else float32. */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...args: (number | TensorOptions | undefined)[]): Tensor {
  const last = args.at(-1);
  const options = typeof last === "object" ? last : {};
  const numbers = args.filter((a): a is number => typeof a === "number");
  const [start, end, step] =
    numbers.length === 1 ? [0, numbers[0] as number, 1] : [numbers[0] ?? 0, numbers[1] as number, numbers[2] ?? 1];
  const dtype = options.dtype ?? (numbers.every(Number.isInteger) ? "int64" : "float32");
  const out = invoke(operatorEntry("aten::arange.start_step"), [
    start,
    end,
    step,
    { dtype, device: options.device },
  ]) as Tensor;
  return options.requiresGrad ? out.requiresGrad_() : out;
}

/** `steps` values from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  const named = { dtype: options.dtype ?? "float32", device: options.device };
  const out = invoke(operatorEntry("aten::linspace"), [start, end, steps, named]) as Tensor;
  return options.requiresGrad ? out.requiresGrad_() : out;
}

/** The identity matrix, `n` by `m`. */
export function eye(n: number, m: number = n, options: TensorOptions = {}): Tensor {
  const named = { dtype: options.dtype ?? "float32", device: options.device };
  const out = invoke(operatorEntry("aten::eye.m"), [n, m, named]) as Tensor;
  return options.requiresGrad ? out.requiresGrad_() : out;
}

/** The numbers 0 … n-1 in random order, int64. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  const named = { dtype: options.dtype ?? "int64", device: options.device };
  return (
    options.generator === undefined
      ? invoke(operatorEntry("aten::randperm"), [n, named])
      : invoke(operatorEntry("aten::randperm.generator"), [n, { ...named, generator: options.generator }])
  ) as Tensor;
}

/** Whole numbers from `low` up to, not including, `high`. */
export function randint(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
  const named = { dtype: options.dtype ?? "int64", device: options.device };
  return (
    options.generator === undefined
      ? invoke(operatorEntry("aten::randint.low"), [low, high, shape, named])
      : invoke(operatorEntry("aten::randint.low_generator"), [
          low,
          high,
          shape,
          { ...named, generator: options.generator },
        ])
  ) as Tensor;
}

/** Normal numbers with the given mean and standard deviation. */
export function normal(mean: number, std: number, shape: Shape, options: RandomOptions = {}): Tensor {
  const out = invoke(operatorEntry("aten::normal.float_float"), [
    mean,
    std,
    shape,
    { dtype: options.dtype ?? "float32", device: options.device, generator: options.generator },
  ]) as Tensor;
  return options.requiresGrad ? out.requiresGrad_() : out;
}

/** Whether a value is a Tensor. */
export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
