// PaddedNetwork: a convolutional network that halves its input several times, so that sizes must be multiples of a number. It sees
// channels-last (B, F, H, W) and sizes that fit; centre padding with zeros and the crop of the output happen here (mfai: AutoPaddingModel).
// Also the guard against batch normalisation over one value.

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../core/errors.js";
import { centreCrop, centrePad, featuresLast, featuresSecond, paddedShape } from "./layout.js";
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
  readonly paddedShape: readonly number[];
  readonly #rule: PaddingRule;

  constructor(
    numInputFeatures: number,
    numOutputFeatures: number,
    settings: NetworkSettings,
    inputShape: InputShape,
    rule: PaddingRule,
  ) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape);
    this.#rule = rule;
    this.paddedShape = this.#fit(inputShape);
  }

  /** (B, F, H, W) → (B, Fout, H, W), H and W multiples of the rule's number. */
  protected abstract compute(x: Tensor): Tensor;

  override forward(input: Tensor): Tensor {
    const shape = input.shape.slice(1, 3);
    const x = centrePad(featuresSecond(input, this.activationLayout), this.#fit(shape));
    this.#checkStatistics(x);
    return featuresLast(centreCrop(this.compute(x), shape));
  }

  #fit(shape: readonly number[]): readonly number[] {
    const { multiple, autopad } = this.#rule;
    const fitting = paddedShape(shape, multiple);
    if (shape.length === 2 && shape.every((size, i) => size > 0 && (autopad || size === fitting[i]))) return fitting;
    throw new ConfigError(
      `${this.#name} cannot take a ${shape.join("×")} grid: sizes must be multiples of ${multiple}`,
      { hint: "set autopad_enabled to true, or crop the grid in the dataset's config" },
    );
  }

  /** The coarsest stage normalises over batch and space; with one value there its variance is 0/0, which poisons the weights. */
  #checkStatistics(x: Tensor): void {
    if (!this.training) return;
    const [batch, , height, width] = x.shape as [number, number, number, number];
    const stride = this.#rule.normStride ?? this.#rule.multiple;
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
