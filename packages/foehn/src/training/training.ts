// The loop of one training run: epochs, batches, records, checkpoints, early stopping, interrupts. The arithmetic is in
// learner.ts, the scores in validation.ts. Exact resume: everything that decides the next step is in the checkpoint; the order
// of samples follows from (seed, epoch).

import { join } from "node:path";
import { InterruptedError, isFoehnError, NumericalError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { batches, numBatches } from "../datasets/batches.js";
import type { DatasetInfo, DatasetSplits, ItemBatch } from "../datasets/dataset.js";
import type { Network, NetworkSettings } from "../models/network.js";
import { disposeBatch, moveBatch } from "./batch.js";
import type { EpochRecord, ScalarsRecord, StepRecord, TrainingCallback, TrainingEnd } from "./callbacks.js";
import { type Checkpoint, CheckpointFolder, type CheckpointName } from "./checkpoints.js";
import { unrolledSteps } from "./curriculum.js";
import { epochBatches } from "./epoch-batches.js";
import { judgeEpoch } from "./judge-epoch.js";
import { Learner } from "./learner.js";
import { MetricsLog } from "./metrics-log.js";
import type { ChosenObserver } from "./observer.js";
import type { TrainOptions } from "./options.js";
import type { Precision } from "./precision.js";
import { writeRunStatus } from "./run-status.js";
import { addToMean, initialState, type TrainingState, takeMean } from "./state.js";
import { reportTimes } from "./step-times.js";
import { testAfterFit } from "./test-after-fit.js";
import type { TestResult } from "./test-pass.js";
import { type ValidationScores, validate } from "./validation.js";

/** A finished training. */
export interface TrainResult {
  readonly runDir: string;
  readonly bestCheckpoint: string;
  readonly lastCheckpoint: string;
  /** On the CPU, in evaluation mode, with the weights of the best checkpoint. */
  readonly network: Network;
  readonly info: DatasetInfo;
  readonly settings: NetworkSettings;
  readonly strategy: string;
  readonly history: readonly EpochRecord[];
  readonly metricsPath: string;
  /** With `test_after_fit`: what the test of the best checkpoint found. */
  readonly test: TestResult | null;
}

/** What a run is made of. */
export interface TrainingInput {
  readonly runDir: string;
  readonly options: TrainOptions;
  readonly splits: DatasetSplits;
  readonly network: Network;
  readonly device: string;
  readonly precision: Precision;
  readonly progress?: Progress | undefined;
  /** Aborting it stops after the current batch, with `last` saved. */
  readonly signal?: AbortSignal | undefined;
  readonly callbacks?: readonly TrainingCallback[] | undefined;
  /** Who looks at validations; default nobody. */
  readonly observers?: readonly ChosenObserver[] | undefined;
  /** Who looks at the test at the end, if there is one. */
  readonly testObservers?: readonly ChosenObserver[] | undefined;
}

/** One run of the loop. */
export class Training {
  readonly #input: TrainingInput;
  readonly #learner: Learner;
  readonly #checkpoints: CheckpointFolder;
  readonly #progress: Progress;
  readonly #batchesPerEpoch: number;
  #state = initialState();
  #log: MetricsLog | undefined;
  #lastStepAt = 0;
  /** Seconds since the last step that were spent waiting for data. */
  #dataWait = 0;

  constructor(input: TrainingInput) {
    const { options, splits, network, device, precision, runDir } = input;
    this.#input = input;
    this.#progress = input.progress ?? silentProgress;
    this.#checkpoints = new CheckpointFolder(join(runDir, "checkpoints"));
    this.#batchesPerEpoch = numBatches(splits.train, epochBatches(options));
    const stepsPerEpoch = Math.ceil(this.#batchesPerEpoch / options.accumulate_grad_batches);
    this.#learner = new Learner({
      network,
      info: splits.info,
      options,
      precision,
      device,
      totalSteps: stepsPerEpoch * options.epochs,
    });
  }

  /** Trains to the end, from a checkpoint or from the start. */
  async run(checkpoint: Checkpoint<TrainingState> | null): Promise<TrainResult> {
    const { runDir, options, splits } = this.#input;
    const metricsPath = join(runDir, "metrics.jsonl");
    let reason: TrainingEnd["reason"] = "failed";
    try {
      writeRunStatus(runDir, options.epochs);
      if (checkpoint !== null) {
        this.#state = { ...initialState(), ...checkpoint.state };
        this.#learner.restore(checkpoint);
        for (const tensor of [...checkpoint.model.values(), ...checkpoint.optimizer.values()]) tensor.dispose();
      }
      const firstStep = this.#state.step;
      this.#learner.warnOfEqualMembers((line) => this.#progress.note(`warning: ${line}`));
      this.#sayIfDone();
      this.#log = new MetricsLog(metricsPath, this.#state.metrics_bytes);
      await this.#tell((callback) =>
        callback.onStart?.({ runDir, options, info: splits.info, isResumed: checkpoint !== null, step: firstStep }),
      );
      while (this.#state.epoch < options.epochs && !this.#state.is_stopped_early) await this.#epoch();
      if (options.profiler === "simple") {
        await reportTimes(runDir, this.#learner.times, this.#state.step - firstStep, this.#progress);
      }
      reason = this.#state.is_stopped_early ? "early-stopping" : "completed";
      return await this.#result(metricsPath);
    } catch (error) {
      if (isFoehnError(error, "interrupted")) reason = "interrupted";
      throw error;
    } finally {
      this.#log?.close();
      this.#learner.dispose();
      this.#endStatus(reason);
      await this.#tellEnd({ runDir, reason });
    }
  }

  /** A resume of what is finished only tests and packages it: that should not surprise. */
  #sayIfDone(): void {
    const { epoch, is_stopped_early: isStopped, stale_validations: stale } = this.#state;
    const { epochs } = this.#input.options;
    if (isStopped) {
      this.#progress.note(`nothing to train: it stopped early after epoch ${epoch}, ${stale} validations without gain`);
    } else if (epoch >= epochs) {
      this.#progress.note(`nothing to train: ${epoch} of ${epochs} epochs are done; more with --epochs`);
    }
  }

  /** Every callback hears of the end. What one of them throws is thrown only where nothing else ended the training. */
  async #tellEnd(end: TrainingEnd): Promise<void> {
    const results = await Promise.allSettled((this.#input.callbacks ?? []).map(async (one) => one.onEnd?.(end)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return;
    if (end.reason === "completed" || end.reason === "early-stopping") throw failed.reason;
  }

  #endStatus(reason: TrainingEnd["reason"]): void {
    const { runDir, options } = this.#input;
    try {
      writeRunStatus(runDir, options.epochs, reason);
    } catch {
      // A full disk has been reported by what failed before; without the process, "running" means interrupted.
    }
  }

  async #epoch(): Promise<void> {
    const { options, splits } = this.#input;
    const state = this.#state;
    const startedAt = performance.now() - 1000 * state.epoch_seconds;
    this.#lastStepAt = performance.now();
    this.#progress.start(`epoch ${state.epoch + 1}/${options.epochs}`, this.#batchesPerEpoch);
    this.#learner.numSteps = unrolledSteps(options, state.epoch);
    const loader = batches(splits.train, {
      ...epochBatches(options),
      shuffleSeed: options.seed,
      epoch: state.epoch,
      startAt: state.batch,
    });
    const { times } = this.#learner;
    let waitingSince = performance.now();
    for await (const loaded of loader) {
      const batch = moveBatch(loaded, this.#input.device);
      const waited = (performance.now() - waitingSince) / 1000;
      this.#dataWait += waited;
      times.add("data_wait", waited);
      try {
        this.#trainOn(batch);
      } finally {
        disposeBatch(batch);
      }
      state.epoch_seconds = (performance.now() - startedAt) / 1000;
      const stepped = await this.#stepIfDue();
      this.#progress.update(state.batch, { loss: state.epoch_loss.sum / state.epoch_loss.count });
      await new Promise(setImmediate); // let Ctrl-C in
      await this.#stopIfAsked();
      if (stepped && options.checkpoint_every_steps !== null && state.step % options.checkpoint_every_steps === 0) {
        await this.#save(["last"]);
      }
      waitingSince = performance.now();
    }
    await this.#finishEpoch(startedAt);
  }

  /** Forward and backward; a loss that is not finite ends the training before anything is changed or saved. */
  #trainOn(batch: ItemBatch): void {
    const { options } = this.#input;
    const state = this.#state;
    const windowStart = state.batch - state.window.count;
    const windowSize = Math.min(options.accumulate_grad_batches, this.#batchesPerEpoch - windowStart);
    const loss = this.#learner.accumulate(batch, 1 / windowSize);
    if (!Number.isFinite(loss)) {
      this.#refuse(
        `the loss is ${loss} at step ${state.step + 1} (epoch ${state.epoch + 1}, batch ${state.batch + 1})`,
      );
      state.is_window_spoilt = true;
    }
    addToMean(state.window, loss);
    if (Number.isFinite(loss)) addToMean(state.epoch_loss, loss);
    state.batch++;
  }

  /** Something is not finite: stops the training before anything is changed, unless the step may be left out. */
  #refuse(what: string): void {
    const { runDir, options } = this.#input;
    if (this.#state.skipped_steps < options.skip_nonfinite) {
      this.#progress.note(`warning: ${what}; the step is left out`);
      return;
    }
    const kept = this.#checkpoints.has("last")
      ? ` The last good checkpoint is ${this.#checkpoints.linkPath("last")}.`
      : "";
    const before = options.skip_nonfinite > 0 ? `, after ${options.skip_nonfinite} steps that were left out` : "";
    throw new NumericalError(`${what}${before}`, {
      where: runDir,
      hint: `lower --lr, set --gradient-clip-norm 1, or look for unusual values in the data.${kept}`,
    });
  }

  async #stepIfDue(): Promise<boolean> {
    const { options } = this.#input;
    const state = this.#state;
    if (state.window.count < options.accumulate_grad_batches && state.batch < this.#batchesPerEpoch) return false;
    const trainLoss = takeMean(state.window);
    const result = state.is_window_spoilt ? null : this.#learner.step();
    if (result === null) this.#learner.skip();
    else if (!result.isDone) {
      this.#refuse(`the gradients are not finite at step ${state.step + 1} (epoch ${state.epoch + 1})`);
    }
    state.step++;
    state.is_window_spoilt = false;
    const now = performance.now();
    const [seconds, dataWait] = [(now - this.#lastStepAt) / 1000, this.#dataWait];
    this.#lastStepAt = now;
    this.#dataWait = 0;
    if (result?.isDone !== true) {
      state.skipped_steps++;
      return true;
    }
    state.skipped_steps = 0;
    const record: StepRecord = {
      kind: "step",
      step: state.step,
      epoch: state.epoch + 1,
      train_loss: trainLoss,
      lr: result.lr,
      grad_norm: result.gradNorm,
      seconds,
      data_wait: dataWait,
    };
    this.#log!.write(record);
    await this.#tell((callback) => callback.onStep?.(record));
    return true;
  }

  /** Validation, records, best and last checkpoints, early stopping. */
  async #finishEpoch(startedAt: number): Promise<void> {
    const { options } = this.#input;
    const state = this.#state;
    const epoch = state.epoch + 1;
    const isDue = epoch % options.val_interval === 0 || epoch === options.epochs;
    const scores = isDue ? await this.#learner.times.measureAsync("validation", () => this.#validate()) : null;
    const trainLoss = takeMean(state.epoch_loss);
    const record: EpochRecord = {
      kind: "epoch",
      epoch,
      step: state.step,
      train_loss: trainLoss,
      unrolled_steps: unrolledSteps(options, state.epoch),
      val_loss: scores?.loss ?? null,
      val_loss_by_lead: scores?.lossByLead ?? null,
      val_rmse: scores?.rmse ?? null,
      seconds: (performance.now() - startedAt) / 1000,
    };
    this.#learner.checkWeights(`epoch ${epoch}, step ${state.step}`);
    if (scores !== null && !Number.isFinite(scores.loss)) {
      throw new NumericalError(`the validation loss is ${scores.loss} after epoch ${epoch} (step ${state.step})`, {
        where: this.#input.runDir,
        hint: "the rollout diverges: lower --lr, or train with more --num-pred-steps-train",
      });
    }
    this.#log!.write(record);
    state.history.push(record);
    state.epoch = epoch;
    state.batch = 0;
    state.epoch_seconds = 0;

    // Without a validation split the training loss decides.
    const value = this.#input.splits.valid.length === 0 ? trainLoss : (scores?.loss ?? null);
    if (value !== null) this.#learner.schedule?.validated(value);
    const isBest = value !== null && judgeEpoch(state, value, options);
    await this.#save(isBest ? ["last", "best"] : ["last"]);
    this.#progress.finish(summary(record, isBest));
    await this.#tell((callback) => callback.onEpoch?.(record));
    await this.#stopIfAsked();
  }

  async #validate(): Promise<ValidationScores | null> {
    const { runDir, options, splits, precision, device, signal } = this.#input;
    const epoch = this.#state.epoch + 1;
    const all = Math.ceil(splits.valid.length / options.batch_size);
    const limit = options.limit_val_batches ?? options.limit_train_batches;
    this.#progress.start("validation", Math.min(all, limit ?? all));
    try {
      const pass = {
        context: this.#learner.context,
        loss: this.#learner.loss,
        info: splits.info,
        precision,
        device,
        batchSize: options.batch_size,
        limit,
        signal,
        onBatch: (done: number) => this.#progress.update(done),
        epoch,
        step: this.#state.step,
        observe: {
          observers: this.#input.observers ?? [],
          folder: join(runDir, "figures", "val", `epoch-${String(epoch).padStart(4, "0")}`),
          draws: epoch % options.plot_every === 0 || epoch === options.epochs,
          callbacks: [
            { onScalars: (record: ScalarsRecord) => this.#log!.write(record) },
            ...(this.#input.callbacks ?? []),
          ],
          warn: (line: string) => this.#progress.note(`warning: ${line}`),
          signal,
        },
        // Without noise all members would be one in evaluation mode.
        ensemble: this.#learner.ensemble.noise > 0 ? this.#learner.ensemble : undefined,
      };
      return await this.#learner.evaluating(() => validate(splits.valid, pass));
    } catch (error) {
      // The epoch's batches are done: a resume repeats the validation only.
      if (isFoehnError(error, "interrupted")) await this.#interrupt();
      throw error;
    }
  }

  async #stopIfAsked(): Promise<void> {
    if (this.#input.signal?.aborted) await this.#interrupt();
  }

  async #interrupt(): Promise<never> {
    const { runDir, signal } = this.#input;
    const { step, epoch, batch } = this.#state;
    await this.#save(["last"]);
    this.#progress.finish();
    throw new InterruptedError(`training was interrupted at step ${step} (epoch ${epoch + 1}, batch ${batch})`, {
      where: runDir,
      hint: `go on with: foehn train --resume ${runDir}`,
      cause: signal?.reason,
    });
  }

  async #save(links: readonly CheckpointName[]): Promise<void> {
    this.#state.metrics_bytes = this.#log!.bytes;
    await this.#learner.times.measureAsync("checkpoint", () =>
      this.#checkpoints.save(this.#state.step, links, () => this.#learner.checkpoint(this.#state)),
    );
  }

  async #result(metricsPath: string): Promise<TrainResult> {
    const { runDir, options, splits, network } = this.#input;
    const best = this.#checkpoints.has("best") ? "best" : "last";
    const { model, optimizer, state } = await this.#checkpoints.load<TrainingState>(best);
    network.loadStateDict(model);
    for (const tensor of [...model.values(), ...optimizer.values()]) tensor.dispose();
    const { epoch, step } = state;
    const test = options.test_after_fit
      ? await testAfterFit(this.#input, this.#learner, { checkpoint: best, epoch, step }, this.#progress)
      : null;
    network.to({ device: "cpu" });
    network.eval();
    return {
      runDir,
      bestCheckpoint: this.#checkpoints.linkPath(best),
      lastCheckpoint: this.#checkpoints.linkPath("last"),
      network,
      info: splits.info,
      settings: network.settings,
      strategy: options.strategy,
      history: this.#state.history,
      metricsPath,
      test,
    };
  }

  async #tell(call: (callback: TrainingCallback) => void | Promise<void> | undefined): Promise<void> {
    for (const callback of this.#input.callbacks ?? []) await call(callback);
  }
}

function summary(record: EpochRecord, isBest: boolean): string {
  const parts = [`epoch ${record.epoch}`, `train loss ${record.train_loss.toPrecision(4)}`];
  if (record.val_loss !== null)
    parts.push(`validation loss ${record.val_loss.toPrecision(4)}${isBest ? " (best)" : ""}`);
  parts.push(`${record.seconds.toFixed(1)} s`);
  return parts.join(" · ");
}
