// ScaledLoss: errors by feature in physical units (a metric, not a training loss). For `mse` the root is taken per sample and
// step, so its mean over samples is a mean of RMSEs, not the RMSE of all: training's own val_rmse pools squares instead.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import { type Loss, type LossKind, pointwiseError } from "./loss.js";

/** σ_v · (root of the) mean over interior points of ℓ. Holds two small tensors until `dispose`. */
export class ScaledLoss implements Loss {
  readonly #std: Tensor;
  readonly #interior: Tensor;
  readonly #numInterior: number;

  /** @param input `std`: σ_v of each feature in tensor order; `interiorMask`: (H, W, 1) or (N, 1) */
  constructor(
    readonly kind: LossKind,
    { std, interiorMask }: { readonly std: readonly number[]; readonly interiorMask: Tensor },
  ) {
    this.#std = torch.keep(torch.tensor([...std], { device: interiorMask.device }));
    this.#interior = torch.keep(interiorMask.detach().to({ dtype: "float32", copy: true }));
    this.#numInterior = torch.scope(() => this.#interior.sum().item());
  }

  /** (B, T, F) in physical units; NaN for a feature without a valid point. */
  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const space = target.spatialDimIndices;
    const total = pointwiseError(this.kind, prediction.tensor, target.tensor, mask)
      .mul(this.#interior)
      .sum({ dim: space });
    const mean =
      mask === undefined ? total.div(this.#numInterior) : total.div(mask.ne(0).mul(this.#interior).sum({ dim: space }));
    return (this.kind === "mse" ? mean.sqrt() : mean).mul(this.#std);
  }

  dispose(): void {
    this.#std.dispose();
    this.#interior.dispose();
  }
}
