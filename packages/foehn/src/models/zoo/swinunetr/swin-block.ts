// A Swin transformer block: attention in (shifted) windows, then a feed-forward, each behind a layer normalisation and added to
// its input. Names of layers are those of MONAI's SwinTransformerBlock.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { DropPath } from "../drop-path.js";
import { PointwiseLinear } from "../pointwise.js";
import { type AttentionOptions, WindowAttention } from "./window-attention.js";
import type { Windows } from "./windows.js";

/** Hidden width of the feed-forward / width. */
const EXPANSION = 4;

/** Linear, GELU, linear. */
class FeedForward extends nn.Module {
  readonly linear1: PointwiseLinear;
  readonly linear2: PointwiseLinear;
  readonly drop1: nn.Dropout;

  constructor(width: number, dropout: number) {
    super();
    this.linear1 = new PointwiseLinear(width, EXPANSION * width);
    this.linear2 = new PointwiseLinear(EXPANSION * width, width);
    this.drop1 = new nn.Dropout(dropout);
  }

  override forward(x: Tensor): Tensor {
    const hidden = this.drop1.forward(torch.gelu(this.linear1.forward(x)));
    return this.drop1.forward(this.linear2.forward(hidden));
  }
}

/** (B, H, W, F) → the same. */
export class SwinBlock extends nn.Module {
  readonly norm1: nn.LayerNorm;
  readonly attn: WindowAttention;
  readonly drop_path: DropPath;
  readonly norm2: nn.LayerNorm;
  readonly mlp: FeedForward;

  constructor(options: AttentionOptions & { readonly dropPath: number }) {
    super();
    this.norm1 = new nn.LayerNorm(options.width);
    this.attn = new WindowAttention(options);
    this.drop_path = new DropPath(options.dropPath);
    this.norm2 = new nn.LayerNorm(options.width);
    this.mlp = new FeedForward(options.width, options.dropout);
  }

  /** @param mask of `shiftMask(windows)` */
  override forward(x: Tensor, windows: Windows, mask: Tensor | null): Tensor {
    const attended = x.add(this.drop_path.forward(this.#attention(this.norm1.forward(x), windows, mask)));
    return attended.add(this.drop_path.forward(this.mlp.forward(this.norm2.forward(attended))));
  }

  /** Pads to whole windows, rolls, attends, and undoes both. */
  #attention(x: Tensor, windows: Windows, mask: Tensor | null): Tensor {
    const { grid, padded, shift } = windows;
    const isPadded = padded[0] > grid[0] || padded[1] > grid[1];
    const isShifted = mask !== null;
    let y = isPadded ? torch.constantPadNd(x, [0, 0, 0, padded[1] - grid[1], 0, padded[0] - grid[0]]) : x;
    if (isShifted) y = y.roll([-shift[0], -shift[1]], { dims: [1, 2] });
    y = this.attn.forward(y, windows, mask);
    if (isShifted) y = y.roll(shift, { dims: [1, 2] });
    return isPadded ? y.narrow(1, 0, grid[0]).narrow(2, 0, grid[1]) : y;
  }
}
