// Networks that give a standard deviation beside each feature, from the step to a checkpoint; in forecasts: forecast/output-std.test.ts.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { batches } from "../datasets/batches.js";
import { networks } from "../models/registry.js";
import { prepareRollout, rollout } from "./rollout.js";
import { advance, type StepModel } from "./step.js";
import { createStrategy } from "./strategies/registry.js";
import { type TinyDataOptions, tinyData } from "./tiny-data.test.fixture.js";
import { resumeTraining, type TrainHooks, train } from "./train.js";

const directory = mkdtempSync(join(tmpdir(), "foehn-std-"));
afterAll(() => rmSync(directory, { recursive: true }));

const one = (...values: number[]) => torch.tensor(values, { shape: [1, 1, 1, values.length] });
const values = (tensor: Tensor) => Array.from(tensor.toTypedArray() as Float32Array);
const softplus = (x: number) => Math.log1p(Math.exp(x));

describe("a step with output_std", () => {
  const model: Omit<StepModel, "network" | "strategy"> = {
    features: { prognostic: ["s"], diagnostic: ["d"], statics: ["g"], forcing: ["f"], readForcing: ["f"] },
    statics: torch.tensor([7], { shape: [1, 1, 1] }),
    differences: { mean: torch.tensor([0.5]), std: torch.tensor([2]) },
    outputStd: true,
  };
  const step = (strategy: string, answer: Tensor, more: Partial<StepModel> = {}) =>
    advance(
      { ...model, network: { forward: () => answer }, strategy: createStrategy(strategy), ...more },
      { previousStates: [one(3)], forcing: one(9) },
    );

  it("gives softplus of the second half, in units of the state: times σ_d for scaled increments", () => {
    const [prognostic, diagnostic] = [softplus(-1) + 1e-4, softplus(2) + 1e-4];
    const scaled = step("scaled_ar", one(0.25, 6, -1, 2));
    expect(values(scaled.state)).toEqual([4]);
    for (const [i, expected] of [4, 6, 2 * prognostic, diagnostic].entries())
      expect(values(scaled.prediction)[i]).toBeCloseTo(expected, 6);
    const plain = step("diff_ar", one(0.25, 6, -1, 2));
    expect(values(plain.state)).toEqual([3.25]);
    expect(values(plain.prediction)[2]).toBeCloseTo(prognostic, 6);
    // Never 0, however sure the network is.
    expect(values(step("diff_ar", one(0, 0, -1000, 0)).prediction)[2]).toBeCloseTo(1e-4, 8);
  });

  it("takes that of the last network call where a step has several", () => {
    let call = 0;
    const network = { forward: () => one(0, 0, ++call, call) };
    const { prediction } = step("scaled_ar", one(0), { network, numInterSteps: 3 });
    expect(values(prediction)[3]).toBeCloseTo(softplus(3) + 1e-4, 6);
  });

  it("says what to do when output and option do not fit", () => {
    const refusal = (answer: Tensor, outputStd: boolean) => {
      try {
        step("diff_ar", answer, { outputStd });
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(refusal(one(1, 2, 3, 4), false)).toMatchObject({
      message: "the network gives 4 features, the model has 1 prognostic and 1 diagnostic",
      hint: expect.stringMatching(/needs output_std/),
    });
    expect(refusal(one(1, 2), true)).toMatchObject({
      message: expect.stringMatching(/gives 2 features, .* and the standard deviation of each/),
      hint: expect.stringMatching(/numOutputFeatures features, which is 4 here/),
    });
  });
});

/** Numbers from N(0, 1), each decided by its place and time. */
function gaussian(...place: readonly number[]): number {
  let state = place.reduce((hash, n) => Math.imul(hash ^ n, 0x9e3779b1) + 0x7f4a7c15, 1);
  const uniform = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    state ^= state >>> 15;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Noise around zero: nothing of a state follows from the ones before. Its size is known: one feature's is large in the west, the other's in the east. */
const sizeOf = (feature: number, column: number) => (column < 8 === (feature === 0) ? 1 : 0.3);
const noise: TinyDataOptions = {
  numInputSteps: 1,
  numPredStepsValTest: 2,
  trainSamples: 160,
  validSamples: 8,
  spoil: (time, feature, row, column) => sizeOf(feature, column) * gaussian(time, feature, row, column),
};

const base = {
  model: "halfunet",
  model_settings: { num_filters: 8 },
  dataset: "tiny",
  output_std: true,
  num_input_steps: 1,
  num_pred_steps_val_test: 2,
  batch_size: 4,
  epochs: 2,
  lr: 1e-2,
  precision: "fp32" as const,
  threads: 1,
  runs_dir: join(directory, "runs"),
};
const run = (options: Parameters<typeof train>[0] = {}, data = noise, hooks: TrainHooks = {}) =>
  train({ ...base, ...options }, { dataset: tinyData(data), ...hooks });

describe("training with output_std", () => {
  it.each([
    ["nll", "scaled_ar"],
    ["crps_gauss", "diff_ar"],
  ])("%s learns the size of noise, where it is large and where it is small (%s)", async (loss, strategy) => {
    const result = await run({ loss, strategy, epochs: 20, scheduler: "cosine" });
    const { valid, info } = tinyData(noise);
    const context = prepareRollout(result.network, info, {
      strategy,
      numInterSteps: 1,
      device: "cpu",
      outputStd: true,
    });
    result.network.eval();
    const found = { std: [0, 0, 0, 0], square: [0, 0, 0, 0], count: [0, 0, 0, 0] };
    for await (const batch of batches(valid, { batchSize: 4, epoch: 0 })) {
      const prediction = torch.noGrad(() => rollout(context, batch, 1));
      expect(prediction.featureNames).toEqual(["t2m", "z500", "t2m_std", "z500_std"]);
      const [predicted, truth] = [values(prediction.tensor), values(batch.outputs.slice("timestep", 0, 1).tensor)];
      for (const [n, y] of truth.entries()) {
        const [feature, column] = [n % 2, Math.floor(n / 2) % 16];
        const part = 2 * feature + Number(column >= 8);
        const at = 2 * (n - feature) + feature; // among four features
        found.std[part]! += predicted[at + 2]!;
        found.square[part]! += (predicted[at]! - y) ** 2;
        found.count[part]!++;
      }
    }
    context.dispose();
    for (const part of [0, 1, 2, 3]) {
      const std = found.std[part]! / found.count[part]!;
      const rmse = Math.sqrt(found.square[part]! / found.count[part]!);
      expect(Math.abs(std / rmse - 1)).toBeLessThan(0.1);
      expect(Math.abs(std / sizeOf(part >> 1, 8 * (part % 2)) - 1)).toBeLessThan(0.5);
    }
  });
  it("goes on exactly from where it was stopped, and the same gradients come from recomputed steps", async () => {
    const options = { loss: "nll", strategy: "scaled_ar", num_pred_steps_train: 2, ema_decay: 0.9 };
    const data = { ...noise, trainSamples: 12, numPredStepsTrain: 2 };
    const whole = await run(options, data);
    const controller = new AbortController();
    const progress = {
      start() {},
      update: (done: number) => (done === 2 ? controller.abort() : undefined),
      note() {},
      finish() {},
    };
    const stopped = await run(options, data, { signal: controller.signal, progress }).catch((error) => error);
    expect(stopped).toMatchObject({ code: "interrupted" });
    const resumed = await resumeTraining(stopped.where, {}, { dataset: tinyData(data) });
    const weights = (result: typeof whole) => readFileSync(join(result.lastCheckpoint, "model.safetensors"));
    expect(weights(resumed).equals(weights(whole))).toBe(true);
    const recomputed = await run({ ...options, checkpoint_steps: true }, data);
    for (const [i, { train_loss }] of recomputed.history.entries())
      expect(train_loss).toBeCloseTo(whole.history[i]!.train_loss, 4);
  });

  it("scores and draws the values alone, beside losses that know no standard deviations", async () => {
    const loss = [{ name: "nll" }, { name: "mse", weight: 0.5 }];
    const result = await run({ loss, observers: ["all"], test_after_fit: true }, { ...noise, trainSamples: 4 });
    expect(Object.keys(result.history[0]!.val_rmse!)).toEqual(["t2m", "z500"]);
    expect(result.test!.scores.variables).toEqual(["t2m", "z500"]);
    expect(result.test!.scores.model.rmse.t2m!.every(Number.isFinite)).toBe(true);
  });

  it.each([
    [{ loss: "mse" }, /output_std needs a loss of standard deviations, got mse/, /--loss nll or --loss crps_gauss/],
    [{ loss: ["mse", "crps"].map((name) => ({ name })) }, /got mse \+ crps/, /alone or in a sum/],
    [{ loss: { name: "nll", feature_weights: { t2m: 2 } } }, /feature_weights does nothing with output_std/, /leave/],
  ])("refuses %j before anything is written", async (options, message, hint) => {
    const runs_dir = join(directory, "none");
    const data = { ...noise, trainSamples: 4 };
    await expect(run({ ...options, runs_dir }, data)).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    expect(existsSync(runs_dir)).toBe(false);
  });

  const zoo = networks.list().filter(({ modelName }) => !["persistence", "identity"].includes(modelName));
  it.each(zoo.map(({ modelName }) => modelName))("goes with %s", async (model) => {
    const small = { num_pred_steps_val_test: 1, limit_train_batches: 1, limit_val_batches: 1, batch_size: 2 };
    const model_settings = model === "afno" ? { embed_dim: 64, depth: 2 } : {};
    const options = { ...base, ...small, model, model_settings, dataset: "dummy", loss: "nll", epochs: 1 };
    const { history, network } = await train(options);
    expect(Number.isFinite(history[0]!.val_loss)).toBe(true);
    expect(network.numOutputFeatures).toBe(6);
  });
});
