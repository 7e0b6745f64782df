// Pooling, and windows laid out as channels (im2col).
import type { Node } from "../../trace/graph.js";
import { fixedSize, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

function window(b: OnnxBuilder, node: Node): Record<string, number | number[]> {
  const kernel = b.list(node, "kernel_size");
  const stride = b.list(node, "stride");
  const padding = b.list(node, "padding");
  return {
    kernel_shape: kernel,
    strides: stride.length === 0 ? kernel : stride,
    pads: [...padding, ...padding],
    ceil_mode: b.int(node, "ceil_mode"),
  };
}

const maxPool: Translation = (b, node) =>
  b.op("MaxPool", [b.name(b.tensor(node, "self"))], { ...window(b, node), dilations: b.list(node, "dilation") });

const averagePool: Translation = (b, node) => {
  if (typeof node.arg("divisor_override") === "number") b.refuse("has a divisor of its own");
  const count_include_pad = b.int(node, "count_include_pad");
  return b.op("AveragePool", [b.name(b.tensor(node, "self"))], { ...window(b, node), count_include_pad });
};

/** Mean over windows that tile the axis, each cell of the output over ⌊i·n/m⌋ … ⌈(i+1)·n/m⌉: as a product with fixed matrices. */
function adaptiveAverage(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const axes = b.list(node, "output_size").length;
  const sizes = x.shape.slice(-axes).map((size) => fixedSize(b, size));
  const target = node.output.shape.slice(-axes).map((size) => fixedSize(b, size));
  if (target.every((size) => size === 1)) {
    const dims = target.map((_, i) => x.ndim - axes + i);
    return b.reduce("ReduceMean", b.name(x), dims, true);
  }
  if (target.every((size, i) => sizes[i]! % size === 0)) {
    const kernel = target.map((size, i) => sizes[i]! / size);
    return b.op("AveragePool", [b.name(x)], { kernel_shape: kernel, strides: kernel });
  }
  if (axes !== 2) return b.refuse("pools to sizes that do not divide the input");
  const [rows, columns] = [0, 1].map((i) => averages(sizes[i]!, target[i]!)) as [number[][], number[][]];
  const along = b.op("MatMul", [b.name(x), b.floats(transpose(columns).flat(), [sizes[1]!, target[1]!])]);
  return b.op("MatMul", [b.floats(rows.flat(), [target[0]!, sizes[0]!]), along]);
}

function averages(size: number, target: number): number[][] {
  return Array.from({ length: target }, (_, i) => {
    const [start, end] = [Math.floor((i * size) / target), Math.ceil(((i + 1) * size) / target)];
    return Array.from({ length: size }, (_, k) => (k >= start && k < end ? 1 / (end - start) : 0));
  });
}

function transpose(rows: readonly (readonly number[])[]): number[][] {
  return rows[0]!.map((_, k) => rows.map((row) => row[k]!));
}

/** A convolution whose kernels each pick one cell of the window, so that windows become channels; then cells in one axis. */
function im2col(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  if (x.ndim !== 4) b.refuse("has no batch dimension");
  const channels = fixedSize(b, x.shape[1]);
  const [height, width] = b.list(node, "kernel_size") as [number, number];
  const [cells, padding] = [height * width, b.list(node, "padding")];
  const picks = new Array<number>(channels * cells * cells).fill(0);
  for (let i = 0; i < channels * cells; i++) picks[i * cells + (i % cells)] = 1;
  const windows = b.op("Conv", [b.name(x), b.floats(picks, [channels * cells, 1, height, width])], {
    kernel_shape: [height, width],
    strides: b.list(node, "stride"),
    dilations: b.list(node, "dilation"),
    pads: [...padding, ...padding],
    group: channels,
  });
  return b.reshape(windows, node.output.shape);
}

export const pooling: Translations = {
  "aten::max_pool1d": maxPool,
  "aten::max_pool2d": maxPool,
  "aten::max_pool3d": maxPool,
  "aten::avg_pool1d": averagePool,
  "aten::avg_pool2d": averagePool,
  "aten::avg_pool3d": averagePool,
  "aten::adaptive_avg_pool1d": adaptiveAverage,
  "aten::adaptive_avg_pool2d": adaptiveAverage,
  "aten::im2col": im2col,
};
