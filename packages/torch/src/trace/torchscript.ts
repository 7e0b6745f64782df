// A traced graph as a TorchScript module: its calls written as source text, compiled by libtorch, with the constants as parameters and
// buffers under the names that the module has for them. Python reads the file with torch.jit.load.
import { renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { dtypeCode, formatCode, layoutCode } from "../dtype.js";
import { TorchError } from "../errors.js";
import { native } from "../native.js";
import { Parameter } from "../nn/parameter.js";
import type { Argument, Overload } from "../schema.js";
import { NativeScript } from "../script-native.js";
import { BatchMultiple, type Graph, type Node, type NodeArgument, Value } from "./graph.js";
import { inModule } from "./record.js";

/**
 * Writes a graph as a TorchScript archive, in evaluation mode, on the CPU. The file gets its name when it is complete.
 * @throws TorchError `ERR_TORCH_SCRIPT` for calls that TorchScript has no words for
 */
export function saveTorchScript(graph: Graph, path: string): void {
  const script = compileGraph(graph);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    script.save(temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    script.dispose();
  }
}

/** Compiles a graph here; what {@link saveTorchScript} saves. */
export function compileGraph(graph: Graph): NativeScript {
  const constants = graph.constants();
  const tensors = constants.map(
    (value) => [value.name, value.tensor!.handle, value.tensor instanceof Parameter] as const,
  );
  return new NativeScript(native.scriptCompile(torchScriptSource(graph), tensors));
}

/** The source of `forward`. */
export function torchScriptSource(graph: Graph): string {
  const names = new Map<Value, string>();
  for (const [i, value] of graph.inputs.entries()) names.set(value, graph.inputs.length === 1 ? "input" : `input_${i}`);
  const lines: string[] = [];
  if (graph.nodes.some((node) => node.args.some(usesBatch))) {
    const { times } = (graph.inputs[0]!.shape[0] as BatchMultiple) ?? { times: 1 };
    lines.push(`batch = ${names.get(graph.inputs[0]!)}.size(0)${times === 1 ? "" : ` // ${times}`}`);
  }
  const reference = (value: Value): string => (value.kind === "constant" ? attribute(value.name) : names.get(value)!);
  for (const node of graph.nodes) lines.push(...statement(node, names, reference));
  const results = graph.outputs.map(reference);
  lines.push(`return ${results.length === 1 ? results[0] : `(${results.join(", ")})`}`);
  const parameters = graph.inputs.map((value) => `${names.get(value)}: Tensor`).join(", ");
  const type = results.length === 1 ? "Tensor" : `Tuple[${results.map(() => "Tensor").join(", ")}]`;
  return `def forward(self, ${parameters}) -> ${type}:\n${lines.map((line) => `    ${line}\n`).join("")}`;
}

function usesBatch(arg: NodeArgument): boolean {
  return arg instanceof BatchMultiple || (Array.isArray(arg) && arg.some(usesBatch));
}

/** `self.encoder.conv.weight`, with getattr where a name is no identifier. */
function attribute(path: string): string {
  return path
    .split(".")
    .reduce(
      (owner, name) =>
        /^[A-Za-z_]\w*$/.test(name) ? `${owner}.${name}` : `getattr(${owner}, ${JSON.stringify(name)})`,
      "self",
    );
}

function statement(node: Node, names: Map<Value, string>, reference: (value: Value) => string): string[] {
  const { overload } = node;
  if (!node.operator.startsWith("aten::")) refuse(node, "is no operator of PyTorch's own");
  // Lists whose type does not show in their items are named first, with their type.
  const before: string[] = [];
  const name = (type: string, value: string): string => {
    const local = `list${names.size}_${before.length}`;
    before.push(`${local}: ${type} = ${value}`);
    return local;
  };
  const call = `torch.${node.operator.slice("aten::".length)}(${callArguments(node, reference, name).join(", ")})`;
  const made = node.outputs.map((value) => {
    if (value === null) return "_";
    const name = `v${names.size}`;
    names.set(value, name);
    return name;
  });
  if (overload.returns.length === 1 && overload.returns[0]!.type.list) {
    const list = `list${names.size}`;
    return [...before, `${list} = ${call}`, ...made.map((name, i) => `${name} = ${list}[${i}]`)];
  }
  if (overload.returns.some((result) => result.type.list)) refuse(node, "gives lists among other results");
  return [...before, `${made.join(", ")} = ${call}`];
}

/** Arguments in schema order; what is absent at the end, or by name, is left out. */
function callArguments(node: Node, reference: (value: Value) => string, name: NameList): string[] {
  const specs = node.overload.arguments;
  let inOrder = specs.findIndex((spec) => spec.keywordOnly);
  if (inOrder < 0) inOrder = specs.length;
  while (inOrder > 0 && node.args[inOrder - 1] === null && specs[inOrder - 1]!.hasDefault) inOrder--;
  return specs.flatMap((spec, i) => {
    const arg = node.args[i]!;
    if (i < inOrder) return [text(node, spec, arg, reference, name)];
    return arg === null ? [] : [`${spec.name}=${text(node, spec, arg, reference, name)}`];
  });
}

/** Gives a list of a type a name of its own. */
type NameList = (type: string, value: string) => string;

function text(
  node: Node,
  spec: Argument,
  arg: NodeArgument,
  reference: (value: Value) => string,
  name: NameList,
): string {
  const { type } = spec;
  if (arg === null) return "None";
  if (!type.list) return item(node, type.kind, arg, reference);
  const list = Array.isArray(arg) ? arg : [arg];
  const items = `[${list.map((one) => (one === null ? "None" : item(node, type.kind, one, reference))).join(", ")}]`;
  if (list.length > 0 && !list.includes(null)) return items;
  const element =
    { T: "Tensor", i: "int", f: "float", b: "bool", S: "str" }[type.kind] ?? refuse(node, `takes a list ${spec.name}`);
  return name(`List[${type.elementOptional ? `Optional[${element}]` : element}]`, items);
}

function item(node: Node, kind: string, arg: NodeArgument, reference: (value: Value) => string): string {
  if (arg instanceof Value) return reference(arg);
  if (arg instanceof BatchMultiple) return arg.times === 1 ? "batch" : `${arg.times} * batch`;
  switch (kind) {
    case "b":
      return arg ? "True" : "False";
    case "i":
      return String(arg);
    case "f":
      return float(Number(arg));
    case "s":
      if (typeof arg === "boolean") return arg ? "True" : "False";
      if (typeof arg === "number") return Number.isInteger(arg) && !Object.is(arg, -0) ? String(arg) : float(arg);
      return typeof arg === "bigint" ? String(arg) : refuse(node, "takes a complex number");
    case "S":
      return JSON.stringify(arg);
    case "D":
      return `torch.device(${JSON.stringify(arg)})`;
    case "d":
      return String(dtypeCode(String(arg)));
    case "L":
      return String(layoutCode(String(arg)));
    case "m":
      return String(formatCode(String(arg)));
    default:
      return refuse(node, "has an argument that cannot be written down");
  }
}

/** A float in Python's spelling. */
function float(value: number): string {
  if (Number.isNaN(value)) return 'float("nan")';
  if (!Number.isFinite(value)) return value > 0 ? 'float("inf")' : 'float("-inf")';
  const written = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(written) ? written : `${written}.0`;
}

function refuse(node: Node, what: string): never {
  const { name } = node.overload satisfies Overload;
  throw new TorchError(`${name}${inModule(node.path)} ${what}, which TorchScript cannot express`, {
    code: "ERR_TORCH_SCRIPT",
    operator: name,
  });
}
