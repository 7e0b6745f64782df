// Parts of a tensor: by position, range, list of positions; and their opposite, joining.
import { BatchMultiple, type Node, type Size, Value } from "../../trace/graph.js";
import { fixedSize, isSize, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

const END = Number.MAX_SAFE_INTEGER;

function sliced(b: OnnxBuilder, x: string, axis: number, start: Size, end: Size, step = 1): string {
  return b.op("Slice", [x, b.sizes([start]), b.sizes([end]), b.ints([axis]), b.ints([step])]);
}

function slice(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const [start, end] = [node.arg("start"), node.arg("end")];
  const bound = (given: typeof start, otherwise: number): Size => {
    if (typeof given === "bigint") return END;
    return isSize(given) ? (typeof given === "number" ? Math.min(given, END) : given) : otherwise;
  };
  return sliced(b, b.name(x), b.dim(node, "dim", x.ndim), bound(start, 0), bound(end, END), b.int(node, "step"));
}

function narrow(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const [start, length] = [b.int(node, "start"), node.arg("length")];
  const axis = b.dim(node, "dim", x.ndim);
  if (length instanceof BatchMultiple) {
    return start === 0 ? sliced(b, b.name(x), axis, 0, length) : b.refuse("starts inside the batch");
  }
  const size = b.int(node, "length");
  const from = start < 0 ? start + fixedSize(b, x.shape[axis]) : start;
  return sliced(b, b.name(x), axis, from, from + size);
}

/** split, chunk and their kin: the sizes are those that the trace saw. */
function split(b: OnnxBuilder, node: Node): string[] {
  const x = b.tensor(node, "self");
  const axis = b.dim(node, "dim", x.ndim);
  const sizes = node.outputs.map((value) => fixedSize(b, value?.shape[axis]));
  return b.ops("Split", [b.name(x), b.ints(sizes)], sizes.length, { axis });
}

function unbind(b: OnnxBuilder, node: Node): string[] {
  const x = b.tensor(node, "self");
  const axis = b.dim(node, "dim", x.ndim);
  return node.outputs.map((_, i) => b.op("Gather", [b.name(x), b.scalar(i, "int64")], { axis }));
}

const joined = (b: OnnxBuilder, node: Node): Value[] => {
  const list = node.arg("tensors");
  return Array.isArray(list) ? list.filter((item): item is Value => item instanceof Value) : b.refuse("has no tensors");
};

function cat(b: OnnxBuilder, node: Node): string {
  // PyTorch skips empty one-dimensional tensors here.
  const parts = joined(b, node).filter((value) => !(value.ndim === 1 && value.shape[0] === 0));
  return b.op(
    "Concat",
    parts.map((value) => b.as(value, node.output.dtype)),
    { axis: b.dim(node, "dim", node.output.ndim) },
  );
}

function stack(b: OnnxBuilder, node: Node): string {
  const axis = b.dim(node, "dim", node.output.ndim);
  const parts = joined(b, node).map((value) => b.op("Unsqueeze", [b.as(value, node.output.dtype), b.ints([axis])]));
  return b.op("Concat", parts, { axis });
}

/** x[:, index]: one list of positions, the other dimensions whole. */
function index(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const indices = node.arg("indices");
  const list = Array.isArray(indices) ? indices : [];
  const given = list.flatMap((item, axis) => (item instanceof Value ? [{ item, axis }] : []));
  const [first] = given;
  if (given.length !== 1 || first === undefined || first.item.dtype === "bool") {
    return b.refuse("gathers by a mask or by several lists of positions");
  }
  return b.op("Gather", [b.name(x), b.name(first.item)], { axis: first.axis });
}

function roll(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const [shifts, dims] = [b.list(node, "shifts"), b.list(node, "dims")];
  if (dims.length !== shifts.length) return b.refuse("rolls the flattened tensor");
  return dims.reduce((y, dim, i) => {
    const axis = dim < 0 ? dim + x.ndim : dim;
    const size = fixedSize(b, x.shape[axis]);
    const cut = (((size - shifts[i]!) % size) + size) % size;
    if (cut === 0) return y;
    return b.op("Concat", [sliced(b, y, axis, cut, END), sliced(b, y, axis, 0, cut)], { axis });
  }, b.name(x));
}

function flip(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "self");
  const dims = b.list(node, "dims").map((dim) => (dim < 0 ? dim + x.ndim : dim));
  const all = (value: number) => b.ints(dims.map(() => value));
  return b.op("Slice", [b.name(x), all(-1), all(-END), b.ints(dims), all(-1)]);
}

/** self with alpha · source added at positions of one dimension; a position may come more than once. */
function indexAdd(b: OnnxBuilder, node: Node): string {
  const [x, index, source] = [b.tensor(node, "self"), b.tensor(node, "index"), b.tensor(node, "source")];
  const axis = b.dim(node, "dim", x.ndim);
  const alpha = node.arg("alpha") ?? 1;
  const added = b.as(source, x.dtype);
  const updates = alpha === 1 ? added : b.op("Mul", [added, b.scalar(alpha, x.dtype)]);
  const column = b.reshape(
    b.as(index, "int64"),
    source.shape.map((size, i) => (i === axis ? size : 1)),
  );
  const positions = b.op("Expand", [column, b.sizes(source.shape)]);
  return b.op("ScatterElements", [b.name(x), positions, updates], { axis, reduction: "add" });
}

const gatherAlong =
  (type: string): Translation =>
  (b, node) => {
    const x = b.tensor(node, "self");
    return b.op(type, [b.name(x), b.name(b.tensor(node, "index"))], { axis: b.dim(node, "dim", x.ndim) });
  };

export const indexing: Translations = {
  "aten::slice": slice,
  "aten::narrow": narrow,
  "aten::select": (b, node) => {
    const x = b.tensor(node, "self");
    return b.op("Gather", [b.name(x), b.scalar(b.int(node, "index"), "int64")], { axis: b.dim(node, "dim", x.ndim) });
  },
  "aten::split": split,
  "aten::split_with_sizes": split,
  "aten::chunk": split,
  "aten::tensor_split": split,
  "aten::unbind": unbind,
  "aten::cat": cat,
  "aten::concat": cat,
  "aten::stack": stack,
  "aten::index": index,
  "aten::index_select": gatherAlong("Gather"),
  "aten::index_add": indexAdd,
  "aten::gather": gatherAlong("GatherElements"),
  "aten::embedding": (b, node) =>
    b.op("Gather", [b.name(b.tensor(node, "weight")), b.name(b.tensor(node, "indices"))], { axis: 0 }),
  "aten::roll": roll,
  "aten::flip": flip,
};
