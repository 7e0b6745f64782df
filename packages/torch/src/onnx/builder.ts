// What translations of operators write into: ONNX nodes, constants, and names of values. Not here: the translations (operators/)
// and the file (export.ts).
import type { DType } from "../dtype.js";
import { TorchError } from "../errors.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { BatchMultiple, type Graph, type Node, type NodeArgument, type Size, Value } from "../trace/graph.js";
import { inModule } from "../trace/record.js";
import { type Attribute, elementTypes, type OnnxNode, type OnnxTensor } from "./proto.js";

/** Attributes as translations give them: a list is of whole numbers; floats are wrapped by `float`. */
export type Attributes = Readonly<Record<string, number | string | readonly number[] | Attribute>>;

/** A float attribute; plain numbers become whole-number attributes. */
export const float = (value: number): Attribute => ({ float: value });

/** Collects the nodes of one model. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = [];
  /** Values of the graph by their ONNX name. */
  readonly constants = new Map<string, Value>();
  readonly #names = new Map<Value, string>();
  readonly #small = new Map<string, OnnxTensor>();
  readonly #taken = new Set<string>();
  #current: Node | null = null;
  #batch: string | null = null;

  constructor(
    readonly graph: Graph,
    readonly opset: number,
  ) {}

  // -- names --------------------------------------------------------------------------------------------------------

  /** Says how a value is called in the model. */
  bind(value: Value, name: string): void {
    this.#names.set(value, name);
    this.#taken.add(name);
  }

  /** The name of a value; a constant becomes part of the model when it is first asked for. */
  name(value: Value): string {
    let name = this.#names.get(value);
    if (name === undefined) {
      if (value.kind !== "constant") throw new Error(`${value} is used before it is made`);
      name = this.fresh(value.name);
      this.#names.set(value, name);
      this.constants.set(name, value);
    }
    return name;
  }

  /** A name that nothing has yet. */
  fresh(wish: string): string {
    let name = wish;
    for (let i = 1; this.#taken.has(name); i++) name = `${wish}_${i}`;
    this.#taken.add(name);
    return name;
  }

  /** From now on nodes belong to this call. */
  enter(node: Node): void {
    this.#current = node;
  }

  // -- nodes --------------------------------------------------------------------------------------------------------

  /** Adds a node with one output; gives the output's name. An empty input name leaves an optional input out. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.ops(type, inputs, 1, attributes)[0]!;
  }

  /** Adds a node with several outputs. */
  ops(type: string, inputs: readonly string[], count: number, attributes: Attributes = {}): string[] {
    const path = this.#current?.path ?? "";
    const name = this.fresh(path === "" ? type : `${path}/${type}`);
    const outputs = Array.from({ length: count }, (_, i) => this.fresh(`${name}:${i}`));
    const given = [...inputs];
    while (given.at(-1) === "") given.pop();
    const converted = Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)] as const);
    this.nodes.push({ name, type, inputs: given, outputs, attributes: Object.fromEntries(converted) });
    return outputs;
  }

  // -- constants ----------------------------------------------------------------------------------------------------

  /** A constant list of whole numbers. */
  ints(values: readonly number[]): string {
    return this.#constant(
      "int64",
      [values.length],
      BigInt64Array.from(values, (value) => BigInt(value)),
    );
  }

  /** A constant without dimensions, of an element type. */
  scalar(value: unknown, dtype: DType): string {
    if (typeof value !== "number" && typeof value !== "boolean" && typeof value !== "bigint") {
      this.refuse(`takes a complex number`);
    }
    switch (dtype) {
      case "float32":
        return this.#constant(dtype, [], Float32Array.of(Number(value)));
      case "float64":
        return this.#constant(dtype, [], Float64Array.of(Number(value)));
      case "int64":
        return this.#constant(dtype, [], BigInt64Array.of(BigInt(Math.trunc(Number(value)))));
      case "int32":
        return this.#constant(dtype, [], Int32Array.of(Number(value)));
      case "bool":
        return this.#constant(dtype, [], Uint8Array.of(value ? 1 : 0));
      default:
        return this.refuse(`has a scalar of type ${dtype}`);
    }
  }

  /** A constant float32 tensor. */
  floats(values: readonly number[], dims: readonly number[]): string {
    return this.#constant("float32", dims, Float32Array.from(values));
  }

  #constant(dtype: DType, dims: readonly number[], array: ArrayBufferView): string {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const key = `${dtype}|${dims}|${Buffer.from(bytes).toString("base64")}`;
    let known = this.#small.get(key);
    if (known === undefined) {
      known = { name: this.fresh(`constant_${this.#small.size}`), elementType: elementTypes[dtype]!, dims, bytes };
      this.#small.set(key, known);
    }
    return known.name;
  }

  /** All constants, the large ones read from their tensors one at a time. */
  *initializers(): Iterable<OnnxTensor> {
    for (const [name, value] of this.constants) yield tensorOf(name, value);
    yield* this.#small.values();
  }

  // -- sizes --------------------------------------------------------------------------------------------------------

  /** A list of sizes as a one-dimensional tensor; those that follow the batch are computed. */
  sizes(sizes: readonly Size[]): string {
    if (sizes.every((size): size is number => typeof size === "number")) return this.ints(sizes);
    const parts = sizes.map((size) => (typeof size === "number" ? this.ints([size]) : this.#multiple(size)));
    return parts.length === 1 ? parts[0]! : this.op("Concat", parts, { axis: 0 });
  }

  #multiple({ times }: BatchMultiple): string {
    if (this.#batch === null) {
      const shape = this.op("Shape", [this.name(this.graph.inputs[0]!)]);
      this.#batch = this.op("Slice", [shape, this.ints([0]), this.ints([1])]);
    }
    return times === 1 ? this.#batch : this.op("Mul", [this.#batch, this.ints([times])]);
  }

  /** `x` with the sizes of a shape; one open size is left to ONNX. */
  reshape(x: string, shape: readonly Size[]): string {
    const open = shape.filter((size) => typeof size !== "number").length;
    const target =
      open === 1 && !shape.includes(0)
        ? this.ints(shape.map((s) => (typeof s === "number" ? s : -1)))
        : this.sizes(shape);
    return this.op("Reshape", [x, target]);
  }

  /** `x` as another element type. */
  cast(x: string, from: DType, to: DType): string {
    return from === to ? x : this.op("Cast", [x], { to: elementTypes[to] ?? this.refuse(`gives ${to}`) });
  }

  /** A tensor argument as an element type. */
  as(value: Value, dtype: DType): string {
    return this.cast(this.name(value), value.dtype, dtype);
  }

  // -- reduction over axes: an attribute in older opsets, an input in newer ones ------------------------------------------

  reduce(type: string, x: string, axes: readonly number[], keepdims: boolean): string {
    const attributes = { keepdims: keepdims ? 1 : 0 };
    if (type === "ReduceSum" || this.opset >= 18) return this.op(type, [x, this.ints(axes)], attributes);
    return this.op(type, [x], { ...attributes, axes });
  }

  // -- arguments ----------------------------------------------------------------------------------------------------

  /** Ends the export: the current call cannot be expressed. */
  refuse(what: string): never {
    const node = this.#current;
    throw new TorchError(
      `${node?.overload.name ?? "the graph"}${inModule(node?.path ?? "")} ${what}, which has no ONNX form here`,
      {
        code: "ERR_TORCH_ONNX",
        ...(node === null ? {} : { operator: node.overload.name }),
      },
    );
  }

  tensor(node: Node, name: string): Value {
    const value = node.arg(name);
    return value instanceof Value ? value : this.refuse(`has no tensor ${name}`);
  }

  /** A tensor argument that may be absent. */
  optional(node: Node, name: string): Value | null {
    const value = node.arg(name);
    return value instanceof Value ? value : null;
  }

  int(node: Node, name: string): number {
    const value = node.arg(name);
    if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return Number(value);
    return this.refuse(`has ${name} that follows the batch or is missing`);
  }

  list(node: Node, name: string): number[] {
    const value = node.arg(name);
    if (Array.isArray(value) && value.every((item) => typeof item === "number")) return value as number[];
    return this.refuse(`has ${name} that follows the batch or is missing`);
  }

  /** A dimension, counted from the front. */
  dim(node: Node, name: string, ndim: number): number {
    const dim = this.int(node, name);
    return dim < 0 ? dim + ndim : dim;
  }
}

/** Sizes as numbers; those that follow the batch are refused. */
export function fixedSize(builder: OnnxBuilder, size: Size | undefined): number {
  return typeof size === "number" ? size : builder.refuse("works on a dimension that follows the batch");
}

/** What an argument of a call is, when it is a size. */
export const isSize = (arg: NodeArgument | undefined): arg is Size =>
  typeof arg === "number" || arg instanceof BatchMultiple;

function toAttribute(value: Attributes[string]): Attribute {
  if (typeof value === "number") return { int: value };
  if (typeof value === "string") return { text: value };
  return Array.isArray(value) ? { ints: value as readonly number[] } : (value as Attribute);
}

function tensorOf(name: string, value: Value): OnnxTensor {
  const tensor = value.tensor as Tensor;
  const elementType = elementTypes[value.dtype];
  if (elementType === undefined) {
    throw new TorchError(`the constant ${value.name} is ${value.dtype}, which ONNX files written here do not hold`, {
      code: "ERR_TORCH_ONNX",
    });
  }
  const array = scope(() => tensor.detach().cpu().toTypedArray());
  return {
    name,
    elementType,
    dims: tensor.shape,
    bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
  };
}
