// Ghost module: half of the output features come from a convolution, the other half from a cheap depthwise convolution of them.
// Paper: Han et al. 2020, "GhostNet: more features from cheap operations" (arXiv 1911.11907), figure 2.
// Layer names are those of mfai's GhostModule; as there, dilation applies to the first convolution only.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";

/** (B, in, H, W) → (B, out, H, W); `out` is even. */
export class GhostModule extends nn.Module {
  readonly conv: nn.Conv2d;
  readonly sepconv: nn.Conv2d;
  readonly bn: nn.BatchNorm2d;
  readonly relu = new nn.ReLU({ inplace: true });

  constructor(inFeatures: number, outFeatures: number, options: { readonly dilation: number; readonly bias: boolean }) {
    super();
    const { dilation, bias } = options;
    const half = outFeatures / 2;
    this.conv = new nn.Conv2d(inFeatures, half, 3, { padding: dilation, dilation, bias });
    this.sepconv = new nn.Conv2d(half, half, 3, { padding: 1, groups: half, bias });
    this.bn = new nn.BatchNorm2d(outFeatures);
  }

  override forward(x: Tensor): Tensor {
    const primary = this.conv.forward(x);
    const ghost = this.sepconv.forward(primary);
    return this.relu.forward(this.bn.forward(torch.cat([primary, ghost], { dim: 1 })));
  }
}
