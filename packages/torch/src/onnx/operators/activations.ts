// Activations: each keeps the shape, except glu.
import type { Node } from "../../trace/graph.js";
import { fixedSize, float, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

const self = (b: OnnxBuilder, node: Node): string => b.name(b.tensor(node, "self"));
const simple =
  (type: string): Translation =>
  (b, node) =>
    b.op(type, [self(b, node)]);
const number = (b: OnnxBuilder, node: Node, value: number): string => b.scalar(value, b.tensor(node, "self").dtype);
const argument = (b: OnnxBuilder, node: Node, name: string): number => b.int(node, name);

function clip(b: OnnxBuilder, node: Node, low: number, high: number): string {
  return b.op("Clip", [self(b, node), number(b, node, low), number(b, node, high)]);
}

const softmaxOf =
  (type: string): Translation =>
  (b, node) => {
    const x = b.tensor(node, "self");
    return b.op(type, [b.as(x, node.output.dtype)], { axis: b.dim(node, "dim", Math.max(1, x.ndim)) });
  };

function gelu(b: OnnxBuilder, node: Node): string {
  const x = self(b, node);
  const n = (value: number) => number(b, node, value);
  if (node.arg("approximate") === "tanh") {
    const cubic = b.op("Mul", [b.op("Mul", [b.op("Mul", [x, x]), x]), n(0.044715)]);
    const inner = b.op("Mul", [b.op("Add", [x, cubic]), n(Math.sqrt(2 / Math.PI))]);
    return b.op("Mul", [b.op("Mul", [x, n(0.5)]), b.op("Add", [b.op("Tanh", [inner]), n(1)])]);
  }
  const erf = b.op("Erf", [b.op("Mul", [x, n(Math.SQRT1_2)])]);
  return b.op("Mul", [b.op("Mul", [x, n(0.5)]), b.op("Add", [erf, n(1)])]);
}

/** scale · max(0, x) + scale · min(0, α(exp(x · inputScale) − 1)), as ATen has it. */
function elu(b: OnnxBuilder, node: Node): string {
  const [alpha, scale, inputScale] = [
    argument(b, node, "alpha"),
    argument(b, node, "scale"),
    argument(b, node, "input_scale"),
  ];
  if (scale === 1 && inputScale === 1) return b.op("Elu", [self(b, node)], { alpha: float(alpha) });
  return b.refuse("has a scale");
}

function glu(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const axis = b.dim(node, "dim", x.ndim);
  const half = fixedSize(b, x.shape[axis]) / 2;
  const [a, gate] = b.ops("Split", [b.name(x), b.ints([half, half])], 2, { axis });
  return b.op("Mul", [a!, b.op("Sigmoid", [gate!])]);
}

/** slope per channel of (N, C, …), or one for all. */
function prelu(b: OnnxBuilder, node: Node): string {
  const [x, weight] = [b.tensor(node, "self"), b.tensor(node, "weight")];
  const count = weight.ndim === 0 ? 1 : fixedSize(b, weight.shape[0]);
  const shape = count === 1 || x.ndim < 2 ? [count] : [count, ...new Array<number>(x.ndim - 2).fill(1)];
  return b.op("PRelu", [b.name(x), b.op("Reshape", [b.name(weight), b.ints(shape)])]);
}

function shrink(b: OnnxBuilder, node: Node, soft: boolean): string {
  const limit = argument(b, node, "lambd");
  return b.op("Shrink", [self(b, node)], { lambd: float(limit), bias: float(soft ? limit : 0) });
}

function softplus(b: OnnxBuilder, node: Node): string {
  const beta = argument(b, node, "beta");
  const x = self(b, node);
  // ATen goes over to x itself beyond the threshold, where both are the same to float32.
  if (beta === 1) return b.op("Softplus", [x]);
  return b.op("Div", [b.op("Softplus", [b.op("Mul", [x, number(b, node, beta)])]), number(b, node, beta)]);
}

export const activations: Translations = {
  "aten::relu": simple("Relu"),
  "aten::sigmoid": simple("Sigmoid"),
  "aten::tanh": simple("Tanh"),
  "aten::relu6": (b, node) => clip(b, node, 0, 6),
  "aten::hardtanh": (b, node) => clip(b, node, argument(b, node, "min_val"), argument(b, node, "max_val")),
  "aten::leaky_relu": (b, node) =>
    b.op("LeakyRelu", [self(b, node)], { alpha: float(argument(b, node, "negative_slope")) }),
  "aten::elu": elu,
  "aten::celu": (b, node) => b.op("Celu", [self(b, node)], { alpha: float(argument(b, node, "alpha")) }),
  "aten::selu": simple("Selu"),
  "aten::gelu": gelu,
  "aten::glu": glu,
  "aten::silu": (b, node) => b.op("Mul", [self(b, node), b.op("Sigmoid", [self(b, node)])]),
  "aten::mish": (b, node) => b.op("Mul", [self(b, node), b.op("Tanh", [b.op("Softplus", [self(b, node)])])]),
  "aten::hardsigmoid": (b, node) => b.op("HardSigmoid", [self(b, node)], { alpha: float(1 / 6), beta: float(0.5) }),
  "aten::hardswish": simple("HardSwish"),
  "aten::log_sigmoid": (b, node) => b.op("Neg", [b.op("Softplus", [b.op("Neg", [self(b, node)])])]),
  "aten::softplus": softplus,
  "aten::hardshrink": (b, node) => shrink(b, node, false),
  "aten::softshrink": (b, node) => shrink(b, node, true),
  "aten::prelu": prelu,
  "aten::softmax": softmaxOf("Softmax"),
  "aten::_softmax": softmaxOf("Softmax"),
  "aten::log_softmax": softmaxOf("LogSoftmax"),
  "aten::_log_softmax": softmaxOf("LogSoftmax"),
};
