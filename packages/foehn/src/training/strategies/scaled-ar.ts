// scaled_ar: ŝ = s + y·σ_d + μ_d, then the border is set to the known state. The network answers increments in units of the
// usual one-step change, so its output has variance near 1. With K intermediary steps σ_d and μ_d stay those of the whole
// dataset step, the known border is that of its end: the network learns the rest (as in py4cast).

import type { Tensor } from "@foehn/torch";
import { type DifferenceStats, Strategy } from "./strategy.js";

/** Scaled increments with border forcing; any number of intermediary steps. */
export class ScaledAr extends Strategy {
  override readonly name = "scaled_ar";
  override readonly forcesBorder = true;

  override update(lastState: Tensor, output: Tensor, { mean, std }: DifferenceStats): Tensor {
    return lastState.add(output.mul(std)).add(mean);
  }
}
