// Normalisation layers, in evaluation mode, and dropout, which does nothing there.
import type { Node, Value } from "../../trace/graph.js";
import { fixedSize, float, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

const epsilon = (node: Node): number => Number(node.arg("eps"));

/** A weight, or a constant of its shape where the layer has none. */
function orConstant(b: OnnxBuilder, value: Value | null, constant: number, dims: readonly number[]): string {
  return value === null
    ? b.floats(new Array<number>(dims.reduce((p, n) => p * n, 1)).fill(constant), dims)
    : b.name(value);
}

function batchNorm(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "input");
  const [mean, variance] = [b.optional(node, "running_mean"), b.optional(node, "running_var")];
  if (b.int(node, "training") !== 0 || mean === null || variance === null) {
    return b.refuse("normalises by the statistics of the batch (training mode, or no running statistics)");
  }
  const channels = [fixedSize(b, x.shape[1])];
  const scale = orConstant(b, b.optional(node, "weight"), 1, channels);
  const bias = orConstant(b, b.optional(node, "bias"), 0, channels);
  return b.op("BatchNormalization", [b.name(x), scale, bias, b.name(mean), b.name(variance)], {
    epsilon: float(epsilon(node)),
  });
}

function instanceNorm(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "input");
  if (b.int(node, "use_input_stats") === 0) b.refuse("uses running statistics");
  const channels = [fixedSize(b, x.shape[1])];
  const scale = orConstant(b, b.optional(node, "weight"), 1, channels);
  const bias = orConstant(b, b.optional(node, "bias"), 0, channels);
  return b.op("InstanceNormalization", [b.name(x), scale, bias], { epsilon: float(epsilon(node)) });
}

/** Groups of channels as channels of an instance normalisation. */
function groupNorm(b: OnnxBuilder, node: Node): string {
  const x = b.tensor(node, "input");
  const groups = b.int(node, "num_groups");
  const [batch, channels, ...rest] = x.shape;
  const values = [channels, ...rest].reduce<number>((product, size) => product * fixedSize(b, size), 1) / groups;
  const grouped = b.reshape(b.name(x), [batch!, groups, values]);
  const [one, zero] = [orConstant(b, null, 1, [groups]), orConstant(b, null, 0, [groups])];
  let y = b.reshape(b.op("InstanceNormalization", [grouped, one, zero], { epsilon: float(epsilon(node)) }), x.shape);
  const perChannel = b.ints([fixedSize(b, channels), ...rest.map(() => 1)]);
  const [weight, bias] = [b.optional(node, "weight"), b.optional(node, "bias")];
  if (weight !== null) y = b.op("Mul", [y, b.op("Reshape", [b.name(weight), perChannel])]);
  if (bias !== null) y = b.op("Add", [y, b.op("Reshape", [b.name(bias), perChannel])]);
  return y;
}

function layerNorm(b: OnnxBuilder, node: Node): string {
  const shape = b.list(node, "normalized_shape");
  const scale = orConstant(b, b.optional(node, "weight"), 1, shape);
  const bias = orConstant(b, b.optional(node, "bias"), 0, shape);
  return b.op("LayerNormalization", [b.name(b.tensor(node, "input")), scale, bias], {
    axis: -shape.length,
    epsilon: float(epsilon(node)),
  });
}

const dropout: Translation = (b, node) => {
  if (b.int(node, "train") !== 0 && b.int(node, "p") !== 0) b.refuse("drops values at random (training mode)");
  return b.name(b.tensor(node, "input"));
};

export const normalisation: Translations = {
  "aten::batch_norm": batchNorm,
  "aten::instance_norm": instanceNorm,
  "aten::group_norm": groupNorm,
  "aten::layer_norm": layerNorm,
  "aten::dropout": dropout,
  "aten::feature_dropout": dropout,
};
