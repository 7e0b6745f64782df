// Between Foehn's features-last tensors (B, H, W, F) and the (B, F, H, W) of convolutions. A permute of contiguous
// features-last memory is exactly PyTorch's channels_last layout, so it is a view; copies happen only when asked for.
// Also centre padding to a multiple of what a network halves, and the crop that undoes it (mfai: AutoPaddingModel).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { ActivationLayout } from "./network.js";

/** (B, H, W, F) → (B, F, H, W): a channels-last view, or a contiguous copy. */
export function featuresSecond(x: Tensor, layout: ActivationLayout): Tensor {
  const view = x.permute([0, 3, 1, 2]);
  return layout === "contiguous" ? view.contiguous() : view;
}

/** (B, F, H, W) → (B, H, W, F), as a view. */
export function featuresLast(y: Tensor): Tensor {
  return y.permute([0, 2, 3, 1]);
}

/** Whether (B, F, H, W) is contiguous, and not in both orders at once. */
export function isContiguousOnly(x: Tensor): boolean {
  return x.isContiguous() && !x.isContiguous("channels_last");
}

/** Joins (B, F, H, W) tensors along the features. The result is contiguous where the first one is, else channels-last. */
export function catFeatures(tensors: readonly Tensor[]): Tensor {
  if (isContiguousOnly(tensors[0]!)) return torch.cat(tensors, { dim: 1 });
  return featuresSecond(torch.cat(tensors.map(featuresLast), { dim: -1 }), "channels_last");
}

/** Each size rounded up to a multiple. */
export function paddedShape(shape: readonly number[], multiple: number): number[] {
  return shape.map((size) => Math.ceil(size / multiple) * multiple);
}

/** Zero-pads the last two dimensions to `target`, data in the centre: ⌊d/2⌋ before, the rest after. Unchanged when it fits. */
export function centrePad(x: Tensor, target: readonly number[]): Tensor {
  const missing = target.map((size, i) => size - x.size(i - target.length));
  if (missing.every((d) => d === 0)) return x;
  const before = missing.map((d) => Math.floor(d / 2));
  const [top, left] = [before[0]!, before[1]!];
  return torch.constantPadNd(x, [left, missing[1]! - left, top, missing[0]! - top]);
}

/** Cuts the centre (H, W) out of the last two dimensions: undoes `centrePad`. Unchanged when it fits. */
export function centreCrop(y: Tensor, shape: readonly number[]): Tensor {
  let result = y;
  for (const [i, size] of shape.entries()) {
    const dim = y.ndim - shape.length + i;
    const extra = y.size(dim) - size;
    if (extra > 0) result = result.narrow(dim, Math.floor(extra / 2), size);
  }
  return result;
}
