// The cosine of the solar zenith angle as one more input channel of a loaded network, after earth2mip's CosZenWrapper (which takes one
// row and no history). For networks with channels first that were trained with it; Foehn's own take it as a forcing (datasets/forcings).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { Grid } from "../grid/grid.js";
import { cosZenithField } from "../variables/solar.js";

/** A forward that wants the valid time of every row: that of the newest state, before the step. */
export type TimedForward = (x: Tensor, times: readonly number[]) => Tensor;

/**
 * Appends the channel and calls `forward`. Each row has its own time, and each state of a history the angle of its own time.
 * @param forward takes (B, C + 1, Y, X), or (B, H, C + 1, Y, X) with a history
 * @param historyTimeStep seconds between two states of a history
 * @throws ModelError (from the forward) for a shape that is neither, another grid, or another number of times
 */
export function withCosZenith(forward: TimedForward, grid: Grid, historyTimeStep = 0): TimedForward {
  return (x, times) => {
    const levels = x.ndim === 5 ? x.size(1) : 1;
    const [ny, nx] = grid.shape;
    if ((x.ndim !== 4 && x.ndim !== 5) || x.size(-2) !== ny || x.size(-1) !== nx || x.size(0) !== times.length) {
      throw new ModelError(
        `the solar zenith angle is for (${times.length}, channels, ${ny}, ${nx}) or the same with a history, the state is (${x.shape.join(", ")})`,
      );
    }
    const fields = new Map<number, Float32Array>();
    const values = new Float32Array(times.length * levels * ny * nx);
    for (let n = 0; n < times.length * levels; n++) {
      const level = n % levels;
      const time = times[Math.floor(n / levels)]! - (levels - 1 - level) * historyTimeStep;
      const field = fields.get(time) ?? cosZenithField(time, grid);
      fields.set(time, field);
      values.set(field, n * ny * nx);
    }
    const channel = torch
      .fromTypedArray(values, [...x.shape.slice(0, -3), 1, ny, nx])
      .to({ device: x.device, dtype: x.dtype });
    return forward(torch.cat([x, channel], { dim: -3 }), times);
  };
}
