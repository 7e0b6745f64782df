// Rewrites a graph for inference on a CPU: batch normalisation folded into the convolution before it, convolution and ReLU as one call
// with weights packed once, sums of upsampled maps as one call, weights cast once. The graph must have been traced in the mode in which
// it will run (under autocast for bfloat16), so that the types of its values are those of the run.
import type { DType } from "../dtype.js";
import { noGrad } from "../guards.js";
import { native } from "../native.js";
import { aten, findOverload } from "../operators.js";
import { keep, scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { type Graph, Node, type NodeArgument, Value } from "./graph.js";

/** What {@link fuseForInference} changed. */
export interface Fusions {
  /** Batch normalisations that are now part of a convolution. */
  batchNorms: number;
  /** Convolutions with packed weights. */
  packedConvolutions: number;
  /** Those of them that apply the ReLU behind them. */
  relus: number;
  /** Bilinear upsamplings that run in our own call, those that are added up in one pass. */
  upsamplings: number;
  /** Weights that are cast once instead of at every call. */
  castWeights: number;
}

/** Operators that autocast runs in the lower precision; their constant arguments can be cast ahead. */
const LOWERED = /^aten::(conv\d+d|convolution|conv_transpose\d+d|linear|matmul|mm|bmm|addmm|baddbmm|addbmm)$/;

/**
 * Rewrites `graph` in place. Convolutions are packed where the trace saw them give bfloat16; in float32 only batch normalisations are
 * folded. Results agree with the plain forward to the rounding of the type. Run it with a GraphRunner in the mode of the trace.
 */
export function fuseForInference(graph: Graph): Fusions {
  const fusions: Fusions = { batchNorms: 0, packedConvolutions: 0, relus: 0, upsamplings: 0, castWeights: 0 };
  noGrad(() =>
    scope(() => {
      foldBatchNorms(graph, fusions);
      sumUpsamplings(graph, fusions);
      packConvolutions(graph, fusions);
      castWeights(graph, fusions);
    }),
  );
  graph.removeDead();
  return fusions;
}

/** A new constant of the graph. */
function constant(graph: Graph, name: string, tensor: Tensor): Value {
  graph.owned.push(keep(tensor));
  const value = new Value(name, "constant", tensor.dtype, tensor.shape, -graph.owned.length);
  value.tensor = tensor;
  return value;
}

const isConstant = (arg: NodeArgument | undefined): arg is Value => arg instanceof Value && arg.kind === "constant";
const isAbsent = (arg: NodeArgument | undefined): boolean => arg === null || arg === undefined;

/** The node that makes `value`, when `user` is the only one that needs it. */
class Links {
  readonly #users: Map<Value, Node[]>;
  readonly #producers: Map<Value, Node>;
  readonly #outputs: ReadonlySet<Value>;

  constructor(graph: Graph) {
    this.#users = graph.users();
    this.#producers = graph.producers();
    this.#outputs = new Set(graph.outputs);
  }

  soleSource(arg: NodeArgument | undefined): Node | undefined {
    if (!(arg instanceof Value) || this.#outputs.has(arg) || this.#users.get(arg)?.length !== 1) return undefined;
    return this.#producers.get(arg);
  }

  soleUser(value: Value): Node | undefined {
    const users = this.#users.get(value);
    return this.#outputs.has(value) || users?.length !== 1 ? undefined : users[0];
  }
}

const CONVOLUTIONS = new Set(["aten::conv2d", "aten::conv_transpose2d"]);

function foldBatchNorms(graph: Graph, fusions: Fusions): void {
  const links = new Links(graph);
  for (const norm of graph.nodes) {
    if (norm.operator !== "aten::batch_norm" || norm.arg("training") === true) continue;
    const conv = links.soleSource(norm.arg("input"));
    const [mean, variance] = [norm.arg("running_mean"), norm.arg("running_var")];
    if (conv === undefined || !CONVOLUTIONS.has(conv.operator) || !isConstant(mean) || !isConstant(variance)) continue;
    const [weight, bias] = [conv.arg("weight"), conv.arg("bias")];
    const [gamma, beta] = [norm.arg("weight"), norm.arg("bias")];
    const transposed = conv.operator === "aten::conv_transpose2d";
    if (!isConstant(weight) || (transposed && conv.arg("groups") !== 1)) continue;
    if (![bias, gamma, beta].every((arg) => isAbsent(arg) || isConstant(arg))) continue;
    const tensor = (arg: NodeArgument | undefined): Tensor | null =>
      isConstant(arg) ? arg.tensor!.detach().float() : null;
    let scale = tensor(variance)!
      .add(Number(norm.arg("eps")))
      .rsqrt();
    if (!isAbsent(gamma)) scale = scale.mul(tensor(gamma)!);
    const own = tensor(weight)!;
    const folded = own.mul(scale.view(transposed ? [1, -1, 1, 1] : [-1, 1, 1, 1]));
    let shift = (tensor(bias)?.sub(tensor(mean)!) ?? tensor(mean)!.neg()).mul(scale);
    if (!isAbsent(beta)) shift = shift.add(tensor(beta)!);
    setArgument(conv, "weight", constant(graph, `${weight.name}_folded`, folded));
    setArgument(conv, "bias", constant(graph, `${weight.name}_shift`, shift));
    // The convolution now makes what the normalisation made.
    conv.outputs = [norm.output];
    norm.outputs = [null];
    fusions.batchNorms++;
  }
  graph.removeDead();
}

function setArgument(node: Node, name: string, value: NodeArgument): void {
  node.args = node.args.map((arg, i) => (node.overload.arguments[i]!.name === name ? value : arg));
}

/** up(a), and base + up(a) + up(b) + … written as additions one after the other, as one call each. */
function sumUpsamplings(graph: Graph, fusions: Fusions): void {
  const overload = findOverload("foehn::add_upsampled");
  if (overload === null) return;
  for (const node of graph.nodes) {
    if (!isPlainUpsampling(node) || node.output.dtype !== "bfloat16") continue;
    const [aligned, size] = [node.arg("align_corners")!, node.output.shape.slice(2)];
    node.overload = overload;
    node.args = [null, [node.args[0]!], size, aligned];
    fusions.upsamplings++;
  }
  for (const add of [...graph.nodes]) {
    if (add.operator !== "aten::add" || add.arg("alpha") !== 1 || add.output?.dtype !== "bfloat16") continue;
    const links = new Links(graph);
    const operands = [add.arg("self"), add.arg("other")] as const;
    for (const [k, arg] of operands.entries()) {
      const up = links.soleSource(arg);
      const base = operands[1 - k];
      if (up?.overload !== overload || !(base instanceof Value) || base.dtype !== "bfloat16") continue;
      if (up.args[0] !== null || !sameShape(base, up.output)) continue;
      const before = links.soleSource(base);
      const joins = before?.overload === overload && before.args[3] === up.args[3];
      const [root, maps] = joins ? [before.args[0]!, before.args[1] as Value[]] : [base, []];
      add.overload = overload;
      add.args = [root, [...maps, ...(up.args[1] as Value[])], up.args[2]!, up.args[3]!];
      add.inPlace = null;
      break;
    }
    graph.removeDead();
  }
}

/** Bilinear, and by exactly the ratio of the sizes. */
function isPlainUpsampling(node: Node): boolean {
  if (node.operator !== "aten::upsample_bilinear2d") return false;
  const [from, to] = [(node.args[0] as Value).shape.slice(2), node.output.shape.slice(2)];
  const scales = node.arg("scale_factors") ?? [node.arg("scales_h") ?? null, node.arg("scales_w") ?? null];
  return (scales as (number | null)[]).every(
    (scale, i) => scale === null || (typeof from[i] === "number" && from[i] * scale === to[i]),
  );
}

const sameShape = (a: Value, b: Value): boolean => a.shape.map(String).join() === b.shape.map(String).join();

/** Convolutions that give bfloat16, with their weights in the layout that the processor wants, and the ReLU behind them. */
function packConvolutions(graph: Graph, fusions: Fusions): void {
  const run = findOverload("mkldnn_prepacked::conv2d_run");
  const cast = findOverload("aten::to.dtype");
  if (run === null || cast === null || !native.versions().mkldnn) return;
  const links = new Links(graph);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const plan = node.operator === "aten::conv2d" ? packable(node) : null;
    if (plan === null) {
      nodes.push(node);
      continue;
    }
    const relu = links.soleUser(node.output);
    const withRelu = relu?.operator === "aten::relu";
    const packed = pack(plan, node, withRelu ? "relu" : "none");
    if (packed === null) {
      nodes.push(node);
      continue;
    }
    graph.objects.push(packed);
    let input = plan.input;
    if (input.dtype !== "bfloat16") {
      const lowered = new Value(`${input.name}_bfloat16`, "result", "bfloat16", input.shape, -nodes.length - 1_000_000);
      nodes.push(new Node(cast, [input, "bfloat16", false, false, null], [lowered], node.path));
      input = lowered;
    }
    node.overload = run;
    node.args = [input, packed];
    if (withRelu) {
      node.outputs = [relu.output];
      relu.outputs = [null];
      fusions.relus++;
    }
    fusions.packedConvolutions++;
    nodes.push(node);
  }
  graph.nodes = nodes;
  graph.removeDead();
}

interface ConvolutionPlan {
  readonly input: Value;
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly padding: readonly number[];
}

function packable(node: Node): ConvolutionPlan | null {
  const [input, weight, bias] = [node.arg("input"), node.arg("weight"), node.arg("bias")];
  if (!(input instanceof Value) || input.ndim !== 4 || !isConstant(weight) || node.output?.dtype !== "bfloat16")
    return null;
  if (!isAbsent(bias) && !isConstant(bias)) return null;
  const kernel = weight.tensor!.shape.slice(2);
  const dilation = node.arg("dilation") as number[];
  let padding = node.arg("padding") as NodeArgument;
  if (padding === "valid") padding = [0, 0];
  else if (padding === "same") {
    const totals = kernel.map((size, i) => dilation[i]! * (size - 1));
    if (totals.some((total) => total % 2 !== 0)) return null;
    padding = totals.map((total) => total / 2);
  }
  return { input, weight: weight.tensor!, bias: isConstant(bias) ? bias.tensor : null, padding: padding as number[] };
}

function pack({ input, weight, bias, padding }: ConvolutionPlan, node: Node, activation: string): object | null {
  const lowered = weight.detach().to({ dtype: "bfloat16", memoryFormat: "channels_last" });
  const sizes = input.shape.map((size) => (typeof size === "number" ? size : 2 * size.times));
  const [stride, dilation, groups] = [node.arg("stride"), node.arg("dilation"), node.arg("groups")];
  const own = bias?.detach().float() ?? null;
  try {
    return aten(
      "mkldnn_prepacked::conv2d_prepack",
      lowered,
      own,
      stride,
      padding,
      dilation,
      groups,
      sizes,
      activation,
    ) as object;
  } catch {
    // This libtorch's oneDNN has no such convolution; the plain operator stays.
    return null;
  }
}

/** What autocast would cast at every call. */
function castWeights(graph: Graph, fusions: Fusions): void {
  const cast = new Map<Value, Value>();
  for (const node of graph.nodes) {
    if (!LOWERED.test(node.operator) || node.output?.dtype !== "bfloat16") continue;
    for (const value of node.inputs()) {
      if (value.kind !== "constant" || !/^float(32|64)$/.test(value.dtype satisfies DType)) continue;
      let lowered = cast.get(value);
      if (lowered === undefined) {
        lowered = constant(graph, `${value.name}_bfloat16`, value.tensor!.detach().to({ dtype: "bfloat16" }));
        cast.set(value, lowered);
        fusions.castWeights++;
      }
      node.replaceInput(value, lowered);
    }
  }
}
