// Atrous spatial pyramid pooling: one map seen at five scales (1×1, three dilated 3×3, the mean of the field) and joined.
// Paper: Chen et al. 2017, "Rethinking atrous convolution for semantic image segmentation" (arXiv 1706.05587), figure 5; with separable
// convolutions: Chen et al. 2018 (arXiv 1802.02611). Layer names are mfai's.

import { nn, type Tensor } from "@foehn/torch";
import { catFeatures } from "../layout.js";

const DROPOUT = 0.5;

/** What the pyramid is made of. */
export interface AsppOptions {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Dilations of the three 3×3 convolutions. */
  readonly rates: readonly [number, number, number];
  /** Depthwise, then pointwise convolutions in place of full ones. Default false. */
  readonly separable?: boolean;
}

/** (B, inFeatures, H, W) → (B, outFeatures, H, W). In training it drops features and normalises the mean of each field over the batch. */
export class Aspp extends nn.Module {
  readonly convs: nn.ModuleList<nn.UnaryModule>;
  readonly project: nn.Sequential;

  constructor({ inFeatures, outFeatures, rates, separable = false }: AsppOptions) {
    super();
    const dilated = (dilation: number) => {
      const options = { padding: dilation, dilation };
      return separable
        ? separableConv(inFeatures, outFeatures, options)
        : new nn.Conv2d(inFeatures, outFeatures, 3, { ...options, bias: false });
    };
    this.convs = new nn.ModuleList<nn.UnaryModule>([
      normalised(new nn.Conv2d(inFeatures, outFeatures, 1, { bias: false }), outFeatures),
      ...rates.map((rate) => normalised(dilated(rate), outFeatures)),
      new FieldMean(inFeatures, outFeatures),
    ]);
    this.project = normalised(new nn.Conv2d(5 * outFeatures, outFeatures, 1, { bias: false }), outFeatures);
    this.project.append(new nn.Dropout(DROPOUT));
  }

  override forward(x: Tensor): Tensor {
    return this.project.forward(catFeatures([...this.convs].map((conv) => conv.forward(x))));
  }
}

/** The mean of the field through a 1×1 convolution, the same in every cell. */
class FieldMean extends nn.Sequential {
  constructor(inFeatures: number, outFeatures: number) {
    super(
      new nn.AdaptiveAvgPool2d(1),
      new nn.Conv2d(inFeatures, outFeatures, 1, { bias: false }),
      new nn.BatchNorm2d(outFeatures),
      new nn.ReLU({ inplace: true }),
    );
  }

  override forward(x: Tensor): Tensor {
    return super.forward(x).expand([-1, -1, x.size(2), x.size(3)]);
  }
}

/** A convolution with batch normalisation and ReLU behind it: layers "0", "1", "2". */
export function normalised(conv: nn.UnaryModule, features: number): nn.Sequential {
  return new nn.Sequential(conv, new nn.BatchNorm2d(features), new nn.ReLU({ inplace: true }));
}

/** A depthwise 3×3, then a pointwise convolution: layers "0" and "1". */
export function separableConv(
  from: number,
  to: number,
  { padding, dilation }: { readonly padding: number; readonly dilation: number },
): nn.Sequential {
  return new nn.Sequential(
    new nn.Conv2d(from, from, 3, { padding, dilation, groups: from, bias: false }),
    new nn.Conv2d(from, to, 1, { bias: false }),
  );
}
