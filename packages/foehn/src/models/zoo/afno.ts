// AFNO, the network of FourCastNet: patches of the field as tokens, mixed by Fourier filters and by perceptrons.
// Papers: Guibas et al. 2022 (arXiv 2111.13587), Pathak et al. 2022, "FourCastNet" (arXiv 2202.11214). Layers and state-dict keys are those of
// AFNONet in NVIDIA's FourCastNet repository, so its checkpoints load; the defaults are its published configuration (config/AFNO.yaml).

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import type { InputShape, ModelType } from "../network.js";
import { PaddedNetwork } from "../padded-network.js";
import { AfnoFilter } from "./afno-filter.js";
import { DropPath } from "./drop-path.js";

const INITIAL_STD = 0.02;
const NORM_EPS = 1e-6;

const rate = () => z.number().min(0).lt(1).default(0);
const settingsSchema = z
  .strictObject({
    patch_size: z.int().positive().default(8).describe("side of a patch in grid cells"),
    embed_dim: z.int().positive().default(768).describe("features of a token"),
    depth: z.int().positive().default(12).describe("blocks"),
    num_blocks: z.int().positive().default(8).describe("groups of features that a filter mixes among themselves"),
    mlp_ratio: z.number().positive().default(4).describe("width of the perceptrons, as a multiple of embed_dim"),
    drop_rate: rate().describe("dropout of tokens and perceptrons"),
    drop_path_rate: rate().describe("stochastic depth of the last block; the first has none"),
    sparsity_threshold: z.number().min(0).default(0.01).describe("Fourier coefficients smaller than this become zero"),
    hard_thresholding_fraction: z.number().positive().max(1).default(1).describe("share of the wave numbers that pass"),
    autopad_enabled: z
      .boolean()
      .default(true)
      .describe("centre-pad sizes that are no multiple of patch_size with zeros, and crop the output"),
  })
  .refine((settings) => settings.embed_dim % settings.num_blocks === 0, {
    path: ["num_blocks"],
    message: "must divide embed_dim",
  });

/** Settings of `Afno`. */
export type AfnoSettings = z.infer<typeof settingsSchema>;

/** (B, H, W, F) → (B, H, W, Fout). The position embedding fixes the size of the grid. */
export class Afno extends PaddedNetwork {
  static readonly modelName = "afno";
  static readonly modelType: ModelType = "vision_transformer";
  static readonly onnxSupported = false;
  static readonly settings = settingsSchema;

  readonly pos_embed: nn.Parameter;
  readonly patch_embed: PatchEmbed;
  readonly pos_drop: nn.Dropout;
  readonly blocks: nn.ModuleList<Block>;
  /** Never used; frozen. Checkpoints have it. */
  readonly norm: nn.LayerNorm;
  readonly head: nn.Linear;
  readonly #patch: number;
  /** Patches along latitude and longitude. */
  readonly #tokens: readonly [number, number];

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: AfnoSettings, inputShape: InputShape) {
    const { patch_size: patch, embed_dim: features, depth, drop_rate, drop_path_rate } = settings;
    const rule = { multiple: patch, autopad: settings.autopad_enabled, normStride: 0 };
    super(numInputFeatures, numOutputFeatures, settings, inputShape, rule);
    this.#patch = patch;
    this.#tokens = [this.paddedShape[0] / patch, this.paddedShape[1] / patch];
    this.pos_embed = new nn.Parameter(torch.zeros([1, this.#tokens[0] * this.#tokens[1], features]));
    this.patch_embed = new PatchEmbed(numInputFeatures, features, patch);
    this.pos_drop = new nn.Dropout(drop_rate);
    const pathRate = (i: number) => (depth === 1 ? 0 : (drop_path_rate * i) / (depth - 1));
    this.blocks = new nn.ModuleList(Array.from({ length: depth }, (_, i) => new Block(settings, pathRate(i))));
    this.norm = new nn.LayerNorm(features, { eps: NORM_EPS }).requiresGrad_(false);
    this.head = new nn.Linear(features, numOutputFeatures * patch * patch, { bias: false });
    this.#initialise();
  }

  /** Also takes FourCastNet's checkpoints as they are: their `ged` belongs to the training script. */
  override loadStateDict(
    state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
    options?: { readonly strict?: boolean },
  ): nn.LoadResult {
    const entries = state instanceof Map ? [...(state as ReadonlyMap<string, Tensor>)] : Object.entries(state);
    return super.loadStateDict(new Map(entries.filter(([name]) => name !== "ged")), options);
  }

  protected override compute(x: Tensor): Tensor {
    const [rows, columns] = this.#tokens;
    const patch = this.#patch;
    if (x.size(2) !== rows * patch || x.size(3) !== columns * patch) {
      throw new ConfigError(
        `this afno is for a ${this.inputShape.join("×")} grid, not for ${x.shape.slice(2).join("×")}`,
        {
          hint: "its position embedding fixes the size; make a network for this grid",
        },
      );
    }
    const position = this.pos_embed.reshape([1, rows, columns, -1]);
    let tokens = this.pos_drop.forward(this.patch_embed.forward(x).permute([0, 2, 3, 1]).add(position));
    for (const block of this.blocks) tokens = block.forward(tokens);
    const patches = this.head.forward(tokens).reshape([-1, rows, columns, patch, patch, this.numOutputFeatures]);
    const field = patches
      .permute([0, 1, 3, 2, 4, 5])
      .reshape([-1, rows * patch, columns * patch, this.numOutputFeatures]);
    return field.permute([0, 3, 1, 2]);
  }

  #initialise(): void {
    nn.init.truncNormal_(this.pos_embed, 0, INITIAL_STD);
    this.apply((module) => {
      if (!(module instanceof nn.Linear)) return;
      nn.init.truncNormal_(module.weight, 0, INITIAL_STD);
      if (module.bias !== null) nn.init.zeros_(module.bias);
    });
  }
}

/** Each patch to one token: (B, F, H, W) → (B, features, H/patch, W/patch). */
class PatchEmbed extends nn.Module {
  readonly proj: nn.Conv2d;

  constructor(inFeatures: number, features: number, patch: number) {
    super();
    this.proj = new nn.Conv2d(inFeatures, features, patch, { stride: patch });
  }

  override forward(x: Tensor): Tensor {
    return this.proj.forward(x);
  }
}

/** Filter and perceptron, each around a skip: (B, h, w, C) → (B, h, w, C). */
class Block extends nn.Module {
  readonly norm1: nn.LayerNorm;
  readonly filter: AfnoFilter;
  readonly drop_path: DropPath;
  readonly norm2: nn.LayerNorm;
  readonly mlp: Mlp;

  constructor(settings: AfnoSettings, dropPathRate: number) {
    super();
    const features = settings.embed_dim;
    this.norm1 = new nn.LayerNorm(features, { eps: NORM_EPS });
    this.filter = new AfnoFilter({
      features,
      numBlocks: settings.num_blocks,
      sparsityThreshold: settings.sparsity_threshold,
      hardThresholdingFraction: settings.hard_thresholding_fraction,
    });
    this.drop_path = new DropPath(dropPathRate);
    this.norm2 = new nn.LayerNorm(features, { eps: NORM_EPS });
    this.mlp = new Mlp(features, Math.floor(features * settings.mlp_ratio), settings.drop_rate);
  }

  override forward(x: Tensor): Tensor {
    const mixed = this.filter.forward(this.norm1.forward(x)).add(x);
    return this.drop_path.forward(this.mlp.forward(this.norm2.forward(mixed))).add(mixed);
  }
}

/** Linear, GELU, linear, with dropout. */
class Mlp extends nn.Module {
  readonly fc1: nn.Linear;
  readonly act = new nn.GELU();
  readonly fc2: nn.Linear;
  readonly drop: nn.Dropout;

  constructor(features: number, width: number, dropRate: number) {
    super();
    this.fc1 = new nn.Linear(features, width);
    this.fc2 = new nn.Linear(width, features);
    this.drop = new nn.Dropout(dropRate);
  }

  override forward(x: Tensor): Tensor {
    const hidden = this.drop.forward(this.act.forward(this.fc1.forward(x)));
    return this.drop.forward(this.fc2.forward(hidden));
  }
}
