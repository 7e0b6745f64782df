// CustomUNet: a U-Net whose encoder is a ResNet, optionally with pretrained weights.
// Settings, layer names and state-dict keys are those of mfai's CustomUNet. As there, the last stage of the decoder joins the input
// itself, so its width is the number of input features.

import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import type { InputShape, ModelType } from "../network.js";
import { PaddedNetwork } from "../padded-network.js";
import { convBlock } from "./conv-block.js";
import { DoublingConv } from "./doubling-conv.js";
import { loadPretrainedResNet } from "./pretrained-resnet.js";
import { encoderSettings, RESNET_STAGES, ResNetEncoder, weightsFileOf } from "./resnet-encoder.js";

const settingsSchema = z.strictObject({
  ...encoderSettings,
  encoder_depth: z
    .int()
    .min(1)
    .max(RESNET_STAGES)
    .default(RESNET_STAGES)
    .describe("stages of the encoder; each halves the grid"),
  autopad_enabled: z
    .boolean()
    .default(true)
    .describe("centre-pad sizes that are no multiple of 2^encoder_depth with zeros, and crop the output"),
});

/** Settings of `CustomUNet`. */
export type CustomUNetSettings = z.infer<typeof settingsSchema>;

/** (B, H, W, F) → (B, H, W, Fout). */
export class CustomUNet extends PaddedNetwork {
  static readonly modelName = "customunet";
  static readonly modelType: ModelType = "convolutional";
  static readonly onnxSupported = true;
  static readonly settings = settingsSchema;

  readonly encoder: ResNetEncoder;
  readonly upconvs = new nn.ModuleList<DoublingConv>();
  readonly decoders = new nn.ModuleList<DoubleConv>();
  readonly final_conv: nn.Conv2d;
  readonly #encoderWeights: string | null;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: CustomUNetSettings,
    inputShape: InputShape,
  ) {
    const { encoder_name: name, encoder_depth: depth } = settings;
    const rule = { multiple: 2 ** depth, autopad: settings.autopad_enabled };
    super(numInputFeatures, numOutputFeatures, settings, inputShape, rule);
    this.encoder = new ResNetEncoder(numInputFeatures, { name, depth });
    const widths = [...this.encoder.outFeatures].reverse();
    for (const [i, width] of widths.slice(1).entries()) {
      this.upconvs.append(new DoublingConv(widths[i]!, width));
      this.decoders.append(new DoubleConv(`dec${i}`, width));
    }
    this.final_conv = new nn.Conv2d(numInputFeatures, numOutputFeatures, 1);
    this.#encoderWeights = weightsFileOf(settings.encoder_weights);
  }

  override loadInitialWeights(): void {
    if (this.#encoderWeights !== null) loadPretrainedResNet(this.encoder, this.#encoderWeights);
  }

  protected override compute(input: Tensor): Tensor {
    const [deepest, ...skips] = this.encoder.forward(input).reverse() as [Tensor, ...Tensor[]];
    let x = deepest;
    for (const [i, skip] of skips.entries()) x = this.decoders.at(i).forward(this.upconvs.at(i).concat(x, skip));
    return this.final_conv.forward(x);
  }
}

/** The block of a stage, one level down, as mfai nests it: (B, 2·width, H, W) → (B, width, H, W). */
class DoubleConv extends nn.Module {
  readonly double_conv: nn.Sequential;

  constructor(name: string, width: number) {
    super();
    this.double_conv = convBlock(name, 2 * width, width);
  }

  override forward(x: Tensor): Tensor {
    return this.double_conv.forward(x);
  }
}
