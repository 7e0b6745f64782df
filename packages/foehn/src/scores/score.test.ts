// Scores of whole forecasts: against closed forms, and against NumPy from the written files.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noForcing } from "../datasets/forcings.js";
import { every, grid, inventedInfo, inventedSource, points, start, step } from "../forecast/invented.test-support.js";
import { fileOutput } from "../forecast/outputs/file-output.js";
import { areaWeights } from "../grid/geometry.js";
import { writePackage } from "../hub/write-package.js";
import { pythonLacks, runPythonFile } from "../io/python.test-support.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import { defaultDates, scoreForecast } from "./score.js";
import { formatScoreTable } from "./table.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-scores-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const climatology = {
  t2m: Float32Array.from({ length: points }, (_, i) => 271 + (i % 5)),
  msl: Float32Array.from({ length: points }, (_, i) => 1.02e5 + 30 * (i % 7)),
};

let model = "";
beforeAll(async () => {
  const info = inventedInfo({ ...noForcing, date: true });
  model = await writePackage(join(folder, "model"), {
    name: "model",
    version: "1.0.0",
    architecture: "adds_first_forcing",
    settings: { first_forcing: info.features.length + info.statics.names.length },
    weights: new Map(),
    strategy: "diff_ar",
    numInputSteps: 1,
    numInterSteps: 1,
    info,
    climatology,
    provenance: {},
  });
});

/** Truth with waves and with holes that come and go. */
function holedSource(times: readonly number[]): Source {
  const make = (mean: number, size: number, shift: number) =>
    Float32Array.from({ length: times.length * points }, (_, i) => {
      const [time, point] = [Math.floor(i / points), i % points];
      return mean + size * Math.sin(point * 1.3 + time * 0.7 + shift) + (size / 9) * time;
    });
  const t2m = make(280, 6, 0);
  // The initial states (every other time) are complete; some verifying ones are not.
  for (const time of [5, 7]) for (let p = 0; p < 3 * time - 10; p++) t2m[time * points + p] = Number.NaN;
  return arraySource({
    grid,
    times,
    fields: new Map([
      ["t2m", t2m],
      ["msl", make(1e5, 900, 2)],
    ]),
  });
}

describe("scoreForecast", () => {
  it("equals NumPy computed from the written forecast and truth to 1e-6", async (context) => {
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) context.skip(lacks);
    const times = every(12);
    const source = holedSource(times);
    const paths = ["forecast.nc", "truth.nc", "climatology.json", "scores.nc"].map((name) => join(folder, name));
    const dates = [0, 2, 4, 6].map((i) => times[i]!);
    await scoreForecast({ package: model, source, steps: 5, dates, forecastOutput: paths[0]!, output: paths[3]! });
    const truth = fileOutput(paths[1]!);
    const variables = inventedInfo().features;
    const leadTimes = times.map((time) => time - start);
    await truth.open({
      variables,
      grid,
      initialTimes: [start],
      members: 1,
      hasMembers: false,
      leadTimes,
      provenance: {},
    });
    for (const [leadIndex, validTime] of times.entries()) {
      const read = await source.read({ time: validTime, variables: ["t2m", "msl"] });
      await truth.write({
        initialIndex: 0,
        leadIndex,
        memberIndex: 0,
        validTime,
        fields: read.map((field) => field.values),
      });
    }
    await truth.close();
    writeFileSync(paths[2]!, JSON.stringify({ t2m: [...climatology.t2m], msl: [...climatology.msl] }));
    const script = fileURLToPath(new URL("../../../../test/golden/scores/check_scores.py", import.meta.url));
    const worst = runPythonFile(script, ...paths) as Record<string, number>;
    expect(Object.keys(worst).sort()).toEqual(["acc", "acc_centred", "bias", "mae", "n_cases", "n_missing", "rmse"]);
    for (const [metric, difference] of Object.entries(worst)) expect(difference, metric).toBeLessThan(1e-6);
  });

  it("is zero against itself, and persistence has the error of the change", async () => {
    // Every value of the invented source grows by 1 K (10 Pa) a step; persistence falls behind by exactly that.
    const result = await scoreForecast({
      package: model,
      source: inventedSource(every(8)),
      steps: 3,
      dates: [start, start + step],
    });
    const { table } = result;
    expect(Object.keys(table.model)).toEqual(["rmse", "mae", "bias", "acc"]);
    expect(table).toMatchObject({ variables: ["t2m", "msl"], lead_hours: [6, 12, 18], n_dates: 2, n_missing: 0 });
    const near = (actual: readonly number[], expected: number[]) => {
      for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i]!, 3);
    };
    near(table.persistence.rmse.t2m!, [1, 2, 3]);
    near(table.persistence.bias.t2m!, [-1, -2, -3]);
    near(table.persistence.mae.msl!, [10, 20, 30]);
    expect(JSON.parse(JSON.stringify(table)).model.acc.t2m).toHaveLength(3);
  });

  it("skips lead zero, weights by area, and says what it scored", async () => {
    const times = every(2);
    const t2m = new Float32Array(2 * points).fill(280);
    // One K off on the southernmost row only.
    for (let column = 0; column < 6; column++) t2m[points + 18 + column] = 281;
    const msl = new Float32Array(2 * points).fill(1e5);
    const source = arraySource({
      grid,
      times,
      fields: new Map([
        ["t2m", t2m],
        ["msl", msl],
      ]),
    });
    const { table } = await scoreForecast({ package: model, source, steps: 1, dates: [start] });
    expect(table.persistence.mae.t2m![0]).toBeCloseTo(areaWeights(grid)[3]! / 4, 6);
    const text = formatScoreTable(table);
    expect(text).toMatch(/t2m \(K\) +\+6 h/);
    expect(text).toMatch(/1 initial time, 2019-03-01T00:00:00Z to 2019-03-01T00:00:00Z; ACC uncentred/);
    const none = { t2m: [Number.NaN], msl: [Number.NaN] };
    expect(formatScoreTable({ ...table, model: { ...table.model, acc: none } })).toMatch(/no ACC, for want of/);
  });

  it("scores by default what the model has not been trained or selected on", () => {
    const at = (hour: number) => start + hour * 3600;
    const periods = {
      train: { start: at(0), end: at(29) },
      valid: { start: at(30), end: at(35) },
      test: { start: at(36), end: at(71) },
    };
    const hours = Array.from({ length: 72 }, (_, i) => at(i));
    const dates = defaultDates(hours, { stepSeconds: 3600, periods }, 2, 12);
    // 36 needs 35, which is validation; 60 would need 72.
    expect(dates.map((time) => (time - start) / 3600)).toEqual([42, 48, 54]);
    // Nothing else is there: better a score with a warning than none.
    expect(defaultDates(hours.slice(0, 30), { stepSeconds: 3600, periods }, 2, 12)).toHaveLength(2);
  });

  it("chooses the dates that the data allow, six hours apart on round hours", () => {
    const hourly = Array.from({ length: 48 }, (_, i) => start + 3600 * (i + 1));
    const dates = defaultDates(hourly, { stepSeconds: 3600 }, 2, 12);
    expect(dates.map((time) => (time - start) / 3600)).toEqual([6, 12, 18, 24, 30, 36]);
    const gap = hourly.filter((_, i) => i !== 20);
    expect(defaultDates(gap, { stepSeconds: 3600 }, 2, 6).map((time) => (time - start) / 3600)).toEqual([
      6, 12, 24, 30, 36, 42,
    ]);
    expect(() => defaultDates(hourly, { stepSeconds: 3600 }, 1, 48)).toThrow(
      /no initial time with 1 states before and 48 steps of 1h/,
    );
  });

  it("refuses an existing file before it runs, and dates without truth", async () => {
    const output = join(folder, "again.nc");
    const source = inventedSource(every(3));
    await scoreForecast({ package: model, source, steps: 1, output });
    await expect(scoreForecast({ package: model, source, steps: 1, output })).rejects.toThrow(/exists already/);
    const missing = join(folder, "missing.nc");
    const late = scoreForecast({ package: model, source, steps: 2, dates: [start + 2 * step], output: missing });
    await expect(late).rejects.toThrow(/no truth at 2019-03-01T18:00:00Z.*from 2019-03-01T12:00:00Z/);
    expect(existsSync(missing)).toBe(false);
  });
});
