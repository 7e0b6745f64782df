// Runs a graph: the calls in their order, each value freed after its last use. Where the forward wrote in place, so does this, as
// long as nothing else needs the old values.
import { TorchError } from "../errors.js";
import { TensorHandle } from "../handles.js";
import { callOperator } from "../operators.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { BatchMultiple, type Graph, type Node, type NodeArgument, Value } from "./graph.js";
import { flatten } from "./record.js";

/** Calls the operator of a node; results in one list. */
export function callNode(node: Node, args: readonly unknown[], inPlace: boolean): (Tensor | null)[] {
  const overload = inPlace && node.inPlace !== null ? node.inPlace : node.overload;
  return flatten(callOperator(overload, args)).map((item) => (item instanceof TensorHandle ? (item as Tensor) : null));
}

/** The arguments of a node whose tensors are all constants. */
export function constantArguments(node: Node): unknown[] {
  const resolve = (arg: NodeArgument): unknown =>
    arg instanceof Value ? arg.tensor : Array.isArray(arg) ? arg.map(resolve) : arg;
  return node.args.map(resolve);
}

/** Where an argument list holds something that is known only at the run. */
type Fill = (environment: Map<Value, Tensor>, batch: number) => unknown;

interface Step {
  readonly node: Node;
  readonly args: readonly (Fill | null)[];
  readonly fixed: readonly unknown[];
  readonly inPlace: boolean;
  /** Values that nothing needs after this step. */
  readonly last: readonly Value[];
}

/** A graph made ready to run many times. */
export class GraphRunner {
  readonly #graph: Graph;
  readonly #steps: readonly Step[];

  constructor(graph: Graph) {
    this.#graph = graph;
    const lastUse = new Map<Value, number>();
    for (const [i, node] of graph.nodes.entries()) {
      for (const value of [...node.inputs(), ...node.outputs]) {
        if (value !== null) lastUse.set(value, i);
      }
    }
    const outputs = new Set(graph.outputs);
    this.#steps = graph.nodes.map((node, i) => {
      const target = node.inPlace === null ? null : (node.args[node.inPlace.returns[0]!.aliasOf] as Value);
      return {
        node,
        fixed: node.args,
        args: node.args.map(fillOf),
        inPlace: target !== null && mayWrite(target, graph, i),
        last: [...new Set([...node.inputs(), ...node.outputs])].filter(
          (value): value is Value =>
            value !== null && value.kind === "result" && lastUse.get(value) === i && !outputs.has(value),
        ),
      };
    });
  }

  /**
   * The outputs for these inputs.
   * @throws TorchError when number, types or shapes of the inputs are not those of the trace (the batch may differ)
   */
  run(...inputs: readonly Tensor[]): Tensor[] {
    const graph = this.#graph;
    const batch = this.#check(inputs);
    return scope(() => {
      const environment = new Map<Value, Tensor>();
      for (const [i, value] of graph.inputs.entries()) environment.set(value, inputs[i]!);
      for (const { node, args, fixed, inPlace, last } of this.#steps) {
        const given = args.map((fill, i) => (fill === null ? fixed[i] : fill(environment, batch)));
        const results = callNode(node, given, inPlace);
        for (const [i, value] of node.outputs.entries()) if (value !== null) environment.set(value, results[i]!);
        for (const value of last) {
          const tensor = environment.get(value)!;
          environment.delete(value);
          if (!shared(environment, tensor)) tensor.dispose();
        }
      }
      return graph.outputs.map((value) => value.tensor ?? environment.get(value)!);
    });
  }

  #check(inputs: readonly Tensor[]): number {
    const { inputs: wanted } = this.#graph;
    if (inputs.length !== wanted.length) {
      throw new TorchError(`the traced graph takes ${wanted.length} inputs, got ${inputs.length}`, {
        code: "ERR_TORCH_ARGUMENT",
      });
    }
    let batch = 0;
    for (const [i, value] of wanted.entries()) {
      const { shape, dtype } = inputs[i]!;
      const first = value.shape[0];
      if (first instanceof BatchMultiple) batch = (shape[0] ?? 0) / first.times;
      const fits = shape.length === value.ndim && value.shape.every((size, k) => sizeAt(size, batch) === shape[k]);
      if (!fits || dtype !== value.dtype) {
        throw new TorchError(
          `input ${i} of the traced graph is ${value.dtype}[${value.shape.join(", ")}], got ${dtype}[${shape.join(", ")}]`,
          { code: "ERR_TORCH_SHAPE" },
        );
      }
    }
    return batch;
  }
}

const sizeAt = (size: number | BatchMultiple, batch: number): number =>
  size instanceof BatchMultiple ? size.times * batch : size;

/** In-place results are the same object under two values. */
function shared(environment: Map<Value, Tensor>, tensor: Tensor): boolean {
  for (const other of environment.values()) if (other === tensor) return true;
  return false;
}

/** Whether node `at` may overwrite its target: nothing else needs what was in that memory before. */
function mayWrite(target: Value, graph: Graph, at: number): boolean {
  const { memory } = target;
  if ([...graph.inputs, ...graph.constants()].some((value) => value.memory === memory)) return false;
  const before = new Set<Value>();
  for (const earlier of graph.nodes.slice(0, at)) {
    for (const value of earlier.outputs) if (value?.memory === memory) before.add(value);
  }
  if (graph.outputs.some((value) => before.has(value))) return false;
  return !graph.nodes.slice(at + 1).some((node) => node.inputs().some((value) => before.has(value)));
}

function fillOf(arg: NodeArgument): Fill | null {
  if (arg instanceof Value) {
    const { tensor } = arg;
    return tensor === null ? (environment) => environment.get(arg) : () => tensor;
  }
  if (arg instanceof BatchMultiple) return (_environment, batch) => arg.times * batch;
  if (!Array.isArray(arg)) return null;
  const fills = arg.map(fillOf);
  if (fills.every((fill) => fill === null)) return null;
  return (environment, batch) => arg.map((item, i) => (fills[i] == null ? item : fills[i](environment, batch)));
}
