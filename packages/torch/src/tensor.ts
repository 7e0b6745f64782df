// The Tensor: what is written by hand. All other methods are operators, declared in generated/ and installed at the end.
import { inspect } from "node:util";
import {
  arrayFor,
  type Device,
  type DType,
  dtypeName,
  formatCode,
  isDType,
  type Layout,
  layoutName,
  type MemoryFormat,
  type TypedArray,
  viewFor,
} from "./dtype.js";
import { TorchError } from "./errors.js";
import { type TensorMethods, tensorMethodNames } from "./generated/methods.js";
import { adopt, setTensorClass, TensorHandle } from "./handles.js";
import { type Index, indexTensor } from "./indexing.js";
import { counters, native, SCRATCH } from "./native.js";
import { installMethods, invoke, operatorEntry } from "./operators.js";
import { formatTensor } from "./print.js";
import { recorder } from "./trace/recorder.js";

/** Numbers nested as deep as a tensor has dimensions. int64 values are bigint where they need to be. */
export type NestedNumbers = number | bigint | boolean | NestedNumbers[];

/** What `Tensor.to` changes; what is left out stays. */
export interface ToOptions {
  readonly dtype?: DType | undefined;
  readonly device?: Device | undefined;
  readonly memoryFormat?: MemoryFormat | undefined;
  /** Copy even when nothing changes. */
  readonly copy?: boolean | undefined;
  readonly nonBlocking?: boolean | undefined;
}

/** Options of `backward`. */
export interface BackwardOptions {
  /** Keep the graph for another backward. */
  readonly retainGraph?: boolean | undefined;
  /** Record the backward itself, for gradients of gradients. */
  readonly createGraph?: boolean | undefined;
  /** Accumulate only into these leaves. */
  readonly inputs?: readonly Tensor[] | undefined;
}

const toOperator = operatorEntry("aten::to.dtype_layout");
const detachOperator = operatorEntry("aten::detach");

function readInts(count: number): number[] {
  const out = new Array<number>(count);
  for (let i = 0; i < count; i++) out[i] = counters[SCRATCH + i] as number;
  return out;
}

export interface Tensor extends TensorMethods {}

/**
 * A multi-dimensional array in libtorch's memory, with autograd.
 *
 * Each object is one reference to a libtorch tensor. It is freed by `dispose()`, by the `torch.scope` it was created in,
 * or by garbage collection. Operators are methods with PyTorch's names in camelCase: required arguments in order, the
 * others in an options object (`x.sum({ dim: 1, keepdim: true })`).
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the generated methods are installed on the prototype below
export class Tensor extends TensorHandle implements Disposable {
  /** Sizes of all dimensions. */
  get shape(): number[] {
    return readInts(native.sizes(this.handle));
  }

  get ndim(): number {
    return native.sizes(this.handle);
  }

  get dtype(): DType {
    return dtypeName(native.dtype(this.handle));
  }

  get device(): Device {
    return native.device(this.handle);
  }

  get layout(): Layout {
    return layoutName(native.layout(this.handle));
  }

  get requiresGrad(): boolean {
    return native.requiresGrad(this.handle);
  }

  set requiresGrad(on: boolean) {
    native.setRequiresGrad(this.handle, on);
  }

  /** True for tensors that no recorded operation made: only these collect gradients. */
  get isLeaf(): boolean {
    return native.isLeaf(this.handle);
  }

  /** The gradient collected by `backward`, as a new reference; null before. */
  get grad(): Tensor | null {
    const handle = native.grad(this.handle);
    return handle === 0 ? null : (adopt(handle) as Tensor);
  }

  set grad(value: Tensor | null) {
    native.setGrad(this.handle, value === null ? 0 : value.handle);
  }

  /** Number of elements. */
  numel(): number {
    return native.numel(this.handle);
  }

  /** Size of one dimension; negative counts from the end. */
  size(dim: number): number {
    const ndim = native.sizes(this.handle);
    const at = dim < 0 ? dim + ndim : dim;
    if (!Number.isInteger(dim) || at < 0 || at >= ndim) {
      throw new TorchError(
        `size(${dim}): the tensor has ${ndim} dimensions, so dim is between ${-ndim} and ${ndim - 1}`,
        {
          code: "ERR_TORCH_ARGUMENT",
        },
      );
    }
    return counters[SCRATCH + at] as number;
  }

  /** Elements to step over in memory to reach the next one along each dimension. */
  stride(): number[] {
    return readInts(native.strides(this.handle));
  }

  storageOffset(): number {
    return native.storageOffset(this.handle);
  }

  /** Whether memory order is the order of the indices, or that of `format`. */
  isContiguous(format: MemoryFormat = "contiguous"): boolean {
    return native.isContiguous(this.handle, formatCode(format));
  }

  /** Whether both are views of the same memory. */
  sharesMemoryWith(other: Tensor): boolean {
    const own = native.storageAddress(this.handle);
    return own !== null && own === native.storageAddress(other.handle);
  }

  /**
   * The value of a tensor of one element (booleans as 0 and 1).
   * @throws TorchError when there are more elements, or for an int64 beyond 2^53, which no JavaScript number holds.
   */
  item(): number {
    if (recorder !== null) recorder.read(this, "item");
    return native.item(this.handle);
  }

  /**
   * The elements in row-major order. Copies, unless `copy: false` and the tensor is contiguous in CPU memory: then both
   * share it, and the array keeps it alive. float16 and bfloat16 arrive as Float32Array, bool as Uint8Array, int64 as
   * BigInt64Array, complex numbers as real and imaginary part in turn.
   */
  toTypedArray(options: { readonly copy?: boolean } = {}): TypedArray {
    if (recorder !== null) recorder.read(this, "toTypedArray");
    const { dtype } = this;
    if (options.copy === false) {
      const buffer = native.memory(this.handle);
      const view = buffer === null ? undefined : viewFor(dtype, buffer);
      if (view !== undefined) return view;
    }
    const array = arrayFor(dtype, this.numel());
    native.copyOut(this.handle, array);
    return array;
  }

  /** The elements as nested arrays; a plain number for a tensor without dimensions. */
  toArray(): NestedNumbers {
    const { shape, dtype } = this;
    if (dtype === "complex64" || dtype === "complex128") shape.push(2);
    const flat = this.toTypedArray();
    let at = 0;
    const take = (): number | bigint | boolean => {
      const value = flat[at++] as number | bigint;
      if (dtype === "bool") return value !== 0;
      if (typeof value === "bigint" && value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)
        return Number(value);
      return value;
    };
    const build = (dim: number): NestedNumbers =>
      dim === shape.length ? take() : Array.from({ length: shape[dim] as number }, () => build(dim + 1));
    return build(0);
  }

  /** The same values with another element type, device or memory format; shares memory when nothing changes. */
  to(target: ToOptions | DType | Device): Tensor {
    const options: ToOptions =
      typeof target !== "string" ? target : isDType(target) ? { dtype: target } : { device: target };
    return invoke(toOperator, [
      this,
      {
        dtype: options.dtype,
        device: options.device,
        memoryFormat: options.memoryFormat,
        copy: options.copy,
        nonBlocking: options.nonBlocking,
      },
    ]) as Tensor;
  }

  float(): Tensor {
    return this.to({ dtype: "float32" });
  }

  double(): Tensor {
    return this.to({ dtype: "float64" });
  }

  half(): Tensor {
    return this.to({ dtype: "float16" });
  }

  bfloat16(): Tensor {
    return this.to({ dtype: "bfloat16" });
  }

  long(): Tensor {
    return this.to({ dtype: "int64" });
  }

  int(): Tensor {
    return this.to({ dtype: "int32" });
  }

  bool(): Tensor {
    return this.to({ dtype: "bool" });
  }

  cpu(): Tensor {
    return this.to({ device: "cpu" });
  }

  cuda(index?: number): Tensor {
    return this.to({ device: index === undefined ? "cuda" : `cuda:${index}` });
  }

  /** Adds the derivatives of this tensor to `grad` of the leaves it was computed from. `grad` seeds a non-scalar. */
  backward(grad?: Tensor | null, options: BackwardOptions = {}): void {
    native.backward(
      [this.handle],
      grad ? [grad.handle] : null,
      options.retainGraph ?? options.createGraph ?? false,
      options.createGraph ?? false,
      options.inputs ? options.inputs.map((t) => t.handle) : null,
    );
  }

  /** The same memory, outside the graph. */
  detach(): Tensor {
    return invoke(detachOperator, [this]) as Tensor;
  }

  /** Starts (or stops) recording operations on this leaf. */
  requiresGrad_(on = true): this {
    native.setRequiresGrad(this.handle, on);
    return this;
  }

  /** Keeps `grad` of a tensor that is not a leaf. */
  retainGrad(): this {
    native.retainGrad(this.handle);
    return this;
  }

  /** Takes over memory, type and device of `source`, staying the same leaf of the graph (`.data = …` in PyTorch). */
  setData(source: Tensor): this {
    native.setData(this.handle, source.handle);
    return this;
  }

  /**
   * Indexing as in PyTorch: a number takes one position, `{ start, end, step }` a range, `null` adds a dimension, `"..."`
   * stands for all dimensions not named, a tensor of integers or booleans gathers.
   * `x.index("...", 0)`, `x.index({ start: 1, step: 2 }, null, mask)`.
   */
  index(...indices: Index[]): Tensor {
    return indexTensor(this, indices);
  }

  /** Frees this reference now. Other tensors that share the memory keep it. Doing it twice is allowed. */
  dispose(): void {
    native.release(this.handle);
  }

  [Symbol.dispose](): void {
    native.release(this.handle);
  }

  get isDisposed(): boolean {
    return !native.alive(this.handle);
  }

  /** A summary as PyTorch prints it. */
  override toString(): string {
    return this.isDisposed ? "tensor(<disposed>)" : formatTensor(this);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

setTensorClass(Tensor);
installMethods(Tensor.prototype, tensorMethodNames);
