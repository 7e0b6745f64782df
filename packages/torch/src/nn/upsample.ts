// Upsampling layers. PyTorch: torch.nn.Upsample, UpsamplingBilinear2d, UpsamplingNearest2d.
import type { Tensor } from "../tensor.js";
import { type InterpolateOptions, interpolate } from "./interpolate.js";
import { Module } from "./module.js";

/** `interpolate` as a layer: (N, C, …) → (N, C, …new). */
export class Upsample extends Module {
  constructor(readonly options: InterpolateOptions) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }

  override extraRepr(): string {
    return Object.entries(this.options)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(", ");
  }
}

/** Bilinear upsampling with aligned corners: (N, C, H, W) → (N, C, s·H, s·W) or the size given. */
export class UpsamplingBilinear2d extends Upsample {
  constructor(options: Pick<InterpolateOptions, "size" | "scaleFactor">) {
    super({ ...options, mode: "bilinear", alignCorners: true });
  }
}

/** Nearest-neighbour upsampling: (N, C, H, W) → (N, C, s·H, s·W) or the size given. */
export class UpsamplingNearest2d extends Upsample {
  constructor(options: Pick<InterpolateOptions, "size" | "scaleFactor">) {
    super({ ...options, mode: "nearest" });
  }
}
