import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import type { Progress } from "../core/progress.js";
import { parseTime } from "../core/time.js";
import { regularGrid } from "../grid/grid.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import type { DatasetOptions } from "./dataset.js";
import { describeDataset, statsVector } from "./describe.js";
import { disposeItem } from "./item.js";
import { type DatasetPlan, openSourceDataset } from "./source-dataset.js";

const [ny, nx] = [4, 5];
const points = ny * nx;
const grid = regularGrid({ lat0: 60, dlat: 1, ny, lon0: 0, dlon: 1, nx });
const start = parseTime("2019-03-01");
const hour = 3600;

/** A value that says which variable, time and point it is. */
const value = (variable: number, h: number, n: number) => variable * 1e5 + h * 100 + n;
const names = ["a", "b", "sst", "p"];

function makeSource(hours: readonly number[], edit: (fields: Map<string, Float32Array>) => void = () => {}): Source {
  const fields = new Map(
    names.map((name, v) => [
      name,
      Float32Array.from({ length: hours.length * points }, (_, k) =>
        value(v, hours[Math.floor(k / points)]!, k % points),
      ),
    ]),
  );
  fields.set(
    "orog",
    Float32Array.from({ length: points }, (_, n) => n),
  );
  edit(fields);
  return arraySource({ grid, times: hours.map((h) => start + h * hour), fields });
}

const all = Array.from({ length: 40 }, (_, h) => h);
const period = (from: number, to: number) => ({ start: start + from * hour, end: start + to * hour });

const plan: DatasetPlan = {
  name: "test",
  variables: [
    { name: "p", role: "diagnostic" },
    { name: "a", role: "prognostic", weight: 3 },
    { name: "b", role: "prognostic" },
    { name: "sst", role: "forcing" },
    { name: "orog", role: "static" },
  ],
  periods: { train: period(0, 23), valid: period(24, 31), test: period(32, 39) },
  forcing: { date: true, insolation: true },
  statics: { borderSize: 1 },
  onNan: "fail",
};
const options: DatasetOptions = { numInputSteps: 2, numPredStepsTrain: 1, numPredStepsValTest: 3 };
const array = (t: torch.Tensor) => t.contiguous().toTypedArray() as Float32Array;

describe("samples", () => {
  it("hold each value at its place, normalised with the training statistics", async () => {
    const splits = await openSourceDataset(makeSource(all), plan, options);
    const { info } = splits;
    expect(info.features.map((f) => [f.name, f.role, f.weight])).toEqual([
      ["a", "prognostic", 3],
      ["b", "prognostic", 2],
      ["p", "diagnostic", 2],
    ]);
    expect([splits.train.length, splits.valid.length, splits.test.length]).toEqual([22, 4, 4]);
    expect(splits.valid.times(1)).toEqual({
      inputs: [25, 26].map((h) => start + h * hour),
      outputs: [27, 28, 29].map((h) => start + h * hour),
    });
    const item = await splits.valid.item(1);
    expect(item.inputs.featureNames).toEqual(["a", "b"]);
    expect(item.inputs.shape).toEqual([2, ny, nx, 2]);
    expect(item.outputs.shape).toEqual([3, ny, nx, 3]);
    const physical = (nt: typeof item.inputs, name: string) =>
      [...array(nt.feature(name))].map((x) => Math.round(x * info.stats[name]!.std + info.stats[name]!.mean));
    const expected = (v: number, hours: number[]) =>
      hours.flatMap((h) => Array.from({ length: points }, (_, n) => value(v, h, n)));
    expect(physical(item.inputs, "a")).toEqual(expected(0, [25, 26]));
    expect(physical(item.inputs, "b")).toEqual(expected(1, [25, 26]));
    expect(physical(item.outputs, "p")).toEqual(expected(3, [27, 28, 29]));
    // Forcings belong to the output times.
    expect(item.forcing.featureNames).toEqual(["sst", "sin_hour", "cos_hour", "sin_year", "cos_year", "toa_radiation"]);
    expect(physical(item.forcing, "sst")).toEqual(expected(2, [27, 28, 29]));
    expect(physical(item.initialForcing!, "sst")).toEqual(expected(2, [26]));
    expect(array(item.forcing.feature("cos_hour"))[0]).toBeCloseTo((Math.cos((3 / 12) * Math.PI) + 1) / 2, 6);
    // Statistics are those of the training period only: hours 0 to 23.
    expect(info.stats.a!.max).toBe(value(0, 23, points - 1));
    expect(info.diffStats.a!.mean).toBeCloseTo(100 / info.stats.a!.std, 10);
    expect(splits.climatology.b![3]).toBe(value(1, 0, 3) + 1150);
    expect(Object.keys(splits.climatology)).toEqual(["a", "b", "p"]);
    expect(info.statics.names).toEqual(["x", "y", "orog", "border_mask"]);
    expect(item.mask).toBeUndefined();
    await expect(splits.valid.item(4)).rejects.toThrow(/no sample 4; the dataset has 4/);
    expect(describeDataset(info)).toContain("│ a    │ prognostic │");
    expect([...statsVector(info.stats, ["b"], "mean")]).toEqual([info.stats.b!.mean]);
    expect(() => statsVector(info.stats, ["q"], "mean")).toThrow(/"q"/);
    await splits.close();
  });

  it("are float32, owned by the caller, and leave nothing behind", async () => {
    const splits = await openSourceDataset(makeSource(all), plan, options);
    const before = torch.memoryStats().liveTensors;
    const item = await splits.train.item(0);
    expect(item.inputs.dtype).toBe("float32");
    disposeItem(item);
    expect(torch.memoryStats().liveTensors).toBe(before);
  });

  it("keep to a step longer than that of the data, starting at every time", async () => {
    const splits = await openSourceDataset(
      makeSource(all),
      { ...plan, stepSeconds: 3 * hour },
      { ...options, numPredStepsValTest: 1 },
    );
    expect(splits.info.stepSeconds).toBe(3 * hour);
    expect(splits.train.length).toBe(18);
    expect(splits.train.times(1)).toEqual({ inputs: [1, 4].map((h) => start + h * hour), outputs: [start + 7 * hour] });
    expect(splits.info.diffStats.a!.mean).toBeCloseTo(300 / splits.info.stats.a!.std, 10);
  });

  it("skip gaps in time and say how many", async () => {
    const notes: string[] = [];
    const progress: Progress = { start() {}, update() {}, note: (line) => void notes.push(line), finish() {} };
    const splits = await openSourceDataset(makeSource(all.filter((h) => h !== 10)), plan, { ...options, progress });
    expect(splits.train.length).toBe(19);
    expect(notes).toContain("train: 19 samples; 2 left out because a time in them is missing");
    const begins = Array.from({ length: 19 }, (_, i) => (splits.train.times(i).inputs[0]! - start) / hour);
    expect(begins).not.toContain(8);
    // No difference across the gap.
    expect(splits.info.diffStats.a!.max).toBeCloseTo(100 / splits.info.stats.a!.std, 10);
  });

  it("come from a part of the grid", async () => {
    const region = { north: 59.5, south: 58, west: 1, east: 3 };
    const splits = await openSourceDataset(makeSource(all), { ...plan, region, statics: {} }, options);
    expect(splits.info.grid.shape).toEqual([2, 3]);
    const item = await splits.train.item(0);
    const stats = splits.info.stats.a!;
    const got = [...array(item.inputs.feature("a"))].slice(0, 6).map((x) => Math.round(x * stats.std + stats.mean));
    expect(got).toEqual([6, 7, 8, 11, 12, 13]);
    expect(splits.info.statics.fields.length).toBe(2 * 3 * 4);
  });

  it("are the same when hardly anything fits in memory", async () => {
    const large = await openSourceDataset(makeSource(all), plan, options);
    const small = await openSourceDataset(makeSource(all), { ...plan, memoryLimit: 1 }, options);
    expect(small.info.stats).toEqual(large.info.stats);
    expect(small.info.diffStats).toEqual(large.info.diffStats);
    for (const i of [3, 0, 3]) {
      const [a, b] = [await large.test.item(i), await small.test.item(i)];
      expect(a.outputs.equals(b.outputs)).toBe(true);
      expect(a.forcing.equals(b.forcing)).toBe(true);
    }
  });

  it("read each time once when all fits", async () => {
    let reads = 0;
    const source = makeSource(all);
    const counting: Source = {
      ...source,
      read(request) {
        reads++;
        return source.read(request);
      },
    };
    const splits = await openSourceDataset(counting, { ...plan, variables: plan.variables.slice(0, 4) }, options);
    for (let i = 0; i < splits.train.length; i++) await splits.train.item(i);
    expect(reads).toBe(24);
  });
});

describe("missing values", () => {
  const withNan =
    (h: number, v = "a") =>
    (fields: Map<string, Float32Array>) =>
      fields.get(v)!.fill(Number.NaN, h * points, h * points + 2);

  it("stop with variable and time, also in validation, when they are read", async () => {
    await expect(openSourceDataset(makeSource(all, withNan(5)), plan, options)).rejects.toThrow(
      /missing values \(NaN\) in a at 2019-03-01 05:00 \(2 points\)/,
    );
    const splits = await openSourceDataset(makeSource(all, withNan(26)), plan, options);
    await expect(splits.valid.item(0)).rejects.toThrow(/a at 2019-03-02 02:00/);
    // Infinite values count too.
    const infinite = makeSource(all, (f) => void f.get("b")!.fill(Number.POSITIVE_INFINITY, 0, 1));
    await expect(openSourceDataset(infinite, plan, options)).rejects.toThrow(/b at 2019-03-01 00:00 \(1 point\)/);
  });

  it("become masks", async () => {
    const splits = await openSourceDataset(makeSource(all, withNan(26)), plan, { ...options, onNan: "mask" });
    const item = await splits.valid.item(0);
    const mask = array(item.mask!.feature("a"));
    expect([...mask.slice(0, 4)]).toEqual([0, 0, 1, 1]);
    expect(mask.reduce((a, b) => a + b, 0)).toBe(3 * points - 2);
    expect([...array(item.mask!.feature("b"))]).toEqual(Array(3 * points).fill(1));
    expect([...array(item.inputMask!.feature("a"))]).toEqual(Array(2 * points).fill(1));
    expect([...array(item.outputs.feature("a")).slice(0, 2)]).toEqual([0, 0]);
    expect(array(item.outputs.tensor).every(Number.isFinite)).toBe(true);
  });
});

describe("what does not fit", () => {
  const open = (over: Partial<DatasetPlan>, more: Partial<DatasetOptions> = {}) =>
    openSourceDataset(makeSource(all), { ...plan, ...over }, { ...options, ...more });

  it.each<[string, Partial<DatasetPlan>, Partial<DatasetOptions>, RegExp]>([
    ["an unknown variable", { variables: [{ name: "aa", role: "prognostic" }] }, {}, /no variable "aa"/],
    [
      "a variable twice",
      {
        variables: [
          { name: "a", role: "prognostic" },
          { name: "a", role: "forcing" },
        ],
      },
      {},
      /"a" comes twice/,
    ],
    ["nothing to predict", { variables: [{ name: "a", role: "forcing" }] }, {}, /no variable has the role prognostic/],
    [
      "overlapping periods",
      { periods: { ...plan.periods!, test: period(20, 39) } },
      {},
      /"train" .* and "test" .* overlap/,
    ],
    [
      "a period outside the data",
      { periods: { ...plan.periods!, test: period(50, 60) } },
      {},
      /no data in the period "test"/,
    ],
    ["samples longer than a period", {}, { numPredStepsValTest: 12 }, /"valid" .* sample of 14 states/],
    ["no input steps", {}, { numInputSteps: 0 }, /num_input_steps must be at least 1, got 0/],
    ["a border without interior", { statics: { borderSize: 2 } }, {}, /no interior/],
  ])("is refused: %s", async (_, over, more, message) => {
    await expect(open(over, more)).rejects.toThrow(message);
  });

  it("closes the source when it cannot be used", async () => {
    let closed = false;
    const source: Source = {
      ...makeSource(all),
      async close() {
        closed = true;
      },
    };
    await expect(
      openSourceDataset(source, { ...plan, periods: { ...plan.periods!, test: period(50, 60) } }, options),
    ).rejects.toThrow();
    expect(closed).toBe(true);
  });

  it("a variable without one value in the training period is named, also where values may be missing", async () => {
    const empty = makeSource(all, (f) => void f.get("b")!.fill(Number.NaN, 0, 24 * points));
    await expect(openSourceDataset(empty, plan, { ...options, onNan: "mask" })).rejects.toThrow(
      /^b: not one value in the whole training period/,
    );
  });

  it("a variable seen at every other time has no differences, and says so", async () => {
    const notes: string[] = [];
    const progress = { start() {}, update() {}, note: (line: string) => void notes.push(line), finish() {} };
    const gaps = (f: Map<string, Float32Array>) => {
      for (let h = 1; h < 40; h += 2) f.get("b")!.fill(Number.NaN, h * points, (h + 1) * points);
    };
    const { info } = await openSourceDataset(makeSource(all, gaps), plan, { ...options, onNan: "mask", progress });
    expect(info.diffStats.b!.std).toBe(1);
    expect(notes.join()).toMatch(/"b" has no two values a step apart/);
  });

  it("a constant variable is normalised without infinities", async () => {
    const splits = await openSourceDataset(
      makeSource(all, (f) => void f.get("a")!.fill(7)),
      plan,
      options,
    );
    expect(splits.info.stats.a).toEqual({ mean: 7, std: 1, min: 7, max: 7 });
    expect(splits.info.diffStats.a!.std).toBe(1);
    expect([...array((await splits.train.item(0)).inputs.feature("a"))]).toEqual(Array(2 * points).fill(0));
  });
});

describe("statistics cache", () => {
  it("is used for the same data and not for changed data", async () => {
    const cacheDir = mkdtempSync(join(tmpdir(), "foehn-stats-"));
    const open = (source: Source) => openSourceDataset(source, plan, { ...options, cacheDir });
    const first = await open(makeSource(all));
    const file = readdirSync(cacheDir).find((name) => name.endsWith(".json"))!;
    expect(readdirSync(cacheDir).length).toBe(2);
    const again = await open(makeSource(all));
    expect(again.info.stats).toEqual(first.info.stats);
    expect(again.climatology).toEqual(first.climatology);
    // Proof that it is read: the cached file is believed.
    const path = join(cacheDir, file);
    const content = JSON.parse(readFileSync(path, "utf8"));
    content.stats.a.mean = 1234;
    writeFileSync(path, JSON.stringify(content));
    expect((await open(makeSource(all))).info.stats.a!.mean).toBe(1234);
    const changed = await open(makeSource(all, (f) => void f.get("a")!.fill(1, 0, 3)));
    expect(changed.info.stats.a!.mean).not.toBe(1234);
    // A damaged cache is ignored.
    writeFileSync(path, "{");
    expect((await open(makeSource(all))).info.stats).toEqual(first.info.stats);
  });
});
