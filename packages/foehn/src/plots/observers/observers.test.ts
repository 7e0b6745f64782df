// The observers that draw, on waves whose errors are known in closed form: the network repeats the last state, so that after k steps
// of one column the error of t2m is 2 sin(πk/16) times the wave's amplitude.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { observers } from "../../training/observer.js";
import { tinyData } from "../../training/tiny-data.test.fixture.js";
import { train } from "../../training/train.js";
import type { TrainResult } from "../../training/training.js";
import "./builtin.js";

const drawn = vi.hoisted(() => ({
  maps: [] as [Record<string, unknown>, Record<string, unknown>][],
  errorMaps: [] as Record<string, unknown>[],
  gifs: [] as [Record<string, unknown>, Record<string, unknown>][],
  spectra: [] as Record<string, unknown>[],
}));
vi.mock("../forecast-map.js", async (original) => {
  const real = await original<typeof import("../forecast-map.js")>();
  return {
    ...real,
    drawForecastMap: (...given: Parameters<typeof real.drawForecastMap>) => {
      drawn.maps.push(given as never);
      return real.drawForecastMap(...given);
    },
    drawErrorMap: (given: Parameters<typeof real.drawErrorMap>[0]) => {
      drawn.errorMaps.push(given as never);
      return real.drawErrorMap(given);
    },
  };
});
vi.mock("../gif.js", async (original) => {
  const real = await original<typeof import("../gif.js")>();
  return {
    ...real,
    forecastGif: (...given: Parameters<typeof real.forecastGif>) => {
      drawn.gifs.push(given as never);
      return real.forecastGif(...given);
    },
  };
});
vi.mock("../spectra.js", async (original) => {
  const real = await original<typeof import("../spectra.js")>();
  return {
    ...real,
    drawSpectra: (...given: Parameters<typeof real.drawSpectra>) => {
      drawn.spectra.push(given[0] as never);
      return real.drawSpectra(...given);
    },
  };
});

const directory = mkdtempSync(join(tmpdir(), "foehn-observers-"));
afterAll(() => rmSync(directory, { recursive: true }));

const options = {
  model: "persistence",
  dataset: "tiny",
  epochs: 1,
  batch_size: 3,
  num_pred_steps_val_test: 3,
  strategy: "diff_ar",
  precision: "fp32" as const,
  threads: 1,
  runs_dir: directory,
};

/** Mean over rows of cos²(π row / 16), rows 0 … 15. */
const meanRow =
  Array.from({ length: 16 }, (_, row) => Math.cos((Math.PI * row) / 16) ** 2).reduce((a, b) => a + b) / 16;
/** RMSE of t2m after k steps in kelvin (standard deviation 10). */
const rmse = (k: number) => 10 * 2 * Math.sin((Math.PI * k) / 16) * Math.sqrt(meanRow);

describe("the observers that draw", () => {
  let result: TrainResult;
  let test: string;
  const notes: string[] = [];
  const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

  beforeAll(async () => {
    const progress = { start() {}, update() {}, finish() {}, note: (line: string) => notes.push(line) };
    result = await train(
      { ...options, observers: ["all"], plot_every: 1, test_after_fit: true },
      { dataset: tinyData(), progress },
    );
    test = result.test!.path;
  }, 120_000);
  afterAll(() => result.network.dispose());

  it("leave their files in the run folder, without a warning", () => {
    expect(notes.filter((line) => line.includes("warning"))).toEqual([]);
    const filesOf = (folder: string) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => name.includes("."))
        .sort();
    expect(filesOf(join(result.runDir, "figures/val/epoch-0001"))).toEqual([
      "prediction/t2m/sample_1_lead_03.png",
      "prediction/z500/sample_1_lead_03.png",
      "score_card.png",
      "spatial_error/lead_01.png",
      "spatial_error/lead_02.png",
      "spatial_error/lead_03.png",
      "spectra.png",
      "state_error_mae.png",
      "val_mae_scores.json",
      "val_psd_scores.json",
    ]);
    const inTest = filesOf(test);
    expect(inTest).toEqual(
      expect.arrayContaining([
        "prediction/t2m/sample_1.gif",
        "prediction/t2m/sample_1_lead_01.png",
        "scores.json",
        "state_error_bias.png",
        "test_mae_scores.json",
        "test_rmse_scores.json",
      ]),
    );
    for (const name of inTest.filter((file) => file.endsWith(".png"))) {
      expect(readFileSync(join(test, name)).subarray(1, 4).toString(), name).toBe("PNG");
    }
  });

  it("state errors in physical units, pooled before the root, by lead", () => {
    const scores = json(join(test, "test_rmse_scores.json"));
    expect(Object.keys(scores)).toEqual(["t2m", "z500"]);
    for (const lead of [1, 2, 3]) expect(scores.t2m[lead - 1]).toBeCloseTo(rmse(lead), 3);
    // z500 moves half a column a step, the other way.
    for (const lead of [1, 2, 3]) expect(scores.z500[lead - 1]).toBeCloseTo(rmse(lead / 2), 3);
    const { model, persistence, lead_hours, units } = json(join(test, "scores.json"));
    expect(lead_hours).toEqual([1, 2, 3]);
    expect(units.t2m).toBe("K");
    expect(model.rmse).toEqual(persistence.rmse); // this network is persistence
    // Both start from the climatology of 280 K: anomalies of a wave that has moved by k columns.
    for (const lead of [1, 2]) expect(model.acc.t2m[lead - 1]).toBeCloseTo(Math.cos((2 * Math.PI * lead) / 16), 3);
  });

  it("gather errors on a map for each lead, labelled with its own hours", () => {
    const ofTest = drawn.errorMaps.slice(3);
    expect(ofTest.map((map) => map.leadHours)).toEqual([1, 2, 3]);
    const [first] = ofTest as [{ error: Float32Array }];
    // Mean over samples at a point: weight / σ_d² · error², for t2m (weight 1) and z500 (weight 2), σ_d 0.4.
    const times = [202, 203, 204, 205];
    const at = (row: number, column: number) => {
      const wave = (step: number, shift: number) =>
        Math.SQRT2 * Math.sin((2 * Math.PI * (column + step * shift)) / 16) * Math.cos((Math.PI * row) / 16);
      const mean = (shift: number) =>
        times.map((t) => (wave(t, shift) - wave(t - 1, shift)) ** 2).reduce((a, b) => a + b) / times.length;
      return (mean(1) + 2 * mean(-0.5)) / 0.16;
    };
    for (const [row, column] of [
      [0, 0],
      [3, 11],
      [15, 7],
    ] as const) {
      expect(first.error[row * 16 + column]).toBeCloseTo(at(row, column), 3);
    }
  });

  it("show forecast and truth in physical units with one range for all leads", () => {
    const ofTest = drawn.maps
      .filter(([, given]) => given.model === undefined)
      .filter(([map]) => map.variable === "t2m");
    const single = ofTest.filter(([, given]) => given.error === true);
    expect(single.map(([map]) => map.leadHours)).toEqual([1, 2, 3]);
    expect(new Set(single.map(([, given]) => given.scale)).size).toBe(1);
    const [[map]] = single as [[{ truth: Float32Array; validTime: number }, unknown]];
    expect(map.validTime).toBe(202 * 3600);
    expect(map.truth[0]).toBeCloseTo(280 + 10 * Math.SQRT2 * Math.sin((2 * Math.PI * 202) / 16), 3);
    expect(drawn.gifs[0]![0].frames).toHaveLength(3);
    const inValidation = drawn.maps.filter(([, given]) => given.model === "epoch 1");
    expect(inValidation.map(([given]) => given.leadHours)).toEqual([3, 3]);
  });

  it("find that persistence keeps the spectrum", () => {
    const { wavelength_km, features } = json(join(test, "test_psd_scores.json"));
    expect(wavelength_km[0]).toBeGreaterThan(wavelength_km.at(-1));
    const [t2m] = features;
    for (const { prediction, truth } of t2m.leads) {
      const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
      expect(total(prediction) / total(truth)).toBeCloseTo(1, 1);
    }
    expect(drawn.spectra.length).toBe(2);
  });

  it("keep no tensors when the pass is over", async () => {
    const pass = {
      phase: "test" as const,
      info: tinyData({ borderSize: 2 }).info,
      leadHours: [1, 2, 3],
      numSamples: 4,
      interiorMask: torch.keep(torch.ones([16, 16, 1])),
      climatology: {},
      epoch: 1,
      step: 1,
    };
    const before = torch.memoryStats().liveTensors;
    for (const chosen of observers.choose(["spatial_error", "spectra", "prediction", "state_error", "score_card"])) {
      const observer = await chosen.create(pass);
      observer.dispose?.();
    }
    expect(torch.memoryStats().liveTensors).toBe(before);
  });

  it("refuse a variable or a step that is not there, with the nearest name", async () => {
    const pass = { phase: "val" as const, info: tinyData().info, leadHours: [1, 2] };
    const create = (name: string, settings: Record<string, unknown>) =>
      observers.choose([name], { [name]: settings })[0]!.create(pass as never);
    await expect(create("prediction", { features: ["t2n"] })).rejects.toMatchObject({
      message: 'there is no variable "t2n" to draw',
      hint: 'Did you mean "t2m"?',
    });
    await expect(create("spectra", { leads: [3] })).rejects.toThrow("there is no step 3: samples predict 2");
  });
});
