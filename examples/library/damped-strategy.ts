import { type StateUpdate, Strategy, strategies } from "foehn";
import { z } from "zod";

/** Increments that are damped: next state = last state + damping · output. */
export class DampedAr extends Strategy<{ readonly damping: number }> {
  static readonly strategyName = "damped_ar";
  static readonly summary = "damped increments of the normalised state";
  static readonly settings = z.strictObject({ damping: z.number().min(0).max(1).default(0.9) });
  override readonly forcesBorder = false;

  override update({ lastState, output }: StateUpdate) {
    return lastState!.add(output.mul(this.settings.damping));
  }
}

strategies.register(DampedAr);
