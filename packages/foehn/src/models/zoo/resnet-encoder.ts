// ResNet 18, 34 and 50 as encoders: the feature maps of all stages, for any number of input features, with the last stages dilated
// instead of strided where a decoder wants finer maps. Layers and state-dict keys are torchvision's without the classifier.
// Pretrained weights come from a file; nothing is downloaded.

import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import { BasicBlock, Bottleneck, type ResidualBlockClass } from "./resnet-blocks.js";

/** Stages of a ResNet beside the input itself. */
export const RESNET_STAGES = 5;

const ENCODERS = {
  resnet18: { block: BasicBlock, layers: [2, 2, 2, 2] },
  resnet34: { block: BasicBlock, layers: [3, 4, 6, 3] },
  resnet50: { block: Bottleneck, layers: [3, 4, 6, 3] },
} as const satisfies Record<string, { block: ResidualBlockClass; layers: readonly number[] }>;

/** Name of an encoder. */
export type ResNetName = keyof typeof ENCODERS;

/** The settings that every network with such an encoder has. */
export const encoderSettings = {
  encoder_name: z
    .enum(["resnet18", "resnet34", "resnet50"])
    .default("resnet18")
    .describe("residual network that encodes"),
  encoder_weights: z
    .union([z.boolean(), z.string().min(1)])
    .default(false)
    .refine((value) => value !== true, {
      error:
        "true would download weights, and Foehn downloads none: save torchvision's file of the encoder (resnet18-f37072fd.pth, …) and give its path",
    })
    .describe("file with torchvision weights of the encoder (.pth or .safetensors) to start a training from"),
};

/** The file in a checked `encoder_weights`, or null. */
export const weightsFileOf = (setting: string | boolean): string | null =>
  typeof setting === "string" ? setting : null;

/** What an encoder is made of. */
export interface ResNetEncoderOptions {
  readonly name: ResNetName;
  /** Stages to run, 1 to 5; each halves the field. The layers of the others stay, frozen, because checkpoints have them. */
  readonly depth: number;
  /** Cells of the input per cell of the last map: 32, or 16 or 8 by dilation (Chen et al. 2017, arXiv 1706.05587). Default 32. */
  readonly outputStride?: 8 | 16 | 32;
}

/** (B, inFeatures, H, W) → `depth` + 1 maps: the input, then one per stage, the first at H/2 × W/2. */
export class ResNetEncoder extends nn.Module {
  readonly conv1: nn.Conv2d;
  readonly bn1 = new nn.BatchNorm2d(64);
  readonly relu = new nn.ReLU({ inplace: true });
  readonly maxpool = new nn.MaxPool2d(3, { stride: 2, padding: 1 });
  readonly layer1: nn.Sequential;
  readonly layer2: nn.Sequential;
  readonly layer3: nn.Sequential;
  readonly layer4: nn.Sequential;
  /** Features of the maps. */
  readonly outFeatures: readonly number[];
  /** Cells of the input per cell of the last map. */
  readonly outputStride: number;
  readonly #depth: number;

  constructor(
    readonly inFeatures: number,
    { name, depth, outputStride = 32 }: ResNetEncoderOptions,
  ) {
    super();
    const { block, layers } = ENCODERS[name];
    const wide = (width: number) => width * block.expansion;
    // A stage dilated for a finer map has no stride; the stage after it sees cells twice as far apart.
    const [third, fourth] = outputStride === 8 ? [2, 4] : outputStride === 16 ? [1, 2] : [1, 1];
    this.conv1 = new nn.Conv2d(inFeatures, 64, 7, { stride: 2, padding: 3, bias: false });
    this.layer1 = stage(block, layers[0], 64, 64, { stride: 1, dilation: 1 });
    this.layer2 = stage(block, layers[1], wide(64), 128, { stride: 2, dilation: 1 });
    this.layer3 = stage(block, layers[2], wide(128), 256, { stride: third === 1 ? 2 : 1, dilation: third });
    this.layer4 = stage(block, layers[3], wide(256), 512, { stride: fourth === 1 ? 2 : 1, dilation: fourth });
    this.#depth = depth;
    this.outFeatures = [inFeatures, 64, wide(64), wide(128), wide(256), wide(512)].slice(0, depth + 1);
    this.outputStride = Math.min(outputStride, 2 ** depth);
    this.apply((module) => {
      if (module instanceof nn.Conv2d) nn.init.kaimingNormal_(module.weight, { mode: "fan_out", nonlinearity: "relu" });
    });
    for (const unused of [this.layer1, this.layer2, this.layer3, this.layer4].slice(depth - 1)) {
      unused.requiresGrad_(false);
    }
  }

  override forward(x: Tensor): Tensor[] {
    const maps = [x];
    const stages = [
      (y: Tensor) => this.relu.forward(this.bn1.forward(this.conv1.forward(y))),
      (y: Tensor) => this.layer1.forward(this.maxpool.forward(y)),
      (y: Tensor) => this.layer2.forward(y),
      (y: Tensor) => this.layer3.forward(y),
      (y: Tensor) => this.layer4.forward(y),
    ];
    for (const run of stages.slice(0, this.#depth)) maps.push(run(maps.at(-1)!));
    return maps;
  }
}

function stage(
  Block: ResidualBlockClass,
  count: number,
  from: number,
  width: number,
  { stride, dilation }: { readonly stride: number; readonly dilation: number },
): nn.Sequential {
  const blocks = Array.from({ length: count }, (_, i) =>
    i === 0
      ? new Block(from, width, { stride, dilation })
      : new Block(width * Block.expansion, width, { stride: 1, dilation }),
  );
  return new nn.Sequential(...blocks);
}
