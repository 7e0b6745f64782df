// A source term: a tendency from outside of the network (nudging towards an analysis, a heating, a flux correction) that is added to the
// state before each step, after earth2mip's `Inference(source=…)`: x ← x + source(x, t)·Δt. The state that a forecast is restarted from
// is the one without it, and is never written into.

import type { Tensor } from "@foehn/torch";

/**
 * Gives the tendency at the start of a step.
 * @param x the newest state, (B, inChannelNames, Y, X) in physical units; not to be written into, and gone after the step
 * @param times valid time of every row, epoch seconds UTC
 * @returns the same shape, in physical units per second; the loop disposes it. A restart is bit for bit what an uninterrupted forecast
 * is only where the answer depends on `x` and `times` alone.
 */
export type SourceTerm = (x: Tensor, times: readonly number[]) => Tensor | Promise<Tensor>;
