// What training tells others while it runs: records of steps and epochs, and the interface of those who listen
// (TensorBoard, dashboards, tests). The same records are the lines of metrics.jsonl, hence their snake_case keys.

import type { DatasetInfo } from "../datasets/dataset.js";
import type { TrainOptions } from "./options.js";

/** One optimiser step. */
export interface StepRecord {
  readonly kind: "step";
  /** Optimiser steps so far, from 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Mean loss of the batches that made this step. */
  readonly train_loss: number;
  /** Learning rate of this step. */
  readonly lr: number;
  /** Norm of all gradients before clipping. Runs of older versions lack it, and what follows. */
  readonly grad_norm?: number;
  /** Wall time since the last step, data loading included. */
  readonly seconds: number;
  /** Seconds of it that were spent waiting for data. */
  readonly data_wait?: number;
}

/** One epoch. Validation values are null in epochs without validation (`val_interval`). */
export interface EpochRecord {
  readonly kind: "epoch";
  /** From 1. */
  readonly epoch: number;
  readonly step: number;
  /** Mean loss over the epoch's batches. */
  readonly train_loss: number;
  /** Steps that the training loss was unrolled over; left out in records of older runs. */
  readonly unrolled_steps?: number;
  /** Mean validation loss over samples and lead times. */
  readonly val_loss: number | null;
  /** Validation loss by lead time. */
  readonly val_loss_by_lead: readonly number[] | null;
  /** By feature, by lead: root of the mean squared error over samples and interior points, in the feature's units. */
  readonly val_rmse: Readonly<Record<string, readonly number[]>> | null;
  readonly seconds: number;
}

/** Named numbers that do not belong to a step or epoch record: an observer's scores, by tag. */
export interface ScalarsRecord {
  readonly kind: "scalars";
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** By tag, such as `val_mae/t2m/lead_1`. */
  readonly values: Readonly<Record<string, number>>;
}

/** A picture that an observer drew into the run folder. */
export interface FigureRecord {
  readonly kind: "figure";
  /** Such as `val/state_error_mae`. */
  readonly tag: string;
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Absolute path of the PNG. */
  readonly path: string;
}

/** What is known when training starts. */
export interface TrainingStart {
  readonly runDir: string;
  readonly options: TrainOptions;
  readonly info: DatasetInfo;
  /** True when it goes on from a checkpoint. */
  readonly isResumed: boolean;
  /** Optimiser steps that were done before; left out where nothing will be trained (a test of a run). */
  readonly step?: number | undefined;
}

/** How training ended. */
export interface TrainingEnd {
  readonly runDir: string;
  readonly reason: "completed" | "early-stopping" | "interrupted" | "failed";
}

/** Somebody who follows a training. Every member is optional; promises are awaited, errors stop the training. */
export interface TrainingCallback {
  /** Called before anything is read or written. @throws ConfigError when the options do not suffice for this one */
  check?(options: TrainOptions): void;
  onStart?(start: TrainingStart): void | Promise<void>;
  onStep?(record: StepRecord): void | Promise<void>;
  onEpoch?(record: EpochRecord): void | Promise<void>;
  onScalars?(record: ScalarsRecord): void | Promise<void>;
  onFigure?(record: FigureRecord): void | Promise<void>;
  /** Called exactly once, also after an error or an interrupt. */
  onEnd?(end: TrainingEnd): void | Promise<void>;
}
