// What DeepLabV3 and DeepLabV3+ share: a ResNet encoder, a head that ends in bilinear upsampling, settings and their checks.

import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import type { InputShape, NetworkSettings } from "../network.js";
import { PaddedNetwork } from "../padded-network.js";
import { loadPretrainedResNet } from "./pretrained-resnet.js";
import { encoderSettings, ResNetEncoder, weightsFileOf } from "./resnet-encoder.js";

const ACTIVATIONS = {
  identity: () => new nn.Identity(),
  sigmoid: () => new nn.Sigmoid(),
  softmax: () => new nn.Softmax(1),
  softmax2d: () => new nn.Softmax(1),
  logsoftmax: () => new nn.LogSoftmax(1),
  tanh: () => new nn.Tanh(),
};

/** Settings that both have. */
export const deepLabSettings = {
  ...encoderSettings,
  decoder_channels: z.int().positive().default(256).describe("width of the decoder"),
  activation: z
    .enum(Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[])
    .nullable()
    .default(null)
    .describe("applied to the output"),
  aux_params: z.null().default(null).describe("the reference's classification head, of no use here: only null"),
  autopad_enabled: z
    .boolean()
    .default(true)
    .describe("centre-pad sizes that are no multiple of the encoder's stride with zeros, and crop the output"),
};

/** Settings that both have, checked. */
export type DeepLabSettings = z.infer<z.ZodObject<typeof deepLabSettings>> & {
  readonly encoder_depth: number;
  readonly upsampling: number;
} & NetworkSettings;

/** The encoder, and how much coarser than the input the decoder's map is. */
export interface DeepLabShape {
  readonly outputStride: 8 | 16;
  readonly decoderStride: number;
}

/** Base class: encoder, decoder, head. */
export abstract class DeepLab extends PaddedNetwork {
  readonly encoder: ResNetEncoder;
  abstract readonly decoder: nn.Module;
  abstract readonly segmentation_head: nn.Sequential;
  readonly #encoderWeights: string | null;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: DeepLabSettings,
    inputShape: InputShape,
    { outputStride, decoderStride }: DeepLabShape,
  ) {
    const { encoder_name: name, encoder_depth: depth, upsampling } = settings;
    const multiple = Math.min(outputStride, 2 ** depth);
    super(numInputFeatures, numOutputFeatures, settings, inputShape, {
      multiple,
      autopad: settings.autopad_enabled,
      normStride: Number.POSITIVE_INFINITY,
    });
    if (upsampling !== decoderStride) {
      throw new ConfigError(`upsampling ${upsampling} does not bring the output back to the grid`, {
        hint: `with encoder_depth ${depth} it must be ${decoderStride}`,
      });
    }
    this.encoder = new ResNetEncoder(numInputFeatures, { name, depth, outputStride });
    this.#encoderWeights = weightsFileOf(settings.encoder_weights);
  }

  override loadInitialWeights(): void {
    if (this.#encoderWeights !== null) loadPretrainedResNet(this.encoder, this.#encoderWeights);
  }

  /** The encoder's maps, the input first, to one map of `decoder_channels` features. */
  protected abstract decode(maps: readonly Tensor[]): Tensor;

  protected override compute(x: Tensor): Tensor {
    return this.segmentation_head.forward(this.decode(this.encoder.forward(x)));
  }
}

/** 1×1 convolution, bilinear upsampling, activation: layers "0", "1", "2". */
export function segmentationHead(outFeatures: number, settings: DeepLabSettings): nn.Sequential {
  const { decoder_channels: width, upsampling, activation } = settings;
  const conv = new nn.Conv2d(width, outFeatures, 1);
  const up = upsampling > 1 ? new nn.UpsamplingBilinear2d({ scaleFactor: upsampling }) : new nn.Identity();
  return new nn.Sequential(conv, up, ACTIVATIONS[activation ?? "identity"]());
}
