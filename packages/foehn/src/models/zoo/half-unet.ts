// HalfUNet: a U-Net whose encoder stages all have the same width, whose decoder is one sum of upsampled stages and one block.
// Paper: Lu et al. 2022, "Half-UNet: a simplified U-Net architecture for medical image segmentation" (doi 10.3389/fninf.2022.911679).
// Settings, layer names and state-dict keys are those of mfai's and py4cast's HalfUNet, so their checkpoints load by their own keys.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import type { InputShape, ModelType } from "../network.js";
import { PaddedNetwork } from "../padded-network.js";
import { GhostModule } from "./ghost-module.js";

/** Four 2×2 poolings: sizes must be multiples of this, by nature or by padding. */
const MULTIPLE = 16;

const settingsSchema = z
  .strictObject({
    num_filters: z.int().positive().default(64).describe("width of every stage"),
    dilation: z.int().positive().default(1).describe("dilation of the 3×3 convolutions"),
    bias: z.boolean().default(false).describe("biases in the convolutions"),
    use_ghost: z.boolean().default(false).describe("ghost modules: half of the features by depthwise convolutions"),
    last_activation: z.string().default("Identity").describe("torch.nn class applied to the output"),
    absolute_pos_embed: z
      .boolean()
      .default(false)
      .describe("learned field added to the input of every block; fixes the size"),
    autopad_enabled: z
      .boolean()
      .default(true)
      .describe(`centre-pad sizes that are no multiple of ${MULTIPLE} with zeros, and crop the output`),
  })
  .refine((settings) => !settings.use_ghost || settings.num_filters % 2 === 0, {
    path: ["num_filters"],
    message: "must be even with use_ghost",
  });

/** Settings of `HalfUNet`. */
export type HalfUNetSettings = z.infer<typeof settingsSchema>;

/** (B, H, W, F) → (B, H, W, Fout). */
export class HalfUNet extends PaddedNetwork {
  static readonly modelName = "halfunet";
  static readonly modelType: ModelType = "convolutional";
  static readonly onnxSupported = true;
  static readonly settings = settingsSchema;

  readonly encoder1: nn.Sequential;
  readonly pool1 = new nn.MaxPool2d(2);
  readonly encoder2: nn.Sequential;
  readonly up2 = new nn.UpsamplingBilinear2d({ scaleFactor: 2 });
  readonly pool2 = new nn.MaxPool2d(2);
  readonly encoder3: nn.Sequential;
  readonly up3 = new nn.UpsamplingBilinear2d({ scaleFactor: 4 });
  readonly pool3 = new nn.MaxPool2d(2);
  readonly encoder4: nn.Sequential;
  readonly up4 = new nn.UpsamplingBilinear2d({ scaleFactor: 8 });
  readonly pool4 = new nn.MaxPool2d(2);
  readonly encoder5: nn.Sequential;
  readonly up5 = new nn.UpsamplingBilinear2d({ scaleFactor: 16 });
  readonly decoder: nn.Sequential;
  readonly outconv: nn.Conv2d;
  readonly activation: nn.UnaryModule;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: HalfUNetSettings, inputShape: InputShape) {
    const rule = { multiple: MULTIPLE, autopad: settings.autopad_enabled };
    super(numInputFeatures, numOutputFeatures, settings, inputShape, rule);
    const size = this.paddedShape;
    const width = settings.num_filters;
    this.encoder1 = block("enc1", numInputFeatures, settings, size);
    this.encoder2 = block("enc2", width, settings, scaled(size, 2));
    this.encoder3 = block("enc3", width, settings, scaled(size, 4));
    this.encoder4 = block("enc4", width, settings, scaled(size, 8));
    this.encoder5 = block("enc5", width, settings, scaled(size, 16));
    this.decoder = block("decoder", width, settings, size);
    this.outconv = new nn.Conv2d(width, numOutputFeatures, 1, { bias: settings.bias });
    this.activation = activationNamed(settings.last_activation);
  }

  protected override compute(x: Tensor): Tensor {
    const e1 = this.encoder1.forward(x);
    const e2 = this.encoder2.forward(this.pool1.forward(e1));
    const e3 = this.encoder3.forward(this.pool2.forward(e2));
    const e4 = this.encoder4.forward(this.pool3.forward(e3));
    const e5 = this.encoder5.forward(this.pool4.forward(e4));
    // The first sum is a new tensor, so the others may be added to it in place: autograd keeps neither.
    const sum = e1.add(this.up2.forward(e2));
    sum.add_(this.up3.forward(e3));
    sum.add_(this.up4.forward(e4));
    sum.add_(this.up5.forward(e5));
    return this.activation.forward(this.outconv.forward(this.decoder.forward(sum)));
  }
}

/** conv–norm–relu twice, or two ghost modules; with a position embedding in front the children are numbered, as in mfai. */
function block(name: string, inFeatures: number, settings: HalfUNetSettings, size: readonly number[]): nn.Sequential {
  const { num_filters: width, dilation, bias } = settings;
  const conv = (from: number) => new nn.Conv2d(from, width, 3, { padding: dilation, dilation, bias });
  const layers: Record<string, nn.UnaryModule> = settings.use_ghost
    ? {
        [`${name}ghost1`]: new GhostModule(inFeatures, width, { dilation, bias }),
        [`${name}ghost2`]: new GhostModule(width, width, { dilation, bias }),
      }
    : {
        [`${name}conv1`]: conv(inFeatures),
        [`${name}norm1`]: new nn.BatchNorm2d(width),
        [`${name}relu1`]: new nn.ReLU({ inplace: true }),
        [`${name}conv2`]: conv(width),
        [`${name}norm2`]: new nn.BatchNorm2d(width),
        [`${name}relu2`]: new nn.ReLU({ inplace: true }),
      };
  if (!settings.absolute_pos_embed) return new nn.Sequential(layers);
  return new nn.Sequential(new AbsolutePosEmbedding(inFeatures, size), ...Object.values(layers));
}

/** x + a learned (1, C, h, w) field, drawn from uniform ±1/√C. */
class AbsolutePosEmbedding extends nn.Module {
  readonly pos_embedding: nn.Parameter;

  constructor(features: number, size: readonly number[]) {
    super();
    const limit = 1 / Math.sqrt(features);
    this.pos_embedding = new nn.Parameter(
      torch
        .rand([1, features, ...size])
        .mul(2 * limit)
        .sub(limit),
    );
  }

  override forward(x: Tensor): Tensor {
    return x.add(this.pos_embedding);
  }
}

function activationNamed(name: string): nn.UnaryModule {
  try {
    return nn.activation(name);
  } catch (error) {
    throw new ConfigError(`last_activation: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

const scaled = (size: readonly number[], factor: number) => size.map((n) => n / factor);
