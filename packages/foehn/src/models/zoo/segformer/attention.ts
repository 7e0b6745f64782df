// Self-attention whose keys and values stand for squares of cells, so that its cost falls with the square of their side.
// Paper: Xie et al. 2021, "SegFormer" (arXiv 2105.15203), section 3.1; as in mfai, the reduction is one strided convolution.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";

/** (B, F, H, W) → the same. */
export class EfficientSelfAttention extends nn.Module {
  readonly to_q: nn.Conv2d;
  readonly to_kv: nn.Conv2d;
  readonly to_out: nn.Conv2d;

  /** @param reduction side of the squares that a key and a value stand for, in cells */
  constructor(
    readonly width: number,
    readonly heads: number,
    reduction: number,
  ) {
    super();
    this.to_q = new nn.Conv2d(width, width, 1, { bias: false });
    this.to_kv = new nn.Conv2d(width, 2 * width, reduction, { stride: reduction, bias: false });
    this.to_out = new nn.Conv2d(width, width, 1, { bias: false });
  }

  override forward(x: Tensor): Tensor {
    const { width, heads } = this;
    const [batch, , height, columns] = x.shape as [number, number, number, number];
    const keysAndValues = this.to_kv.forward(x);
    const q = this.#byHead(this.to_q.forward(x));
    const k = this.#byHead(keysAndValues.narrow(1, 0, width));
    const v = this.#byHead(keysAndValues.narrow(1, width, width));
    const scores = q.bmm(k.transpose(1, 2)).mul((width / heads) ** -0.5);
    const mixed = torch.softmax(scores, -1).bmm(v);
    const cells = mixed.reshape([batch, heads, height * columns, width / heads]).transpose(1, 2);
    return this.to_out.forward(cells.reshape([batch, height, columns, width]).permute([0, 3, 1, 2]));
  }

  /** (B, F, H, W) → (B·heads, H·W, F/heads). */
  #byHead(x: Tensor): Tensor {
    const [batch, width, height, columns] = x.shape as [number, number, number, number];
    const size = width / this.heads;
    const cells = x.permute([0, 2, 3, 1]).reshape([batch, height * columns, this.heads, size]);
    return cells.transpose(1, 2).reshape([batch * this.heads, height * columns, size]);
  }
}
