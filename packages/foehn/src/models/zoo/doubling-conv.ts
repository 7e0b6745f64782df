// The up-convolution of U-Nets: a transposed convolution with kernel and stride 2. Its windows do not overlap, so it is one matrix
// product per cell, which is 10 to 20 times faster than libtorch's transposed convolution (slow, and float32 only under autocast).
// The result has the memory order of the input: a change of order in mid-network would carry on to all layers behind it.
// Weights are those of nn.ConvTranspose2d(in, out, 2, stride 2).

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { isContiguousOnly } from "../layout.js";

/** (B, in, H, W) → (B, out, 2H, 2W). */
export class DoublingConv extends nn.ConvTranspose2d {
  constructor(inFeatures: number, outFeatures: number) {
    super(inFeatures, outFeatures, 2, { stride: 2 });
  }

  override forward(x: Tensor): Tensor {
    if (isContiguousOnly(x)) return this.#featuresSecond(x);
    const [height, width] = x.shape.slice(2) as [number, number];
    const y = this.#featuresLast(x).reshape([-1, 2 * height, 2 * width, this.outChannels]);
    return y.permute([0, 3, 1, 2]);
  }

  /** [forward(x), skip] along the features. */
  concat(x: Tensor, skip: Tensor): Tensor {
    if (isContiguousOnly(x)) {
      const doubled = this.#featuresSecond(x);
      return torch.cat([doubled, skip.to(doubled.dtype)], { dim: 1 });
    }
    // The result is written once: cells are laid out as they are joined.
    const [height, width] = x.shape.slice(2) as [number, number];
    const features = skip.size(1);
    const doubled = this.#featuresLast(x);
    const beside = skip.permute([0, 2, 3, 1]).reshape([-1, height, 2, width, 2, features]).to(doubled.dtype);
    const both = torch.cat([doubled, beside], { dim: -1 });
    return both.reshape([-1, 2 * height, 2 * width, this.outChannels + features]).permute([0, 3, 1, 2]);
  }

  /** (B, in, H, W) → (B, H, 2, W, 2, out): each cell's own 2×2 window. */
  #featuresLast(x: Tensor): Tensor {
    const [height, width] = x.shape.slice(2) as [number, number];
    const { inChannels, outChannels } = this;
    const weight = this.weight.permute([2, 3, 1, 0]).reshape([4 * outChannels, inChannels]);
    const bias = this.bias === null ? null : this.bias.repeat([4]);
    const y = torch.linear(x.permute([0, 2, 3, 1]), weight, { bias });
    return y.reshape([-1, height, width, 2, 2, outChannels]).permute([0, 1, 3, 2, 4, 5]);
  }

  /** (B, in, H, W) → (B, out, 2H, 2W), contiguous: the windows as features of a 1×1 convolution, laid out by one copy. */
  #featuresSecond(x: Tensor): Tensor {
    const [height, width] = x.shape.slice(2) as [number, number];
    const { inChannels, outChannels } = this;
    const weight = this.weight.permute([1, 2, 3, 0]).reshape([4 * outChannels, inChannels, 1, 1]);
    const bias = this.bias === null ? null : this.bias.reshape([-1, 1]).repeat([1, 4]).reshape([-1]);
    const y = torch.conv2d(x, weight, { bias }).reshape([-1, outChannels, 2, 2, height, width]);
    return y.permute([0, 1, 4, 2, 5, 3]).reshape([-1, outChannels, 2 * height, 2 * width]);
  }
}
