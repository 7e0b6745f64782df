// The residual block of nnU-Net, in two dimensions: two convolutions with normalisation around a short cut. Names of layers are
// those of MONAI's UnetResBlock and Convolution, so weights trained there load.

import { nn, type Tensor } from "@foehn/torch";
import { type NormName, normNamed } from "./norm-name.js";

/** A convolution that keeps the size, as the child `conv`. */
export class NamedConv extends nn.Module {
  readonly conv: nn.Conv2d;

  constructor(
    inFeatures: number,
    outFeatures: number,
    kernel: number,
    { stride = 1, bias = false }: { readonly stride?: number; readonly bias?: boolean } = {},
  ) {
    super();
    const padding = Math.floor((kernel - stride + 1) / 2);
    this.conv = new nn.Conv2d(inFeatures, outFeatures, kernel, { stride, padding, bias });
  }

  override forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

/** (B, in, H, W) → (B, out, H, W). The short cut is a 1×1 convolution with normalisation where the widths differ. */
export class ResBlock extends nn.Module {
  readonly conv1: NamedConv;
  readonly conv2: NamedConv;
  readonly lrelu = new nn.LeakyReLU({ negativeSlope: 0.01, inplace: true });
  readonly norm1: nn.UnaryModule;
  readonly norm2: nn.UnaryModule;
  readonly conv3: NamedConv | null;
  readonly norm3: nn.UnaryModule | null;

  constructor(inFeatures: number, outFeatures: number, norm: NormName) {
    super();
    this.conv1 = new NamedConv(inFeatures, outFeatures, 3);
    this.conv2 = new NamedConv(outFeatures, outFeatures, 3);
    this.norm1 = normNamed(norm, outFeatures);
    this.norm2 = normNamed(norm, outFeatures);
    const narrows = inFeatures !== outFeatures;
    this.conv3 = narrows ? new NamedConv(inFeatures, outFeatures, 1) : null;
    this.norm3 = narrows ? normNamed(norm, outFeatures) : null;
  }

  override forward(x: Tensor): Tensor {
    const first = this.lrelu.forward(this.norm1.forward(this.conv1.forward(x)));
    const second = this.norm2.forward(this.conv2.forward(first));
    const { conv3, norm3 } = this;
    const shortcut = conv3 === null || norm3 === null ? x : norm3.forward(conv3.forward(x));
    // No normalisation needs its output for its gradient, so the sum may overwrite it.
    return this.lrelu.forward(second.add_(shortcut.to(second.dtype)));
  }
}

/** The last map of a network: a 1×1 convolution with bias (MONAI: UnetOutBlock). */
export class OutBlock extends nn.Module {
  readonly conv: NamedConv;

  constructor(inFeatures: number, outFeatures: number) {
    super();
    this.conv = new NamedConv(inFeatures, outFeatures, 1, { bias: true });
  }

  override forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}
