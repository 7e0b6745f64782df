// A block of UNETR++: paired attention added to its input, then convolutions added to that.
// Paper: Shaker et al. 2024, "UNETR++" (arXiv 2212.04497). Names of layers are those of mfai's TransformerBlock.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { ResBlock } from "../res-block.js";
import { PairedAttention, type PairedAttentionOptions } from "./attention.js";

/** What all blocks of a network have in common. */
export type AttentionKind = Pick<PairedAttentionOptions, "learnedTemperature" | "scrambled" | "dropout">;

/** (B, C, H, W) → the same; H·W is fixed. */
export class TransformerBlock extends nn.Module {
  readonly gamma: nn.Parameter;
  readonly pos_embed: nn.Parameter;
  readonly norm: nn.LayerNorm;
  readonly epa_block: PairedAttention;
  readonly conv51: ResBlock;
  readonly conv8: nn.Sequential;

  /** @param options of the attention; `dropout` is also that of the last convolution's channels */
  constructor(options: PairedAttentionOptions) {
    super();
    const { width, places, dropout } = options;
    this.gamma = new nn.Parameter(torch.full([width], 1e-6));
    this.pos_embed = new nn.Parameter(torch.zeros([1, places, width]));
    this.norm = new nn.LayerNorm(width);
    this.epa_block = new PairedAttention(options);
    this.conv51 = new ResBlock(width, width, "batch");
    this.conv8 = new nn.Sequential(new nn.Dropout2d(dropout), new nn.Conv2d(width, width, 1));
  }

  override forward(x: Tensor): Tensor {
    const [batch, width, height, columns] = x.shape as [number, number, number, number];
    const tokens = x
      .permute([0, 2, 3, 1])
      .reshape([batch, height * columns, width])
      .to(this.pos_embed.dtype)
      .add(this.pos_embed);
    const attention = this.epa_block.forward(this.norm.forward(tokens));
    const attended = torch.addcmul(tokens, attention.to(tokens.dtype), this.gamma);
    const image = attended.reshape([batch, height, columns, width]).permute([0, 3, 1, 2]);
    return image.add(this.conv8.forward(this.conv51.forward(image)).to(image.dtype));
  }
}
