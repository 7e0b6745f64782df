// The graph that a trace gives: operator calls in the order of their execution, each value assigned once. In-place calls have
// become ordinary ones (a node remembers which), and sizes are numbers or multiples of the batch size. How it is recorded: record.ts.
import { types } from "node:util";
import type { DType } from "../dtype.js";
import { TensorHandle } from "../handles.js";
import { native } from "../native.js";
import type { Overload } from "../schema.js";
import { dispose } from "../scope.js";
import type { Tensor } from "../tensor.js";

/** `times` × the size of the batch. */
export class BatchMultiple {
  constructor(readonly times: number) {}

  toString(): string {
    return this.times === 1 ? "B" : `${this.times}B`;
  }
}

/** A size: a number, or a multiple of the batch size. */
export type Size = number | BatchMultiple;

/** What an argument of a node may be; lists are nested. */
export type NodeArgument = Value | BatchMultiple | NodeArgument[] | number | bigint | boolean | string | null | object;

/** A tensor of the graph. */
export class Value {
  /** For a constant: its values (a module's own tensor, or one that the graph owns). */
  tensor: Tensor | null = null;

  constructor(
    /** Unique in its graph: a constant has the module's name for it. */
    readonly name: string,
    readonly kind: "input" | "constant" | "result",
    readonly dtype: DType,
    readonly shape: readonly Size[],
    /** Values with the same number may share memory. */
    readonly memory: number,
  ) {}

  get ndim(): number {
    return this.shape.length;
  }

  toString(): string {
    return `%${this.name}`;
  }
}

/** One operator call. */
export class Node {
  constructor(
    public overload: Overload,
    /** In schema order, defaults filled in. */
    public args: NodeArgument[],
    public outputs: (Value | null)[],
    /** Dotted path of the module in whose `forward` the call was made; "" at the top. */
    readonly path: string,
    /** The in-place overload that the forward called, when it was one. */
    public inPlace: Overload | null = null,
  ) {}

  /** `aten::conv2d` of `aten::conv2d.padding`. */
  get operator(): string {
    return this.overload.name.split(".")[0]!;
  }

  /** The first result. */
  get output(): Value {
    return this.outputs[0]!;
  }

  /** The argument of a name of the schema; undefined when this overload has none. */
  arg(name: string): NodeArgument | undefined {
    const at = this.overload.arguments.findIndex((argument) => argument.name === name);
    return at < 0 ? undefined : this.args[at];
  }

  /** The tensor arguments, those in lists too. */
  inputs(): Value[] {
    const found: Value[] = [];
    const walk = (arg: NodeArgument): void => {
      if (arg instanceof Value) found.push(arg);
      else if (Array.isArray(arg)) for (const item of arg) walk(item);
    };
    for (const arg of this.args) walk(arg);
    return found;
  }

  /** Puts `to` where `from` is an argument. */
  replaceInput(from: Value, to: Value): void {
    const swap = (arg: NodeArgument): NodeArgument =>
      arg === from ? to : Array.isArray(arg) ? arg.map((item) => swap(item)) : arg;
    this.args = this.args.map(swap);
  }

  toString(): string {
    const outputs = this.outputs.map((value) => (value === null ? "_" : `${value}`)).join(", ");
    const place = this.path === "" ? "" : `  # ${this.path}`;
    return `${outputs} = ${this.overload.name}(${this.args.map(argumentText).join(", ")})${place}`;
  }
}

/** A traced forward. Free what it owns with `dispose`; parameters and buffers of the module stay the module's. */
export class Graph implements Disposable {
  /** Objects of libtorch that nodes use, such as packed weights. */
  readonly objects: object[] = [];

  constructor(
    readonly inputs: Value[],
    public outputs: Value[],
    public nodes: Node[],
    /** Whether sizes may be multiples of the batch size; otherwise all are those of the example. */
    readonly dynamicBatch: boolean,
    /** Constants that the graph made, not those of the module. */
    readonly owned: Tensor[],
  ) {}

  /** The constants that nodes or outputs use, in the order of their use. */
  constants(): Value[] {
    const found = new Set<Value>();
    for (const node of this.nodes) for (const value of node.inputs()) if (value.kind === "constant") found.add(value);
    for (const value of this.outputs) if (value.kind === "constant") found.add(value);
    return [...found];
  }

  /** The nodes that use each value. */
  users(): Map<Value, Node[]> {
    const users = new Map<Value, Node[]>();
    for (const node of this.nodes) {
      for (const value of new Set(node.inputs())) {
        const list = users.get(value);
        if (list === undefined) users.set(value, [node]);
        else list.push(node);
      }
    }
    return users;
  }

  /** The node that makes each value. */
  producers(): Map<Value, Node> {
    const producers = new Map<Value, Node>();
    for (const node of this.nodes) for (const value of node.outputs) if (value !== null) producers.set(value, node);
    return producers;
  }

  /** Drops nodes whose results nothing uses. */
  removeDead(): void {
    const needed = new Set<Value>(this.outputs);
    const kept: Node[] = [];
    for (const node of [...this.nodes].reverse()) {
      if (!node.outputs.some((value) => value !== null && needed.has(value))) continue;
      kept.push(node);
      for (const value of node.inputs()) needed.add(value);
    }
    this.nodes = kept.reverse();
  }

  dispose(): void {
    dispose(this.owned);
    for (const object of this.objects) native.dropObject(object);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One line per call, as `%3 = aten::relu(%2)  # encoder.0`. */
  toString(): string {
    const typed = (value: Value) => `${value}: ${value.dtype}[${value.shape.join(", ")}]`;
    const lines = this.nodes.map((node) => `  ${node}`);
    return [
      `graph(${this.inputs.map(typed).join(", ")}):`,
      ...lines,
      `  return ${this.outputs.map(typed).join(", ")}`,
    ].join("\n");
  }
}

function argumentText(arg: NodeArgument): string {
  if (Array.isArray(arg)) return `[${arg.map(argumentText).join(", ")}]`;
  if (typeof arg === "string") return JSON.stringify(arg);
  if (arg instanceof TensorHandle) return "Tensor";
  if (types.isExternal(arg)) return "<object>";
  return String(arg);
}
