// Matrix products.
import type { DType } from "../../dtype.js";
import type { Node } from "../../trace/graph.js";
import type { OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

const product =
  (second: string): Translation =>
  (b, node) =>
    b.op("MatMul", [b.name(b.tensor(node, "self")), b.name(b.tensor(node, second))]);

function linearLayer(b: OnnxBuilder, node: Node): string {
  const [x, weight, bias] = [b.tensor(node, "input"), b.tensor(node, "weight"), b.optional(node, "bias")];
  if (x.ndim === 2 && bias !== null) {
    return b.op("Gemm", [b.name(x), b.name(weight), b.name(bias)], { transB: 1 });
  }
  const y = b.op("MatMul", [b.name(x), b.op("Transpose", [b.name(weight)], { perm: [1, 0] })]);
  return bias === null ? y : b.op("Add", [y, b.name(bias)]);
}

function scaled(b: OnnxBuilder, x: string, factor: unknown, dtype: DType): string {
  return factor === 1 ? x : b.op("Mul", [x, b.scalar(factor, dtype)]);
}

/** beta · self + alpha · (first × second). */
const addProduct =
  (first: string, second: string): Translation =>
  (b, node) => {
    const { dtype } = node.output;
    const y = b.op("MatMul", [b.name(b.tensor(node, first)), b.name(b.tensor(node, second))]);
    const self = b.name(b.tensor(node, "self"));
    return b.op("Add", [scaled(b, self, node.arg("beta") ?? 1, dtype), scaled(b, y, node.arg("alpha") ?? 1, dtype)]);
  };

function einsum(b: OnnxBuilder, node: Node): string {
  const tensors = node.inputs().map((value) => b.name(value));
  return b.op("Einsum", tensors, { equation: String(node.arg("equation")).replaceAll(" ", "") });
}

/** softmax(q·kᵀ·scale + mask)·v. */
function attention(b: OnnxBuilder, node: Node): string {
  const [q, k, v] = [b.tensor(node, "query"), b.tensor(node, "key"), b.tensor(node, "value")];
  if (b.int(node, "is_causal") !== 0) b.refuse("is causal");
  const { dtype } = node.output;
  const swapped = k.shape.map((_, i) => i);
  swapped.push(...swapped.splice(-2).reverse());
  const width = q.shape.at(-1);
  const scale = node.arg("scale") ?? (typeof width === "number" ? 1 / Math.sqrt(width) : b.refuse("has an open width"));
  let scores = b.op("MatMul", [
    b.op("Mul", [b.name(q), b.scalar(scale, dtype)]),
    b.op("Transpose", [b.name(k)], { perm: swapped }),
  ]);
  const mask = b.optional(node, "attn_mask");
  if (mask !== null) {
    scores =
      mask.dtype === "bool"
        ? b.op("Where", [b.name(mask), scores, b.scalar(Number.NEGATIVE_INFINITY, dtype)])
        : b.op("Add", [scores, b.as(mask, dtype)]);
  }
  return b.op("MatMul", [b.op("Softmax", [scores], { axis: -1 }), b.name(v)]);
}

export const linear: Translations = {
  "aten::linear": linearLayer,
  "aten::matmul": product("other"),
  "aten::mm": product("mat2"),
  "aten::bmm": product("mat2"),
  "aten::mv": product("vec"),
  "aten::addmm": addProduct("mat1", "mat2"),
  "aten::baddbmm": addProduct("batch1", "batch2"),
  "aten::einsum": einsum,
  "aten::scaled_dot_product_attention": attention,
};
