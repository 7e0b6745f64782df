// The Swin transformer as encoder: patches of 2×2 cells, then four stages of blocks, each followed by a merging of 2×2 patches.
// Paper: Liu et al. 2021, "Swin transformer" (arXiv 2103.14030). Names of layers are those of MONAI's SwinTransformer.

import { nn, type Tensor } from "@foehn/torch";
import { PointwiseLinear } from "../pointwise.js";
import { ResBlock } from "../res-block.js";
import type { SwinUNetRSettings } from "./settings.js";
import { SwinBlock } from "./swin-block.js";
import { shiftMask, windowsOf } from "./windows.js";

/** Side of a patch, in cells. */
const PATCH = 2;

/** 2×2 neighbours, column by column, normalised and mapped to twice the width: (B, H, W, F) → (B, H/2, W/2, 2F). */
class PatchMerging extends nn.Module {
  readonly reduction: PointwiseLinear;
  readonly norm: nn.LayerNorm;

  constructor(width: number) {
    super();
    this.reduction = new PointwiseLinear(4 * width, 2 * width, { bias: false });
    this.norm = new nn.LayerNorm(4 * width);
  }

  override forward(x: Tensor): Tensor {
    const [batch, height, columns, width] = x.shape as [number, number, number, number];
    const merged = x
      .reshape([batch, height / 2, 2, columns / 2, 2, width])
      .permute([0, 1, 3, 4, 2, 5])
      .reshape([batch, height / 2, columns / 2, 4 * width]);
    return this.reduction.forward(this.norm.forward(merged));
  }
}

/** The blocks of one stage, every other one with shifted windows, then the merging. */
class Stage extends nn.Module {
  readonly blocks: nn.ModuleList<SwinBlock>;
  readonly downsample: PatchMerging;
  /** The mask of shifted windows on the grid the network is made for. */
  declare readonly mask: Tensor | null;
  readonly #grid: readonly [number, number];

  constructor(width: number, blocks: readonly SwinBlock[], grid: readonly [number, number]) {
    super();
    this.blocks = new nn.ModuleList(blocks);
    this.downsample = new PatchMerging(width);
    this.registerBuffer("mask", shiftMask(windowsOf(grid, true)), { persistent: false });
    this.#grid = grid;
  }

  override forward(x: Tensor): Tensor {
    const grid = x.shape.slice(1, 3) as [number, number];
    const [plain, shifted] = [windowsOf(grid, false), windowsOf(grid, true)];
    const mask = grid.every((cells, i) => cells === this.#grid[i])
      ? this.mask
      : (shiftMask(shifted)?.to({ device: x.device }) ?? null);
    let y = x;
    for (const [i, block] of [...this.blocks].entries()) {
      y = i % 2 === 0 ? block.forward(y, plain, null) : block.forward(y, shifted, mask);
    }
    return this.downsample.forward(y);
  }
}

/** The only child "0" of what MONAI keeps as a list. */
class PatchEmbedding extends nn.Module {
  readonly proj: nn.Conv2d;

  constructor(inFeatures: number, width: number) {
    super();
    this.proj = new nn.Conv2d(inFeatures, width, PATCH, { stride: PATCH });
  }

  override forward(x: Tensor): Tensor {
    return this.proj.forward(x);
  }
}

/** A residual block as the child `layer` (MONAI: UnetrBasicBlock). */
export class ResLayer extends nn.Module {
  readonly layer: ResBlock;

  constructor(...of: ConstructorParameters<typeof ResBlock>) {
    super();
    this.layer = new ResBlock(...of);
  }

  override forward(x: Tensor): Tensor {
    return this.layer.forward(x);
  }
}

/** (B, F, H, W) → five maps (B, c·2ⁱ, H/2ⁱ⁺¹, W/2ⁱ⁺¹), where c is `feature_size`. */
export class SwinTransformer extends nn.Module {
  readonly patch_embed: PatchEmbedding;
  readonly pos_drop: nn.Dropout;
  readonly layers1: nn.ModuleList<Stage>;
  readonly layers2: nn.ModuleList<Stage>;
  readonly layers3: nn.ModuleList<Stage>;
  readonly layers4: nn.ModuleList<Stage>;
  readonly layers1c: nn.ModuleList<ResLayer>;
  readonly layers2c: nn.ModuleList<ResLayer>;
  readonly layers3c: nn.ModuleList<ResLayer>;
  readonly layers4c: nn.ModuleList<ResLayer>;
  readonly #normalize: boolean;

  /** @param shape size of the input, a multiple of 32 */
  constructor(inFeatures: number, settings: SwinUNetRSettings, shape: readonly [number, number]) {
    super();
    const { feature_size, depths, num_heads, dropout_path_rate } = settings;
    this.patch_embed = new PatchEmbedding(inFeatures, feature_size);
    this.pos_drop = new nn.Dropout(settings.drop_rate);
    const total = depths.reduce((sum, depth) => sum + depth, 0);
    let made = 0;
    const stage = (i: number) => {
      const width = feature_size * 2 ** i;
      const blocks = Array.from({ length: depths[i]! }, () => {
        const dropPath = total > 1 ? (dropout_path_rate * made++) / (total - 1) : 0;
        const { drop_rate: dropout, attn_drop_rate: attentionDropout } = settings;
        return new SwinBlock({ width, heads: num_heads[i]!, attentionDropout, dropout, dropPath });
      });
      const cells = PATCH * 2 ** i;
      return new nn.ModuleList([new Stage(width, blocks, [shape[0] / cells, shape[1] / cells])]);
    };
    const before = (i: number) => {
      const width = feature_size * 2 ** i;
      return new nn.ModuleList(settings.use_v2 ? [new ResLayer(width, width, "instance")] : []);
    };
    this.layers1 = stage(0);
    this.layers2 = stage(1);
    this.layers3 = stage(2);
    this.layers4 = stage(3);
    this.layers1c = before(0);
    this.layers2c = before(1);
    this.layers3c = before(2);
    this.layers4c = before(3);
    this.#normalize = settings.normalize;
  }

  override forward(x: Tensor): Tensor[] {
    let features = this.pos_drop.forward(this.patch_embed.forward(x)).permute([0, 2, 3, 1]);
    const outputs = [this.#output(features)];
    for (const [stage, before] of [
      [this.layers1, this.layers1c],
      [this.layers2, this.layers2c],
      [this.layers3, this.layers3c],
      [this.layers4, this.layers4c],
    ] as const) {
      for (const block of before) features = block.forward(features.permute([0, 3, 1, 2])).permute([0, 2, 3, 1]);
      for (const layer of stage) features = layer.forward(features);
      outputs.push(this.#output(features));
    }
    return outputs;
  }

  /** A map for the decoder: (B, H, W, F) → (B, F, H, W). */
  #output(features: Tensor): Tensor {
    const norm = new nn.LayerNorm(features.size(-1), { elementwiseAffine: false });
    return (this.#normalize ? norm.forward(features) : features).permute([0, 3, 1, 2]);
  }
}
