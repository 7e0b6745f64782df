// DeepLabV3+: DeepLabV3 with a coarser encoder, separable convolutions, and a decoder that joins a finer map of the encoder.
// Paper: Chen et al. 2018, "Encoder-decoder with atrous separable convolution for semantic image segmentation" (arXiv 1802.02611).
// Settings, layer names and state-dict keys are those of mfai's DeepLabV3Plus.

import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import { catFeatures } from "../layout.js";
import type { InputShape, ModelType } from "../network.js";
import { Aspp, normalised, separableConv } from "./aspp.js";
import { DeepLab, deepLabSettings, segmentationHead } from "./deeplab.js";
import { RESNET_STAGES } from "./resnet-encoder.js";

/** Cells of the grid per cell of the finer map that the decoder joins. */
const FINER_STRIDE = 4;
/** Features that the finer map is brought to (paper, section 3.1). */
const FINER_FEATURES = 48;

const settingsSchema = z.strictObject({
  ...deepLabSettings,
  encoder_depth: z
    .literal(RESNET_STAGES)
    .default(RESNET_STAGES)
    .describe("stages of the encoder; the decoder fits all five only"),
  encoder_output_stride: z
    .union([z.literal(8), z.literal(16)])
    .default(16)
    .describe("cells of the grid per cell of the encoder's last map, 8 or 16"),
  decoder_atrous_rates: z
    .tuple([z.int().positive(), z.int().positive(), z.int().positive()])
    .default([12, 24, 36])
    .describe("dilations of the pyramid"),
  upsampling: z.int().positive().default(4).describe("from the decoder's map to the grid"),
});

/** Settings of `DeepLabV3Plus`. */
export type DeepLabV3PlusSettings = z.infer<typeof settingsSchema>;

/** (B, H, W, F) → (B, H, W, Fout). Training needs two samples or more in a batch. */
export class DeepLabV3Plus extends DeepLab {
  static readonly modelName = "deeplabv3plus";
  static readonly modelType: ModelType = "convolutional";
  static readonly onnxSupported = true;
  static readonly settings = settingsSchema;

  override readonly decoder: Decoder;
  override readonly segmentation_head: nn.Sequential;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: DeepLabV3PlusSettings,
    inputShape: InputShape,
  ) {
    const outputStride = settings.encoder_output_stride;
    super(numInputFeatures, numOutputFeatures, settings, inputShape, { outputStride, decoderStride: FINER_STRIDE });
    this.decoder = new Decoder(this.encoder.outFeatures, settings);
    this.segmentation_head = segmentationHead(numOutputFeatures, settings);
  }

  protected override decode(maps: readonly Tensor[]): Tensor {
    return this.decoder.forward(maps.at(-1)!, maps.at(-4)!);
  }
}

class Decoder extends nn.Module {
  readonly aspp: nn.Sequential;
  readonly up: nn.UpsamplingBilinear2d;
  readonly block1: nn.Sequential;
  readonly block2: nn.Sequential;

  constructor(encoderFeatures: readonly number[], settings: DeepLabV3PlusSettings) {
    super();
    const width = settings.decoder_channels;
    const near = { padding: 1, dilation: 1 };
    const pyramid = new Aspp({
      inFeatures: encoderFeatures.at(-1)!,
      outFeatures: width,
      rates: settings.decoder_atrous_rates,
      separable: true,
    });
    this.aspp = new nn.Sequential(pyramid, ...normalised(separableConv(width, width, near), width));
    this.up = new nn.UpsamplingBilinear2d({ scaleFactor: settings.encoder_output_stride / FINER_STRIDE });
    this.block1 = normalised(
      new nn.Conv2d(encoderFeatures.at(-4)!, FINER_FEATURES, 1, { bias: false }),
      FINER_FEATURES,
    );
    this.block2 = normalised(separableConv(FINER_FEATURES + width, width, near), width);
  }

  override forward(last: Tensor, finer: Tensor): Tensor {
    const coarse = this.up.forward(this.aspp.forward(last));
    return this.block2.forward(catFeatures([coarse, this.block1.forward(finer)]));
  }
}
