// torch.nn.functional: losses and layers without state, with PyTorch's names in camelCase. Operators that ATen has under the
// same name and meaning are re-exported from the generated surface; here is what Python's module adds on top of ATen.

import * as ops from "../generated/functions.js";
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import type { PaddingMode } from "./conv.js";

export {
  adaptiveAvgPool2d,
  avgPool2d,
  conv2d,
  convTranspose2d,
  cosineSimilarity,
  elu,
  gelu,
  glu,
  groupNorm,
  layerNorm,
  leakyRelu,
  linear,
  logSigmoid,
  logSoftmax,
  maxPool2d,
  mish,
  pixelShuffle,
  pixelUnshuffle,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from "../generated/functions.js";
export { type InterpolateMode, type InterpolateOptions, interpolate } from "./interpolate.js";

/** How a loss is summed up: mean over all values (default), sum, or not at all. */
export type Reduction = "mean" | "sum" | "none";

/** ATen's number of a reduction. */
const REDUCTIONS: Readonly<Record<Reduction, number>> = { none: 0, mean: 1, sum: 2 };

/** Options of every loss. */
export interface LossOptions {
  readonly reduction?: Reduction;
}

/** ATen reads the reduction as a number; a wrong word must not become "undefined = mean". */
function code(reduction: Reduction = "mean"): { reduction: number } {
  if (!Object.hasOwn(REDUCTIONS, reduction)) {
    throw new RangeError(`unknown reduction "${reduction}"; known are ${Object.keys(REDUCTIONS).join(", ")}`);
  }
  return { reduction: REDUCTIONS[reduction] };
}

/** ATen broadcasts losses; a mean over broadcast values is nearly always a mistake, so shapes must agree. */
function sameShape(loss: string, input: Tensor, target: Tensor): void {
  if (input.shape.join() !== target.shape.join()) {
    throw new RangeError(
      `${loss}: input [${input.shape.join(", ")}] and target [${target.shape.join(", ")}] differ in shape; reshape or expand one`,
    );
  }
}

/** Mean of (x − y)². */
export function mseLoss(input: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  sameShape("mseLoss", input, target);
  return ops.mseLoss(input, target, code(reduction));
}

/** Mean of |x − y|. */
export function l1Loss(input: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  sameShape("l1Loss", input, target);
  return ops.l1Loss(input, target, code(reduction));
}

/** (x − y)²/2β where |x − y| < β, else |x − y| − β/2 (Girshick 2015, eq. 3). */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  { reduction, beta = 1 }: LossOptions & { readonly beta?: number } = {},
): Tensor {
  sameShape("smoothL1Loss", input, target);
  return ops.smoothL1Loss(input, target, { ...code(reduction), beta });
}

/** (x − y)²/2 where |x − y| < δ, else δ(|x − y| − δ/2) (Huber 1964). */
export function huberLoss(
  input: Tensor,
  target: Tensor,
  { reduction, delta = 1 }: LossOptions & { readonly delta?: number } = {},
): Tensor {
  sameShape("huberLoss", input, target);
  return ops.huberLoss(input, target, { ...code(reduction), delta });
}

/** Options of `crossEntropy`. `weight` has one value per class. */
export interface CrossEntropyOptions extends LossOptions {
  readonly weight?: Tensor | null;
  readonly ignoreIndex?: number;
  readonly labelSmoothing?: number;
}

/** −log softmax(logits)[class]: logits (N, C, …), target class numbers (N, …) or probabilities (N, C, …). */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { reduction, weight = null, ignoreIndex = -100, labelSmoothing = 0 } = options;
  return ops.crossEntropyLoss(logits, target, { ...code(reduction), weight, ignoreIndex, labelSmoothing });
}

/** −logProbabilities[class]: (N, C, …) and class numbers (N, …). */
export function nllLoss(
  logProbabilities: Tensor,
  target: Tensor,
  { reduction, weight = null, ignoreIndex = -100 }: Omit<CrossEntropyOptions, "labelSmoothing"> = {},
): Tensor {
  return ops.nllLossNd(logProbabilities, target, { ...code(reduction), weight, ignoreIndex });
}

/** −(y·log x + (1 − y)·log(1 − x)) for probabilities x. */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  { reduction, weight = null }: LossOptions & { readonly weight?: Tensor | null } = {},
): Tensor {
  sameShape("binaryCrossEntropy", input, target);
  return ops.binaryCrossEntropy(input, target, { ...code(reduction), weight });
}

/** `binaryCrossEntropy` of σ(x), computed stably. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { readonly weight?: Tensor | null; readonly posWeight?: Tensor | null } = {},
): Tensor {
  const { reduction, weight = null, posWeight = null } = options;
  sameShape("binaryCrossEntropyWithLogits", input, target);
  return ops.binaryCrossEntropyWithLogits(input, target, { ...code(reduction), weight, posWeight });
}

/** Dropout; `training` decides whether anything happens (default true). */
export function dropout(
  x: Tensor,
  { p = 0.5, training = true }: { readonly p?: number; readonly training?: boolean } = {},
): Tensor {
  return ops.dropout(x, p, training);
}

/** Rows of `weight` [n, d] by number: (…) → (…, d). */
export function embedding(
  indices: Tensor,
  weight: Tensor,
  { paddingIdx = -1 }: { readonly paddingIdx?: number } = {},
): Tensor {
  return ops.embedding(weight, indices, { paddingIdx });
}

/** Class numbers (…) to (…, numClasses) of zeros and ones; −1 takes the largest number present + 1. */
export function oneHot(indices: Tensor, numClasses = -1): Tensor {
  return ops.oneHot(indices, { numClasses });
}

/**
 * Extends the borders. `widths` is [left, right, top, bottom, …] from the last dimension on; negative widths cut.
 * `mode` "constant" (default) fills with `value` (default 0); "reflect", "replicate" and "circular" copy.
 */
export function pad(
  x: Tensor,
  widths: readonly number[],
  {
    mode = "constant",
    value,
  }: { readonly mode?: "constant" | Exclude<PaddingMode, "zeros">; readonly value?: number } = {},
): Tensor {
  return ops.pad(x, widths, { mode, ...(value !== undefined && { value }) });
}

/** x/max(‖x‖_p, ε) along `dim`. */
export function normalize(
  x: Tensor,
  { p = 2, dim = 1, eps = 1e-12 }: { readonly p?: number; readonly dim?: number; readonly eps?: number } = {},
): Tensor {
  const norm = aten("linalg_vector_norm", x, p, [dim], true) as Tensor;
  return x.div(norm.clampMin(eps));
}

/**
 * softmax(q·kᵀ/√d + mask)·v: q (…, L, d), k (…, S, d), v (…, S, e) → (…, L, e).
 * `attnMask` is added, or, when boolean, keeps the true places. (Vaswani et al. 2017, eq. 1.)
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { attnMask = null, scale }: { readonly attnMask?: Tensor | null; readonly scale?: number } = {},
): Tensor {
  const factor = scale ?? 1 / Math.sqrt(query.shape.at(-1) ?? 1);
  let scores = query.mul(factor).matmul(key.transpose(-2, -1));
  if (attnMask !== null) {
    scores =
      attnMask.dtype === "bool"
        ? scores.maskedFill(attnMask.logicalNot(), Number.NEGATIVE_INFINITY)
        : scores.add(attnMask);
  }
  return ops.softmax(scores, -1).matmul(value);
}
