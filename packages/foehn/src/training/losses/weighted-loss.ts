// WeightedLoss, the training loss: every feature counts by its weight w_v over the usual size of its one-step change,
// w_v / σ_d^p with p = 2 for squared and 1 for absolute errors, so that slow and fast variables matter alike.
// The formula is that of py4cast and neural-lam (Oskarsson et al. 2023, eq. 4).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import { type Loss, type LossKind, pointwiseError } from "./loss.js";

/** What a loss needs of the data, by feature in tensor order, on the device of the predictions. */
export interface WeightedLossInput {
  /** State weights w_v. */
  readonly weights: readonly number[];
  /** σ_d: standard deviations of one-step differences of normalised fields. */
  readonly diffStd: readonly number[];
  /** (H, W, 1), or (N, 1) for graphs: 1 inside, 0 on the border. */
  readonly interiorMask: Tensor;
}

/** Σ_v weight · mean over interior points of ℓ. Holds two small tensors until `dispose`. */
export class WeightedLoss implements Loss {
  readonly #weights: Tensor;
  readonly #interior: Tensor;
  readonly #numInterior: number;

  constructor(
    readonly kind: LossKind,
    { weights, diffStd, interiorMask }: WeightedLossInput,
  ) {
    const power = kind === "mse" ? 2 : 1;
    const scaled = weights.map((weight, i) => weight / diffStd[i]! ** power);
    this.#weights = torch.keep(torch.tensor(scaled, { device: interiorMask.device }));
    this.#interior = torch.keep(interiorMask.detach().to({ dtype: "float32", copy: true }));
    this.#numInterior = torch.scope(() => this.#interior.sum().item());
  }

  /** (B, T). With a mask each feature is averaged over its own valid interior points; features with none add nothing. */
  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const error = pointwiseError(this.kind, prediction.tensor, target.tensor, mask);
    const space = target.spatialDimIndices;
    if (mask === undefined) {
      return error.mul(this.#interior).sum({ dim: space }).div(this.#numInterior).matmul(this.#weights);
    }
    const counts = mask.ne(0).mul(this.#interior).sum({ dim: space });
    return error
      .mul(this.#interior)
      .sum({ dim: space })
      .div(counts.clamp({ min: 1 }))
      .matmul(this.#weights);
  }

  /** (B, T, …space): Σ_v weight · ℓ at every point, border included. */
  spatialMap(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    return pointwiseError(this.kind, prediction.tensor, target.tensor, mask).matmul(this.#weights);
  }

  dispose(): void {
    this.#weights.dispose();
    this.#interior.dispose();
  }
}
