// Constants that follow from constants: computed once, when the graph is made.
import { noGrad } from "../guards.js";
import { keep, scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { BatchMultiple, type Graph, type Node, type NodeArgument, Value } from "./graph.js";
import { callNode, constantArguments } from "./run.js";

/** Results beyond this are left to be computed: a stored graph should not grow by what a call makes from a few numbers. */
const LARGEST_FOLD = 64 * 2 ** 20;

/** True for operators whose result is another at every call. */
export function isRandom(node: Node): boolean {
  return /::(_?rand|bernoulli|multinomial|normal|uniform|exponential|poisson|.*dropout|empty)/.test(node.operator);
}

/** Replaces nodes without variable inputs by their results. */
export function foldConstants(graph: Graph): void {
  const users = graph.users();
  graph.nodes = graph.nodes.filter((node) => {
    const fixed = node.inputs().every((value) => value.kind === "constant") && !node.args.some(hasBatch);
    if (!fixed || isRandom(node)) return true;
    if (node.outputs.some((value) => value === null || sizeOf(value) > LARGEST_FOLD)) return true;
    const results = noGrad(() => scope(() => keep(callNode(node, constantArguments(node), false))));
    for (const [i, old] of node.outputs.entries()) {
      const tensor = results[i] as Tensor;
      const value = new Value(`folded_${old!.name}`, "constant", old!.dtype, old!.shape, old!.memory);
      value.tensor = tensor;
      graph.owned.push(tensor);
      for (const user of users.get(old!) ?? []) user.replaceInput(old!, value);
      graph.outputs = graph.outputs.map((output) => (output === old ? value : output));
    }
    return false;
  });
  graph.removeDead();
}

function hasBatch(arg: NodeArgument): boolean {
  return arg instanceof BatchMultiple || (Array.isArray(arg) && arg.some(hasBatch));
}

function sizeOf(value: Value): number {
  return value.shape.reduce<number>(
    (product, size) => product * (typeof size === "number" ? size : Number.POSITIVE_INFINITY),
    4,
  );
}
