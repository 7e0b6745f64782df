// Climatologies by day of year and hour, as WeatherBench's: xarray writes one and computes ACC from it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { grid, inventedInfo, persistencePackage, points, step } from "../forecast/invented.test-support.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import { readClimatology, timeMeans } from "./climatology.js";
import { scoreForecast } from "./score.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-climatology-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Over the end of a leap year: days 365, 366, 1 and 2.
const begin = Date.UTC(2020, 11, 30) / 1000;
const times = Array.from({ length: 14 }, (_, i) => begin + i * step);
const dates = times.slice(0, 10);
const steps = 4;
const t2m = Float32Array.from({ length: times.length * points }, (_, i) => 280 + 9 * Math.sin(i * 1.3) + (i % points));
const msl = Float32Array.from(t2m, (value) => 1e5 + 70 * (value - 280));
let source: Source;
let model = "";

beforeAll(async () => {
  source = arraySource({
    grid,
    times,
    fields: new Map([
      ["t2m", t2m],
      ["msl", msl],
    ]),
  });
  model = await persistencePackage(join(folder, "model"));
});

/** Writes climatologies (with hours; without; without the 366th day; in hPa) and gives ACC, uncentred and centred, of the first two. */
const script = `
import sys, json, numpy as np, pandas as pd, xarray as xr
folder, given = sys.argv[1], json.load(open(sys.argv[2]))
lat, lon = [75., 25., -25., -75.], [0., 60., 120., 180., 240., 300.]
rng = np.random.default_rng(3)
def make(days, hours, mean, size):
    shape = ([len(hours)] if hours else []) + [days, 6, 4]
    names = (["hour"] if hours else []) + ["dayofyear", "longitude", "latitude"]
    coords = {"dayofyear": np.arange(1, days + 1), "latitude": lat, "longitude": lon, **({"hour": hours} if hours else {})}
    return xr.DataArray((mean + size * rng.standard_normal(shape)).astype("f4"), dims=names, coords=coords)
def both(days, hours):
    return xr.Dataset({"2m_temperature": make(days, hours, 285, 8).assign_attrs(units="K"), "mean_sea_level_pressure": make(days, hours, 100300, 500).assign_attrs(units="Pa")})
hourly, daily = both(366, [0, 6, 12, 18]), both(366, None)
hourly.to_zarr(folder + "/hourly.zarr", consolidated=True)
daily.to_netcdf(folder + "/daily.nc")
daily.isel(dayofyear=slice(0, 365)).to_netcdf(folder + "/short.nc")
other = hourly.sel(hour=[0, 12]).copy()
other["mean_sea_level_pressure"] = (other["mean_sea_level_pressure"] / 100).assign_attrs(units="hPa")
other.to_netcdf(folder + "/half.nc")
stamps = pd.to_datetime(given["times"], unit="s")
truth = xr.DataArray(np.array(given["t2m"], "f4").reshape(-1, 4, 6), dims=["time", "latitude", "longitude"], coords={"time": stamps, "latitude": lat, "longitude": lon})
weights = np.cos(np.deg2rad(truth.latitude))
def acc(climatology, lead, centred):
    xx = yy = xy = 0
    for start in range(given["dates"]):
        valid = stamps[start + lead]
        normal = climatology.sel(dayofyear=valid.dayofyear)
        if "hour" in normal.dims: normal = normal.sel(hour=valid.hour)
        x = truth[start + lead].astype("f8") - normal
        y = truth[start].astype("f8") - normal
        if centred: x, y = [a - a.weighted(weights).mean() for a in (x, y)]
        mean = lambda a: float(a.weighted(weights).mean())
        xx, yy, xy = xx + mean(x * x), yy + mean(y * y), xy + mean(x * y)
    return xy / np.sqrt(xx * yy)
print(json.dumps([[[acc(c["2m_temperature"], lead, centred) for lead in range(1, given["steps"] + 1)] for centred in (False, True)] for c in (hourly, daily)]))`;

describe("climatologies by day of year", () => {
  it("give the ACC of xarray, with and without hours", async (context) => {
    const lacks = pythonLacks("xarray", "zarr", "netCDF4", "pandas");
    if (lacks) context.skip(lacks);
    const given = join(folder, "given.json");
    writeFileSync(given, JSON.stringify({ times, t2m: [...t2m], dates: dates.length, steps }));
    const expected = runPython(script, folder, given) as number[][][];
    for (const [c, name] of ["hourly.zarr", "daily.nc"].entries()) {
      for (const [k, accConvention] of (["uncentred", "centred"] as const).entries()) {
        const options = { package: model, source, steps, dates, accConvention };
        const { table } = await scoreForecast({ ...options, climatology: join(folder, name) });
        for (const [lead, value] of expected[c]![k]!.entries()) {
          expect(table.model.acc.t2m![lead], `${name} ${accConvention} lead ${lead}`).toBeCloseTo(value, 6);
        }
        expect(table.model.acc.msl!.every(Number.isFinite)).toBe(true);
      }
    }
  });

  it("count the last day of a leap year as the 365th where there are 365 days", async (context) => {
    const lacks = pythonLacks("xarray");
    if (lacks) context.skip(lacks);
    const { features } = inventedInfo();
    await using short = await readClimatology(join(folder, "short.nc"), features, grid);
    await using daily = await readClimatology(join(folder, "daily.nc"), features, grid);
    const at = (day: number, hour = 0) => Date.UTC(2020, 11, day, hour) / 1000;
    expect((await short.at(at(31, 18))).t2m).toEqual((await daily.at(at(30))).t2m);
    expect((await daily.at(at(31))).t2m).not.toEqual((await daily.at(at(30))).t2m);
    // The first of March is day 61 of a leap year, day 60 of others.
    const march = [2020, 2021].map((year) => Date.UTC(year, 2, 1) / 1000);
    expect((await daily.at(march[0]!)).t2m).toEqual((await daily.at(Date.UTC(2021, 2, 2) / 1000)).t2m);
    expect((await daily.at(march[0]!)).t2m).not.toEqual((await daily.at(march[1]!)).t2m);
  });

  it("are brought to the model's units, and refused before a forecast when hours are lacking", async (context) => {
    const lacks = pythonLacks("xarray");
    if (lacks) context.skip(lacks);
    const { features } = inventedInfo();
    await using half = await readClimatology(join(folder, "half.nc"), features, grid);
    await using full = await readClimatology(join(folder, "hourly.zarr"), features, grid);
    const [a, b] = [(await half.at(begin)).msl!, (await full.at(begin)).msl!];
    for (const [i, value] of a.entries()) expect(value / b[i]!).toBeCloseTo(1, 6);
    const attempt = scoreForecast({ package: model, source, steps, dates, climatology: join(folder, "half.nc") });
    await expect(attempt).rejects.toThrow(/nothing for 2020-12-30T06:00.*day 365/);
    await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining("0, 12 UTC") });
  });
});

it("time means are the same at every time", async () => {
  const fields = { t2m: Float32Array.of(1, 2) };
  await using means = timeMeans(fields);
  expect([await means.at(0), await means.at(begin)]).toEqual([fields, fields]);
  expect([...means.variables]).toEqual(["t2m"]);
});
