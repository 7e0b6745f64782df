// diff_ar: ŝ = s + y. Plain increments of the normalised state, no border forcing, one network call per dataset step.

import type { Tensor } from "@foehn/torch";
import { z } from "zod";
import { type StateUpdate, Strategy, type StrategyOptions } from "./strategy.js";

/** Plain increments. */
export class DiffAr extends Strategy {
  static readonly strategyName = "diff_ar";
  static readonly summary = "plain increments of the normalised state";
  static readonly settings = z.strictObject({});
  override readonly forcesBorder = false;

  override update({ lastState, output }: StateUpdate): Tensor {
    return lastState!.add(output);
  }

  override check(options: StrategyOptions): void {
    super.check(options);
    this.refuseInterSteps(options.numInterSteps);
  }
}
