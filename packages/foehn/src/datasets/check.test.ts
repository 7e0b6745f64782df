import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DataError } from "../core/errors.js";
import { regularGrid } from "../grid/grid.js";
import { arraySource } from "../sources/array-source.js";
import { npySource } from "../sources/npy-source.js";
import { openSource } from "../sources/open.js";
import type { Source } from "../sources/source.js";
import { checkDataset, describeProblem } from "./check.js";
import { convertFields } from "./convert.js";
import type { DatasetOptions } from "./dataset.js";
import { openSourceDataset } from "./source-dataset.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [ny, nx] = [4, 5];
const points = ny * nx;
const grid = regularGrid({ lat0: 50, dlat: 1, ny, lon0: 0, dlon: 1, nx });
const hour = 3600;
const hours = Array.from({ length: 30 }, (_, h) => h).filter((h) => h !== 7 && h !== 12 && h !== 13);
const options: DatasetOptions = { numInputSteps: 1, numPredStepsTrain: 1, numPredStepsValTest: 1, onNan: "mask" };

function source(): Source {
  const wave = (scale: number) =>
    Float32Array.from({ length: hours.length * points }, (_, k) => 280 + scale * Math.sin(k * 12.9898));
  const t2m = wave(3);
  t2m[2 * points + 4] = Number.NaN;
  t2m[5 * points + 6] = 900;
  const still = wave(1);
  still.fill(3, 9 * points, 10 * points);
  const made = arraySource({
    grid,
    times: hours.map((h) => h * hour),
    fields: new Map([
      ["t2m", t2m],
      ["msl", wave(2)],
      ["still", still],
      ["never", new Float32Array(hours.length * points).fill(1)],
    ]),
    units: { msl: "hPa" },
  });
  return {
    ...made,
    read: async (request) => {
      if (request.time === 20 * hour && request.variables.length > 1)
        throw new DataError("the file is damaged", { where: "x.grib" });
      return made.read(request);
    },
  };
}

const plan = {
  name: "bad",
  variables: ["t2m", "msl", "still", "never"].map((name) => ({ name, role: "prognostic" as const })),
  periods: {
    train: { start: 0, end: 17 * hour },
    valid: { start: 18 * hour, end: 23 * hour },
    test: { start: 24 * hour, end: 29 * hour },
  },
  forcing: { date: false, insolation: false },
  statics: {},
  onNan: "fail" as const,
  memoryLimit: 1,
};

describe("checking a dataset", () => {
  it("reports each kind of problem once, with its place", async () => {
    const splits = await openSourceDataset(source(), plan, options);
    const { problems, frames } = await checkDataset(splits, { sigmas: 8 });
    expect(frames).toBe(27);
    expect(problems.map(describeProblem)).toEqual([
      "units: msl: comes in hPa; packages expect Pa",
      "times: train 1970-01-01 07:00: this time is missing",
      "times: train 1970-01-01 12:00: 2 times are missing until 1970-01-01 14:00 (step 1h)",
      "missing: train 1970-01-01 02:00 t2m: 1 of 20 values are missing",
      expect.stringMatching(
        /^outlier: train 1970-01-01 05:00 t2m: 1 value more than 8 standard deviations off, up to \d+(\.\d+)? above the mean$/,
      ),
      "constant: train 1970-01-01 10:00 still: is 3 at every point",
      "file: valid 1970-01-01 20:00: the file is damaged; x.grib",
      "constant: never: is 1 at every point and time of the training period",
    ]);
    expect((await checkDataset(splits, { limit: 2 })).frames).toBe(6);
  });
});

describe("converting fields", () => {
  const names = ["a", "b"];
  const orog = Float32Array.from({ length: points }, (_, n) => n * 10);
  const value = (f: number, time: number) =>
    Float32Array.from({ length: points }, (_, n) => 1e5 * (f + 1) + time / hour + n / 10);
  let asked = 0;
  const input = {
    grid,
    times: [0, 1, 2].map((h) => h * hour),
    variables: [
      ...names.map((name, f) => ({ name, units: "Pa", longName: name, stats: { mean: 1e5 * (f + 1), std: 2 } })),
      { name: "orog", units: "m", longName: "orography", invariant: true },
    ],
    read: async (time: number) => {
      asked++;
      return names.map((_, f) => value(f, time));
    },
    readInvariant: async () => orog,
  };

  it.each(["fields", "fields.zarr"])("gives a source with the same values (%s)", async (name) => {
    const { path } = await convertFields(input, join(folder, name));
    const made = await openSource(path);
    expect(made.variables.map((v) => [v.name, v.units, v.invariant ?? false])).toEqual([
      ["a", "Pa", false],
      ["b", "Pa", false],
      ["orog", "m", true],
    ]);
    expect(made.times).toEqual(input.times);
    expect(made.grid).toEqual(grid);
    for (const time of input.times) {
      const read = await made.read({ time, variables: ["b", "orog", "a"] });
      expect(read.map((f) => [...f.values])).toEqual([[...value(1, time)], [...orog], [...value(0, time)]]);
    }
    await made.close();
    await expect(convertFields(input, path)).rejects.toThrow(/exists already/);
  });

  it("halves the size within each field's own range, and goes on after an interruption", async () => {
    const path = join(folder, "half");
    const controller = new AbortController();
    asked = 0;
    const stopping = {
      ...input,
      read: async (time: number) => {
        if (time === hour) controller.abort();
        return input.read(time);
      },
    };
    await expect(convertFields(stopping, path, { half: true, signal: controller.signal })).rejects.toMatchObject({
      exitCode: 130,
    });
    expect(asked).toBe(2);
    // What is there is in half precision: as float32 it would be read wrongly.
    await expect(convertFields(input, path)).rejects.toThrow(/half\.partial holds an unfinished conversion of other/);
    await expect(convertFields({ ...input, times: [0, hour] }, path, { half: true })).rejects.toThrow(/unfinished/);
    const result = await convertFields(input, path, { half: true });
    expect([result.kept, asked]).toEqual([2, 3]);
    expect(readdirSync(path)).not.toContain("plan.json");
    const made = await npySource(path);
    const [field] = await made.read({ time: 2 * hour, variables: ["b"] });
    for (const [n, x] of field!.values.entries()) expect(Math.abs(x - value(1, 2 * hour)[n]!)).toBeLessThan(0.02);
    await expect(convertFields(input, join(folder, "half.zarr"), { half: true })).rejects.toThrow(
      /half precision goes into .npy/,
    );
  });
});
