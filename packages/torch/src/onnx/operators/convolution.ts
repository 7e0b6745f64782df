// Convolutions of any number of dimensions, and their transposes.
import type { Node } from "../../trace/graph.js";
import { fixedSize, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

/** Widths before and after each axis; "same" puts the odd cell at the end, as PyTorch does. */
function pads(b: OnnxBuilder, node: Node, kernel: readonly number[], dilations: readonly number[]): number[] {
  const given = node.arg("padding");
  if (given === "valid") return new Array<number>(2 * kernel.length).fill(0);
  if (given === "same") {
    const totals = kernel.map((size, i) => dilations[i]! * (size - 1));
    return [...totals.map((total) => Math.floor(total / 2)), ...totals.map((total) => Math.ceil(total / 2))];
  }
  const padding = b.list(node, "padding");
  return [...padding, ...padding];
}

function convolve(b: OnnxBuilder, node: Node, transposed: boolean): string {
  const x = b.tensor(node, node.arg("input") === undefined ? "self" : "input");
  const weight = b.tensor(node, "weight");
  const bias = b.optional(node, "bias");
  const kernel = weight.shape.slice(2).map((size) => fixedSize(b, size));
  const dilations = b.list(node, "dilation");
  const inputs = [b.name(x), b.name(weight), bias === null ? "" : b.name(bias)];
  return b.op(transposed ? "ConvTranspose" : "Conv", inputs, {
    kernel_shape: kernel,
    strides: b.list(node, "stride"),
    dilations,
    group: b.int(node, "groups"),
    pads: pads(b, node, kernel, dilations),
    ...(transposed ? { output_padding: b.list(node, "output_padding") } : {}),
  });
}

const direct: Translation = (b, node) => convolve(b, node, false);
const transpose: Translation = (b, node) => convolve(b, node, true);

export const convolution: Translations = {
  "aten::conv1d": direct,
  "aten::conv2d": direct,
  "aten::conv3d": direct,
  "aten::conv_transpose1d": transpose,
  "aten::conv_transpose2d": transpose,
  "aten::conv_transpose3d": transpose,
  "aten::convolution": (b, node) => convolve(b, node, b.int(node, "transposed") !== 0),
};
