// UNet: four halvings with doubling width, a bottleneck, four doublings with skip connections.
// Paper: Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation" (arXiv 1505.04597), with padded
// convolutions and batch normalisation. Settings, layer names and state-dict keys are those of mfai's and py4cast's UNet.

import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import type { InputShape, ModelType } from "../network.js";
import { PaddedNetwork } from "../padded-network.js";
import { convBlock } from "./conv-block.js";
import { DoublingConv } from "./doubling-conv.js";

const MULTIPLE = 16;

const settingsSchema = z.strictObject({
  init_features: z.int().positive().default(64).describe("width of the first stage; each stage below is twice as wide"),
  autopad_enabled: z
    .boolean()
    .default(true)
    .describe(`centre-pad sizes that are no multiple of ${MULTIPLE} with zeros, and crop the output`),
});

/** Settings of `UNet`. */
export type UNetSettings = z.infer<typeof settingsSchema>;

/** (B, H, W, F) → (B, H, W, Fout). */
export class UNet extends PaddedNetwork {
  static readonly modelName = "unet";
  static readonly modelType: ModelType = "convolutional";
  static readonly onnxSupported = true;
  static readonly settings = settingsSchema;

  readonly max_pool = new nn.MaxPool2d(2);
  readonly encoder1: nn.Sequential;
  readonly encoder2: nn.Sequential;
  readonly encoder3: nn.Sequential;
  readonly encoder4: nn.Sequential;
  readonly bottleneck: nn.Sequential;
  readonly upconv4: DoublingConv;
  readonly decoder4: nn.Sequential;
  readonly upconv3: DoublingConv;
  readonly decoder3: nn.Sequential;
  readonly upconv2: DoublingConv;
  readonly decoder2: nn.Sequential;
  readonly upconv1: DoublingConv;
  readonly decoder1: nn.Sequential;
  readonly conv: nn.Conv2d;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: UNetSettings, inputShape: InputShape) {
    const rule = { multiple: MULTIPLE, autopad: settings.autopad_enabled };
    super(numInputFeatures, numOutputFeatures, settings, inputShape, rule);
    const width = settings.init_features;
    this.encoder1 = convBlock("enc1", numInputFeatures, width);
    this.encoder2 = convBlock("enc2", width, 2 * width);
    this.encoder3 = convBlock("enc3", 2 * width, 4 * width);
    this.encoder4 = convBlock("enc4", 4 * width, 8 * width);
    this.bottleneck = convBlock("bottleneck", 8 * width, 16 * width);
    this.upconv4 = new DoublingConv(16 * width, 8 * width);
    this.decoder4 = convBlock("dec4", 16 * width, 8 * width);
    this.upconv3 = new DoublingConv(8 * width, 4 * width);
    this.decoder3 = convBlock("dec3", 8 * width, 4 * width);
    this.upconv2 = new DoublingConv(4 * width, 2 * width);
    this.decoder2 = convBlock("dec2", 4 * width, 2 * width);
    this.upconv1 = new DoublingConv(2 * width, width);
    this.decoder1 = convBlock("dec1", 2 * width, width);
    this.conv = new nn.Conv2d(width, numOutputFeatures, 1);
  }

  protected override compute(x: Tensor): Tensor {
    const e1 = this.encoder1.forward(x);
    const e2 = this.encoder2.forward(this.max_pool.forward(e1));
    const e3 = this.encoder3.forward(this.max_pool.forward(e2));
    const e4 = this.encoder4.forward(this.max_pool.forward(e3));
    const deepest = this.bottleneck.forward(this.max_pool.forward(e4));
    const d4 = this.decoder4.forward(this.upconv4.concat(deepest, e4));
    const d3 = this.decoder3.forward(this.upconv3.concat(d4, e3));
    const d2 = this.decoder2.forward(this.upconv2.concat(d3, e2));
    const d1 = this.decoder1.forward(this.upconv1.concat(d2, e1));
    return this.conv.forward(d1);
  }
}
