// Losses as modules, with PyTorch's names. Each calls the function of the same meaning in `functional`.
import type { Tensor } from "../tensor.js";
import * as F from "./functional.js";
import { Module } from "./module.js";

/** Mean of (x − y)². */
export class MSELoss extends Module {
  constructor(readonly options: F.LossOptions = {}) {
    super();
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

/** Mean of |x − y|. */
export class L1Loss extends Module {
  constructor(readonly options: F.LossOptions = {}) {
    super();
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

/** Squared near zero, absolute beyond β. */
export class SmoothL1Loss extends Module {
  constructor(readonly options: F.LossOptions & { readonly beta?: number } = {}) {
    super();
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

/** Squared near zero, absolute beyond δ, times δ. */
export class HuberLoss extends Module {
  constructor(readonly options: F.LossOptions & { readonly delta?: number } = {}) {
    super();
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

/** −log softmax(logits)[class]. */
export class CrossEntropyLoss extends Module {
  constructor(readonly options: F.CrossEntropyOptions = {}) {
    super();
  }
  override forward(logits: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(logits, target, this.options);
  }
}

/** Binary cross entropy of σ(x). */
export class BCEWithLogitsLoss extends Module {
  constructor(readonly options: F.LossOptions = {}) {
    super();
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(input, target, this.options);
  }
}
