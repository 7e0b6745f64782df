// The dataset over a small Smeagol tree: two runs, two members, a Lambert-like grid whose X runs from south to north.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Progress } from "../core/progress.js";
import { NetcdfWriter } from "../io/netcdf/write.js";
import { openSmeagolSource, smeagolRun } from "../sources/smeagol/smeagol-source.js";
import type { DatasetOptions } from "./dataset.js";
import { openDataset } from "./registry.js";

const root = mkdtempSync(join(tmpdir(), "foehn-smeagol-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const [nx, ny] = [7, 6]; // X first in the files, and along it latitude grows
const steps = [3, 3.25, 3.5, 3.75, 4, 4.25, 4.5];
const levels = [90, 50];
const dates = [0, 6, 24, 30, 48].map((h) => Date.UTC(2022, 7, 6) / 1000 + 3600 * h);
const model = join(root, "nc", "france", "arome_franmgsp32");

const value = (variable: number, run: number, member: number, step: number, level: number, x: number, y: number) =>
  variable * 1e4 + run * 1000 + member * 100 + step * 10 + level / 1000 + x + y / 10;

async function write(
  path: string,
  variables: readonly string[],
  withLevels: boolean,
  run: number,
  member: number,
): Promise<void> {
  const writer = await NetcdfWriter.create(path);
  const axis = (name: string, values: number[]) =>
    writer.writeArray(
      { name, dimensions: [name], shape: [values.length], dataType: "float64" },
      Float64Array.from(values),
    );
  await axis("step", steps);
  if (withLevels) await axis("level", levels);
  await axis(
    "X",
    Array.from({ length: nx }, (_, i) => i),
  );
  await axis(
    "Y",
    Array.from({ length: ny }, (_, i) => i),
  );
  for (const [v, name] of variables.entries()) {
    const planes = withLevels
      ? steps.flatMap((s) => levels.map((l) => [s, l] as const))
      : steps.map((s) => [s, 0] as const);
    const values = Float32Array.from(
      planes.flatMap(([s, l]) =>
        Array.from({ length: nx * ny }, (_, n) =>
          value(withLevels ? 3 : v, run, member, s, l, Math.floor(n / ny), n % ny),
        ),
      ),
    );
    const shape = withLevels ? [steps.length, levels.length, nx, ny] : [steps.length, nx, ny];
    const dimensions = withLevels ? ["step", "level", "X", "Y"] : ["step", "X", "Y"];
    await writer.writeArray({ name, dimensions, shape, dataType: "float32", attributes: { units: "K" } }, values);
  }
  await writer.close();
}

beforeAll(async () => {
  for (const [r, date] of dates.entries()) {
    for (const member of [0, 1]) {
      const base = join(model, smeagolRun(date, member));
      mkdirSync(join(base, ".."), { recursive: true });
      await write(`${base}_surface.nc`, ["CLSTEMPERATURE", "SURFACCPLUIE", "RAD"], false, r, member);
      // Member 1 of the second run lacks its second file: the sample is not valid, whichever parameter comes first.
      if (r !== 1 || member !== 1) await write(`${base}_TEMPERATURE.nc`, ["TEMPERATURE"], true, r, member);
    }
  }
  mkdirSync(join(model, "constant"));
  const writer = await NetcdfWriter.create(join(model, "constant", "Mesh_and_SurfGeo.nc"));
  for (const [name, size] of [
    ["X", nx],
    ["Y", ny],
  ] as const) {
    const values = Float64Array.from({ length: size }, (_, i) => i);
    await writer.writeArray({ name, dimensions: [name], shape: [size], dataType: "float64" }, values);
  }
  const field = (name: string, of: (x: number, y: number) => number) =>
    writer.writeArray(
      { name, dimensions: ["X", "Y"], shape: [nx, ny], dataType: "float64" },
      Float64Array.from({ length: nx * ny }, (_, n) => of(Math.floor(n / ny), n % ny)),
    );
  await field("lat", (x, y) => 45 + 0.3 * x + 0.01 * y + 0.004 * x * x);
  await field("lon", (x, y) => 2 + 0.4 * y - 0.02 * x);
  await field("SURFGEOPOTENTIEL", (x, y) => 10 * x + y);
  await field("LandSeaMask", (x) => (x > 2 ? 1 : 0));
  await writer.writeArray(
    { name: "x", dimensions: ["X"], shape: [nx], dataType: "float64" },
    Float64Array.from({ length: nx }, (_, i) => 1000 * i),
  );
  await writer.writeArray(
    { name: "y", dimensions: ["Y"], shape: [ny], dataType: "float64" },
    Float64Array.from({ length: ny }, (_, i) => 1500 * i),
  );
  await writer.close();
});

const config = {
  periods: {
    train: { start: 2022080600, end: 2022080606, step: 6 },
    test: { start: 2022080700, end: 2022080706, step: 6 },
    valid: { start: 2022080800, end: 2022080800, step: 6 },
  },
  grid: { geometry: "franmgsp32", border_size: 1, domain: "france", model: "arome", subgrid: [1, 7, 0, 5] },
  dataset: {
    arome: {
      grid: { domain: "france", model: "arome", geometry: "franmgsp32" },
      members: [0, 1],
      term: { start: 3, end: 4.75, timestep: 0.25 },
      var: {
        CLSTEMPERATURE: { shortname: "2t" },
        SURFACCPLUIE: { shortname: "rain", kind: "output" },
        TEMPERATURE: { shortname: "t", level: [90, 50] },
        RAD: { shortname: "rad", kind: "input" },
      },
    },
  },
};

function options(edit: (c: typeof config) => unknown = (c) => c, more: Partial<DatasetOptions> = {}): DatasetOptions {
  const confPath = join(root, "conf.json");
  writeFileSync(confPath, JSON.stringify(edit(structuredClone(config))));
  return {
    numInputSteps: 2,
    numPredStepsTrain: 1,
    numPredStepsValTest: 1,
    confPath,
    overrides: { source: root },
    ...more,
  };
}

describe("smeagol", () => {
  it("gives windows of lead times of each run and member", async () => {
    const notes: string[] = [];
    const progress: Progress = { start() {}, update() {}, note: (line) => void notes.push(line), finish() {} };
    const splits = await openDataset("smeagol", options(undefined, { progress }));
    const { info } = splits;
    expect(info.features.map((f) => [f.name, f.role, Number(f.weight.toFixed(3)), f.units])).toEqual([
      ["2t_0", "prognostic", 2, "K"],
      ["t_90", "prognostic", 2, "K"],
      ["t_50", "prognostic", 1.556, "K"],
      ["rain_0", "diagnostic", 2, "K"],
    ]);
    expect(info.forcingNames).toEqual(["rad_0", "cos_hour", "sin_hour", "cos_doy", "sin_doy"]);
    expect(info.stepSeconds).toBe(900);
    expect(info.statics.names).toEqual(["x", "y", "geopotential", "border_mask", "LandSeaMask"]);
    // Seven lead times make two windows of three; three complete members in training.
    expect([splits.train.length, splits.valid.length, splits.test.length]).toEqual([6, 4, 8]);
    expect(notes).toContain(
      "train: 3 runs; 1 left out because a file is missing: france/arome_franmgsp32/20220806H06/mb_001_TEMPERATURE.nc",
    );
    // X, which counts rows here, is cut to 1…6; its last is the northernmost row.
    expect(info.grid.shape).toEqual([6, 5]);
    expect(info.grid.latitudes[0]).toBeGreaterThan(info.grid.latitudes[5]!);
    // Even in the projection, though latitudes are not.
    const y = Array.from({ length: 6 }, (_, i) => info.statics.fields[i * 5 * 5 + 1]!);
    for (const [i, v] of y.entries()) expect(v).toBeCloseTo(1 - i / 5, 6);

    const item = await splits.train.item(3);
    expect(item.times.inputs).toEqual([dates[0]! + 3.75 * 3600, dates[0]! + 4 * 3600]);
    const { mean, std } = info.stats.t_50!;
    const got = item.outputs.feature("t_50").contiguous().toTypedArray() as Float32Array;
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 5; j++) {
        expect(got[i * 5 + j]! * std + mean).toBeCloseTo(value(3, 0, 1, 4.25, 50, 6 - i, j), 1);
      }
    }
    // Differences are taken within a run: a quarter of an hour is 2.5 here, whatever the jump to the next run.
    expect(info.diffStats["2t_0"]!.mean * info.stats["2t_0"]!.std).toBeCloseTo(2.5, 3);
    await splits.close();
  });

  it("says what is missing", async () => {
    const reject = (edit: (c: typeof config) => unknown, expected: RegExp, more: Partial<DatasetOptions> = {}) =>
      expect(openDataset("smeagol", options(edit, more))).rejects.toThrow(expected);
    await reject((c) => c, /nobody says where Smeagol is/, { overrides: {} });
    await reject((c) => ({ ...c, gird: c.grid }), /conf.json:1:\d+ gird: unknown key. Did you mean "grid"/);
    await reject(
      (c) => ({ ...c, grid: { ...c.grid, subgrid: [0, 9, 0, 5] } }),
      /part 0 to 9 along X is not in an array of 7/,
    );
    await reject((c) => ({ ...c, grid: { ...c.grid, model: "arpege" } }), /Mesh_and_SurfGeo.nc: ENOENT/);
    await reject(
      (c) => ({ ...c, dataset: { arome: { ...c.dataset.arome, term: { start: 3, end: 6, timestep: 0.25 } } } }),
      /there is no lead time 4.75 h/,
    );
    await reject(
      (c) => ({ ...c, dataset: { arome: { ...c.dataset.arome, members: [7] } } }),
      /no run of any period is complete/,
    );
    const source = await openSmeagolSource({
      folder: join(root, "nc"),
      model: "france/arome_franmgsp32",
      times: [],
      fields: [{ feature: "t_1", variable: "TEMPERATURE", level: 1, model: "france/arome_franmgsp32" }],
    });
    await expect(source.read({ time: dates[0]!, variables: ["t_1"] })).rejects.toThrow(/value in several forecasts/);
    await expect(
      source.read({ time: dates[0]! + 3 * 3600, variables: ["t_1"], run: smeagolRun(dates[0]!, 0) }),
    ).rejects.toMatchObject({ message: "there is no level 1", hint: "the file has 2: 90, 50" });
    await source.close();
  });
});
