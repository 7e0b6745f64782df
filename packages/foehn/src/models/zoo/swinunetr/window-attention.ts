// Multi-head self-attention inside windows, with a learned bias for each relative position.
// Paper: Liu et al. 2021, "Swin transformer" (arXiv 2103.14030), equation 4. Names of layers are those of MONAI's WindowAttention.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { PointwiseLinear } from "../pointwise.js";
import { relativePositionIndex, WINDOW, type Windows } from "./windows.js";

/** What an attention layer is made of. */
export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  readonly attentionDropout: number;
  readonly dropout: number;
}

/** (B, H, W, F) → the same, where H and W are whole windows. */
export class WindowAttention extends nn.Module {
  readonly relative_position_bias_table: nn.Parameter;
  declare readonly relative_position_index: Tensor;
  readonly qkv: PointwiseLinear;
  readonly attn_drop: nn.Dropout;
  readonly proj: PointwiseLinear;
  readonly proj_drop: nn.Dropout;
  readonly #heads: number;
  readonly #size: number;

  constructor({ width, heads, attentionDropout, dropout }: AttentionOptions) {
    super();
    const table = torch.empty([(2 * WINDOW - 1) ** 2, heads]);
    this.relative_position_bias_table = new nn.Parameter(nn.init.truncNormal_(table, 0, 0.02));
    this.registerBuffer("relative_position_index", relativePositionIndex());
    this.qkv = new PointwiseLinear(width, 3 * width);
    this.attn_drop = new nn.Dropout(attentionDropout);
    this.proj = new PointwiseLinear(width, width);
    this.proj_drop = new nn.Dropout(dropout);
    this.#heads = heads;
    this.#size = width / heads;
  }

  /** @param mask of `shiftMask` */
  override forward(x: Tensor, windows: Windows, mask: Tensor | null): Tensor {
    const [heads, size] = [this.#heads, this.#size];
    const [batch, height, width, features] = x.shape as [number, number, number, number];
    const [rows, columns] = windows.count;
    const [tall, wide] = windows.size;
    const count = batch * rows * columns * heads;
    const cells = tall * wide;
    // One copy cuts the grid into windows and the features into heads.
    const split = this.qkv
      .forward(x)
      .reshape([batch, rows, tall, columns, wide, 3, heads, size])
      .permute([5, 0, 1, 3, 6, 2, 4, 7])
      .reshape([3, count, cells, size]);
    const [q, k, v] = split.unbind() as [Tensor, Tensor, Tensor];
    const scores = q.mul(size ** -0.5).bmm(k.transpose(1, 2));
    const biased = scores
      .reshape([batch, rows * columns, heads, cells, cells])
      .add(this.#bias(cells, mask).to(scores.dtype));
    const weights = this.attn_drop.forward(torch.softmax(biased, -1)).reshape([count, cells, cells]);
    const mixed = weights
      .bmm(v)
      .reshape([batch, rows, columns, heads, tall, wide, size])
      .permute([0, 1, 4, 2, 5, 3, 6])
      .reshape([batch, height, width, features]);
    return this.proj_drop.forward(this.proj.forward(mixed));
  }

  /** (heads, n, n), or (windows, heads, n, n) with a mask. Windows that the grid cuts short take the table's first n places. */
  #bias(cells: number, mask: Tensor | null): Tensor {
    const index = this.relative_position_index.narrow(0, 0, cells).narrow(1, 0, cells).reshape([-1]);
    const rows = this.relative_position_bias_table.indexSelect(0, index).reshape([cells, cells, -1]);
    const bias = rows.permute([2, 0, 1]).contiguous(); // or the sums with scores would run through memory in its order
    return mask === null ? bias : mask.unsqueeze(1).add(bias);
  }
}
