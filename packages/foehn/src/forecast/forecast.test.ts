// The whole path from a package folder to files, and what happens when it is disturbed.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { InterruptedError } from "../core/errors.js";
import { formatTime } from "../core/time.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { dateFeatures, noForcing } from "../datasets/forcings.js";
import { regularGrid, sameGrid } from "../grid/grid.js";
import { writePackage } from "../hub/write-package.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { openZarr } from "../io/zarr/read.js";
import { ZarrWriter } from "../io/zarr/write.js";
import { arraySource } from "../sources/array-source.js";
import { openSource } from "../sources/open.js";
import { cfTimeAxis } from "./cf-time-axis.js";
import { forecast, numberOfSteps } from "./forecast.js";
import { every, grid, inventedInfo, inventedSource, points, start, step } from "./invented.test-support.js";
import { onGrid } from "./on-grid.js";
import type { ForecastOutput, ForecastStep } from "./outputs/output.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-forecast-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function packageOf(name: string, architecture: string, info: DatasetInfo, settings = {}): Promise<string> {
  return writePackage(join(folder, name), {
    name,
    version: "1.0.0",
    architecture,
    settings,
    weights: new Map(),
    strategy: "diff_ar",
    numInputSteps: 1,
    numInterSteps: 1,
    info,
    climatology: {},
    provenance: {},
  });
}

const leftovers = (): string[] => readdirSync(folder).filter((name) => name.includes(".tmp"));

let hours = "";
let persistence = "";
beforeAll(async () => {
  const info = inventedInfo({ ...noForcing, date: true });
  const first_forcing = info.features.length + info.statics.names.length;
  hours = await packageOf("hours", "adds_first_forcing", info, { first_forcing });
  persistence = await packageOf("persistence", "persistence", inventedInfo());
});

describe("forecast", () => {
  it.each(["zarr", "nc"])("writes what the model says to .%s, readable as a source again", async (ending) => {
    const output = join(folder, `hours.${ending}`);
    const source = inventedSource(every(2));
    const result = await forecast({
      package: hours,
      source,
      steps: "1d",
      output,
      start: "2019-03-01T06",
      precision: "fp32",
    });
    expect(result).toMatchObject({ path: output, steps: 4, initialTimes: [start + step], variables: ["t2m", "msl"] });
    const written = await openSource(output);
    expect(written.times).toEqual([1, 2, 3, 4, 5].map((i) => start + i * step));
    const [initial] = await source.read({ time: start + step, variables: ["t2m"] });
    let sum = 0;
    for (const time of written.times) {
      if (time > start + step) sum += 10 * dateFeatures(time)[0];
      const [field] = await written.read({ time, variables: ["t2m"] });
      for (let i = 0; i < points; i++) expect(field!.values[i]).toBeCloseTo(initial!.values[i]! + sum, 3);
    }
    await written.close();
    await expect(forecast({ package: hours, source, steps: 1, output })).rejects.toThrow(/exists already/);
    await forecast({ package: hours, source, steps: 1, output, overwrite: true });
    expect(leftovers()).toEqual([]);
  });

  it("starts from the newest state of the data when no time is given", async () => {
    const result = await forecast({
      package: persistence,
      source: inventedSource(every(3)),
      steps: 1,
      output: join(folder, "newest.zarr"),
    });
    expect(result.initialTimes).toEqual([start + 2 * step]);
  });

  it("writes several initial times along their own axis", async (context) => {
    const output = join(folder, "dates.zarr");
    const source = inventedSource(every(6));
    const dates = `${formatTime(start)}/to/${formatTime(start + 2 * step)}/by/6h`;
    await forecast({ package: persistence, source, steps: 3, output, dates });
    const t2m = (await openZarr(output)).array("t2m");
    expect(t2m).toMatchObject({
      dimensions: ["forecast_reference_time", "lead_time", "lat", "lon"],
      shape: [3, 4, 4, 6],
    });
    const { data } = await t2m.read([2, null, 0, 0]);
    expect([...(data as Float32Array)].map((value) => Math.round(value))).toEqual([272, 272, 272, 272]);
    const nc = join(folder, "dates.nc");
    await forecast({ package: persistence, source, steps: 3, output: nc, dates, compression: "1" });
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) context.skip(lacks);
    const seen = runPython(
      `
import json, sys, numpy, xarray
d = xarray.open_dataset(sys.argv[1])
print(json.dumps({"dims": list(d.t2m.dims), "reference": [str(t)[:13] for t in d.forecast_reference_time.values],
 "valid": str(d.time.values[2, 3])[:13], "lead": (d.lead_time.values / numpy.timedelta64(1, "h")).tolist(),
 "value": float(d.t2m.isel(forecast_reference_time=2, lead_time=3).max()), "long": d.t2m.attrs["long_name"], "lat": d.lat.attrs["standard_name"], "title": d.attrs["title"]}))`,
      nc,
    );
    expect(seen).toEqual({
      dims: ["forecast_reference_time", "lead_time", "lat", "lon"],
      reference: ["2019-03-01T00", "2019-03-01T06", "2019-03-01T12"],
      valid: "2019-03-02T06",
      lead: [0, 6, 12, 18],
      value: 295,
      long: "2 metre temperature",
      lat: "latitude",
      title: "Forecast of persistence",
    });
  });

  it("starts from prognostic variables; persistence, which has to repeat the diagnostic ones, needs them too", async () => {
    const info = inventedInfo(noForcing, ["t2m", "msl", "tp"]);
    const source = inventedSource(every(1)); // without tp
    const output = join(folder, "rains.zarr");
    const rains = await packageOf("rains", "rains", info);
    expect(await forecast({ package: rains, source, steps: 1, output })).toMatchObject({
      variables: ["t2m", "msl", "tp"],
    });
    const { data } = await (await openZarr(output)).array("tp").read([null, 0, 0]);
    expect([...(data as Float32Array)]).toEqual([Number.NaN, expect.closeTo(0.002 + 0.004 * (2700 / 800), 6)]);
    const repeats = await packageOf("repeats", "persistence", info);
    await expect(forecast({ package: repeats, source, steps: 1, output: join(folder, "no.zarr") })).rejects.toThrow(
      /no variable "tp"/,
    );
  });

  it("converts units and shows both sides when it cannot", async () => {
    const output = join(folder, "units.zarr");
    await forecast({ package: persistence, source: inventedSource(every(1), { t2m: "degC" }), steps: 1, output });
    const { data } = await (await openZarr(output)).array("t2m").read([0, 0, 0]);
    expect((data as Float32Array)[0]).toBeCloseTo(270, 3);
    const wrong = forecast({
      package: persistence,
      source: inventedSource(every(1), { msl: "m s-1" }),
      steps: 1,
      output: join(folder, "wrong.zarr"),
    });
    await expect(wrong).rejects.toThrow(/"msl" is in "m s-1" in the data, the model was trained on "Pa"/);
  });

  it("shows both grids when the data are elsewhere, and takes a sub-grid out of a larger one", async () => {
    const tilted = regularGrid({ lat0: 70, dlat: 50, ny: 4, lon0: 0, dlon: 60, nx: 6 });
    expect(() => onGrid(tilted, grid)).toThrow(/not on the model's grid/);
    const large = regularGrid({ lat0: 75, dlat: 25, ny: 7, lon0: -180, dlon: 30, nx: 12 });
    const take = onGrid(large, grid);
    const field = Float32Array.from(
      { length: 84 },
      (_, i) => large.latitudes[Math.floor(i / 12)]! * 1000 + ((large.longitudes[i % 12]! + 360) % 360),
    );
    const expected = Float32Array.from(
      { length: points },
      (_, i) => grid.latitudes[Math.floor(i / 6)]! * 1000 + grid.longitudes[i % 6]!,
    );
    expect(take(field)).toEqual(expected);
  });

  it("regrids the data where that is asked for, and says how where it is needed", async () => {
    // The invented fields on a grid that shares no point with the model's.
    const shifted = regularGrid({ lat0: 90, dlat: 20, ny: 10, lon0: 10, dlon: 40, nx: 9 });
    const size = shifted.shape[0] * shifted.shape[1];
    const fields = new Map(
      ["t2m", "msl"].map((name) => [name, new Float32Array(2 * size).fill(name === "t2m" ? 281 : 1e5)]),
    );
    const source = arraySource({ grid: shifted, times: every(2), fields });
    const wanted = { package: persistence, source, start, steps: 1 };
    await expect(forecast({ ...wanted, output: join(folder, "no.nc") })).rejects.toMatchObject({
      message: "the data are not on the model's grid",
      hint: expect.stringContaining("--regrid bilinear"),
    });
    const regrid = { method: "bilinear" };
    const { path } = await forecast({ ...wanted, regrid, output: join(folder, "regridded.nc") });
    const made = await openSource(path!);
    expect(sameGrid(made.grid, grid)).toBe(true);
    const [field] = await made.read({ time: start, variables: ["t2m"] });
    for (const value of field!.values) expect(value).toBeCloseTo(281, 3);
    await made.close();
  });

  it.each([
    ["a missing variable", ["t2m"], start, /msl/],
    ["a missing time", ["t2m", "msl"], start + 600, /no state at 2019-03-01T00:10:00Z/],
  ])("refuses %s and leaves nothing", async (_, variables, time, message) => {
    const all = inventedSource(every(2));
    const fields = new Map<string, Float32Array>(variables.map((name) => [name, new Float32Array(2 * points)]));
    const source = arraySource({ grid, times: all.times, fields });
    const output = join(folder, "refused.nc");
    await expect(forecast({ package: persistence, source, start: time, steps: 1, output })).rejects.toThrow(message);
    expect(existsSync(output)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  it("names the variable and time of missing values in the initial state", async () => {
    const fields = new Map([
      ["t2m", new Float32Array(points).fill(280)],
      ["msl", Float32Array.from({ length: points }, (_, i) => (i === 3 ? Number.NaN : 1e5))],
    ]);
    const source = arraySource({ grid, times: [start], fields });
    await expect(
      forecast({ package: persistence, source, steps: 1, output: join(folder, "nan.zarr") }),
    ).rejects.toThrow(/"msl" at 2019-03-01T00:00:00Z has 1 missing values of 24/);
  });

  it("leaves nothing when it is interrupted", async () => {
    for (const ending of ["zarr", "nc"]) {
      const controller = new AbortController();
      const output = join(folder, `interrupted.${ending}`);
      const run = forecast({
        package: persistence,
        source: inventedSource(every(1)),
        steps: 500,
        output,
        signal: controller.signal,
        progress: {
          start() {},
          update: (done) => done === 5 && controller.abort(new InterruptedError("interrupted")),
          note() {},
          finish() {},
        },
      });
      await expect(run).rejects.toThrow(InterruptedError);
      expect(existsSync(output)).toBe(false);
      expect(leftovers()).toEqual([]);
    }
  });

  it("passes on what an output cannot write, in the middle of the run, and leaves nothing", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    const write = ZarrWriter.prototype.writeChunk;
    let count = 0;
    const spy = vi.spyOn(ZarrWriter.prototype, "writeChunk").mockImplementation(function (this: ZarrWriter, ...args) {
      return ++count > 9 ? Promise.reject(full) : write.apply(this, args);
    });
    const output = join(folder, "full.zarr");
    const run = forecast({ package: persistence, source: inventedSource(every(1)), steps: 50, output });
    await expect(run).rejects.toThrow(/ENOSPC/);
    spy.mockRestore();
    expect(existsSync(output)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  it("never holds more than a few steps, however slow the output is", async () => {
    let [open, most] = [0, 0];
    const slow: ForecastOutput = {
      open: async () => {},
      async write() {
        most = Math.max(most, ++open);
        await new Promise((resolve) => setTimeout(resolve, 2));
        open--;
      },
      close: async () => undefined,
      abort: async () => {},
    };
    await forecast({ package: persistence, source: inventedSource(every(1)), steps: 30, output: [slow] });
    expect(most).toBeLessThanOrEqual(2);
  });

  it("gives steps to outputs in order, with their times", async () => {
    const seen: Omit<ForecastStep, "fields">[] = [];
    const sink: ForecastOutput = {
      open: async () => {},
      write: async ({ fields: _, ...rest }) => void seen.push(rest),
      close: async () => undefined,
      abort: async () => {},
    };
    const source = inventedSource(every(2));
    await forecast({ package: persistence, source, steps: 1, dates: [start + step, start], output: [sink] });
    expect(seen).toEqual([
      { initialIndex: 0, memberIndex: 0, leadIndex: 0, validTime: start },
      { initialIndex: 0, memberIndex: 0, leadIndex: 1, validTime: start + step },
      { initialIndex: 1, memberIndex: 0, leadIndex: 0, validTime: start + step },
      { initialIndex: 1, memberIndex: 0, leadIndex: 1, validTime: start + 2 * step },
    ]);
  });

  it("refuses wrong arguments before it opens anything", async () => {
    const base = { package: "/nowhere", source: "/nowhere", steps: 1 };
    await expect(forecast({ ...base, output: "x.grib" })).rejects.toThrow(/ending ".grib"/);
    await expect(forecast({ ...base, output: "x.nc", compression: "zstd" })).rejects.toThrow(/"zstd"/);
    expect(() => numberOfSteps("7h", step)).toThrow(/whole number of the model's steps of 6h/);
    expect(() => numberOfSteps("0", step)).toThrow(/number of steps/);
    expect(numberOfSteps("10d", step)).toBe(40);
    mkdirSync(join(folder, "there.zarr"));
  });
});

describe("cfTimeAxis", () => {
  it("uses the coarsest unit that is exact", () => {
    expect(cfTimeAxis([start, start + 7200], start)).toMatchObject({
      values: BigInt64Array.of(0n, 2n),
      units: "hours since 2019-03-01 00:00:00",
    });
    expect(cfTimeAxis([start, start + 600], start)).toMatchObject({
      values: BigInt64Array.of(0n, 10n),
      periodUnits: "minutes",
    });
    expect(cfTimeAxis([90], 0).periodUnits).toBe("seconds");
  });
});
