// The encoder of UNETR++: four stages, each a strided convolution with group normalisation and some transformer blocks.
// Names of layers are those of mfai's UNetRPPEncoder.

import { nn, type Tensor } from "@foehn/torch";
import { NamedConv } from "../res-block.js";
import type { UNetRPPSettings } from "./settings.js";
import { type AttentionKind, TransformerBlock } from "./transformer-block.js";

/** Standard deviation of the initial weights. */
const INITIAL_STD = 0.02;

/** Widths of the four stages. */
export const stageWidths = ({ hidden_size: size }: UNetRPPSettings) => [size / 8, size / 4, size / 2, size] as const;

/** (B, F, H, W) → the maps of the four stages, at 1/r, 1/2r, 1/4r and 1/8r of the size, where r is `downsampling_rate`. */
export class Encoder extends nn.Module {
  readonly downsample_layers: nn.ModuleList<nn.Sequential>;
  readonly stages: nn.ModuleList<nn.Sequential>;

  /** @param places cells of each stage's map */
  constructor(inFeatures: number, settings: UNetRPPSettings, kind: AttentionKind, places: readonly number[]) {
    super();
    const widths = stageWidths(settings);
    const shrink = (from: number, to: number, side: number, groups: number) =>
      new nn.Sequential(new NamedConv(from, to, side, { stride: side }), new nn.GroupNorm(groups, to));
    this.downsample_layers = new nn.ModuleList(
      widths.map((width, i) => {
        const before = widths[i - 1];
        return before === undefined
          ? shrink(inFeatures, width, settings.downsampling_rate, 4)
          : shrink(before, width, 2, before);
      }),
    );
    this.stages = new nn.ModuleList(
      widths.map((width, i) => {
        const [heads, projected] = [settings.num_heads_encoder, settings.encoder_proj_sizes[i]!];
        const block = () => new TransformerBlock({ ...kind, places: places[i]!, width, heads, projected });
        return new nn.Sequential(...Array.from({ length: settings.depths[i]! }, block));
      }),
    );
    this.apply((module) => {
      if (!(module instanceof nn.Conv2d || module instanceof nn.Linear)) return;
      nn.init.truncNormal_(module.weight, 0, INITIAL_STD);
      if (module.bias !== null) nn.init.zeros_(module.bias);
    });
  }

  override forward(x: Tensor): Tensor[] {
    const maps: Tensor[] = [];
    for (const [i, stage] of [...this.stages].entries()) {
      maps.push(stage.forward(this.downsample_layers.at(i).forward(maps.at(-1) ?? x)));
    }
    return maps;
  }
}
