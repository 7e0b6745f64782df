// scaled_ar: ŝ = s + y·σ_d + μ_d, then the border is set to the known state. The network answers increments in units of the
// usual one-step change, so its output has variance near 1. With K intermediary steps σ_d and μ_d stay those of the whole
// dataset step: the network learns the rest (as in py4cast). Border and forcing of call k are those at k/K of the step,
// between its two ends; py4cast gives all calls those of the end.

import type { Tensor } from "@foehn/torch";
import { z } from "zod";
import { type DifferenceStats, type StateUpdate, Strategy } from "./strategy.js";

const settings = z.strictObject({
  compat: z
    .literal("py4cast")
    .optional()
    .describe("with num_inter_steps: border and forcing of the step's end for every network call"),
});

/** Scaled increments with border forcing; any number of intermediary steps. */
export class ScaledAr extends Strategy<z.output<typeof settings>> {
  static readonly strategyName = "scaled_ar";
  static readonly summary = "increments in units of the usual change, known borders, any number of inter steps";
  static readonly settings = settings;
  override readonly forcesBorder = true;
  override readonly interpolatesInterSteps = this.settings.compat === undefined;

  override update({ lastState, output, differences: { mean, std } }: StateUpdate): Tensor {
    return lastState!.add(output.mul(std)).add(mean);
  }

  override scaleStd(outputStd: Tensor, { std }: DifferenceStats): Tensor {
    return outputStd.mul(std);
  }
}
