// What an Inference carries from step to step, in the network's layout: past states and forcings, each with where its values exist.
// Tensors made in a generator outlive every scope, so they are copied and freed by hand.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { share } from "./time-stepper.js";

/** A state of the history. */
export interface PastState {
  /** Normalised prognostic features, (B, H, W, Fp), or as the network's `transformBatch` lays them out; 0 where missing. */
  readonly state: Tensor;
  /** (B, H, W, 1) in the same layout: 1 where every feature exists; undefined when all do everywhere. */
  readonly mask: Tensor | undefined;
}

/** Forcing at one time, in the network's layout. */
export interface StepForcing {
  /** (B, H, W, F) */
  readonly values: Tensor;
  /** (B, H, W, 1), or undefined when nothing is missing. */
  readonly mask: Tensor | undefined;
}

/** A copy that nothing else changes. */
export const copy = (tensor: Tensor): Tensor => torch.inferenceMode(() => tensor.clone());

/** The same of a state. */
export const copyPast = ({ state, mask }: PastState): PastState => ({ state: copy(state), mask: mask && copy(mask) });

/** The same memory under handles of its own, to be freed for itself. */
export const sharePast = ({ state, mask }: PastState): PastState => ({
  state: share(state),
  mask: mask && share(mask),
});

/** Frees a state. */
export function disposePast({ state, mask }: PastState): void {
  state.dispose();
  mask?.dispose();
}

/** Frees a forcing, where there is one. */
export function disposeForcing(forcing: StepForcing | undefined): void {
  forcing?.values.dispose();
  forcing?.mask?.dispose();
}
