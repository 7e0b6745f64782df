import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Dataset, DatasetInfo, DatasetSplits } from "../datasets/dataset.js";
import { regularGrid } from "../grid/grid.js";
import { testRun } from "./test-run.js";
import { type TinyDataOptions, tinyData } from "./tiny-data.test.fixture.js";
import { train } from "./train.js";

const directory = mkdtempSync(join(tmpdir(), "foehn-test-run-"));
afterAll(() => rmSync(directory, { recursive: true }));

let run = "";
beforeAll(async () => {
  const result = await train(
    {
      ...{ model: "halfunet", model_settings: { num_filters: 4 }, dataset: "tiny", epochs: 2, batch_size: 2 },
      ...{ num_pred_steps_val_test: 3, precision: "fp32", threads: 1, runs_dir: directory },
    },
    { dataset: tinyData() },
  );
  run = result.runDir;
  result.network.dispose();
}, 60_000);

/** The same fields, described by other statistics and normalised with them. */
function rescaled(options: TinyDataOptions = {}): DatasetSplits {
  const data = tinyData(options);
  const info: DatasetInfo = {
    ...data.info,
    stats: { ...data.info.stats, t2m: { mean: 275, std: 4, min: 260, max: 300 } },
  };
  const change = (split: Dataset): Dataset => ({
    ...split,
    info,
    item: async (i) => {
      const item = await split.item(i);
      for (const part of [item.inputs, item.outputs]) {
        torch.scope(() => {
          part
            .feature("t2m")
            .mul_(10 / 4)
            .add_((280 - 275) / 4);
        });
      }
      return item;
    },
  });
  return { ...data, info, train: change(data.train), valid: change(data.valid), test: change(data.test) };
}

const withInfo = (changes: Partial<DatasetInfo>): DatasetSplits => {
  const data = tinyData();
  return { ...data, info: { ...data.info, ...changes } };
};

describe("testRun", () => {
  it("scores the test split beside persistence and numbers its folders", async () => {
    const first = await testRun(run, { observers: ["none"] }, { dataset: tinyData() });
    expect(first.path).toBe(join(run, "test-001"));
    expect(first.files).toEqual([join(run, "test-001", "scores.json")]);
    const { scores } = first;
    expect(scores).toMatchObject({
      checkpoint: "best",
      dataset: "tiny",
      variables: ["t2m", "z500"],
      lead_hours: [1, 2, 3],
      n_dates: 4,
    });
    expect(scores.model.rmse.t2m![0]).toBeLessThan(scores.persistence.rmse.t2m![0]!);
    expect(scores.loss).toBeCloseTo(scores.loss_by_lead.reduce((a, b) => a + b) / 3, 6);
    expect(JSON.parse(readFileSync(first.files[0]!, "utf8"))).toEqual(JSON.parse(JSON.stringify(scores)));

    const last = await testRun(run, { observers: ["none"], checkpoint: "last" }, { dataset: tinyData() });
    expect(last.path).toBe(join(run, "test-002"));
    expect(last.scores).toMatchObject({ checkpoint: "last", epoch: 2 });
  });

  it("gives the same numbers on the same fields, however they are normalised", async () => {
    const own = await testRun(run, { observers: ["none"] }, { dataset: tinyData() });
    const other = await testRun(run, { observers: ["none"] }, { dataset: rescaled() });
    for (const metric of ["rmse", "mae", "bias", "acc"] as const) {
      for (const [lead, value] of own.scores.model[metric].t2m!.entries()) {
        expect(other.scores.model[metric].t2m![lead], metric).toBeCloseTo(value, 3);
      }
    }
  });

  it("refuses data that do not fit, with both sides, and leaves nothing behind", async () => {
    const before = readdirSync(run);
    const { features } = tinyData().info;
    const renamed = features.map((feature, i) => (i === 0 ? { ...feature, name: "t2" } : feature));
    const refusal = (data: DatasetSplits) =>
      testRun(run, {}, { dataset: data }).then(
        () => undefined,
        (error: Error & { code?: string; hint?: string }) => error,
      );
    expect(await refusal(withInfo({ features: renamed }))).toMatchObject({
      code: "config",
      message:
        "the data do not fit the run: features differ: the data lack t2m; the run does not know t2\n  run:  t2m, z500\n  data: t2, z500",
      hint: expect.stringContaining('Did you mean "t2"?'),
    });
    expect(await refusal(withInfo({ features: [...features].reverse() }))).toMatchObject({
      message: expect.stringContaining("features differ in their order"),
    });
    const celsius = features.map((feature) => ({ ...feature, units: "hPa" }));
    expect((await refusal(withInfo({ features: celsius })))!.message).toMatch(/units of t2m differ\n.*K\n.*hPa/);
    const moved = regularGrid({ lat0: 50, dlat: 1, ny: 16, lon0: 0, dlon: 1, nx: 16 });
    expect((await refusal(withInfo({ grid: moved })))!.message).toMatch(/grids differ\n.*60 to 45.*\n.*50 to 35/);
    expect((await refusal(withInfo({ stepSeconds: 7200 })))!.message).toMatch(/time steps differ\n.*1h\n.*2h/);
    expect(readdirSync(run)).toEqual(before);
  });

  it("removes the folder of a test that was interrupted", async () => {
    const controller = new AbortController();
    const progress = { start() {}, update: () => controller.abort(), note() {}, finish() {} };
    const before = readdirSync(run);
    const stopped = testRun(run, {}, { dataset: tinyData(), progress, signal: controller.signal });
    await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
    expect(readdirSync(run)).toEqual(before);
  });

  it("says so when there is no such checkpoint or run", async () => {
    await expect(testRun(join(directory, "nowhere"))).rejects.toMatchObject({ code: "storage" });
    expect(existsSync(join(directory, "nowhere"))).toBe(false);
  });

  it("keeps live memory flat", async () => {
    const live: number[] = [];
    for (let i = 0; i < 3; i++) {
      await testRun(run, { observers: ["none"] }, { dataset: tinyData() });
      live.push(torch.memoryStats().liveTensors);
    }
    expect(live[2]).toBe(live[1]);
  });
});
