// The table of translations: from an ATen operator to ONNX nodes.
import type { Node } from "../../trace/graph.js";
import type { OnnxBuilder } from "../builder.js";
import { activations } from "./activations.js";
import { arithmetic } from "./arithmetic.js";
import { convolution } from "./convolution.js";
import { creation } from "./creation.js";
import { indexing } from "./indexing.js";
import { linear } from "./linear.js";
import { normalisation } from "./normalisation.js";
import { pooling } from "./pooling.js";
import { reduction } from "./reduction.js";
import { resampling } from "./resampling.js";
import { shape } from "./shape.js";

/** Writes the nodes of one call; gives the names of its outputs. */
export type Translation = (builder: OnnxBuilder, node: Node) => string | readonly string[];

/** Translations by operator, `aten::conv2d` for all its overloads. */
export type Translations = Readonly<Record<string, Translation>>;

/** Every operator that can be exported. */
export const translations: Translations = {
  ...activations,
  ...arithmetic,
  ...convolution,
  ...creation,
  ...indexing,
  ...linear,
  ...normalisation,
  ...pooling,
  ...reduction,
  ...resampling,
  ...shape,
};
