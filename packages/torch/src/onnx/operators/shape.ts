// Other views of the same values: reshaping, permuting, broadcasting; padding; and calls that change nothing.
import { BatchMultiple, type Node, type Size } from "../../trace/graph.js";
import { fixedSize, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

/** All operators whose result is the same values in order: the trace saw the sizes. */
const reshaped: Translation = (b, node) => b.reshape(b.name(b.tensor(node, "self")), node.output.shape);
const same: Translation = (b, node) => b.name(b.tensor(node, "self"));

function permuted(b: OnnxBuilder, node: Node, order: (ndim: number) => number[]): string {
  const x = b.tensor(node, "self");
  const perm = order(x.ndim).map((dim) => (dim < 0 ? dim + x.ndim : dim));
  return perm.every((dim, i) => dim === i) ? b.name(x) : b.op("Transpose", [b.name(x)], { perm });
}

const swap =
  (first: string, second: string): Translation =>
  (b, node) =>
    permuted(b, node, (ndim) => {
      const order = Array.from({ length: ndim }, (_, i) => i);
      const [i, k] = [b.dim(node, first, ndim), b.dim(node, second, ndim)];
      [order[i], order[k]] = [k, i];
      return order;
    });

function movedim(b: OnnxBuilder, node: Node): string {
  return permuted(b, node, (ndim) => {
    const list = (name: string) => {
      const given = node.arg(name);
      return (Array.isArray(given) ? b.list(node, name) : [b.int(node, name)]).map((dim) =>
        dim < 0 ? dim + ndim : dim,
      );
    };
    const [from, to] = [list("source"), list("destination")];
    const rest = Array.from({ length: ndim }, (_, i) => i).filter((dim) => !from.includes(dim));
    return Array.from({ length: ndim }, (_, i) => (to.includes(i) ? from[to.indexOf(i)]! : rest.shift()!));
  });
}

const equal = (a: Size | undefined, c: Size | undefined): boolean =>
  a === c || (a instanceof BatchMultiple && c instanceof BatchMultiple && a.times === c.times);

/** Broadcast: sizes that stay are 1 in the target, which leaves them as they are. */
function expand(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const { shape } = node.output;
  const added = shape.length - x.ndim;
  const target = shape.map((size, i) => (i >= added && equal(size, x.shape[i - added]) ? 1 : size));
  return target.every((size) => size === 1) && added === 0 ? b.name(x) : b.op("Expand", [b.name(x), b.sizes(target)]);
}

function repeat(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const repeats = node.arg("repeats") as Size[];
  const added = repeats.length - x.ndim;
  const wide = added === 0 ? b.name(x) : b.reshape(b.name(x), [...new Array<number>(added).fill(1), ...x.shape]);
  return b.op("Tile", [wide, b.sizes(repeats)]);
}

const MODES: Readonly<Record<string, string>> = {
  constant: "constant",
  reflect: "reflect",
  replicate: "edge",
  circular: "wrap",
};

function pad(b: OnnxBuilder, node: Node, mode: string): string {
  const x = b.tensor(node, "self");
  const name = node.arg("pad") === undefined ? "padding" : "pad";
  // PyTorch counts from the last axis, [before, after] each.
  const widths = b.list(node, name);
  const [before, after] = [new Array<number>(x.ndim).fill(0), new Array<number>(x.ndim).fill(0)];
  for (let i = 0; i < widths.length / 2; i++) {
    before[x.ndim - 1 - i] = widths[2 * i]!;
    after[x.ndim - 1 - i] = widths[2 * i + 1]!;
  }
  const onnxMode = MODES[mode] ?? b.refuse(`pads by ${mode}`);
  if (onnxMode === "wrap" && b.opset < 19) b.refuse("pads circularly (opset 19 can)");
  const value = mode === "constant" ? [b.scalar(node.arg("value") ?? 0, x.dtype)] : [];
  const padded = b.op("Pad", [b.name(x), b.ints([...before, ...after]), ...value], { mode: onnxMode });
  const pooled = b.graph.nodes.some(
    (user) => user.operator.startsWith("aten::max_pool") && user.inputs().includes(node.output),
  );
  // ONNX Runtime (seen in 1.30) moves the padding into a MaxPool that follows, where it is −∞ and not the value; this keeps them apart.
  return pooled ? b.op("Max", [padded, padded]) : padded;
}

const padded =
  (mode: string): Translation =>
  (b, node) =>
    pad(b, node, mode);

function pixelUnshuffle(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const factor = b.int(node, "downscale_factor");
  const [batch, channels, height, width] = x.shape;
  const [rows, columns] = [fixedSize(b, height) / factor, fixedSize(b, width) / factor];
  const cells = b.reshape(b.name(x), [batch!, channels!, rows, factor, columns, factor]);
  return b.reshape(b.op("Transpose", [cells], { perm: [0, 1, 3, 5, 2, 4] }), node.output.shape);
}

export const shape: Translations = {
  "aten::view": reshaped,
  "aten::_unsafe_view": reshaped,
  "aten::view_as": reshaped,
  "aten::reshape": reshaped,
  "aten::reshape_as": reshaped,
  "aten::flatten": reshaped,
  "aten::unflatten": reshaped,
  "aten::squeeze": reshaped,
  "aten::unsqueeze": reshaped,
  "aten::contiguous": same,
  "aten::clone": same,
  "aten::detach": same,
  "aten::alias": same,
  "aten::lift_fresh": same,
  "aten::permute": (b, node) => permuted(b, node, () => b.list(node, "dims")),
  "aten::transpose": swap("dim0", "dim1"),
  "aten::swapaxes": swap("axis0", "axis1"),
  "aten::swapdims": swap("dim0", "dim1"),
  "aten::t": (b, node) => permuted(b, node, (ndim) => (ndim === 2 ? [1, 0] : [0])),
  "aten::movedim": movedim,
  "aten::expand": expand,
  "aten::expand_as": expand,
  "aten::broadcast_to": expand,
  "aten::repeat": repeat,
  "aten::tile": (b, node) => b.op("Tile", [b.name(b.tensor(node, "self")), b.sizes(b.list(node, "dims"))]),
  "aten::constant_pad_nd": padded("constant"),
  "aten::reflection_pad1d": padded("reflect"),
  "aten::reflection_pad2d": padded("reflect"),
  "aten::replication_pad1d": padded("replicate"),
  "aten::replication_pad2d": padded("replicate"),
  "aten::pad": (b, node) => pad(b, node, String(node.arg("mode"))),
  "aten::pixel_shuffle": (b, node) =>
    b.op("DepthToSpace", [b.name(b.tensor(node, "self"))], { blocksize: b.int(node, "upscale_factor"), mode: "CRD" }),
  "aten::pixel_unshuffle": pixelUnshuffle,
};
