// The two residual blocks of ResNet. Paper: He et al. 2016, "Deep residual learning for image recognition" (arXiv 1512.03385), figure 5;
// the stride of a bottleneck is on its 3×3 convolution, as in torchvision, whose layer names and state-dict keys these have.

import { nn, type Tensor } from "@foehn/torch";

/** Stride and dilation of a block's 3×3 convolutions. */
export interface BlockGeometry {
  readonly stride: number;
  readonly dilation: number;
}

/** A residual block: (B, inFeatures, H, W) → (B, expansion·width, H/stride, W/stride). */
export interface ResidualBlockClass {
  readonly expansion: number;
  /** @param geometry where a whole stage is dilated, each of its 3×3 convolutions is, and strides are 1 */
  new (inFeatures: number, width: number, geometry: BlockGeometry): nn.UnaryModule;
}

/** Two 3×3 convolutions (ResNet 18 and 34). */
export class BasicBlock extends nn.Module {
  static readonly expansion = 1;
  readonly conv1: nn.Conv2d;
  readonly bn1: nn.BatchNorm2d;
  readonly relu = new nn.ReLU({ inplace: true });
  readonly conv2: nn.Conv2d;
  readonly bn2: nn.BatchNorm2d;
  readonly downsample: nn.Sequential | null;

  constructor(inFeatures: number, width: number, { stride, dilation }: BlockGeometry) {
    super();
    this.conv1 = conv3x3(inFeatures, width, { stride, dilation });
    this.bn1 = new nn.BatchNorm2d(width);
    this.conv2 = conv3x3(width, width, { stride: 1, dilation });
    this.bn2 = new nn.BatchNorm2d(width);
    this.downsample = projection(inFeatures, width, stride);
  }

  override forward(x: Tensor): Tensor {
    const inner = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
    const y = this.bn2.forward(this.conv2.forward(inner));
    return this.relu.forward(y.add_(this.downsample?.forward(x) ?? x));
  }
}

/** 1×1, 3×3 and 1×1 convolutions, the last four times as wide (ResNet 50). */
export class Bottleneck extends nn.Module {
  static readonly expansion = 4;
  readonly conv1: nn.Conv2d;
  readonly bn1: nn.BatchNorm2d;
  readonly conv2: nn.Conv2d;
  readonly bn2: nn.BatchNorm2d;
  readonly conv3: nn.Conv2d;
  readonly bn3: nn.BatchNorm2d;
  readonly relu = new nn.ReLU({ inplace: true });
  readonly downsample: nn.Sequential | null;

  constructor(inFeatures: number, width: number, { stride, dilation }: BlockGeometry) {
    super();
    const outFeatures = width * Bottleneck.expansion;
    this.conv1 = new nn.Conv2d(inFeatures, width, 1, { bias: false });
    this.bn1 = new nn.BatchNorm2d(width);
    this.conv2 = conv3x3(width, width, { stride, dilation });
    this.bn2 = new nn.BatchNorm2d(width);
    this.conv3 = new nn.Conv2d(width, outFeatures, 1, { bias: false });
    this.bn3 = new nn.BatchNorm2d(outFeatures);
    this.downsample = projection(inFeatures, outFeatures, stride);
  }

  override forward(x: Tensor): Tensor {
    const narrow = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
    const inner = this.relu.forward(this.bn2.forward(this.conv2.forward(narrow)));
    const y = this.bn3.forward(this.conv3.forward(inner));
    return this.relu.forward(y.add_(this.downsample?.forward(x) ?? x));
  }
}

function conv3x3(from: number, to: number, { stride, dilation }: BlockGeometry): nn.Conv2d {
  return new nn.Conv2d(from, to, 3, { stride, padding: dilation, dilation, bias: false });
}

/** Brings the shortcut to the block's shape: 1×1 convolution and normalisation, where shapes differ. */
function projection(from: number, to: number, stride: number): nn.Sequential | null {
  if (from === to && stride === 1) return null;
  return new nn.Sequential(new nn.Conv2d(from, to, 1, { stride, bias: false }), new nn.BatchNorm2d(to));
}
