// Upsampling to other sizes of the spatial axes.
import type { Node } from "../../trace/graph.js";
import { type Attributes, float, type OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

/** The factors given to the call, one per spatial axis; null when it was given sizes. */
function factors(node: Node, axes: number): number[] | null {
  const list = node.arg("scale_factors");
  if (Array.isArray(list)) return list as number[];
  const single = ["scales_d", "scales_h", "scales_w", "scales"]
    .map((name) => node.arg(name))
    .filter((v) => typeof v === "number");
  return single.length === axes ? (single as number[]) : null;
}

function resize(b: OnnxBuilder, node: Node, attributes: Attributes): string {
  const x = b.tensor(node, node.arg("input") === undefined ? "self" : "input");
  const scales = factors(node, x.ndim - 2);
  if (scales !== null) return b.op("Resize", [b.name(x), "", b.floats([1, 1, ...scales], [x.ndim])], attributes);
  return b.op("Resize", [b.name(x), "", "", b.sizes(node.output.shape)], attributes);
}

const interpolation =
  (mode: string, more: Attributes = {}): Translation =>
  (b, node) =>
    resize(b, node, {
      mode,
      coordinate_transformation_mode: node.arg("align_corners") === true ? "align_corners" : "half_pixel",
      ...more,
    });

const nearest: Translation = (b, node) =>
  resize(b, node, { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" });
const nearestExact: Translation = (b, node) =>
  resize(b, node, { mode: "nearest", coordinate_transformation_mode: "half_pixel", nearest_mode: "round_prefer_ceil" });

export const resampling: Translations = {
  "aten::upsample_linear1d": interpolation("linear"),
  "aten::upsample_bilinear2d": interpolation("linear"),
  "aten::upsample_trilinear3d": interpolation("linear"),
  "aten::upsample_bicubic2d": interpolation("cubic", { cubic_coeff_a: float(-0.75) }),
  "aten::upsample_nearest1d": nearest,
  "aten::upsample_nearest2d": nearest,
  "aten::upsample_nearest3d": nearest,
  "aten::_upsample_nearest_exact1d": nearestExact,
  "aten::_upsample_nearest_exact2d": nearestExact,
};
