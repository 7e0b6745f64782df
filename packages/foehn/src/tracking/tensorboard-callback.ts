// Shows a training in TensorBoard: losses and learning rate by step, validation by epoch with RMSE by variable and lead, the options as
// hyper-parameters. Listens through the trainer's callback interface; training knows nothing of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type {
  EpochRecord,
  FigureRecord,
  ScalarsRecord,
  StepRecord,
  TrainingCallback,
  TrainingEnd,
  TrainingStart,
} from "../training/callbacks.js";
import { EventWriter } from "./event-writer.js";
import { flattenHparams } from "./hparams.js";

export interface TensorboardCallbackOptions {
  /** Where the event files go; `<run folder>/tensorboard` by default. */
  readonly dir?: string;
}

/** Hours between two dataset steps, for the names of leads. */
const hour = 3600;

/** Makes the callback. The event file is created when training starts and closed when it ends, whatever the end. */
export function tensorboardCallback(options: TensorboardCallbackOptions = {}): TrainingCallback {
  let writer: EventWriter | undefined;
  let stepHours = 1;

  return {
    onStart(start: TrainingStart) {
      stepHours = start.info.stepSeconds / hour;
      writer = new EventWriter(options.dir ?? join(start.runDir, "tensorboard"));
      // What the process that was stopped wrote after its last checkpoint is written again.
      if (start.isResumed && start.step !== undefined) writer.restartAt(start.step + 1);
      const settings = flattenHparams(start.options as Readonly<Record<string, unknown>>);
      writer.addHparams(settings, ["loss/train_epoch", "loss/validation"], start.runDir);
      const variables = start.info.features.map((f) => `* \`${f.name}\` ${f.longName} (${f.units}), ${f.role}`);
      writer.addText("dataset", [`**${start.info.name}**, every ${stepHours} h`, "", ...variables].join("\n"));
      writer.flush();
    },
    onStep(record: StepRecord) {
      writer?.addScalar("loss/train_step", record.train_loss, record.step);
      writer?.addScalar("learning_rate", record.lr, record.step);
      if (record.grad_norm !== undefined) writer?.addScalar("gradient_norm", record.grad_norm, record.step);
      if (record.seconds > 0) writer?.addScalar("speed/steps_per_second", 1 / record.seconds, record.step);
      if (record.data_wait !== undefined) writer?.addScalar("speed/data_wait_seconds", record.data_wait, record.step);
    },
    onEpoch(record: EpochRecord) {
      if (!writer) return;
      writer.addScalar("epoch", record.epoch, record.step);
      writer.addScalar("loss/train_epoch", record.train_loss, record.step);
      if (record.val_loss !== null) writer.addScalar("loss/validation", record.val_loss, record.step);
      for (const [i, loss] of (record.val_loss_by_lead ?? []).entries()) {
        writer.addScalar(`loss_by_lead/${leadTag(i)}`, loss, record.step);
      }
      for (const [feature, values] of Object.entries(record.val_rmse ?? {})) {
        for (const [i, value] of values.entries())
          writer.addScalar(`rmse_${feature}/${leadTag(i)}`, value, record.step);
      }
      writer.flush();
    },
    onScalars(record: ScalarsRecord) {
      for (const [tag, value] of Object.entries(record.values)) writer?.addScalar(tag, value, record.step);
      writer?.flush();
    },
    onFigure(record: FigureRecord) {
      writer?.addImage(record.tag, readFileSync(record.path), record.step);
      writer?.flush();
    },
    onEnd(end: TrainingEnd) {
      // After an interrupt the run can go on: it is neither a success nor a failure.
      if (end.reason !== "interrupted") writer?.endSession(end.reason === "failed" ? "failure" : "success");
      writer?.close();
      writer = undefined;
    },
  };

  function leadTag(index: number): string {
    // Zero-padded, so that TensorBoard's alphabetical order is that of time.
    return `+${String(Number(((index + 1) * stepHours).toFixed(2))).padStart(3, "0")}h`;
  }
}
