// PaddedNetwork: a network that halves its input several times, so that sizes must be multiples of a number. It sees (B, F, H, W) and sizes
// that fit; padding and crop are AutoPadding's. Also the guard against batch normalisation over one value.

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../core/errors.js";
import { AutoPadding } from "./auto-padding.js";
import { type InputShape, Network, type NetworkClass, type NetworkSettings } from "./network.js";

/** What a `PaddedNetwork` needs of the size of its input. */
export interface PaddingRule {
  /** Sizes inside are multiples of this. */
  readonly multiple: number;
  /** Pad sizes that do not fit, and crop the output; otherwise they are an error. */
  readonly autopad: boolean;
  /** Cells of the input per value of the coarsest batch normalisation: `Infinity` for one over the whole field, 0 for none. Default `multiple`. */
  readonly normStride?: number;
}

/** Base class: (B, H, W, F) → (B, H, W, Fout) by way of `compute`. */
export abstract class PaddedNetwork extends Network {
  /** Size that `compute` sees for the input shape of the constructor. */
  readonly paddedShape: readonly [number, number];
  readonly #padding: AutoPadding;
  readonly #normStride: number;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: NetworkSettings,
    inputShape: InputShape,
    { multiple, autopad, normStride = multiple }: PaddingRule,
  ) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape);
    this.#padding = new AutoPadding(this.#name, multiple, autopad, inputShape);
    this.paddedShape = this.#padding.shape;
    this.#normStride = normStride;
  }

  /** (B, F, H, W) → (B, Fout, H, W), H and W multiples of the rule's number. */
  protected abstract compute(x: Tensor): Tensor;

  override forward(input: Tensor): Tensor {
    return this.#padding.around(input, this.activationLayout, (x) => {
      if (this.training) this.#checkStatistics(x.size(0), [x.size(2), x.size(3)]);
      return this.compute(x);
    });
  }

  override checkTrainingBatch(batchSize: number): void {
    this.#checkStatistics(batchSize, this.paddedShape);
  }

  /** The coarsest stage normalises over batch and space; with one value there its variance is 0/0, which poisons the weights. */
  #checkStatistics(batch: number, [height, width]: readonly [number, number]): void {
    const stride = this.#normStride;
    const values = (size: number) => Math.max(1, Math.ceil(size / stride));
    if (batch * values(height) * values(width) > 1) return;
    const grid = Number.isFinite(stride) ? ` of ${height}×${width}` : "";
    throw new ConfigError(`${this.#name} cannot train on one sample${grid} at a time`, {
      hint: Number.isFinite(stride) ? "use batch_size 2 or more, or a larger grid" : "use batch_size 2 or more",
    });
  }

  get #name(): string {
    return (this.constructor as unknown as NetworkClass).modelName;
  }
}
