// Reductions over some or all dimensions.
import type { Node } from "../../trace/graph.js";
import { fixedSize, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

/** The dimensions, counted from the front: those given, or all. */
function axesOf(b: OnnxBuilder, node: Node): number[] {
  const { ndim } = b.tensor(node, "self");
  const given = node.arg("dim") ?? null;
  const dims = typeof given === "number" ? [given] : given === null ? [] : b.list(node, "dim");
  const all = Array.from({ length: ndim }, (_, i) => i);
  return dims.length === 0 ? all : dims.map((dim) => (dim < 0 ? dim + ndim : dim));
}

const keeps = (node: Node): boolean => node.arg("keepdim") === true;

const over =
  (type: string): Translation =>
  (b, node) =>
    b.reduce(type, b.as(b.tensor(node, "self"), node.output.dtype), axesOf(b, node), keeps(node));

/** max and min: of all values, along a dimension with places, or of two tensors. */
const extreme =
  (reduce: string, place: string, pair: string): Translation =>
  (b, node) => {
    const x = b.tensor(node, "self");
    const other = b.optional(node, "other");
    if (other !== null) return b.op(pair, [b.as(x, node.output.dtype), b.as(other, node.output.dtype)]);
    if (node.outputs.length === 1) return b.reduce(reduce, b.name(x), axesOf(b, node), false);
    const axis = b.dim(node, "dim", x.ndim);
    const keepdims = keeps(node);
    return [
      b.reduce(reduce, b.name(x), [axis], keepdims),
      b.op(place, [b.name(x)], { axis, keepdims: keepdims ? 1 : 0 }),
    ];
  };

const place =
  (type: string): Translation =>
  (b, node) => {
    const x = b.tensor(node, "self");
    if (typeof node.arg("dim") !== "number") return b.refuse("counts over all dimensions");
    return b.op(type, [b.name(x)], { axis: b.dim(node, "dim", x.ndim), keepdims: keeps(node) ? 1 : 0 });
  };

/** Mean of squared differences from the mean, × n/(n − correction). */
function variance(b: OnnxBuilder, node: Node): [variance: string, mean: string] {
  const x = b.tensor(node, "self");
  const axes = axesOf(b, node);
  const count = axes.reduce((product, axis) => product * fixedSize(b, x.shape[axis]), 1);
  const unbiased = node.arg("unbiased");
  const correction = typeof unbiased === "boolean" ? Number(unbiased) : Number(node.arg("correction") ?? 1);
  const mean = b.reduce("ReduceMean", b.name(x), axes, true);
  const difference = b.op("Sub", [b.name(x), mean]);
  const squares = b.reduce("ReduceMean", b.op("Mul", [difference, difference]), axes, keeps(node));
  const factor = count / (count - correction);
  const result = factor === 1 ? squares : b.op("Mul", [squares, b.scalar(factor, x.dtype)]);
  return [result, mean];
}

function norm(b: OnnxBuilder, node: Node): string {
  const order = node.arg("ord") ?? node.arg("p") ?? 2;
  const type = order === 2 ? "ReduceL2" : order === 1 ? "ReduceL1" : b.refuse(`is of order ${String(order)}`);
  return b.reduce(type, b.as(b.tensor(node, "self"), node.output.dtype), axesOf(b, node), keeps(node));
}

export const reduction: Translations = {
  "aten::mean": over("ReduceMean"),
  "aten::sum": over("ReduceSum"),
  "aten::prod": over("ReduceProd"),
  "aten::amax": over("ReduceMax"),
  "aten::amin": over("ReduceMin"),
  "aten::logsumexp": over("ReduceLogSumExp"),
  "aten::max": extreme("ReduceMax", "ArgMax", "Max"),
  "aten::min": extreme("ReduceMin", "ArgMin", "Min"),
  "aten::argmax": place("ArgMax"),
  "aten::argmin": place("ArgMin"),
  "aten::var": (b, node) => variance(b, node)[0],
  "aten::std": (b, node) => b.op("Sqrt", [variance(b, node)[0]]),
  "aten::var_mean": (b, node) => {
    const [result, mean] = variance(b, node);
    return [result, keeps(node) ? mean : b.reshape(mean, node.outputs[1]!.shape)];
  },
  "aten::norm": norm,
  "aten::linalg_vector_norm": norm,
  "aten::cumsum": (b, node) => {
    const x = b.tensor(node, "self");
    return b.op("CumSum", [b.as(x, node.output.dtype), b.scalar(b.dim(node, "dim", x.ndim), "int64")]);
  },
};
