// diff_ar: ŝ = s + y. Plain increments of the normalised state, no border forcing, one network call per dataset step.

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../../core/errors.js";
import { Strategy, type StrategyOptions } from "./strategy.js";

/** Plain increments. */
export class DiffAr extends Strategy {
  override readonly name = "diff_ar";
  override readonly forcesBorder = false;

  override update(lastState: Tensor, output: Tensor): Tensor {
    return lastState.add(output);
  }

  override check(options: StrategyOptions): void {
    super.check(options);
    if (options.numInterSteps !== 1) {
      throw new ConfigError(
        `strategy diff_ar has no intermediary steps, got num_inter_steps ${options.numInterSteps}`,
        {
          hint: "use num_inter_steps 1, or the strategy scaled_ar",
        },
      );
    }
  }
}
