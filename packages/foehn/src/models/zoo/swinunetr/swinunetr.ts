// SwinUNetR: a U-Net whose encoder is a Swin transformer, with a decoder that upsamples bilinearly (transposed convolutions left a
// chequered pattern). Paper: Hatamizadeh et al. 2022, "Swin UNETR" (arXiv 2201.01266).
// Settings, state-dict keys and numbers are those of mfai's SwinUNetR over MONAI's SwinUNETR in two dimensions.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { ConfigError } from "../../../core/errors.js";
import type { InputShape, ModelType } from "../../network.js";
import { PaddedNetwork } from "../../padded-network.js";
import { isInstanceNorm, type NormName } from "../norm-name.js";
import { OutBlock, ResBlock } from "../res-block.js";
import { type SwinUNetRSettings, swinUNetRSettings } from "./settings.js";
import { ResLayer, SwinTransformer } from "./swin-transformer.js";

/** Patches of 2×2 and four mergings; batch normalisation is nowhere coarser than in the first upsampling. */
const [MULTIPLE, NORM_STRIDE] = [32, 16];

/** Doubles the size, joins the skip connection, and mixes: (B, in, H, W), (B, out, 2H, 2W) → (B, out, 2H, 2W). */
class UpsampleBlock extends nn.Module {
  readonly upsampler: nn.Sequential;
  readonly conv_block: ResBlock;

  constructor(inFeatures: number, outFeatures: number, norm: NormName) {
    super();
    this.upsampler = new nn.Sequential(
      new nn.UpsamplingBilinear2d({ scaleFactor: 2 }),
      new nn.Conv2d(inFeatures, outFeatures, 3, { padding: 1 }),
      new nn.BatchNorm2d(outFeatures),
      new nn.ReLU({ inplace: true }),
    );
    this.conv_block = new ResBlock(2 * outFeatures, outFeatures, norm);
  }

  override forward(x: Tensor, skip: Tensor): Tensor {
    const up = this.upsampler.forward(x);
    return this.conv_block.forward(torch.cat([up, skip.to(up.dtype)], { dim: 1 }));
  }
}

/** (B, H, W, F) → (B, H, W, Fout). */
export class SwinUNetR extends PaddedNetwork {
  static readonly modelName = "swinunetr";
  static readonly modelType: ModelType = "vision_transformer";
  static readonly onnxSupported = true;
  static readonly settings = swinUNetRSettings;

  readonly swinViT: SwinTransformer;
  readonly encoder1: ResLayer;
  readonly encoder2: ResLayer;
  readonly encoder3: ResLayer;
  readonly encoder4: ResLayer;
  readonly encoder10: ResLayer;
  readonly decoder5: UpsampleBlock;
  readonly decoder4: UpsampleBlock;
  readonly decoder3: UpsampleBlock;
  readonly decoder2: UpsampleBlock;
  readonly decoder1: UpsampleBlock;
  readonly out: OutBlock;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: SwinUNetRSettings,
    inputShape: InputShape,
  ) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape, {
      multiple: MULTIPLE,
      autopad: settings.autopad_enabled,
      normStride: NORM_STRIDE,
    });
    const { feature_size: width, norm_name: norm } = settings;
    this.#checkNormalisation(norm);
    this.swinViT = new SwinTransformer(numInputFeatures, settings, this.paddedShape);
    this.encoder1 = new ResLayer(numInputFeatures, width, norm);
    this.encoder2 = new ResLayer(width, width, norm);
    this.encoder3 = new ResLayer(2 * width, 2 * width, norm);
    this.encoder4 = new ResLayer(4 * width, 4 * width, norm);
    this.encoder10 = new ResLayer(16 * width, 16 * width, norm);
    this.decoder5 = new UpsampleBlock(16 * width, 8 * width, norm);
    this.decoder4 = new UpsampleBlock(8 * width, 4 * width, norm);
    this.decoder3 = new UpsampleBlock(4 * width, 2 * width, norm);
    this.decoder2 = new UpsampleBlock(2 * width, width, norm);
    this.decoder1 = new UpsampleBlock(width, width, norm);
    this.out = new OutBlock(width, numOutputFeatures);
  }

  protected override compute(x: Tensor): Tensor {
    const [s2, s4, s8, s16, s32] = this.swinViT.forward(x) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const d16 = this.decoder5.forward(this.encoder10.forward(s32), s16);
    const d8 = this.decoder4.forward(d16, this.encoder4.forward(s8));
    const d4 = this.decoder3.forward(d8, this.encoder3.forward(s4));
    const d2 = this.decoder2.forward(d4, this.encoder2.forward(s2));
    return this.out.forward(this.decoder1.forward(d2, this.encoder1.forward(x)));
  }

  /** The deepest map must have more than one cell, or instance normalisation would leave nothing of it. */
  #checkNormalisation(norm: NormName): void {
    const [height, width] = this.paddedShape;
    if (!isInstanceNorm(norm) || height * width > MULTIPLE * MULTIPLE) return;
    throw new ConfigError(
      `swinunetr cannot take a ${this.inputShape.join("×")} grid: its deepest map is one cell, which instance normalisation makes zero`,
      { hint: `use a grid with more than ${MULTIPLE} cells in one direction, or norm_name "batch"` },
    );
  }
}
