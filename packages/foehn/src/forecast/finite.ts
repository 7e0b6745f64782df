// The check after every step that a forecast is still made of numbers. Not here: missing values of initial fields.

import * as torch from "@foehn/torch";
import { NumericalError } from "../core/errors.js";
import { formatDuration, formatTime } from "../core/time.js";
import type { StepperState } from "./time-stepper.js";

/** @throws NumericalError naming the channels, and the row's times, that are not finite */
export function requireFinite(
  { times, initialTimes, output }: StepperState & { readonly initialTimes: readonly number[] },
  channels: readonly string[],
): void {
  // (B, C): a sum over a field is finite when, and in float32 practically only when, all of it is.
  const sums = torch.inferenceMode(() =>
    torch.scope(() =>
      output
        .sum({ dim: [2, 3] })
        .cpu()
        .toTypedArray(),
    ),
  );
  const width = channels.length;
  for (const [row, time] of times.entries()) {
    const bad = channels.filter((_, i) => !Number.isFinite(Number(sums[row * width + i])));
    if (bad.length === 0) continue;
    throw new NumericalError(
      `the forecast from ${formatTime(initialTimes[row]!)} is no longer finite at +${formatDuration(time - initialTimes[row]!)}: ${bad.join(", ")}`,
      { hint: "the model is unstable from this initial state; --precision fp32 tells whether rounding plays a part" },
    );
  }
}
