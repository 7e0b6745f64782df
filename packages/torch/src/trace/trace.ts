// torch.trace: the operator calls of a forward as a graph. Unlike PyTorch's torch.jit.trace, the batch size stays open: the forward
// is recorded twice, with two batch sizes, and every size that differs must be a multiple of the batch size.
import { TorchError } from "../errors.js";
import { noGrad } from "../guards.js";
import { Module } from "../nn/module.js";
import { aten } from "../operators.js";
import { dispose, scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { foldConstants } from "./fold.js";
import { BatchMultiple, Graph, Node, type NodeArgument, type Size, Value } from "./graph.js";
import { inModule, type RecordedArgument, type RecordedValue, type Recording, record, Slot } from "./record.js";

/** What can be traced: a module with tensors in and out, or a function. */
export type Traceable = Module | ((...inputs: Tensor[]) => Tensor | readonly Tensor[]);

/** Options of {@link trace}. */
export interface TraceOptions {
  /** Keep the size of dimension 0 of the inputs open (default). Otherwise the graph is for the example's sizes only. */
  readonly dynamicBatch?: boolean;
}

/**
 * Records the operator calls of a forward, without gradients. What follows from constants alone is computed now. Put a module into
 * evaluation mode first, and trace in float32: autocast happens below the calls and is not seen.
 *
 * @param example inputs with a batch of two or more; only their shapes and types matter, unless the forward looks at values
 * @throws TorchError `ERR_TORCH_TRACE` when no graph can stand for the forward: values read out (`item`), writes into shared memory,
 * or a dependence on the batch size other than a multiple of it
 */
export function trace(target: Traceable, example: Tensor | readonly Tensor[], options: TraceOptions = {}): Graph {
  const inputs = (Array.isArray(example) ? example : [example]) as readonly Tensor[];
  const root = target instanceof Module ? target : null;
  // Looked up at each call, because recording wraps the forward of every module.
  const fn =
    root === null
      ? (target as (...given: Tensor[]) => Tensor)
      : (...given: Tensor[]) => (root.forward as (...given: Tensor[]) => Tensor)(...given);
  const dynamicBatch = options.dynamicBatch ?? true;
  const batch = inputs[0]?.shape[0];
  if (dynamicBatch && (batch === undefined || batch < 2 || inputs.some((input) => input.shape[0] !== batch))) {
    throw new TorchError(
      "trace: with a dynamic batch the example needs inputs whose dimension 0 is one batch of two or more; give such, or set dynamicBatch to false",
      { code: "ERR_TORCH_TRACE" },
    );
  }
  const run = (given: readonly Tensor[]) => noGrad(() => scope(() => record(fn, given, root)));
  const first = run(inputs);
  let second: Recording | null = null;
  try {
    if (dynamicBatch) {
      second = scope(() => run(noGrad(() => inputs.map(oneMore))));
    }
    const graph = new Merge(first, second, batch ?? 0).graph();
    graph.removeDead();
    foldConstants(graph);
    return graph;
  } catch (error) {
    dispose(first.owned);
    throw error;
  } finally {
    if (second !== null) dispose(second.owned);
  }
}

/** The same with its first sample once more at the end. */
function oneMore(input: Tensor): Tensor {
  return aten("cat", [input, input.narrow(0, 0, 1)], 0) as Tensor;
}

/** Two recordings of one forward, made one graph. */
class Merge {
  readonly #values: (Value | undefined)[] = [];

  constructor(
    readonly first: Recording,
    readonly second: Recording | null,
    readonly batch: number,
  ) {}

  graph(): Graph {
    const { first, second } = this;
    this.#sameCalls();
    const inputs = first.inputs.map((index) => this.#value(index, ""));
    const nodes = first.calls.map((call, i) => {
      const place = inModule(call.path);
      const other = second?.calls[i];
      const args = call.args.map((arg, k) =>
        this.#argument(arg, other === undefined ? arg : other.args[k]!, `${call.overload.name}${place}`),
      );
      const outputs = call.outputs.map((index) =>
        index === null ? null : this.#value(index, `${call.overload.name}${place}`),
      );
      return new Node(call.overload, args, outputs, call.path, call.inPlace);
    });
    const outputs = first.outputs.map((index) => this.#value(index, "the output"));
    return new Graph(inputs, outputs, nodes, second !== null, [...first.owned]);
  }

  #sameCalls(): void {
    const { first, second } = this;
    if (second === null) return;
    const count = Math.max(first.calls.length, second.calls.length);
    for (let i = 0; i < count; i++) {
      const [a, b] = [first.calls[i], second.calls[i]];
      if (a?.overload.name === b?.overload.name && a?.outputs.length === b?.outputs.length) continue;
      const told = (call: typeof a) => (call === undefined ? "nothing" : `${call.overload.name}${inModule(call.path)}`);
      this.#refuse(`the forward calls ${told(a)} with ${this.batch} samples, and ${told(b)} with ${this.batch + 1}`);
    }
  }

  #refuse(message: string): never {
    throw new TorchError(`${message}: its calls depend on the batch size, so no graph can stand for it`, {
      code: "ERR_TORCH_TRACE",
    });
  }

  #value(index: number, where: string): Value {
    const known = this.#values[index];
    if (known !== undefined) return known;
    const recorded = this.first.values[index] as RecordedValue;
    const other = this.second === null ? recorded : this.second.values[index];
    if (other === undefined || other.kind !== recorded.kind || other.shape.length !== recorded.shape.length) {
      this.#refuse(`${where} has another number of dimensions with another batch`);
    }
    const shape = recorded.shape.map((size, i) =>
      this.#size(size, other.shape[i]!, `the size of dimension ${i} of ${where}`),
    );
    const { kind, dtype, memory, name, tensor } = recorded;
    if (kind === "constant" && name === null && this.second !== null) this.#sameConstant(tensor!, other.tensor, where);
    const names = { input: "input", constant: "constant", result: "" };
    const value = new Value(name ?? `${names[kind]}${index}`, kind, dtype, shape, memory);
    value.tensor = tensor;
    this.#values[index] = value;
    return value;
  }

  #sameConstant(a: Tensor, b: Tensor | null, where: string): void {
    const same = b !== null && a.dtype === b.dtype && `${a.shape}` === `${b.shape}` && (aten("equal", a, b) as boolean);
    if (!same)
      this.#refuse(
        `an argument of ${where} is made outside of operators and changes with the batch or from call to call`,
      );
  }

  #size(a: number, b: number, what: string): Size {
    if (a === b) return a;
    const times = a / this.batch;
    if (Number.isInteger(times) && times >= 1 && b === times * (this.batch + 1)) return new BatchMultiple(times);
    return this.#refuse(`${what} is ${a} with ${this.batch} samples, and ${b} with ${this.batch + 1}`);
  }

  #argument(a: RecordedArgument, b: RecordedArgument, where: string): NodeArgument {
    if (a instanceof Slot) {
      if (!(b instanceof Slot) || b.index !== a.index) this.#refuse(`${where} takes other tensors with another batch`);
      return this.#value(a.index, where);
    }
    if (Array.isArray(a)) {
      if (!Array.isArray(b) || a.length !== b.length)
        return this.#refuse(`a list given to ${where} has another length`);
      return a.map((item, i) => this.#argument(item, b[i]!, where));
    }
    if (typeof a === "number" && typeof b === "number") {
      if (Object.is(a, b)) return a;
      return this.#size(a, b, `an argument of ${where}`);
    }
    if (a !== b && JSON.stringify(a) !== JSON.stringify(b))
      this.#refuse(`an argument of ${where} is another with another batch`);
    return a as NodeArgument;
  }
}
