// One transformer layer of Segformer's encoder: attention and feed-forward, each behind a normalisation and added to its input.
// Tensors are (B, F, H, W) in channels-last memory, so that 1×1 convolutions and normalisation read contiguous features.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { EfficientSelfAttention } from "./attention.js";

/** (x − μ)/(σ + ε)·g + b over the features of each cell, in the weights' type. ε is added to the deviation, not to the variance. */
export class FeatureNorm extends nn.Module {
  readonly g: nn.Parameter;
  readonly b: nn.Parameter;

  constructor(
    width: number,
    readonly eps = 1e-5,
  ) {
    super();
    this.g = new nn.Parameter(torch.ones([1, width, 1, 1]));
    this.b = new nn.Parameter(torch.zeros([1, width, 1, 1]));
  }

  override forward(x: Tensor): Tensor {
    const values = x.to(this.g.dtype);
    const centred = values.sub(values.mean([1], { keepdim: true }));
    const deviation = centred.mul(centred).mean([1], { keepdim: true }).sqrt();
    return centred.div(deviation.add(this.eps)).mul(this.g).add(this.b);
  }
}

/** fn(norm(x)). */
class PreNorm extends nn.Module {
  readonly norm: FeatureNorm;

  constructor(
    width: number,
    readonly fn: nn.UnaryModule,
  ) {
    super();
    this.norm = new FeatureNorm(width);
  }

  override forward(x: Tensor): Tensor {
    return this.fn.forward(this.norm.forward(x));
  }
}

/** Depthwise 3×3 convolution, then a 1×1 one. */
class SeparableConv2d extends nn.Module {
  readonly net: nn.Sequential;

  constructor(width: number) {
    super();
    this.net = new nn.Sequential(
      new nn.Conv2d(width, width, 3, { padding: 1, groups: width }),
      new nn.Conv2d(width, width, 1),
    );
  }

  override forward(x: Tensor): Tensor {
    return this.net.forward(x);
  }
}

/** Widens, mixes each cell with its neighbours (which also tells it where it is), GELU, narrows. */
class MixFeedForward extends nn.Module {
  readonly net: nn.Sequential;

  constructor(width: number, expansion: number) {
    super();
    const hidden = width * expansion;
    this.net = new nn.Sequential(
      new nn.Conv2d(width, hidden, 1),
      new SeparableConv2d(hidden),
      new nn.GELU(),
      new nn.Conv2d(hidden, width, 1),
    );
  }

  override forward(x: Tensor): Tensor {
    return this.net.forward(x);
  }
}

/** What a transformer layer is made of. */
export interface LayerOptions {
  readonly width: number;
  readonly heads: number;
  /** Side of the squares that a key and a value stand for, in cells. */
  readonly reduction: number;
  /** Hidden width of the feed-forward / width. */
  readonly expansion: number;
}

/** x + attention, then x + feed-forward: (B, F, H, W) → the same. Its children are "0" and "1". */
export class TransformerLayer extends nn.Module {
  readonly #attention: PreNorm;
  readonly #feedForward: PreNorm;

  constructor({ width, heads, reduction, expansion }: LayerOptions) {
    super();
    this.#attention = new PreNorm(width, new EfficientSelfAttention(width, heads, reduction));
    this.#feedForward = new PreNorm(width, new MixFeedForward(width, expansion));
    this.registerModule("0", this.#attention);
    this.registerModule("1", this.#feedForward);
  }

  override forward(x: Tensor): Tensor {
    const attended = x.add(this.#attention.forward(x));
    return attended.add(this.#feedForward.forward(attended));
  }
}
