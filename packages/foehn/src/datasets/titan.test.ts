// The dataset over a small Titan tree, through each dialect of its configuration. The files themselves: sources/titan.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Progress } from "../core/progress.js";
import { writeNpy } from "../io/npy.js";
import { titanGrid } from "../sources/titan/parameters.js";
import { titanFolder } from "../sources/titan/titan-source.js";
import type { DatasetOptions } from "./dataset.js";
import { openDataset } from "./registry.js";

const root = mkdtempSync(join(tmpdir(), "foehn-titan-"));
const [ny, nx] = [8, 10];
const day = Date.UTC(2023, 0, 1) / 1000;
const at = (hour: number) => day + 3600 * hour;
const subdataset = join(root, "subdatasets", "titan_small_PAAROME_1S40_100-108-240-250", "data");
const files = ["aro_t2m_2m", "aro_tp_0m", "aro_t_500hpa", "aro_t_850hpa", "arp_z_500hpa"];
const value = (file: string, hour: number, n: number) => files.indexOf(file) * 1000 + hour * 10 + n / 100;

beforeAll(async () => {
  for (let hour = 0; hour < 72; hour++) {
    for (const file of files) {
      if (hour === 30 && file === "aro_tp_0m") continue;
      const values = Float32Array.from({ length: ny * nx }, (_, n) => value(file, hour, n));
      await writeNpy(join(subdataset, titanFolder(at(hour)), `${file}.npy`), values, [ny, nx]);
    }
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lightning = `
data:
  dataset_name: titan_small
  num_input_steps: 1
  batch_size: 2
  prefetch_factor: null
  dataset_conf:
    periods:
      train: { start: 20230101, end: 20230101, obs_step: 3600 }
      valid: { start: 20230102, end: 20230102, obs_step: 3600, obs_step_btw_t0: 10800 }
      test: { start: 20230103, end: 20230103, obs_step: 3600, obs_step_btw_t0: 10800 }
    grid:
      name: PAAROME_1S40
      border_size: 2
      subdomain: [100, 108, 240, 250]
      proj_name: PlateCarree
      projection_kwargs: {}
    settings: { standardize: true, file_format: npy }
    params:
      aro_t2m: { levels: [2], kind: input_output }
      aro_tp: { levels: [0], kind: output }
      aro_t: { levels: [500, 850], kind: input_output }
      arp_z: { levels: [500], kind: input }
`;

function conf(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

const options = (confPath: string, more: Partial<DatasetOptions> = {}): DatasetOptions => ({
  numInputSteps: 2,
  numPredStepsTrain: 1,
  numPredStepsValTest: 3,
  confPath,
  overrides: { source: root },
  ...more,
});

describe("py4cast's later dialect", () => {
  it("gives the features, roles, samples and values that it describes", async () => {
    const notes: string[] = [];
    const progress: Progress = { start() {}, update() {}, note: (line) => void notes.push(line), finish() {} };
    const splits = await openDataset("titan", options(conf("titan.yaml", lightning), { progress }));
    const { info } = splits;
    expect(info.name).toBe("titan_small");
    expect(info.features.map((f) => [f.name, f.role, f.weight, f.units])).toEqual([
      ["aro_t2m_2m", "prognostic", 2, "K"],
      ["aro_t_500hpa", "prognostic", 1.5, "K"],
      ["aro_t_850hpa", "prognostic", 1.85, "K"],
      ["aro_tp_0m", "diagnostic", 2, "kg m-2"],
    ]);
    // As py4cast's network gets them: what is read, then the date under its labels, then the radiation.
    expect(info.forcingNames).toEqual([
      "arp_z_500hpa",
      ...["cos_hour", "sin_hour", "cos_doy", "sin_doy"],
      "toa_radiation",
    ]);
    expect(info.borderSize).toBe(2);
    // The window counts rows from the south.
    const whole = titanGrid("PAAROME_1S40");
    expect(info.grid.latitudes[ny - 1]).toBeCloseTo(whole.latitudes[717 - 1 - 100]!, 9);
    expect(info.grid.longitudes[0]).toBeCloseTo(whole.longitudes[240]!, 9);
    // Every hour of the training day; each third hour of the others, counted by the last input, whole samples inside.
    expect(splits.train.length).toBe(22);
    const lastInputs = Array.from({ length: splits.valid.length }, (_, i) => splits.valid.times(i).inputs[1]);
    // 06:00 of the second day lacks a file: three samples that would need it are not there.
    expect(lastInputs).toEqual([9, 12, 15, 18].map((h) => at(24 + h)));
    expect(notes).toContain("1 hour left out because files are missing: 2023-01-02 06:00 (aro_tp_0m.npy)");
    expect(notes.join("\n")).toMatch(/no .*conf_PAAROME_1S40.grib: the height of the ground is not among the inputs/);

    const item = await splits.valid.item(1);
    const { mean, std } = info.stats.aro_tp_0m!;
    const rain = item.outputs.feature("aro_tp_0m").contiguous().toTypedArray() as Float32Array;
    // The array's first row is the southernmost, the tensor's the northernmost.
    for (let n = 0; n < ny * nx; n++) {
      const stored = (ny - 1 - Math.floor(n / nx)) * nx + (n % nx);
      expect(rain[n]! * std + mean).toBeCloseTo(value("aro_tp_0m", 37, stored), 2);
    }
    await splits.close();
  });
});

describe("our dialect and the seed's", () => {
  it("say the same in fewer words", async () => {
    const path = conf(
      "own.toml",
      `format = "npy"
folder = "subdatasets/titan_small_PAAROME_1S40_100-108-240-250/data"
rows = [609, 617]
columns = [240, 250]
root = "."
sample_every = "3h"
[periods]
train = { start = 2023-01-01, end = 2023-01-01 }
valid = { start = 2023-01-02, end = 2023-01-02 }
test = { start = 2023-01-03, end = 2023-01-03 }
[parameters.aro_t2m]
[parameters.aro_t]
levels = [500]
weight = 3
[parameters.arp_z]
levels = [500]
role = "forcing"
`,
    );
    const splits = await openDataset("titan", options(path, { overrides: {} }));
    expect(splits.info.features.map((f) => [f.name, f.weight])).toEqual([
      ["aro_t2m_2m", 2],
      ["aro_t_500hpa", 3],
    ]);
    expect(splits.info.forcingNames.slice(0, 2)).toEqual(["arp_z_500hpa", "sin_hour"]);
    expect(splits.train.length).toBe(7);
    const item = await splits.train.item(2);
    expect(item.times.inputs).toEqual([at(8), at(9)]);
    await splits.close();
  });

  it("read whole-grid arrays from the folder npy", async () => {
    const seed = {
      periods: {
        train: { start: 2023020100, end: 2023020105, step: 1 },
        valid: { start: 2023020106, end: 2023020111, step: 3 },
        test: { start: 2023020112, end: 2023020117, step: 3 },
      },
      grid: { name: "PAAROME_1S40", border_size: 0, subgrid: [100, 104, 200, 205] },
      settings: { step_duration: 1, standardize: true, file_format: "npy" },
      params: { aro_tciwv: { levels: [0], kind: "input_output" } },
    };
    const start = Date.UTC(2023, 1, 1) / 1000;
    for (let hour = 0; hour < 18; hour++) {
      const values = new Float32Array(717 * 1121).fill(hour);
      values[100 * 1121 + 204] = hour + 100;
      await writeNpy(
        join(root, "npy", titanFolder(start + 3600 * hour), "aro_tciwv.npy"),
        values,
        [717, 1121],
        "float16",
      );
    }
    const splits = await openDataset(
      "titan",
      options(conf("seed.json", JSON.stringify(seed)), { numPredStepsValTest: 1 }),
    );
    expect([splits.train.length, splits.valid.length]).toEqual([4, 1]);
    expect(splits.info.forcingNames).toEqual(["cos_hour", "sin_hour", "cos_doy", "sin_doy"]);
    expect([...splits.climatology.aro_tciwv_0m!.slice(0, 6)]).toEqual([2.5, 2.5, 2.5, 2.5, 102.5, 2.5]);
    await splits.close();
  });
});

describe("what is wrong with a configuration is said with its place", () => {
  const reject = async (text: string, expected: RegExp, name = "wrong.yaml", more: Partial<DatasetOptions> = {}) =>
    expect(openDataset("titan", options(conf(name, text), more))).rejects.toThrow(expected);

  it("names of parameters, levels, grids, keys, times", async () => {
    await reject(
      lightning.replace("aro_t2m:", "aro_t2n:"),
      /wrong.yaml:20:7 .*expected a parameter of Titan, got "aro_t2n". Did you mean "aro_t2m"/,
    );
    await reject(
      lightning.replace("levels: [500, 850]", "levels: [501]"),
      /aro_t.levels: expected levels of aro_t \(1000, 950.*, got 501/,
    );
    await reject(
      lightning.replace("name: PAAROME_1S40", "name: PAAROME_1S4"),
      /grid.name: .*Did you mean "PAAROME_1S40"/,
    );
    await reject(lightning.replace("border_size", "border_sise"), /unknown key. Did you mean "border_size"/);
    await reject(
      lightning.replace("start: 20230101", "start: 202301"),
      /train.start: expected a time such as 2023010106/,
    );
    await reject(lightning.replace("end: 20230101", "end: 20221231"), /the period ends before it begins/);
    await reject(
      "parameters:\n  aro_t: {}\n",
      /wrong.yaml:2:3 parameters.aro_t: expected levels such as .* aro_t has 24/,
    );
  });

  it("a missing root, and a tree without any of the hours", async () => {
    await reject(lightning, /nobody says where Titan is/, "wrong.yaml", { overrides: {} });
    await reject(
      lightning.replace("titan_small", "titan_other"),
      /titan_other_PAAROME_1S40_100-108-240-250.data cannot be listed: ENOENT/,
    );
    await reject(
      lightning.replace("start: 20230103, end: 20230103", "start: 20230203, end: 20230203"),
      /no data in the period "test"/,
    );
  });
});
