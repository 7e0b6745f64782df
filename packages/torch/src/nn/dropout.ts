// Dropout. PyTorch: torch.nn.Dropout, Dropout2d; papers: Srivastava et al. 2014, Tompson et al. 2015.
import * as ops from "../generated/functions.js";
import type { Tensor } from "../tensor.js";
import { Module } from "./module.js";

/** In training, zeroes each value with probability p and multiplies the rest by 1/(1 − p); in evaluation, y = x. */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability("Dropout", p);
  }

  override forward(x: Tensor): Tensor {
    return ops.dropout(x, this.p, this.training);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}

/** As `Dropout`, for whole channels of (N, C, H, W). */
export class Dropout2d extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability("Dropout2d", p);
  }

  override forward(x: Tensor): Tensor {
    return ops.featureDropout(x, this.p, this.training);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}

function checkProbability(layer: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`${layer}: probability ${p} is not between 0 and 1`);
}
