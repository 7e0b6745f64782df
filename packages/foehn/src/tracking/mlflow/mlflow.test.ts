// MLflow: that nothing is lost, doubled or waited for, whatever the server does; and that the real MLflow understands us.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { TrainingStart } from "../../training/callbacks.js";
import "../../plots/observers/builtin.js";
import { testRun } from "../../training/test-run.js";
import { train } from "../../training/train.js";
import { Trackers } from "../trackers.js";
import { MlflowClient } from "./client.js";
import { type MlflowOptions, MlflowTracker } from "./mlflow-callback.js";
import { Outbox } from "./outbox.js";
import { startServer } from "./server.test-support.js";
import { syncMlflow } from "./sync.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "foehn-mlflow-"));
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function server() {
  const started = await startServer();
  cleanups.push(() => started.close());
  return started;
}

const quick = { firstPauseMs: 5, gatherMs: 0 } as const;

/** What a tracker reads of a training; the test at the end has a real one. */
function start(runDir: string, isResumed = false): TrainingStart {
  const feature = { name: "t2m", units: "K", longName: "2 m temperature", role: "prognostic", weight: 1 };
  const info = { name: "toy", stepSeconds: 21_600, features: [feature] };
  const options = { lr: 0.001, epochs: 2, dataset: "toy", data: null, betas: [0.9, 0.95] };
  return { runDir, options, info, isResumed } as unknown as TrainingStart;
}

const step = (n: number, loss: number) =>
  ({ kind: "step", step: n, epoch: 1, train_loss: loss, lr: 0.001, seconds: 0.1 }) as const;

async function follow(runDir: string, options: Partial<MlflowOptions> & { uri: string }, steps: number) {
  const notes: string[] = [];
  const tracker = new MlflowTracker({ ...quick, note: (line) => notes.push(line), ...options });
  tracker.onStart(start(runDir));
  for (let n = 1; n <= steps; n++) {
    tracker.onStep(step(n, n === 3 ? Number.NaN : 1 / n));
    if (n % 10 === 0) await new Promise(setImmediate);
  }
  tracker.onEpoch({
    kind: "epoch",
    step: steps,
    epoch: 1,
    train_loss: 0.5,
    val_loss: 0.25,
    val_loss_by_lead: [0.2, 0.3],
    val_rmse: { t2m: [2, 3] },
    seconds: 1,
  });
  const figure = join(runDir, "figures", "map.png");
  mkdirSync(join(runDir, "figures"), { recursive: true });
  writeFileSync(figure, "picture");
  tracker.onFigure({ kind: "figure", tag: "map", step: steps, epoch: 1, path: figure });
  writeFileSync(join(runDir, "config.json"), "{}");
  tracker.onEnd({ runDir, reason: "completed" });
  return { tracker, notes };
}

const lossesOf = (run: { metrics: { key: string; value: unknown; step: number }[] }) =>
  run.metrics.filter((metric) => metric.key === "loss/train_step").map((metric) => [metric.step, metric.value]);

describe("MlflowTracker", () => {
  it("tells the server of parameters, metrics, figures, files and the end", async () => {
    const mlflow = await server();
    const runDir = folder();
    const { tracker } = await follow(runDir, { uri: mlflow.uri, experiment: "winds" }, 25);
    expect(await tracker.close()).toBe(0);
    expect(mlflow.experiments).toEqual(["winds"]);
    const [run] = mlflow.runs;
    expect(run!.params).toMatchObject({ lr: "0.001", epochs: "2", betas: "[0.9,0.95]" });
    expect(lossesOf(run!)).toHaveLength(25);
    expect(lossesOf(run!)[2]).toEqual([3, "NaN"]);
    expect(run!.metrics).toContainEqual(expect.objectContaining({ key: "rmse_t2m/lead_012h", value: 3, step: 25 }));
    expect(run!.info.status).toBe("FINISHED");
    expect([...mlflow.artifacts.keys()]).toEqual(["0/run0/artifacts/figures/map.png", "0/run0/artifacts/config.json"]);
    expect(mlflow.requests.filter((name) => name === "POST runs/log-batch").length).toBeLessThan(15); // gathered
  });

  it("nests a run in its campaign, which several runs share", async () => {
    const mlflow = await server();
    const parent = { id: "campaign:spring", name: "spring" };
    for (let i = 0; i < 2; i++) {
      const { tracker } = await follow(folder(), { uri: mlflow.uri, parent }, 1);
      await tracker.close();
    }
    const [campaign, ...children] = mlflow.runs;
    expect(campaign!.info).toMatchObject({ run_name: "spring", status: "FINISHED" });
    expect(children.map((run) => run.tags["mlflow.parentRunId"])).toEqual(["run0", "run0"]);
  });

  it("sends the package as a model and registers it once", async () => {
    const mlflow = await server();
    const runDir = folder();
    const pkg = join(runDir, "package");
    mkdirSync(join(pkg, "extra"), { recursive: true });
    writeFileSync(join(pkg, "metadata.json"), "{}");
    writeFileSync(join(pkg, "extra", "weights.bin"), "w");
    for (let i = 0; i < 10; i++) mlflow.faults.push("lost-answer", ...new Array<"none">(8).fill("none"));
    const { tracker } = await follow(runDir, { uri: mlflow.uri, registeredModel: "wind" }, 1);
    await tracker.onPackage(pkg);
    expect(await tracker.close()).toBe(0);
    expect([...mlflow.artifacts.keys()].filter((name) => name.includes("/model/")).sort()).toEqual([
      "0/run0/artifacts/model/MLmodel",
      "0/run0/artifacts/model/package/extra/weights.bin",
      "0/run0/artifacts/model/package/metadata.json",
    ]);
    expect(mlflow.artifacts.get("0/run0/artifacts/model/MLmodel")).toContain("run_id: run0");
    expect(mlflow.models).toEqual([
      { name: "wind", run_id: "run0", source: "mlflow-artifacts:/0/run0/artifacts/model" },
    ]);
  });

  it.each([
    ["answers 500", [500, 500, 503]],
    ["resets connections", ["reset", "reset"]],
    ["does the work and loses the answers", new Array(12).fill("lost-answer")],
    ["asks for patience", [429, 429]],
    ["refuses the credentials for a while", [401, 403]],
  ] as const)("loses and doubles nothing when the server %s", async (_, faults) => {
    const mlflow = await server();
    mlflow.faults.push(...faults);
    const { tracker, notes } = await follow(folder(), { uri: mlflow.uri }, 30);
    expect(await tracker.close()).toBe(0);
    expect(mlflow.experiments).toEqual(["foehn"]);
    expect(mlflow.runs).toHaveLength(1);
    expect(lossesOf(mlflow.runs[0]!).map(([n]) => n)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(notes[0]).toMatch(/^MLflow: http.*kept/);
    expect(notes.at(-1)).toMatch(/answers again/);
  });

  it("does not keep a training waiting for a server that is down, and sends everything later", async () => {
    const mlflow = await server();
    mlflow.state.down = true;
    const runDir = folder();
    const before = performance.now();
    const { tracker, notes } = await follow(runDir, { uri: mlflow.uri, closeMs: 100 }, 100);
    expect(performance.now() - before).toBeLessThan(1000);
    expect(await tracker.close()).toBeGreaterThan(100);
    expect(notes.at(-1)).toContain(`foehn runs sync ${runDir}`);
    expect(mlflow.runs).toEqual([]);

    await expect(syncMlflow(runDir, { uri: mlflow.uri })).rejects.toThrow(
      expect.objectContaining({ name: "StorageError", hint: expect.stringContaining("nothing is lost") }),
    );

    mlflow.state.down = false;
    const { pending, left } = await syncMlflow(runDir, { uri: mlflow.uri });
    expect(pending).toBeGreaterThan(100);
    expect(left).toBe(0);
    expect(lossesOf(mlflow.runs[0]!)).toHaveLength(100);
    expect(mlflow.runs[0]!.info.status).toBe("FINISHED");
    await expect(syncMlflow(folder(), { uri: mlflow.uri })).rejects.toThrow(/keeps nothing for MLflow/);
  });

  it("goes on with the same run after a kill that cut off the last line", async () => {
    const mlflow = await server();
    mlflow.state.down = true;
    const runDir = folder();
    const first = await follow(runDir, { uri: mlflow.uri, closeMs: 20 }, 5);
    await first.tracker.close();
    appendFileSync(join(runDir, "mlflow", "outbox.jsonl"), '{"kind":"metrics","metr');
    mlflow.state.down = false;
    const tracker = new MlflowTracker({ ...quick, uri: mlflow.uri });
    tracker.onStart(start(runDir, true));
    tracker.onStep(step(6, 0.1));
    tracker.onEnd({ runDir, reason: "interrupted" });
    expect(await tracker.close()).toBe(0);
    expect(mlflow.runs).toHaveLength(1);
    expect(lossesOf(mlflow.runs[0]!).map(([n]) => n)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(mlflow.runs[0]!.info.status).toBe("KILLED");
  });

  it("sets aside what the server calls wrong and goes on with the rest", async () => {
    const mlflow = await server();
    const runDir = folder();
    const { tracker, notes } = await follow(runDir, { uri: mlflow.uri }, 1);
    // These three would go in one request.
    tracker.onScalars({ kind: "scalars", step: 1, epoch: 1, values: { before: 1 } });
    tracker.onScalars({ kind: "scalars", step: 1, epoch: 1, values: { refused: 1 } });
    tracker.onScalars({ kind: "scalars", step: 1, epoch: 1, values: { after: 1 } });
    tracker.onFigure({ kind: "figure", tag: "gone", step: 1, epoch: 1, path: join(runDir, "gone.png") });
    tracker.onStep(step(2, 0.5));
    expect(await tracker.close()).toBe(0);
    const rejected = readFileSync(join(runDir, "mlflow", "rejected.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(rejected.map((line) => (JSON.parse(line) as { reason: string }).reason)).toEqual([
      expect.stringContaining("bad metric"),
      expect.stringContaining("ENOENT"),
    ]);
    expect(lossesOf(mlflow.runs[0]!).map(([n]) => n)).toContain(2);
    expect(mlflow.runs[0]!.metrics.map(({ key }) => key)).toEqual(expect.arrayContaining(["before", "after"]));
    expect(notes.join()).toContain("rejected.jsonl");
  });
});

describe("Outbox", () => {
  it("reads lines that are longer than its chunk", () => {
    const outbox = new Outbox(folder());
    outbox.append({ kind: "text", text: "ü".repeat(300_000), path: "long" });
    outbox.append({ kind: "status", status: "FINISHED", time: 1 });
    const [first] = outbox.pending();
    expect(first!.record).toMatchObject({ path: "long" });
    outbox.advance({ sent: first!.end });
    expect(outbox.pending().map((item) => item.record.kind)).toEqual(["status"]);
    expect(outbox.countPending()).toBe(1);
    outbox.close();
  });

  it.each([
    ["empty", ""],
    ["ahead of the records", '{"runId":"run0","artifactUri":"/","sent":100000}'],
  ])("sends everything again when the state is %s after a power cut", (_, state) => {
    const path = folder();
    const before = new Outbox(path);
    before.append({ kind: "status", status: "RUNNING", time: 1 });
    before.close();
    writeFileSync(join(path, "state.json"), state);
    const outbox = new Outbox(path);
    outbox.append({ kind: "status", status: "FINISHED", time: 2 });
    expect(outbox.pending().map(({ record }) => record)).toMatchObject([{ time: 1 }, { time: 2 }]);
    outbox.close();
  });
});

describe("MlflowClient", () => {
  it("takes credentials from the address or the environment, and sends them in a header", () => {
    const client = new MlflowClient({ uri: "https://me:s%40cret@example.org/mlflow/" });
    expect(client.uri).toBe("https://example.org/mlflow");
  });

  it.each(["sqlite:///mlflow.db", "mlruns", "databricks"])("says what to do with %s", (uri) => {
    expect(() => new MlflowClient({ uri })).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/mlflow server/) }),
    );
  });
});

describe("Trackers", () => {
  it("want an address before anything is written", async () => {
    const runs = folder();
    const input = { dataset: "dummy", trackers: ["mlflow" as const], runs_dir: join(runs, "runs"), epochs: 1 };
    const saved = process.env.MLFLOW_TRACKING_URI;
    delete process.env.MLFLOW_TRACKING_URI;
    try {
      await expect(train(input, { callbacks: [new Trackers()] })).rejects.toThrow(/needs the address/);
    } finally {
      if (saved !== undefined) process.env.MLFLOW_TRACKING_URI = saved;
    }
    expect(existsSync(join(runs, "runs"))).toBe(false);
  });

  it("follow a real training while the server fails, nested in its campaign, and then its test", async () => {
    const mlflow = await server();
    mlflow.faults.push(500, "reset", "lost-answer", 503);
    const trackers = new Trackers();
    const result = await train(
      {
        dataset: "dummy",
        model_settings: { num_filters: 4 },
        trackers: ["tensorboard", "mlflow"],
        mlflow_uri: mlflow.uri,
        campaign_name: "spring",
        runs_dir: folder(),
        epochs: 1,
        limit_train_batches: 2,
        num_input_steps: 1,
        num_pred_steps_val_test: 1,
      },
      { callbacks: [trackers] },
    );
    result.network.dispose();
    await trackers.close();
    const [campaign, run] = mlflow.runs;
    expect(campaign!.info.run_name).toBe("spring");
    expect(run!.info.run_name).toBe(basename(result.runDir));
    expect(lossesOf(run!)).toHaveLength(2);
    expect(run!.info.status).toBe("FINISHED");
    expect(existsSync(join(result.runDir, "tensorboard"))).toBe(true);

    const follower = await Trackers.ofTest(result.runDir);
    await testRun(result.runDir, { observers: ["state_error"] }, { callbacks: [follower] });
    await follower.onEnd({ runDir: result.runDir, reason: "completed" });
    await follower.close();
    const test = mlflow.runs[2]!;
    expect(test.tags["mlflow.parentRunId"]).toBe(run!.info.run_id);
    expect(test.metrics.map((metric) => metric.key)).toContainEqual(expect.stringMatching(/^test_/));
    expect([...mlflow.artifacts.keys()]).toContainEqual(expect.stringMatching(/run2.*\.png$/));
  });
});

/** A Python that can import mlflow, or undefined. */
const python = [process.env.FOEHN_MLFLOW_PYTHON, "/usr/bin/python3"].find((candidate) => {
  if (!candidate) return false;
  try {
    execFileSync(candidate, ["-c", "import mlflow.server"], { stdio: "ignore", timeout: 60_000 });
    return true;
  } catch {
    return false;
  }
});
if (!python) console.log("skipped: the real MLflow (no Python with `mlflow`; set FOEHN_MLFLOW_PYTHON)");

describe.skipIf(!python)("the real MLflow", () => {
  it("keeps what a training tells it, nested, with artifacts and a registered model", async () => {
    const home = folder();
    const { uri } = await realServer(home);
    const runDir = folder();
    const pkg = join(runDir, "package");
    mkdirSync(pkg);
    writeFileSync(join(pkg, "metadata.json"), '{"name": "toy"}');
    const options = {
      uri,
      experiment: "winds",
      parent: { id: "campaign:spring", name: "spring" },
      registeredModel: "toy",
      closeMs: 60_000,
    };
    const { tracker, notes } = await follow(runDir, options, 1200);
    await tracker.onPackage(pkg);
    expect(await tracker.close()).toBe(0);
    expect(notes.filter((note) => note.includes("refuses"))).toEqual([]);
    const script = `
import json, sys, math
from mlflow import MlflowClient
c = MlflowClient(sys.argv[1])
e = c.get_experiment_by_name("winds")
runs = {r.info.run_name: r for r in c.search_runs([e.experiment_id])}
run = runs[sys.argv[2]]
history = c.get_metric_history(run.info.run_id, "loss/train_step")
def files(path=None):
    for f in c.list_artifacts(run.info.run_id, path):
        if f.is_dir: yield from files(f.path)
        else: yield f.path
print(json.dumps({
  "params": run.data.params, "status": run.info.status,
  "steps": [m.step for m in history], "nan": math.isnan(history[2].value),
  "rmse": c.get_metric_history(run.info.run_id, "rmse_t2m/lead_012h")[0].value,
  "parent": run.data.tags["mlflow.parentRunId"] == runs["spring"].info.run_id,
  "files": sorted(files()), "dataset": run.inputs.dataset_inputs[0].dataset.name,
  "versions": [[v.version, v.run_id == run.info.run_id] for v in c.search_model_versions("name='toy'")],
}))`;
    const read = JSON.parse(
      execFileSync(python!, ["-c", script, uri, basename(runDir)], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
    expect(read.params).toMatchObject({ lr: "0.001", epochs: "2" });
    expect(read.status).toBe("FINISHED");
    expect(read.steps).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1));
    expect(read).toMatchObject({ nan: true, rmse: 3, parent: true, dataset: "toy", versions: [["1", true]] });
    expect(read.files).toEqual(["config.json", "figures/map.png", "model/MLmodel", "model/package/metadata.json"]);
  }, 180_000);
});

/** Starts `mlflow server` on a free port of loopback, with its files in a folder; ended with the test. */
async function realServer(home: string): Promise<{ uri: string }> {
  const port = await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
  const store = [
    "--backend-store-uri",
    `sqlite:///${join(home, "mlflow.db")}`,
    "--artifacts-destination",
    join(home, "a"),
  ];
  const args = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", String(port), "--workers", "1", ...store];
  const child: ChildProcess = spawn(python!, args, { stdio: "ignore", cwd: home, detached: true });
  cleanups.push(() => process.kill(-child.pid!, "SIGTERM"));
  const uri = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 240; i++) {
    const healthy = await fetch(`${uri}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return { uri };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("mlflow server did not start within two minutes");
}
