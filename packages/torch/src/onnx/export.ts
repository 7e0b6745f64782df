// torch.onnx: a traced graph as an ONNX file, checked against ONNX Runtime before it gets its name.

import { randn } from "../creation.js";
import { TorchError } from "../errors.js";
import { writeAll, writeFileAtomic } from "../files/disk.js";
import { Module } from "../nn/module.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { BatchMultiple, type Graph, type Node, type Size, type Value } from "../trace/graph.js";
import { inModule } from "../trace/record.js";
import { type Traceable, trace } from "../trace/trace.js";
import { OnnxBuilder } from "./builder.js";
import { compareWithOnnxRuntime, type OnnxAgreement } from "./check.js";
import { type Translations, translations } from "./operators/table.js";
import { elementTypes, encodeModel, type OnnxValueInfo } from "./proto.js";

/** Versions of ONNX's operator set that can be written. */
export const opsets = { least: 17, most: 21, usual: 17 } as const;

/** How a graph becomes ONNX. */
export interface OnnxOptions {
  /** Version of the operator set, 17 (default) to 21. */
  readonly opset?: number;
  /** Names of the inputs. Default `input`, or `input_0`, `input_1`, … */
  readonly inputNames?: readonly string[];
  /** Names of the outputs. Default `output`, or `output_0`, … */
  readonly outputNames?: readonly string[];
  /** Free texts that the file carries (`metadata_props`). */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly description?: string;
  /** Name of the graph. */
  readonly name?: string;
  readonly producer?: { readonly name: string; readonly version: string };
  /** Translations of operators that the table lacks, or that replace those in it. */
  readonly translations?: Translations;
}

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions extends OnnxOptions {
  /** Largest difference from the network, relative to the largest value of the output. Default 1e-4. */
  readonly tolerance?: number;
  /** Batch sizes that are compared; default 1 and 3. */
  readonly batchSizes?: readonly number[];
}

/** What {@link exportOnnx} tells. */
export interface OnnxExport extends OnnxAgreement {
  readonly path: string;
  readonly bytes: number;
  readonly opset: number;
  readonly nodes: number;
}

/**
 * The bytes of an ONNX model.
 * @throws TorchError `ERR_TORCH_ONNX` naming every operator without a translation, with the modules that call it
 */
export function toOnnx(graph: Graph, options: OnnxOptions = {}): Uint8Array {
  return build(graph, options).bytes;
}

function build(graph: Graph, options: OnnxOptions): { bytes: Uint8Array; nodes: number; opset: number } {
  const { opset = opsets.usual } = options;
  if (!Number.isInteger(opset) || opset < opsets.least || opset > opsets.most) {
    throw new TorchError(`opset ${opset} cannot be written; choose ${opsets.least} to ${opsets.most}`, {
      code: "ERR_TORCH_ARGUMENT",
    });
  }
  const table = { ...translations, ...options.translations };
  refuseUnknown(graph, table);
  const builder = new OnnxBuilder(graph, opset);
  const inputNames = namesFor("input", graph.inputs, options.inputNames);
  const outputNames = namesFor("output", graph.outputs, options.outputNames);
  for (const name of outputNames) builder.fresh(name);
  for (const [i, value] of graph.inputs.entries()) builder.bind(value, inputNames[i]!);
  for (const node of graph.nodes) {
    builder.enter(node);
    const results = [table[node.operator]!(builder, node)].flat();
    for (const [i, value] of node.outputs.entries())
      if (value !== null && results[i] !== undefined) builder.bind(value, results[i]);
  }
  const rename = graph.outputs.map((value, i) => ({
    name: builder.fresh("Identity"),
    type: "Identity",
    inputs: [builder.name(value)],
    outputs: [outputNames[i]!],
    attributes: {},
  }));
  const nodes = [...builder.nodes, ...rename];
  refuseTooLarge(builder);
  const bytes = encodeModel({
    irVersion: opset >= 21 ? 10 : opset >= 19 ? 9 : 8,
    opset,
    producer: options.producer ?? { name: "@foehn/torch", version: "0.1.0" },
    graphName: options.name ?? "graph",
    description: options.description ?? "",
    nodes,
    initializers: builder.initializers(),
    inputs: graph.inputs.map((value, i) => valueInfo(value, inputNames[i]!)),
    outputs: graph.outputs.map((value, i) => valueInfo(value, outputNames[i]!)),
    metadata: options.metadata ?? {},
  });
  return { bytes, nodes: nodes.length, opset };
}

function namesFor(kind: string, values: readonly Value[], given: readonly string[] | undefined): string[] {
  if (given !== undefined && given.length !== values.length) {
    throw new TorchError(`the graph has ${values.length} ${kind}s, ${given.length} names were given`, {
      code: "ERR_TORCH_ARGUMENT",
    });
  }
  return values.map((_, i) => given?.[i] ?? (values.length === 1 ? kind : `${kind}_${i}`));
}

function refuseUnknown(graph: Graph, table: Translations): void {
  const unknown = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (!Object.hasOwn(table, node.operator) && !unknown.has(node.overload.name)) unknown.set(node.overload.name, node);
  }
  if (unknown.size === 0) return;
  const list = [...unknown].map(([name, node]) => `${name}${inModule(node.path)}`).join(", ");
  throw new TorchError(
    `no ONNX translation for ${list}. Write the forward with other operators, or give \`translations\` for ${unknown.size === 1 ? "it" : "them"}`,
    { code: "ERR_TORCH_ONNX", operator: [...unknown.keys()][0]! },
  );
}

/** A protocol-buffer message holds less than 2 GiB, and no weights are put into files beside it here. */
function refuseTooLarge(builder: OnnxBuilder): void {
  let bytes = 0;
  for (const value of builder.constants.values()) bytes += 4 * (value.tensor?.numel() ?? 0);
  if (bytes < 2 ** 31 - 2 ** 20) return;
  throw new TorchError("the weights do not fit into one ONNX file, which holds less than 2 GiB", {
    code: "ERR_TORCH_ONNX",
  });
}

function valueInfo(value: Value, name: string): OnnxValueInfo {
  const elementType = elementTypes[value.dtype];
  if (elementType === undefined) {
    throw new TorchError(`${name} is ${value.dtype}, which ONNX files written here do not hold`, {
      code: "ERR_TORCH_ONNX",
    });
  }
  return { name, elementType, dims: value.shape.map(dimension) };
}

const dimension = (size: Size): number | string =>
  size instanceof BatchMultiple ? (size.times === 1 ? "batch" : `batch*${size.times}`) : size;

/**
 * Writes a module (or function) as an ONNX file: traced, translated, run by ONNX Runtime on fresh random inputs of several batch
 * sizes and compared. A file that does not agree never gets its name.
 *
 * @param example one input per argument of the forward, with a batch of two or more; put the module into evaluation mode first
 * @throws TorchError `ERR_TORCH_TRACE`, `ERR_TORCH_ONNX`, `ERR_TORCH_ONNX_RUNTIME` (onnxruntime-node is not installed),
 * `ERR_TORCH_ONNX_DIFFERS`
 */
export async function exportOnnx(
  target: Traceable,
  example: Tensor | readonly Tensor[],
  path: string,
  options: ExportOnnxOptions = {},
): Promise<OnnxExport> {
  const { tolerance = 1e-4, batchSizes = [1, 3] } = options;
  const examples = (Array.isArray(example) ? example : [example]) as readonly Tensor[];
  using graph = trace(target, examples);
  const { bytes, nodes, opset } = build(graph, options);
  const inputs = (batch: number) =>
    graph.inputs.map((value) => scope(() => randn(sizesFor(value, batch)).to(value.dtype)));
  const forward = (...given: Tensor[]) => {
    const result =
      target instanceof Module ? (target.forward as (...x: Tensor[]) => unknown)(...given) : target(...given);
    return (Array.isArray(result) ? result : [result]) as Tensor[];
  };
  const agreement = await compareWithOnnxRuntime(bytes, forward, inputs, batchSizes);
  const { maxDifference, maxRelativeDifference } = agreement;
  if (!(maxRelativeDifference <= tolerance)) {
    throw new TorchError(
      `ONNX Runtime gives other values than the network: they differ by up to ${format(maxDifference)} (${format(maxRelativeDifference)} of the largest value; the tolerance is ${format(tolerance)})`,
      { code: "ERR_TORCH_ONNX_DIFFERS" },
    );
  }
  writeFileAtomic(path, (file) => writeAll(file, bytes));
  return { path, bytes: bytes.length, opset, nodes, ...agreement };
}

const sizesFor = (value: Value, batch: number): number[] =>
  value.shape.map((size) => (size instanceof BatchMultiple ? size.times * batch : size));

const format = (value: number): string => (Number.isFinite(value) ? value.toExponential(1) : String(value));
