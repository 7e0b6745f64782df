// Shows a training in MLflow: options as parameters, losses, scores and learning rate as metrics by step, figures and the run's files as
// artifacts, the package as a model. Listens through the trainer's callback interface and only puts records into the outbox; the
// sending goes on beside the training, which never waits for a server.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, join, relative } from "node:path";
import type {
  EpochRecord,
  FigureRecord,
  ScalarsRecord,
  StepRecord,
  TrainingCallback,
  TrainingEnd,
  TrainingStart,
} from "../../training/callbacks.js";
import { flattenHparams } from "../hparams.js";
import { MlflowClient } from "./client.js";
import { type Metric, Outbox, type RunName } from "./outbox.js";
import { MlflowSender } from "./sender.js";

/** Options of `MlflowTracker`. */
export interface MlflowOptions {
  /** Address of the tracking server. */
  readonly uri: string;
  /** Name of the experiment; made when it is not there. Default `foehn`. */
  readonly experiment?: string | undefined;
  /** What the run is called; default the name of its folder. */
  readonly run?: RunName | undefined;
  /** The run that this one is nested in, made when it is not there: a campaign, or the training that a test belongs to. */
  readonly parent?: RunName | undefined;
  /** Registers the package as a version of this model. */
  readonly registeredModel?: string | undefined;
  /** Where records wait; default `<run folder>/mlflow`. */
  readonly folder?: string;
  readonly note?: ((line: string) => void) | undefined;
  /** Longest wait at the end for what is not sent yet, milliseconds. Default 10 000. */
  readonly closeMs?: number;
  /** Times of the sender; for tests. */
  readonly firstPauseMs?: number;
  readonly gatherMs?: number;
}

/** MLflow's longest names and values. */
const longest = { key: 250, param: 6000, tag: 5000 } as const;

/** One run in MLflow. `close` it at the end. */
export class MlflowTracker implements TrainingCallback {
  readonly #options: MlflowOptions;
  readonly #client: MlflowClient;
  #sender: MlflowSender | undefined;
  #stepHours = 1;
  #runDir = "";

  /** @throws ConfigError for an address that is no server */
  constructor(options: MlflowOptions) {
    this.#options = options;
    this.#client = new MlflowClient({ uri: options.uri });
  }

  onStart(start: TrainingStart): void {
    const { info, options, runDir, isResumed } = start;
    this.#stepHours = info.stepSeconds / 3600;
    const sender = this.#open(runDir);
    const time = Date.now();
    sender.push({
      kind: "start",
      experiment: this.#options.experiment ?? "foehn",
      run: this.#options.run ?? { id: basename(runDir), name: basename(runDir) },
      parent: this.#options.parent,
      time,
      // MLflow keeps the first value of a parameter for good, so a resumed run does not say them again.
      params: isResumed ? {} : paramsOf(flattenHparams(options as Readonly<Record<string, unknown>>)),
      tags: {
        "mlflow.user": userName(),
        "mlflow.source.name": "foehn",
        "mlflow.source.type": "LOCAL",
        "foehn.run_dir": runDir.slice(0, longest.tag),
      },
    });
    sender.push({
      kind: "dataset",
      name: info.name,
      digest: createHash("sha256")
        .update(JSON.stringify([info.features, info.periods]))
        .digest("hex")
        .slice(0, 8),
      source: JSON.stringify({ dataset: options.dataset, data: options.data, dataset_conf: options.dataset_conf }),
    });
  }

  onStep(record: StepRecord): void {
    const { train_loss: loss, lr, seconds, grad_norm: norm, data_wait: wait } = record;
    this.#metrics(record.step, {
      "loss/train_step": loss,
      learning_rate: lr,
      "speed/step_seconds": seconds,
      ...(norm !== undefined && { gradient_norm: norm }),
      ...(wait !== undefined && { "speed/data_wait_seconds": wait }),
    });
  }

  onEpoch(record: EpochRecord): void {
    const values: Record<string, number> = { epoch: record.epoch, "loss/train_epoch": record.train_loss };
    if (record.val_loss !== null) values["loss/validation"] = record.val_loss;
    for (const [i, loss] of (record.val_loss_by_lead ?? []).entries()) values[`loss_by_lead/${this.#lead(i)}`] = loss;
    for (const [feature, errors] of Object.entries(record.val_rmse ?? {})) {
      for (const [i, error] of errors.entries()) values[`rmse_${feature}/${this.#lead(i)}`] = error;
    }
    this.#metrics(record.step, values);
  }

  onScalars(record: ScalarsRecord): void {
    this.#metrics(record.step, record.values);
  }

  onFigure(record: FigureRecord): void {
    this.#sender?.push({ kind: "artifact", file: record.path, path: this.#artifactPath(record.path, "figures") });
  }

  onEnd(end: TrainingEnd): void {
    for (const name of ["config.json", "provenance.json", "dataset.json", "metrics.jsonl"]) {
      const file = join(end.runDir, name);
      if (existsSync(file)) this.#sender?.push({ kind: "artifact", file, path: name });
    }
    const status = ({ interrupted: "KILLED", failed: "FAILED" } as const)[end.reason as string] ?? "FINISHED";
    this.#sender?.push({ kind: "status", status, time: Date.now() });
  }

  /** The package that the training made: an artifact in MLflow's model layout, and a model version when a name is given. */
  async onPackage(directory: string): Promise<void> {
    const sender = this.#sender;
    if (sender === undefined) return;
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const path = relative(directory, file).replaceAll("\\", "/");
      sender.push({ kind: "artifact", file, path: `model/package/${path}` });
    }
    sender.push({ kind: "text", path: "model/MLmodel", text: modelFile() });
    const { registeredModel: name } = this.#options;
    if (name !== undefined) sender.push({ kind: "model", name, path: "model" });
  }

  /** Sends what is left, within the limit. @returns number of records that stay in the outbox */
  async close(): Promise<number> {
    const { closeMs = 10_000, note = () => {} } = this.#options;
    const left = (await this.#sender?.close(closeMs)) ?? 0;
    this.#sender = undefined;
    if (left > 0) note(`MLflow: ${left} records are not sent; send them later with: foehn runs sync ${this.#runDir}`);
    return left;
  }

  #open(runDir: string): MlflowSender {
    const { folder = join(runDir, "mlflow"), note, firstPauseMs, gatherMs } = this.#options;
    this.#runDir = runDir;
    this.#sender = new MlflowSender(this.#client, new Outbox(folder), {
      ...(note && { note }),
      ...(firstPauseMs !== undefined && { firstPauseMs }),
      ...(gatherMs !== undefined && { gatherMs }),
    });
    return this.#sender;
  }

  #metrics(step: number, values: Readonly<Record<string, number>>): void {
    const timestamp = Date.now();
    const metrics: Metric[] = Object.entries(values).map(([key, value]) => ({
      key: allowedName(key),
      value: Number.isFinite(value) ? value : String(value),
      timestamp,
      step,
    }));
    this.#sender?.push({ kind: "metrics", metrics });
  }

  #artifactPath(file: string, otherwise: string): string {
    const inside = relative(this.#runDir, file).replaceAll("\\", "/");
    return inside.startsWith("..") ? `${otherwise}/${basename(file)}` : inside;
  }

  /** `lead_006h`: zero-padded, so that alphabetical order is that of time. */
  #lead(index: number): string {
    return `lead_${String(Number(((index + 1) * this.#stepHours).toFixed(2))).padStart(3, "0")}h`;
  }
}

/** MLflow takes letters, digits and `_-. /` in names. */
function allowedName(name: string): string {
  return name.replace(/[^\w\-. /]/g, "_").slice(0, longest.key);
}

function paramsOf(values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [allowedName(key), String(value).slice(0, longest.param)]),
  );
}

/** What MLflow wants to see in the folder of a model; the flavour says how to open it. */
function modelFile(): string {
  return [
    "artifact_path: model",
    "flavors:",
    "  foehn:",
    "    data: package",
    "    open: foehn forecast package",
    "run_id: {run_id}",
    `utc_time_created: '${new Date().toISOString().replace("T", " ").replace("Z", "000")}'`,
    "",
  ].join("\n");
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown"; // a container without an entry for the user
  }
}
