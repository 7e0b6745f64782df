// What a network does with a grid whose sizes are no multiples of what it halves: centre-pads it with zeros and crops the
// output (mfai: AutoPaddingModel), or says what to do.

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../core/errors.js";
import { centreCrop, centrePad, featuresLast, featuresSecond, paddedShape } from "./layout.js";
import type { ActivationLayout, InputShape } from "./network.js";

/** Padding of one network. */
export class AutoPadding {
  /** Size inside the network for its `inputShape`. */
  readonly shape: readonly [number, number];

  /**
   * @param network name for messages
   * @param multiple what sizes must be multiples of
   * @param enabled the network's `autopad_enabled`
   * @throws ConfigError when the grid does not fit and padding is off
   */
  constructor(
    readonly network: string,
    readonly multiple: number,
    readonly enabled: boolean,
    inputShape: InputShape,
  ) {
    this.shape = this.#inside(inputShape);
  }

  /**
   * Runs `fn` on (B, F, H′, W′) made of (B, H, W, F), and brings what it gives back to (B, H, W, Fout).
   * @throws ConfigError when the grid does not fit and padding is off
   */
  around(input: Tensor, layout: ActivationLayout, fn: (x: Tensor) => Tensor): Tensor {
    const shape = input.shape.slice(1, 3);
    const y = fn(centrePad(featuresSecond(input, layout), this.#inside(shape)));
    return featuresLast(centreCrop(y, shape));
  }

  #inside(shape: readonly number[]): readonly [number, number] {
    const { network, multiple, enabled } = this;
    const inside = paddedShape(shape, multiple);
    const fits = shape.length === 2 && shape.every((size, i) => size > 0 && (enabled || size === inside[i]));
    if (fits) return inside as [number, number];
    const wanted = enabled ? "it needs (lat, lon) with at least one cell" : `sizes must be multiples of ${multiple}`;
    throw new ConfigError(`${network} cannot take a ${shape.join("×")} grid: ${wanted}`, {
      hint: "set autopad_enabled to true, or crop the grid in the dataset's config",
    });
  }
}
