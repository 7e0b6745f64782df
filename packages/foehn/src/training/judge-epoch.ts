// What the result of an epoch means: whether its weights are the best so far, and whether training has stopped getting better.
// The two are different questions: the best checkpoint is that of the lowest value, however little lower; an improvement that resets the
// patience of early stopping must be one of more than `early_stopping_min_delta`.

import type { TrainOptions } from "./options.js";
import type { TrainingState } from "./state.js";

/**
 * Takes the value of the epoch that has just been completed into the state.
 * @param value validation loss; training loss where there is no validation split. NaN (every step was left out) is never better
 * @returns true when it is the best so far
 */
export function judgeEpoch(
  state: TrainingState,
  value: number,
  options: Pick<TrainOptions, "early_stopping_patience" | "early_stopping_min_delta">,
): boolean {
  const { early_stopping_patience: patience, early_stopping_min_delta: minDelta } = options;
  const reference = state.patience_value ?? state.best?.value ?? Number.POSITIVE_INFINITY;
  if (value < reference - minDelta) {
    state.patience_value = value;
    state.stale_validations = 0;
  } else {
    state.stale_validations++;
    state.is_stopped_early = patience !== null && state.stale_validations >= patience;
  }
  const isBest = Number.isFinite(value) && (state.best === null || value < state.best.value);
  if (isBest) state.best = { value, epoch: state.epoch, step: state.step };
  return isBest;
}
