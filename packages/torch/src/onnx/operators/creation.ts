// Tensors filled with one value whose sizes follow the batch (those of fixed size were computed by the trace).
import type { Node } from "../../trace/graph.js";
import type { OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

function filled(b: OnnxBuilder, node: Node, value: unknown): string {
  const { dtype, shape } = node.output;
  return b.op("Expand", [b.scalar(value, dtype), b.sizes(shape)]);
}

const constant =
  (value: number): Translation =>
  (b, node) =>
    filled(b, node, value);

const given: Translation = (b, node) => filled(b, node, node.arg("fill_value") ?? node.arg("value") ?? null);

export const creation: Translations = {
  "aten::zeros": constant(0),
  "aten::zeros_like": constant(0),
  "aten::new_zeros": constant(0),
  "aten::zero": constant(0),
  "aten::ones": constant(1),
  "aten::ones_like": constant(1),
  "aten::new_ones": constant(1),
  "aten::full": given,
  "aten::full_like": given,
  "aten::new_full": given,
  "aten::fill": given,
  "aten::copy": (b, node) => {
    const { dtype, shape } = node.output;
    return b.op("Expand", [b.as(b.tensor(node, "src"), dtype), b.sizes(shape)]);
  },
};
