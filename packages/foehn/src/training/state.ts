// Where a training is: everything that an exact resume needs besides tensors. Plain JSON (numbers survive JSON exactly).

import type { EpochRecord } from "./callbacks.js";
import type { ScheduleState } from "./schedules.js";

/** A sum that becomes a mean. */
export interface RunningMean {
  sum: number;
  count: number;
}

/** state.json of a checkpoint. */
export interface TrainingState {
  readonly schema_version: 1;
  /** Optimiser steps taken. */
  step: number;
  /** Epochs completed. */
  epoch: number;
  /** Batches done in the epoch that follows. */
  batch: number;
  /** Losses of batches whose gradients await the next optimiser step. */
  window: RunningMean;
  /** One of those losses was not finite: the step will be left out. */
  is_window_spoilt: boolean;
  /** Steps left out in a row. */
  skipped_steps: number;
  /** Losses of the epoch so far. */
  epoch_loss: RunningMean;
  /** Wall time of the epoch so far. */
  epoch_seconds: number;
  best: { value: number; epoch: number; step: number } | null;
  /** The last value that was better than the one before by more than early_stopping_min_delta; null in states of older versions. */
  patience_value: number | null;
  /** Validations since that value. */
  stale_validations: number;
  is_stopped_early: boolean;
  /** Length of metrics.jsonl. */
  metrics_bytes: number;
  history: EpochRecord[];
  scheduler: ScheduleState | null;
  /** Updates of the moving average. */
  ema_updates: number;
  optimizer_groups: readonly Readonly<Record<string, unknown>>[];
}

/** The state before the first batch. */
export function initialState(): TrainingState {
  return {
    schema_version: 1,
    step: 0,
    epoch: 0,
    batch: 0,
    window: { sum: 0, count: 0 },
    is_window_spoilt: false,
    skipped_steps: 0,
    epoch_loss: { sum: 0, count: 0 },
    epoch_seconds: 0,
    best: null,
    patience_value: null,
    stale_validations: 0,
    is_stopped_early: false,
    metrics_bytes: 0,
    history: [],
    scheduler: null,
    ema_updates: 0,
    optimizer_groups: [],
  };
}

/** Adds a value. */
export function addToMean(mean: RunningMean, value: number): void {
  mean.sum += value;
  mean.count += 1;
}

/** The mean so far, and a fresh start. NaN of nothing. */
export function takeMean(mean: RunningMean): number {
  const value = mean.sum / mean.count;
  mean.sum = 0;
  mean.count = 0;
  return value;
}
