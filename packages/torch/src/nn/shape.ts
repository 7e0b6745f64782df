// Layers that only rearrange. PyTorch: torch.nn.Flatten, Unflatten, PixelShuffle, PixelUnshuffle.

import * as ops from "../generated/functions.js";
import type { Tensor } from "../tensor.js";
import { Module } from "./module.js";

/** Merges dimensions startDim to endDim (default: all but the batch): (N, C, H, W) → (N, C·H·W). */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor({ startDim = 1, endDim = -1 }: { readonly startDim?: number; readonly endDim?: number } = {}) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  override forward(x: Tensor): Tensor {
    return x.flatten({ startDim: this.startDim, endDim: this.endDim });
  }
}

/** Splits one dimension: Unflatten(1, [2, 3]) is (N, 6) → (N, 2, 3). */
export class Unflatten extends Module {
  constructor(
    readonly dim: number,
    readonly sizes: readonly number[],
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    const dim = this.dim < 0 ? x.ndim + this.dim : this.dim;
    return x.reshape([...x.shape.slice(0, dim), ...this.sizes, ...x.shape.slice(dim + 1)]);
  }
}

/** (N, C·r², H, W) → (N, C, H·r, W·r) (Shi et al. 2016). */
export class PixelShuffle extends Module {
  constructor(readonly upscaleFactor: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return ops.pixelShuffle(x, this.upscaleFactor);
  }
}

/** (N, C, H·r, W·r) → (N, C·r², H, W), the inverse of `PixelShuffle`. */
export class PixelUnshuffle extends Module {
  constructor(readonly downscaleFactor: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return ops.pixelUnshuffle(x, this.downscaleFactor);
  }
}
