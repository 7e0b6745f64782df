// Stochastic depth: in training a residual branch is left out for whole samples. Paper: Huang et al. 2016 (arXiv 1603.09382).

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";

/** (B, …) → (B, …): zero with probability p per sample, else x/(1 − p); in evaluation, x. */
export class DropPath extends nn.Module {
  constructor(readonly p: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    const keep = 1 - this.p;
    const mask = torch.empty([x.size(0), ...x.shape.slice(1).map(() => 1)], { dtype: x.dtype, device: x.device });
    return x.mul(mask.bernoulli_({ p: keep }).div_(keep));
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
