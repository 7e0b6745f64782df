// Sends an outbox to an MLflow server in the background: in order, many metrics per request, again and again with growing pauses while
// the server is away. What a server calls wrong goes to rejected.jsonl with its reason, so that one bad record does not hold up the rest.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { type MlflowClient, MlflowError } from "./client.js";
import type { Metric, Outbox, OutboxRecord, PendingRecord, RunName } from "./outbox.js";

/** MLflow's limits of one log-batch request. */
const limits = { metrics: 1000, params: 100, tags: 100 } as const;
const longestPauseMs = 60_000;
const longestPauseAtEndMs = 1000;

/** Options of `MlflowSender`. */
export interface SenderOptions {
  /** Hears of trouble, once per spell, and of its end. */
  readonly note?: (line: string) => void;
  /** Before the second attempt; later ones wait longer. Default 500. */
  readonly firstPauseMs?: number;
  /** How long records gather before they are sent together. Default 1000. */
  readonly gatherMs?: number;
}

/** Brings one run's outbox to the server. */
export class MlflowSender {
  readonly #client: MlflowClient;
  readonly #outbox: Outbox;
  readonly #note: (line: string) => void;
  readonly #firstPauseMs: number;
  readonly #gatherMs: number;
  readonly #stop = new AbortController();
  #pump: Promise<void> | undefined;
  #failures = 0;
  /** Up to here records go alone: among them is one that the server calls wrong. */
  #aloneUntil = 0;
  #isClosing = false;
  #wake: () => void = () => {};

  constructor(client: MlflowClient, outbox: Outbox, options: SenderOptions = {}) {
    this.#client = client;
    this.#outbox = outbox;
    this.#note = options.note ?? (() => {});
    this.#firstPauseMs = options.firstPauseMs ?? 500;
    this.#gatherMs = options.gatherMs ?? 1000;
  }

  /** Puts a record onto the disk and has it sent in the background. @throws StorageError when the disk refuses it */
  push(record: OutboxRecord): void {
    this.#outbox.append(record);
    this.start();
  }

  /** Starts sending what waits. */
  start(): void {
    this.#pump ??= this.#run().finally(() => {
      this.#pump = undefined;
    });
  }

  /**
   * Waits until everything is sent, then stops for good.
   * @param limitMs longest wait; what is left then stays in the outbox
   * @returns number of records that are left
   */
  async close(limitMs: number): Promise<number> {
    this.#isClosing = true;
    this.start();
    this.#wake();
    const timer = setTimeout(() => {
      this.#stop.abort();
      this.#wake();
    }, limitMs);
    await this.#pump;
    clearTimeout(timer);
    this.#stop.abort();
    const left = this.#outbox.countPending();
    this.#outbox.close();
    return left;
  }

  async #run(): Promise<void> {
    if (!this.#isClosing) await this.#sleep(this.#gatherMs); // so that many steps go in one request
    while (!this.#outbox.isEmpty && !this.#stop.signal.aborted) {
      try {
        await this.#sendNext();
        if (this.#failures > 0) this.#note(`MLflow: ${this.#client.uri} answers again`);
        this.#failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        await this.#pause(error);
      }
    }
  }

  async #pause(error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#failures++ === 0) this.#note(`MLflow: ${message}; everything is kept and sent when it answers`);
    const asked = error instanceof MlflowError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const pause = Math.max(asked, Math.min(longestPauseMs, this.#firstPauseMs * 2 ** Math.min(this.#failures - 1, 10)));
    await this.#sleep(this.#isClosing ? Math.min(pause, longestPauseAtEndMs) : pause);
  }

  /** Waits; `close` cuts it short. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref(); // a training that is done does not wait for it; close() does
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #sendNext(): Promise<void> {
    const pending = this.#outbox.pending();
    const { state } = this.#outbox;
    const group = state.sent < this.#aloneUntil ? pending.slice(0, 1) : nextGroup(pending);
    const { record } = group[0]!;
    const end = group.at(-1)!.end;
    try {
      if (record.kind === "start") {
        const run = await this.#startRun(record);
        this.#outbox.advance({ ...run, sent: end });
        return;
      }
      if (record.kind === "metrics") {
        const metrics = group.flatMap((item) => (item.record.kind === "metrics" ? item.record.metrics : []));
        await this.#logMetrics(state.runId!, metrics);
      } else await this.#send(record, state.runId!, state.artifactUri!);
    } catch (error) {
      // Without a run nothing else can be sent, so a start is never given up.
      if (record.kind === "start" || !isFinal(error)) throw error;
      if (group.length > 1) {
        this.#aloneUntil = end;
        return;
      }
      this.#reject(record, error as Error);
    }
    this.#outbox.advance({ ...state, sent: end });
  }

  async #logMetrics(runId: string, metrics: readonly Metric[]): Promise<void> {
    for (let at = 0; at < metrics.length; at += limits.metrics) {
      await this.#post("runs/log-batch", { run_id: runId, metrics: metrics.slice(at, at + limits.metrics) });
    }
  }

  async #send(
    record: Exclude<OutboxRecord, { kind: "start" | "metrics" }>,
    runId: string,
    artifactUri: string,
  ): Promise<void> {
    switch (record.kind) {
      case "status":
        await this.#post("runs/update", {
          run_id: runId,
          status: record.status,
          ...(record.status !== "RUNNING" && { end_time: record.time }),
        });
        return;
      case "dataset":
        await this.#post("runs/log-inputs", {
          run_id: runId,
          datasets: [
            { dataset: { name: record.name, digest: record.digest, source_type: "local", source: record.source } },
          ],
        });
        return;
      case "artifact":
        await this.#client.upload(artifactUri, record.path, { file: record.file }, this.#stop.signal);
        return;
      case "text": {
        const text = record.text.replaceAll("{run_id}", runId);
        await this.#client.upload(artifactUri, record.path, { text }, this.#stop.signal);
        return;
      }
      case "model":
        await this.#registerModel(record.name, runId, `${artifactUri}/${record.path}`);
    }
  }

  async #startRun(record: Extract<OutboxRecord, { kind: "start" }>): Promise<{ runId: string; artifactUri: string }> {
    const experimentId = await this.#experiment(record.experiment);
    let parentId: string | undefined;
    if (record.parent) {
      const parent = await this.#findOrCreateRun(experimentId, record.parent, record.time);
      parentId = parent.runId;
      // One that only holds others has nothing of its own that could be running.
      if (parent.isNew) await this.#post("runs/update", { run_id: parentId, status: "FINISHED" });
    }
    const run = await this.#findOrCreateRun(experimentId, record.run, record.time);
    const tags = {
      ...record.tags,
      ...(parentId === undefined ? {} : { "mlflow.parentRunId": parentId }),
    };
    const pairs = (values: Readonly<Record<string, string>>) =>
      Object.entries(values).map(([key, value]) => ({ key, value }));
    for (const part of chunks(pairs(tags), limits.tags)) {
      await this.#post("runs/log-batch", { run_id: run.runId, tags: part });
    }
    for (const part of chunks(pairs(record.params), limits.params)) {
      try {
        await this.#post("runs/log-batch", { run_id: run.runId, params: part });
      } catch (error) {
        // A resumed run may have changed an option (epochs, device); MLflow keeps the first value of a parameter for good.
        if (!isFinal(error)) throw error;
        this.#reject({ ...record, params: Object.fromEntries(part.map((p) => [p.key, p.value])) }, error as Error);
      }
    }
    await this.#post("runs/update", { run_id: run.runId, status: "RUNNING" });
    return { runId: run.runId, artifactUri: run.artifactUri };
  }

  /** The experiment of a name, made when it is not there. */
  async #experiment(name: string): Promise<string> {
    const find = async () =>
      (await this.#get<{ experiment: { experiment_id: string } }>("experiments/get-by-name", { experiment_name: name }))
        .experiment.experiment_id;
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof MlflowError) || error.status !== 404 || error.code !== "RESOURCE_DOES_NOT_EXIST") {
        throw error;
      }
    }
    try {
      return (await this.#post<{ experiment_id: string }>("experiments/create", { name })).experiment_id;
    } catch (error) {
      // Somebody else was quicker.
      if (error instanceof MlflowError && error.code === "RESOURCE_ALREADY_EXISTS") return find();
      throw error;
    }
  }

  /** The run with our identifier, made when it is not there: a request whose answer was lost makes no second one. */
  async #findOrCreateRun(experimentId: string, { id, name }: RunName, time: number) {
    interface Run {
      readonly info: { readonly run_id: string; readonly artifact_uri: string };
    }
    const found = await this.#post<{ runs?: Run[] }>("runs/search", {
      experiment_ids: [experimentId],
      filter: `tags."foehn.run_id" = '${id.replaceAll("'", "")}'`,
      max_results: 1,
    });
    const run =
      found.runs?.[0] ??
      (
        await this.#post<{ run: Run }>("runs/create", {
          experiment_id: experimentId,
          run_name: name,
          start_time: time,
          tags: [{ key: "foehn.run_id", value: id }],
        })
      ).run;
    return { runId: run.info.run_id, artifactUri: run.info.artifact_uri, isNew: found.runs?.[0] === undefined };
  }

  async #registerModel(name: string, runId: string, source: string): Promise<void> {
    try {
      await this.#post("registered-models/create", { name });
    } catch (error) {
      if (!(error instanceof MlflowError) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
    }
    const { model_versions: versions = [] } = await this.#get<{ model_versions?: { name: string; source: string }[] }>(
      "model-versions/search",
      { filter: `run_id = '${runId}'` },
    );
    if (versions.some((version) => version.name === name && version.source === source)) return;
    await this.#post("model-versions/create", { name, source, run_id: runId });
  }

  #reject(record: OutboxRecord, error: Error): void {
    this.#note(`MLflow refuses a record (${record.kind}): ${error.message}; it is kept in rejected.jsonl`);
    const line = `${JSON.stringify({ reason: error.message, record })}\n`;
    appendFileSync(join(this.#outbox.folder, "rejected.jsonl"), line);
  }

  #post<T>(endpoint: string, body: Readonly<Record<string, unknown>>): Promise<T> {
    return this.#client.call<T>("POST", endpoint, body, this.#stop.signal);
  }

  #get<T>(endpoint: string, query: Readonly<Record<string, string>>): Promise<T> {
    return this.#client.call<T>("GET", endpoint, query, this.#stop.signal);
  }
}

/** Metrics that follow each other go together; everything else goes alone. */
function nextGroup(pending: readonly PendingRecord[]): PendingRecord[] {
  const group: PendingRecord[] = [];
  let metrics = 0;
  for (const item of pending) {
    if (item.record.kind !== "metrics") break;
    metrics += item.record.metrics.length;
    if (group.length > 0 && metrics > limits.metrics) break;
    group.push(item);
  }
  return group.length > 0 ? group : pending.slice(0, 1);
}

/** True for what no repetition mends: a request that the server finds wrong, a file that is gone. */
function isFinal(error: unknown): boolean {
  if (error instanceof MlflowError) return error.isFinal;
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
