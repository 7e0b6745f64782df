// Segformer: a hierarchical vision transformer between a downsampler and an upsampler, so that input and output have one size.
// Paper: Xie et al. 2021, "SegFormer: simple and efficient design for semantic segmentation with transformers" (arXiv 2105.15203).
// Settings, state-dict keys and numbers are those of mfai's Segformer, so its checkpoints load.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { ConfigError } from "../../../core/errors.js";
import type { InputShape, ModelType } from "../../network.js";
import { PaddedNetwork } from "../../padded-network.js";
import { MixTransformer, STAGE_STRIDES } from "./mix-transformer.js";
import { eachStage, type SegformerSettings, segformerSettings } from "./settings.js";

/** The downsampler halves, the encoder divides by 32; batch normalisation is nowhere coarser than the upsampler's first. */
const [MULTIPLE, NORM_STRIDE] = [64, 8];

/** (B, H, W, F) → (B, H, W, Fout). */
export class Segformer extends PaddedNetwork {
  static readonly modelName = "segformer";
  static readonly modelType: ModelType = "vision_transformer";
  static readonly onnxSupported = true;
  static readonly settings = segformerSettings;

  readonly downsampler: nn.Sequential;
  readonly mit: MixTransformer;
  readonly to_fused: nn.ModuleList<nn.Sequential>;
  readonly upsampler: nn.Sequential;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: SegformerSettings,
    inputShape: InputShape,
  ) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape, {
      multiple: MULTIPLE,
      autopad: settings.autopad_enabled,
      normStride: NORM_STRIDE,
    });
    checkReductions(settings, this.paddedShape);
    const { num_downsampling_chans: narrow, decoder_dim: wide } = settings;
    this.downsampler = new nn.Sequential(
      new nn.MaxPool2d(2),
      ...convBlock(numInputFeatures, narrow),
      ...convBlock(narrow, narrow),
    );
    this.mit = new MixTransformer(narrow, settings);
    this.to_fused = new nn.ModuleList(
      eachStage(settings.dims).map((width, i) => {
        const up = i === 0 ? new nn.Identity() : new nn.UpsamplingNearest2d({ scaleFactor: 2 ** i });
        return new nn.Sequential(new nn.Conv2d(width, wide, 1), up);
      }),
    );
    const double = () => new nn.UpsamplingBilinear2d({ scaleFactor: 2 });
    this.upsampler = new nn.Sequential(
      ...convBlock(4 * wide, wide),
      double(),
      ...convBlock(wide, wide / 2),
      double(),
      ...convBlock(wide / 2, wide / 4),
      double(),
      new nn.Conv2d(wide / 4, numOutputFeatures, 3, { padding: 1 }),
    );
  }

  protected override compute(x: Tensor): Tensor {
    const stages = this.mit.forward(this.downsampler.forward(x));
    const fused = stages.map((stage, i) => this.to_fused.at(i).forward(stage));
    return this.upsampler.forward(torch.cat(fused, { dim: 1 }));
  }
}

function convBlock(from: number, to: number): nn.UnaryModule[] {
  return [new nn.Conv2d(from, to, 3, { padding: 1 }), new nn.BatchNorm2d(to), new nn.ReLU({ inplace: true })];
}

/** A key must not stand for more cells than its stage has. */
function checkReductions(settings: SegformerSettings, shape: readonly [number, number]): void {
  for (const [i, side] of eachStage(settings.reduction_ratio ?? settings.kernel_and_stride).entries()) {
    const size = shape.map((cells) => cells / 2 / STAGE_STRIDES[i]!);
    if (side <= Math.min(...size)) continue;
    throw new ConfigError(
      `segformer: kernel_and_stride ${side} of stage ${i + 1} is larger than its grid of ${size.join("×")}`,
      { hint: `use at most ${Math.min(...size)} there: [8, 4, 2, 1] fits every grid` },
    );
  }
}
