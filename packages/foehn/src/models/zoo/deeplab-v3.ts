// DeepLabV3: a ResNet dilated to an eighth of the grid, a pyramid of dilated convolutions, bilinear upsampling.
// Paper: Chen et al. 2017, "Rethinking atrous convolution for semantic image segmentation" (arXiv 1706.05587). Settings, layer names and
// state-dict keys are those of mfai's DeepLabV3.

import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import type { InputShape, ModelType } from "../network.js";
import { Aspp, normalised } from "./aspp.js";
import { DeepLab, deepLabSettings, segmentationHead } from "./deeplab.js";
import { RESNET_STAGES } from "./resnet-encoder.js";

const OUTPUT_STRIDE = 8;
const RATES = [12, 24, 36] as const;

const settingsSchema = z.strictObject({
  ...deepLabSettings,
  encoder_depth: z.int().min(3).max(RESNET_STAGES).default(RESNET_STAGES).describe("stages of the encoder"),
  upsampling: z.int().positive().default(8).describe("from the decoder's map to the grid"),
});

/** Settings of `DeepLabV3`. */
export type DeepLabV3Settings = z.infer<typeof settingsSchema>;

/** (B, H, W, F) → (B, H, W, Fout). Training needs two samples or more in a batch. */
export class DeepLabV3 extends DeepLab {
  static readonly modelName = "deeplabv3";
  static readonly modelType: ModelType = "convolutional";
  static readonly onnxSupported = true;
  static readonly settings = settingsSchema;

  /** Pyramid, 3×3 convolution, normalisation, ReLU. */
  override readonly decoder: nn.Sequential;
  override readonly segmentation_head: nn.Sequential;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: DeepLabV3Settings,
    inputShape: InputShape,
  ) {
    const shape = { outputStride: OUTPUT_STRIDE, decoderStride: OUTPUT_STRIDE } as const;
    super(numInputFeatures, numOutputFeatures, settings, inputShape, shape);
    const width = settings.decoder_channels;
    const pyramid = new Aspp({ inFeatures: this.encoder.outFeatures.at(-1)!, outFeatures: width, rates: RATES });
    const conv = new nn.Conv2d(width, width, 3, { padding: 1, bias: false });
    this.decoder = new nn.Sequential(pyramid, ...normalised(conv, width));
    this.segmentation_head = segmentationHead(numOutputFeatures, settings);
  }

  protected override decode(maps: readonly Tensor[]): Tensor {
    return this.decoder.forward(maps.at(-1)!);
  }
}
