// How much each grid point counts in a loss: 1 inside and 0 on the border, times the area of its cell where that is asked for;
// and the mean over points that follows, over the valid ones only where there is a mask.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { areaWeights } from "../../grid/geometry.js";
import type { LossContext } from "./loss.js";

/** Settings that all losses over points share. */
export const pointSettings = {
  latitude_weights: z.boolean().default(false).describe("points count by the area of their cells (cosine of latitude)"),
};

/** Weights of points and the mean over them. Holds a tensor until `dispose`. */
export class PointWeights {
  /** (H, W, 1). */
  readonly tensor: Tensor;
  readonly #total: number;
  /** Every point counts 1: there is nothing to multiply by. */
  readonly #isUniform: boolean;

  constructor(
    { interiorMask, grid }: LossContext,
    { latitude_weights: byArea }: { readonly latitude_weights: boolean },
  ) {
    this.tensor = torch.keep(
      torch.scope(() => {
        const interior = interiorMask.detach().to({ dtype: "float32", copy: true });
        if (!byArea) return interior;
        const rows = torch.tensor(areaWeights(grid), { dtype: "float32", device: interiorMask.device });
        return interior.mul(rows.reshape([grid.shape[0], 1, 1]));
      }),
    );
    [this.#total, this.#isUniform] = torch.scope(() => [
      this.tensor.sum().item(),
      this.tensor.min().item() === 1 && this.tensor.max().item() === 1,
    ]);
  }

  /**
   * Mean over points of (B, …, T, H, W, F), each feature over its own valid points; 0 for a feature without any.
   * @param space its two spatial dimensions
   * @param mask of the same shape, or one that broadcasts to it
   * @returns the same without the spatial dimensions
   */
  mean(values: Tensor, space: readonly number[], mask?: Tensor): Tensor {
    const dim = [...space];
    const total = (this.#isUniform ? values : values.mul(this.tensor)).sum({ dim });
    if (mask === undefined) return total.div(this.#total);
    const counts = mask.ne(0).mul(this.tensor).sum({ dim });
    return total.div(torch.where(counts.gt(0), counts, counts.add(1)));
  }

  dispose(): void {
    this.tensor.dispose();
  }
}
