// The up-convolution of U-Nets: a transposed convolution with kernel and stride 2. Its windows do not overlap, so it is one matrix
// product per cell, which is 10 to 20 times faster than libtorch's transposed convolution (slow, and float32 only under autocast).
// Weights are those of nn.ConvTranspose2d(in, out, 2, stride 2).

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";

/** (B, in, H, W) → (B, out, 2H, 2W). */
export class DoublingConv extends nn.ConvTranspose2d {
  constructor(inFeatures: number, outFeatures: number) {
    super(inFeatures, outFeatures, 2, { stride: 2 });
  }

  override forward(x: Tensor): Tensor {
    const [height, width] = x.shape.slice(2) as [number, number];
    const y = this.#product(x).reshape([-1, 2 * height, 2 * width, this.outChannels]);
    return y.permute([0, 3, 1, 2]);
  }

  /** [forward(x), skip] along the features; the result is written once. */
  concat(x: Tensor, skip: Tensor): Tensor {
    const [height, width] = x.shape.slice(2) as [number, number];
    const features = skip.size(1);
    const doubled = this.#product(x);
    const beside = skip.permute([0, 2, 3, 1]).reshape([-1, height, 2, width, 2, features]).to(doubled.dtype);
    const both = torch.cat([doubled, beside], { dim: -1 });
    return both.reshape([-1, 2 * height, 2 * width, this.outChannels + features]).permute([0, 3, 1, 2]);
  }

  /** (B, in, H, W) → (B, H, 2, W, 2, out): each cell's own 2×2 window. */
  #product(x: Tensor): Tensor {
    const [height, width] = x.shape.slice(2) as [number, number];
    const { inChannels, outChannels } = this;
    const weight = this.weight.permute([2, 3, 1, 0]).reshape([4 * outChannels, inChannels]);
    const bias = this.bias === null ? null : this.bias.repeat([4]);
    const y = torch.linear(x.permute([0, 2, 3, 1]), weight, { bias });
    return y.reshape([-1, height, width, 2, 2, outChannels]).permute([0, 1, 3, 2, 4, 5]);
  }
}
