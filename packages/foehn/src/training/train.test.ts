import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import type { TrainingCallback } from "./callbacks.js";
import { CheckpointFolder } from "./checkpoints.js";
import { inferenceModel } from "./inference-model.js";
import { readMetrics } from "./metrics-log.js";
import { type TinyDataOptions, tinyData } from "./tiny-data.test.fixture.js";
import { resumeTraining, type TrainHooks, train } from "./train.js";

const directory = mkdtempSync(join(tmpdir(), "foehn-train-"));
afterAll(() => rmSync(directory, { recursive: true }));

const base = {
  model: "halfunet",
  model_settings: { num_filters: 4 },
  dataset: "tiny",
  epochs: 3,
  batch_size: 2,
  num_pred_steps_val_test: 3,
  lr: 3e-3,
  precision: "fp32" as const,
  threads: 1,
  runs_dir: join(directory, "runs"),
};

const run = (options: Parameters<typeof train>[0] = {}, data: TinyDataOptions = {}, hooks: TrainHooks = {}) =>
  train({ ...base, ...options }, { dataset: tinyData(data), ...hooks });

/** Aborts after a number of batches, as Ctrl-C would. */
function abortAfter(batches: number): { signal: AbortSignal; progress: NonNullable<TrainHooks["progress"]> } {
  const controller = new AbortController();
  let seen = 0;
  const progress = {
    start() {},
    update() {
      if (++seen === batches) controller.abort();
    },
    note() {},
    finish() {},
  };
  return { signal: controller.signal, progress };
}

const bytes = (path: string) => readFileSync(path).toString("base64");
const rejection = async (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error as Error & { code?: string; hint?: string; where?: string },
  );

describe("train", () => {
  it("learns, and leaves a complete run folder", async () => {
    const result = await run({ epochs: 8, run_name: "waves" });
    const losses = result.history.map((record) => record.train_loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    expect(result.runDir).toMatch(/runs\/\d{8}T\d{6}Z-waves-[0-9a-f]{4}$/);
    expect(readdirSync(result.runDir).sort()).toEqual(
      [
        "checkpoints",
        "config.json",
        "dataset.json",
        "dataset.safetensors",
        "metrics.jsonl",
        "provenance.json",
        "status.json",
      ].sort(),
    );
    const config = JSON.parse(readFileSync(join(result.runDir, "config.json"), "utf8"));
    expect(config).toMatchObject({
      epochs: 8,
      betas: [0.9, 0.95],
      model_settings: { num_filters: 4, autopad_enabled: true },
    });
    const provenance = JSON.parse(readFileSync(join(result.runDir, "provenance.json"), "utf8"));
    expect(provenance).toMatchObject({ libtorch_version: expect.any(String), precision: "fp32" });

    const records = readMetrics(result.metricsPath);
    expect(records.filter((record) => record.kind === "step")).toHaveLength(8 * 6);
    const epochs = records.filter((record) => record.kind === "epoch");
    expect(epochs).toHaveLength(8);
    expect(Object.keys(epochs[0]!.val_rmse!)).toEqual(["t2m", "z500"]);
    expect(epochs[0]!.val_rmse!.t2m).toHaveLength(3);
    expect(readdirSync(join(result.runDir, "checkpoints")).sort()).toEqual(expect.arrayContaining(["best", "last"]));

    const contents = await inferenceModel(result.runDir);
    expect(contents).toMatchObject({
      name: expect.stringMatching(/^waves-/),
      architecture: "halfunet",
      strategy: "diff_ar",
      numInputSteps: 2,
    });
    expect(contents.info.features.map((feature) => feature.name)).toEqual(["t2m", "z500"]);
    expect(contents.info.grid.shape).toEqual([16, 16]);
    expect(contents.climatology.z500![5]).toBe(281);
    for (const [key, tensor] of result.network.stateDict())
      expect(torch.equal(tensor, contents.weights.get(key)!), key).toBe(true);
  });

  it("reports RMSE in physical units, pooled over samples", async () => {
    // Persistence has no weights, so its error is known: differences of the waves themselves, times the std of 10.
    const result = await run(
      { model: "persistence", model_settings: {}, epochs: 1, num_pred_steps_val_test: 1 },
      { numPredStepsValTest: 1 },
    );
    const data = tinyData({ numPredStepsValTest: 1 });
    let sum = 0;
    let count = 0;
    for (let i = 0; i < data.valid.length; i++) {
      const item = await data.valid.item(i);
      const last = item.inputs.feature("t2m").select(0, 1).toTypedArray() as Float32Array;
      const truth = item.outputs.feature("t2m").select(0, 0).toTypedArray() as Float32Array;
      for (const [n, value] of truth.entries()) {
        sum += (10 * (value - last[n]!)) ** 2;
        count++;
      }
    }
    expect(result.history[0]!.val_rmse!.t2m![0]).toBeCloseTo(Math.sqrt(sum / count), 4);
    // The checkpoint of a network without weights can be packaged too.
    expect((await inferenceModel(result)).weights.size).toBe(0);
  });

  it("repeats itself exactly from a seed", async () => {
    const [a, b, c] = [await run({ epochs: 1 }), await run({ epochs: 1 }), await run({ epochs: 1, seed: 43 })];
    const weights = (result: typeof a) => bytes(join(result.lastCheckpoint, "model.safetensors"));
    expect(weights(a)).toBe(weights(b));
    expect(weights(a)).not.toBe(weights(c));
  });

  const cosine = {
    epochs: 3,
    accumulate_grad_batches: 3,
    scheduler: "cosine" as const,
    warmup_steps: 1,
    gradient_clip_norm: 1,
  };
  // A learning rate at which the validation loss jumps, so that the plateau is met.
  const averaged = {
    epochs: 4,
    lr: 0.03,
    accumulate_grad_batches: 4,
    optimizer: "nadam" as const,
    scheduler: "plateau" as const,
    scheduler_settings: { patience: 0, factor: 0.5 },
    ema_decay: 0.8,
    gradient_clip_value: 0.1,
    loss: "crps",
    ensemble_size: 2,
    ensemble_noise: 0.1,
  };
  it.each([
    ["in the middle of an epoch and of an accumulation", 4, cosine],
    ["after the last batch of an epoch", 6, cosine],
    ["in validation", 7, cosine],
    ["in an accumulation, with average, plateau and ensemble", 9, averaged],
    ["in validation, with average, plateau and ensemble", 15, averaged],
    ["after a plateau", 22, averaged],
  ])("resumes exactly when stopped %s", async (_, after, options) => {
    const whole = await run(options);
    const error = await rejection(run(options, {}, abortAfter(after)));
    expect(error).toMatchObject({
      code: "interrupted",
      hint: expect.stringContaining("--resume"),
      where: expect.any(String),
    });
    torch.randn([7]); // the generator has moved on since
    const resumed = await resumeTraining(error!.where!, {}, { dataset: tinyData() });
    for (const file of ["model.safetensors", "optimizer.safetensors"]) {
      expect(bytes(join(resumed.lastCheckpoint, file))).toBe(bytes(join(whole.lastCheckpoint, file)));
    }
    const comparable = (path: string) => readMetrics(path).map((record) => ({ ...record, seconds: 0, data_wait: 0 }));
    expect(comparable(resumed.metricsPath)).toEqual(comparable(whole.metricsPath));
  });

  it("unrolls longer forecasts from epoch to epoch, also after a resume in the middle of one", async () => {
    const options = {
      epochs: 3,
      num_pred_steps_schedule: [
        [0, 1],
        [1, 2],
        [2, 3],
      ] as [number, number][],
      pushforward_steps: 0,
      checkpoint_steps: true,
      mask_ratio: 0.25,
    };
    const data = { numPredStepsTrain: 3 };
    const whole = await run(options, data);
    expect(whole.history.map((record) => record.unrolled_steps)).toEqual([1, 2, 3]);
    // Step 8 is the second of the second epoch.
    const error = await rejection(run(options, data, abortAfter(8)));
    const resumed = await resumeTraining(error!.where!, {}, { dataset: tinyData(data) });
    for (const file of ["model.safetensors", "optimizer.safetensors"]) {
      expect(bytes(join(resumed.lastCheckpoint, file))).toBe(bytes(join(whole.lastCheckpoint, file)));
    }
    expect(resumed.history.map((record) => record.train_loss)).toEqual(
      whole.history.map((record) => record.train_loss),
    );
    expect(await rejection(run(options, { numPredStepsTrain: 2 }))).toMatchObject({
      code: "config",
      message: expect.stringContaining("unrolls up to 3 steps, the samples of tiny have 2"),
    });
  });

  it("lowers the rate on a plateau of the validation loss", async () => {
    const { history, metricsPath } = await run({ ...averaged, epochs: 6 });
    const rates = [
      ...new Set(readMetrics(metricsPath).flatMap((record) => (record.kind === "step" ? [record.lr] : []))),
    ];
    expect(rates.length).toBeGreaterThan(1);
    expect(rates).toEqual(rates.map((_, i) => 0.03 * 0.5 ** i));
    let best = Number.POSITIVE_INFINITY;
    let bad = 0;
    for (const { val_loss } of history.slice(0, -1)) {
      if (val_loss! < best * (1 - 1e-4)) best = val_loss!;
      else bad++;
    }
    expect(rates.length - 1).toBe(bad);
  });

  it("validates, packages and hands on the average of the weights; training goes on from its own", async () => {
    const plain = await run({ epochs: 2 });
    const averaged = await run({ epochs: 2, ema_decay: 0.9 });
    const losses = (result: typeof plain) => result.history.map((record) => record.train_loss);
    expect(losses(averaged)).toEqual(losses(plain));
    expect(averaged.history[0]!.val_loss).not.toBe(plain.history[0]!.val_loss);
    const checkpoint = await new CheckpointFolder(join(averaged.runDir, "checkpoints")).load<{ ema_updates: number }>(
      "last",
    );
    expect(checkpoint.state.ema_updates).toBe(12);
    const [own] = plain.network.namedParameters().keys();
    const same = (a: torch.Tensor, b: torch.Tensor) => torch.equal(a, b);
    const last = await new CheckpointFolder(join(plain.runDir, "checkpoints")).load("last");
    expect(same(checkpoint.optimizer.get(`weights.${own}`)!, last.model.get(own!)!)).toBe(true);
    expect(same(checkpoint.model.get(own!)!, last.model.get(own!)!)).toBe(false);
    const contents = await inferenceModel(averaged.runDir, { checkpoint: "last" });
    expect(same(contents.weights.get(own!)!, checkpoint.model.get(own!)!)).toBe(true);
  });

  it.each(["sgd", "rmsprop", "adagrad", "adamax", "radam", "lion"] as const)("learns with %s", async (optimizer) => {
    const lr = { sgd: 0.01, rmsprop: 1e-3, adagrad: 0.02, adamax: 5e-3, radam: 0.01, lion: 1e-3 }[optimizer];
    const { history } = await run({ epochs: 4, optimizer, lr });
    expect(history.at(-1)!.train_loss).toBeLessThan(history[0]!.train_loss / 1.3);
  });

  it("spares norms, biases and named parameters weight decay, and refuses names that fit none", async () => {
    // With a rate of nearly nothing only the decay of lr·λ = 0.5 a step moves a weight.
    const options = { epochs: 1, limit_train_batches: 1, optimizer: "sgd" as const, lr: 1e-6, weight_decay: 5e5 };
    const fresh = await run({ ...options, weight_decay: 0 });
    const decayed = await run({ ...options, decay_norms: false, undecayed: ["outconv.*"] });
    const before = fresh.network.namedParameters();
    for (const [name, parameter] of decayed.network.namedParameters()) {
      const ratio = parameter.abs().sum().div(before.get(name)!.abs().sum()).item() as number;
      if (parameter.ndim > 1 && !name.startsWith("outconv.")) expect(ratio, name).toBeCloseTo(0.5, 2);
      else if (Number.isFinite(ratio)) expect(ratio, name).toBeCloseTo(1, 2);
    }
    expect(await rejection(run({ undecayed: ["outconf.weight"] }))).toMatchObject({
      code: "config",
      hint: expect.stringContaining('"outconv.weight"'),
    });
  });

  it("leaves steps out that are not finite, as many in a row as it may", async () => {
    // One time in the data is infinite.
    const spoil = (time: number) => (time === 5 ? Number.POSITIVE_INFINITY : undefined);
    const notes: string[] = [];
    const progress = { start() {}, update() {}, note: (text: string) => void notes.push(text), finish() {} };
    const options = { epochs: 1, skip_nonfinite: 6 };
    const result = await run(options, { spoil }, { progress });
    const steps = readMetrics(result.metricsPath).filter((record) => record.kind === "step");
    const skipped = notes.filter((note) =>
      /the loss is (NaN|Infinity) at step \d+ .*; the step is left out/.test(note),
    );
    expect(skipped.length).toBeGreaterThan(1);
    expect(steps).toHaveLength(6 - skipped.length);
    // Neither weights nor running statistics have seen it.
    expect(Number.isFinite(result.history[0]!.val_loss)).toBe(true);
    const always = () => Number.POSITIVE_INFINITY;
    expect(await rejection(run({ epochs: 1, skip_nonfinite: 2 }, { spoil: always }))).toMatchObject({
      code: "numerical",
      message: expect.stringMatching(/at step 3 .*after 2 steps that were left out/),
    });
  });

  it("says where the time went, and puts runs of a campaign together", async () => {
    const notes: string[] = [];
    const progress = { start() {}, update() {}, note: (text: string) => void notes.push(text), finish() {} };
    const result = await run(
      { epochs: 1, profiler: "simple", campaign_name: "camp0", run_name: "a" },
      {},
      { progress },
    );
    expect(result.runDir).toMatch(/runs\/camp0\/[^/]*-a-[0-9a-f]{4}$/);
    expect(notes.at(-1)).toMatch(/where the time went:.*data wait.*backward.*ms\/step/s);
    const { steps, seconds } = JSON.parse(readFileSync(join(result.runDir, "profile.json"), "utf8"));
    expect(steps).toBe(6);
    const { total, ...parts } = seconds as Record<string, number>;
    expect(Object.values(parts).reduce((a, b) => a + b, 0)).toBeCloseTo(total!, 6);
    expect(parts.forward).toBeGreaterThan(0);
    const step = readMetrics(result.metricsPath).find((record) => record.kind === "step")!;
    expect(step.data_wait).toBeGreaterThanOrEqual(0);
    expect(step.data_wait).toBeLessThanOrEqual(step.seconds);
    expect(step.grad_norm).toBeGreaterThan(0);
  });

  it("refuses settings that do not go together, before anything is written", async () => {
    const refusals: [Parameters<typeof train>[0], RegExp][] = [
      [
        { optimizer: "sgd", optimizer_settings: { momentun: 0.9 } },
        /optimizer_settings of sgd momentun: unknown key. Did you mean "momentum"/,
      ],
      [{ scheduler: "multistep" }, /milestones: expected a list, but it is missing/],
      [{ scheduler: "plateau", warmup_steps: 5 }, /takes no warmup_steps, got 5/],
      [{ loss: "hubr" }, /unknown loss "hubr"/],
      [{ loss: { name: "mse", feature_weights: { t2n: 1 } } }, /no feature "t2n"/],
    ];
    for (const [options, message] of refusals) {
      expect(await rejection(run({ ...options, runs_dir: join(directory, "refused") }))).toMatchObject({
        code: "config",
        message: expect.stringMatching(message),
      });
    }
    expect(existsSync(join(directory, "refused"))).toBe(false);
  });

  it("goes on from the last checkpoint after a kill: later lines are cut, leftovers removed", async () => {
    const whole = await run({ epochs: 2 });
    const killed = await run({ epochs: 1 });
    // As if killed while the next checkpoint was being written.
    writeFileSync(killed.metricsPath, `${readFileSync(killed.metricsPath, "utf8")}{"kind":"step","step":7`);
    writeFileSync(join(killed.runDir, "checkpoints", ".step-00000009.0a1b2c.tmp"), "half");
    const resumed = await resumeTraining(killed.runDir, { epochs: 2 }, { dataset: tinyData() });
    expect(bytes(join(resumed.lastCheckpoint, "model.safetensors"))).toBe(
      bytes(join(whole.lastCheckpoint, "model.safetensors")),
    );
    expect(
      readMetrics(resumed.metricsPath)
        .filter((record) => record.kind === "step")
        .map((record) => record.step),
    ).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(readdirSync(join(resumed.runDir, "checkpoints")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("goes on after a metrics file that has become shorter, and names a damaged file of the run", async () => {
    const { runDir, metricsPath } = await run({ epochs: 1 });
    writeFileSync(metricsPath, '{"kind":"step","step":1}\n{"kind":"st');
    const resumed = await resumeTraining(runDir, { epochs: 2 }, { dataset: tinyData() });
    const steps = readMetrics(resumed.metricsPath).filter((record) => record.kind === "step");
    expect(steps.map((record) => record.step)).toEqual([1, 7, 8, 9, 10, 11, 12]);
    const odd = join(directory, "odd.jsonl");
    writeFileSync(odd, '{"kind":"step","step":1}\n{bad\n{"kind":"st');
    expect(() => readMetrics(odd)).toThrow("line 2 is no JSON");
    for (const name of ["config.json", "provenance.json"]) {
      const path = join(runDir, name);
      const text = readFileSync(path);
      for (const damaged of ['{"a', "3"]) {
        writeFileSync(path, damaged);
        expect(await rejection(resumeTraining(runDir, {}, { dataset: tinyData() }))).toMatchObject({
          code: "format",
          where: path,
          message: expect.stringContaining("damaged"),
        });
      }
      writeFileSync(path, text);
    }
  });

  it("warns of an ensemble whose members nothing sets apart", async () => {
    const warningsOf = async (options: Parameters<typeof train>[0]) => {
      const notes: string[] = [];
      const progress = { start() {}, update() {}, note: (text: string) => void notes.push(text), finish() {} };
      await run({ epochs: 1, limit_train_batches: 1, ensemble_size: 2, ...options }, {}, { progress });
      return notes.filter((note) => note.includes("members"));
    };
    expect(await warningsOf({})).toEqual([expect.stringMatching(/^warning: all 2 members .* ensemble_noise is 0$/)]);
    expect(await warningsOf({ ensemble_noise: 0.1 })).toEqual([]);
  });

  it("refuses to resume on other data", async () => {
    const first = await run({ epochs: 1 });
    const error = await rejection(
      resumeTraining(first.runDir, { epochs: 2 }, { dataset: tinyData({ borderSize: 2 }) }),
    );
    expect(error).toMatchObject({ code: "config", message: expect.stringContaining("borderSize") });
  });

  it("shows both sides when the features are others: on resume, and with weights of a run", async () => {
    const first = await run({ epochs: 1 });
    const data = tinyData();
    const rename = (name: string) => (name === "z500" ? "z50" : name);
    const renamed = <T>(record: Readonly<Record<string, T>>) =>
      Object.fromEntries(Object.entries(record).map(([name, value]) => [rename(name), value]));
    const info = {
      ...data.info,
      features: data.info.features.map((feature) => ({ ...feature, name: rename(feature.name) })),
      stats: renamed(data.info.stats),
      diffStats: renamed(data.info.diffStats),
    };
    const dataset = { ...data, info };
    const sides = "features differ: the data lack z500; the run does not know z50\n  run:  t2m, z500\n  data: t2m, z50";
    const hint = expect.stringContaining('Did you mean "z50"?');
    expect(await rejection(resumeTraining(first.runDir, { epochs: 2 }, { dataset }))).toMatchObject({
      code: "config",
      message: `the dataset is not the one this run was trained on: ${sides}`,
      hint,
    });
    for (const path of [first.runDir, first.bestCheckpoint]) {
      expect(await rejection(run({ load_weights: path }, {}, { dataset }))).toMatchObject({
        code: "config",
        message: `the weights were trained on other features: ${sides}`,
        where: path,
        hint,
      });
    }
    const { z50: _, ...stats } = info.stats as Record<string, (typeof info.stats)[string]>;
    expect(await rejection(run({}, {}, { dataset: { ...dataset, info: { ...info, stats } } }))).toMatchObject({
      code: "data",
      message: "the dataset has no statistics of z50",
    });
  });

  it("stops at a loss that is not finite, names the step and keeps the last good checkpoint", async () => {
    // Samples are shuffled, so the bad time comes up somewhere in the second epoch at the latest; the first epoch is limited to
    // batches without it by a hook that spoils the data only later.
    let isSpoilt = false;
    const callbacks: TrainingCallback[] = [
      {
        onEpoch: () => {
          isSpoilt = true;
        },
      },
    ];
    const spoil = () => (isSpoilt ? Number.POSITIVE_INFINITY : undefined);
    const error = await rejection(run({ epochs: 3 }, { spoil }, { callbacks }));
    expect(error).toMatchObject({
      code: "numerical",
      message: expect.stringMatching(/loss is (NaN|Infinity) at step 7 \(epoch 2, batch 1\)/),
    });
    const kept = await new CheckpointFolder(join(error!.where!, "checkpoints")).load<{ step: number }>("last");
    expect(kept.state.step).toBe(6);
    for (const [key, tensor] of kept.model) expect(Number.isFinite(tensor.to("float64").sum().item()), key).toBe(true);
  });

  it("leaves masked values out of loss and scores", async () => {
    const spoil = (time: number, feature: number, row: number) =>
      time % 3 === 0 && feature === 0 && row < 4 ? Number.NaN : undefined;
    const result = await run({ epochs: 1 }, { spoil, withMask: true });
    expect(Number.isFinite(result.history[0]!.train_loss)).toBe(true);
    expect(result.history[0]!.val_rmse!.t2m!.every(Number.isFinite)).toBe(true);
  });

  it("keeps the best weights beside the last, and stops early", async () => {
    // With this learning rate the validation loss jumps up and down.
    const result = await run({ epochs: 20, lr: 0.05, early_stopping_patience: 2 });
    expect(result.history.length).toBeLessThan(20);
    const losses = result.history.map((record) => record.val_loss!);
    const best = losses.indexOf(Math.min(...losses));
    expect(losses.length - 1 - best).toBe(2);
    const folder = new CheckpointFolder(join(result.runDir, "checkpoints"));
    expect((await folder.load<{ epoch: number }>("best")).state.epoch).toBe(best + 1);
    expect((await folder.load<{ epoch: number }>("last")).state.epoch).toBe(losses.length);
    const saved = (await folder.load("best")).model;
    for (const [key, tensor] of result.network.stateDict())
      expect(torch.equal(tensor, saved.get(key)!), key).toBe(true);
  });

  it("follows its schedule, and validates each n epochs and after the last", async () => {
    const result = await run({ epochs: 3, scheduler: "step", step_size: 6, gamma: 0.1, lr: 1e-3, val_interval: 2 });
    const rates = readMetrics(result.metricsPath).flatMap((record) => (record.kind === "step" ? [record.lr] : []));
    expect(rates.map((rate) => Number(rate.toPrecision(6)))).toEqual(
      [1e-3, 1e-4, 1e-5].flatMap((rate) => new Array<number>(6).fill(rate)),
    );
    expect(result.history.map((record) => record.val_loss !== null)).toEqual([false, true, true]);
  });

  it("starts from given weights, and lists the keys when they do not fit", async () => {
    const first = await run({ epochs: 1 });
    const warm = await run({ epochs: 1, lr: 1e-12, weight_decay: 0, load_weights: first.runDir });
    const [before, after] = [first.network.stateDict(), warm.network.stateDict()];
    for (const [key, tensor] of before) {
      if (!key.includes("running") && !key.includes("num_batches"))
        expect(torch.allclose(tensor, after.get(key)!), key).toBe(true);
    }
    const error = await rejection(run({ load_weights: first.runDir, model_settings: { num_filters: 2 } }));
    expect(error).toMatchObject({ code: "model", message: expect.stringContaining("encoder1.enc1conv1.weight") });
  });

  it("trains in bf16 with float32 weights, close to fp32", async () => {
    // So small a network drifts apart by several per cent within an epoch, whatever the rounding: the mean of some is steadier.
    const ratios: number[] = [];
    for (const seed of [42, 1, 2, 3]) {
      const exact = await run({ epochs: 1, seed });
      const mixed = await run({ epochs: 1, seed, precision: "bf16-mixed" });
      expect(mixed.network.parameters()[0]!.dtype).toBe("float32");
      expect(mixed.history[0]!.train_loss).not.toBe(exact.history[0]!.train_loss);
      ratios.push(mixed.history[0]!.train_loss / exact.history[0]!.train_loss);
    }
    expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeCloseTo(1, 1);
  });

  it("tells its callbacks everything once, also how it ended", async () => {
    const calls: string[] = [];
    const callbacks: TrainingCallback[] = [
      {
        onStart: ({ isResumed }) => void calls.push(`start ${isResumed}`),
        onStep: ({ step }) => void calls.push(`step ${step}`),
        onEpoch: async ({ epoch }) => void calls.push(`epoch ${epoch}`),
        onEnd: ({ reason }) => void calls.push(reason),
      },
    ];
    await run({ epochs: 1, limit_train_batches: 2 }, {}, { callbacks });
    expect(calls).toEqual(["start false", "step 1", "step 2", "epoch 1", "completed"]);
    calls.length = 0;
    await rejection(run({ epochs: 1 }, {}, { callbacks, ...abortAfter(1) }));
    expect(calls).toEqual(["start false", "step 1", "interrupted"]);
  });

  it("tells every callback of the end, and throws the error that ended it rather than one of those", async () => {
    const ends: string[] = [];
    const callbacks: TrainingCallback[] = [
      {
        onEnd: () => {
          throw new Error("the first cannot end");
        },
      },
      { onEnd: ({ reason }) => void ends.push(reason) },
    ];
    const interrupted = await rejection(run({ epochs: 1 }, {}, { callbacks, ...abortAfter(1) }));
    expect(interrupted).toMatchObject({ code: "interrupted" });
    expect((await rejection(run({ epochs: 1, limit_train_batches: 1 }, {}, { callbacks })))?.message).toBe(
      "the first cannot end",
    );
    expect(ends).toEqual(["interrupted", "completed"]);
  });

  it("refuses batches that the network cannot train on before anything is written, the last one of an epoch too", async () => {
    const runs_dir = join(directory, "batches");
    // Half a 16×16 grid four times: one value is left of each sample.
    const refused = async (options: Parameters<typeof train>[0], samples: number) =>
      rejection(run({ ...options, epochs: 1, runs_dir }, { trainSamples: samples }));
    expect(await refused({ batch_size: 1 }, 4)).toMatchObject({
      code: "config",
      message: "halfunet cannot train on one sample of 16×16 at a time",
    });
    expect(await refused({ batch_size: 2 }, 5)).toMatchObject({
      message: expect.stringMatching(/^the last of 3 batches has 1 sample: halfunet cannot train/),
      hint: expect.stringContaining("drop_last"),
    });
    expect(await refused({ batch_size: 8, drop_last: true }, 5)).toMatchObject({
      message: "drop_last leaves no batch: the training split has 5 samples, a batch 8",
    });
    expect(existsSync(runs_dir)).toBe(false);
    const result = await run({ batch_size: 2, drop_last: true, epochs: 1 }, { trainSamples: 5 });
    expect(readMetrics(result.metricsPath).filter((record) => record.kind === "step")).toHaveLength(2);
    const notes: string[] = [];
    const progress = { start() {}, update() {}, note: (text: string) => void notes.push(text), finish() {} };
    await resumeTraining(result.runDir, {}, { dataset: tinyData({ trainSamples: 5 }), progress });
    expect(notes).toEqual(["nothing to train: 1 of 1 epochs are done; more with --epochs"]);
  });

  it("does not resume a run that another living process is training", async () => {
    const { runDir } = await run({ epochs: 1, limit_train_batches: 1 });
    const path = join(runDir, "status.json");
    const status = JSON.parse(readFileSync(path, "utf8"));
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const resume = () => rejection(resumeTraining(runDir, {}, { dataset: tinyData() }));
    try {
      writeFileSync(path, JSON.stringify({ ...status, state: "running", reason: null, pid: child.pid }));
      expect(await resume()).toMatchObject({ code: "usage", message: `process ${child.pid} is training this run` });
    } finally {
      const gone = once(child, "exit");
      child.kill();
      await gone;
    }
    expect(await resume()).toBeUndefined();
  });

  it("reports a place where nothing can be written, and leaves nothing", async () => {
    const file = join(directory, "a-file");
    writeFileSync(file, "");
    expect(await rejection(run({ runs_dir: join(file, "runs") }))).toMatchObject({ code: "storage" });
  });

  it("keeps live memory flat over 200 steps", async () => {
    const live: number[] = [];
    const liveBytes: number[] = [];
    const callbacks: TrainingCallback[] = [
      {
        onStep: () => {
          const stats = torch.memoryStats();
          // Tensors that only the garbage collector freed count as leaked.
          live.push(stats.liveTensors + stats.collected);
          liveBytes.push(stats.liveBytes);
        },
      },
    ];
    const data = { trainSamples: 400, validSamples: 1, numPredStepsTrain: 2 };
    const options = { ema_decay: 0.9, gradient_clip_norm: 1, gradient_clip_value: 1, accumulate_grad_batches: 1 };
    await run({ ...options, epochs: 1, model_settings: { num_filters: 2 }, num_pred_steps_train: 2 }, data, {
      callbacks,
    });
    expect(live).toHaveLength(200);
    expect(live.at(-1)).toBe(live[20]);
    expect(liveBytes.at(-1)).toBeLessThanOrEqual(liveBytes[20]!);
  });
});
