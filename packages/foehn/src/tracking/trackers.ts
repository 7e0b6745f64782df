// The trackers that a run's options ask for, as one callback: TensorBoard event files, MLflow. Training knows only the callback.

import { basename, join, resolve } from "node:path";
import { ConfigError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { formatTime } from "../core/time.js";
import type {
  EpochRecord,
  FigureRecord,
  ScalarsRecord,
  StepRecord,
  TrainingCallback,
  TrainingEnd,
  TrainingStart,
} from "../training/callbacks.js";
import { readDatasetRecord } from "../training/dataset-record.js";
import type { TrainOptions } from "../training/options.js";
import { readRunFolder } from "../training/run-folder.js";
import { MlflowClient } from "./mlflow/client.js";
import { type MlflowOptions, MlflowTracker } from "./mlflow/mlflow-callback.js";
import { tensorboardCallback } from "./tensorboard-callback.js";

/**
 * Follows a training for the trackers in its options. Close it after `onPackage`, whatever happened.
 *
 * ```ts
 * const trackers = new Trackers();
 * try {
 *   const run = await train({ dataset: "dummy", trackers: ["tensorboard", "mlflow"], mlflow_uri: "http://localhost:5000" }, {
 *     callbacks: [trackers],
 *   });
 *   await trackers.onPackage(await packageRun(run, "my-model"));
 * } finally {
 *   await trackers.close();
 * }
 * ```
 */
export class Trackers implements TrainingCallback {
  readonly #note: (line: string) => void;
  #callbacks: TrainingCallback[] = [];
  #mlflow: MlflowTracker | undefined;
  #test: string | undefined;

  constructor(options: { readonly progress?: Progress } = {}) {
    const { progress = silentProgress } = options;
    this.#note = (line) => progress.note(line);
  }

  /**
   * The trackers of a run's training, for a test of it. In MLflow the test is a run of its own, nested in that of the training.
   * @throws StorageError when the folder is no run
   */
  static async ofTest(runDir: string, options: { readonly progress?: Progress } = {}): Promise<Trackers> {
    const [run, { info }] = await Promise.all([readRunFolder(runDir), readDatasetRecord(runDir)]);
    const trackers = new Trackers(options);
    trackers.check(run.options);
    trackers.#test = `test-${formatTime(Math.floor(Date.now() / 1000)).replace(/[-:]/g, "")}`;
    await trackers.onStart({ runDir: resolve(runDir), options: run.options, info, isResumed: true });
    return trackers;
  }

  /** @throws ConfigError when MLflow is asked for and no server is named, before anything is written */
  check(options: TrainOptions): void {
    if (options.trackers.includes("mlflow")) new MlflowClient({ uri: mlflowUri(options) });
  }

  async onStart(start: TrainingStart): Promise<void> {
    const { options } = start;
    if (options.trackers.includes("tensorboard")) this.#callbacks.push(tensorboardCallback());
    if (options.trackers.includes("mlflow")) {
      this.#mlflow = new MlflowTracker({
        uri: mlflowUri(options),
        experiment: options.mlflow_experiment ?? process.env.MLFLOW_EXPERIMENT_NAME,
        registeredModel: options.registered_model ?? undefined,
        note: this.#note,
        ...this.#place(start),
      });
      this.#callbacks.push(this.#mlflow);
    }
    for (const callback of this.#callbacks) await callback.onStart?.(start);
  }

  async onStep(record: StepRecord): Promise<void> {
    for (const callback of this.#callbacks) await callback.onStep?.(record);
  }

  async onEpoch(record: EpochRecord): Promise<void> {
    for (const callback of this.#callbacks) await callback.onEpoch?.(record);
  }

  async onScalars(record: ScalarsRecord): Promise<void> {
    for (const callback of this.#callbacks) await callback.onScalars?.(record);
  }

  async onFigure(record: FigureRecord): Promise<void> {
    for (const callback of this.#callbacks) await callback.onFigure?.(record);
  }

  async onEnd(end: TrainingEnd): Promise<void> {
    // One that cannot end must not keep the others from it.
    const results = await Promise.allSettled(this.#callbacks.map(async (callback) => callback.onEnd?.(end)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Tells the trackers of the package that the run ended in. */
  async onPackage(directory: string): Promise<void> {
    await this.#mlflow?.onPackage(directory);
  }

  /** A training is nested in its campaign, a test in its training. */
  #place({ runDir, options }: TrainingStart): Partial<MlflowOptions> {
    const training = { id: basename(runDir), name: basename(runDir) };
    if (this.#test !== undefined) {
      const run = { id: `${training.id}/${this.#test}`, name: `${this.#test} of ${training.name}` };
      return { run, parent: training, folder: join(runDir, "mlflow", this.#test) };
    }
    const campaign = options.campaign_name;
    return campaign === null ? {} : { parent: { id: `campaign:${campaign}`, name: campaign } };
  }

  /** Sends what is not sent yet, for ten seconds at most; the rest stays in the run folder. */
  async close(): Promise<void> {
    await this.#mlflow?.close();
  }
}

function mlflowUri(options: TrainOptions): string {
  const uri = options.mlflow_uri ?? process.env.MLFLOW_TRACKING_URI;
  if (uri) return uri;
  throw new ConfigError("the tracker mlflow needs the address of a server", {
    hint: "set MLFLOW_TRACKING_URI, or pass --mlflow-uri http://localhost:5000",
  });
}
