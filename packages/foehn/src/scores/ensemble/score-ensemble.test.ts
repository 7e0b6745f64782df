import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { persistenceOnData } from "../../forecast/model-on-data.js";
import { DomainNetcdfOutput } from "../../forecast/outputs/domain-netcdf.js";
import { fileOutput } from "../../forecast/outputs/file-output.js";
import { createPerturbation } from "../../forecast/perturbations/registry.js";
import { runForecast } from "../../forecast/rollout.js";
import { latLonGrid } from "../../grid/grid.js";
import { golden } from "../../io/golden.test-support.js";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import { pythonLacks, runPythonFile } from "../../io/python.test-support.js";
import { arraySource } from "../../sources/array-source.js";
import { chooseDomain, openForecasts } from "../../sources/forecast-store.js";
import { crps } from "./crps.js";
import { pointWeights } from "./points.js";
import { scoreEnsemble } from "./score-ensemble.js";
import { formatEnsembleTable, readEnsembleTable } from "./table.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-score-ensemble-"));
const at = (...path: string[]) => join(folder, ...path);
const step = 43_200;
const grid = latLonGrid([60, 20, -20, -60], [0, 90, 180, 270]);
const times = Array.from({ length: 10 }, (_, i) => Date.UTC(2018, 0, 1) / 1000 + i * step);
const field = (scale: number, base: number) =>
  Float32Array.from({ length: 160 }, (_, i) => base + scale * Math.sin(i * 0.37) + (scale * (i % 7)) / 5);
const truth = arraySource({
  grid,
  times,
  fields: new Map([
    ["t2m", field(3, 280)],
    ["msl", field(300, 1e5)],
  ]),
});
const dates = times.slice(0, 3);

beforeAll(async () => {
  const model = persistenceOnData(truth, step);
  await runForecast({
    ...model,
    initialTimes: dates,
    steps: 5,
    members: 4,
    batchSize: 2,
    perturbation: createPerturbation("gaussian", { amplitude: 0.1 }),
    outputs: [fileOutput(at("f.nc")), fileOutput(at("f.zarr"))],
  });
  const writer = await NetcdfWriter.create(at("truth.nc"), { attributes: { Conventions: "CF-1.10" } });
  const axis = (name: string, values: Float64Array, units: string) =>
    writer.writeArray(
      { name, dimensions: [name], shape: [values.length], dataType: "float64", attributes: { units } },
      values,
    );
  await axis("time", Float64Array.from(times), "seconds since 1970-01-01 00:00:00");
  await axis("lat", grid.latitudes, "degrees_north");
  await axis("lon", grid.longitudes, "degrees_east");
  for (const [name, values] of [
    ["t2m", field(3, 280)],
    ["msl", field(300, 1e5)],
  ] as const) {
    await writer.writeArray(
      { name, dimensions: ["time", "lat", "lon"], shape: [10, 4, 4], dataType: "float32" },
      values,
    );
  }
  await writer.close();
});

describe("foehn score-ensemble", () => {
  it.each([
    ["f.nc", undefined],
    ["f.zarr", undefined],
    ["f.nc", 1],
  ])("agrees with xarray and NumPy on %s, averaged over %s days", async (name, days) => {
    const output = at(`scores-${name}-${days}`);
    const [scored] = await scoreEnsemble({
      forecasts: at(name),
      truth,
      output,
      maps: false,
      ...(days ? { averaging: days * 86_400 } : {}),
    });
    expect(scored).toMatchObject({ isComplete: true, domain: undefined });
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) return console.warn(`skipped: ${lacks}`);
    const worst = runPythonFile(
      golden("scores", "check_ensemble.py"),
      at("f.nc"),
      at("truth.nc"),
      join(output, "scores.json"),
      String(days ?? 0),
    );
    for (const [metric, difference] of Object.entries(worst as Record<string, number>))
      expect(difference, metric).toBeLessThan(2e-7);
    expect(Object.keys(worst as object)).toContain("crps_fair");
  });

  it("writes maps that are the scores of every point", async () => {
    const output = at("maps");
    await scoreEnsemble({ forecasts: at("f.zarr"), truth, output, saveEnsemble: true, fair: true });
    expect(readdirSync(output).sort()).toEqual([
      "crps.zarr",
      "deterministic_mse.zarr",
      "ensemble.zarr",
      "ensemble_mse.zarr",
      "mean.zarr",
      "scores.json",
      "sums",
      "variance.zarr",
    ]);
    await using stores = await openForecasts(
      ["crps", "ensemble", "ensemble_mse", "mean", "variance"].map((kind) => at("maps", `${kind}.zarr`)).slice(1, 2),
    );
    await using crpsMaps = await openForecasts(at("maps", "crps.zarr"));
    await using variances = await openForecasts(at("maps", "variance.zarr"));
    const [date, lead] = [dates[1]!, 2 * step];
    const members = await Promise.all([0, 1, 2, 3].map((m) => stores.domains[0]!.read("t2m", date, lead, m)));
    const [observed] = await truth.read({ time: date + lead, variables: ["t2m"] });
    const map = await crpsMaps.domains[0]!.read("t2m", date, lead, 0);
    const variance = await variances.domains[0]!.read("t2m", date, lead, 0);
    expect(variances.domains[0]!.variables.find((v) => v.name === "msl")!.units).toMatch(/Pa/);
    for (let i = 0; i < 16; i++) {
      const values = members.map((fields) => fields[i]!);
      expect(map[i]).toBeCloseTo(crps(values, observed!.values[i]!, { fair: true }), 4);
      const mean = values.reduce((a, b) => a + b) / 4;
      expect(variance[i]).toBeCloseTo(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 3, 2);
    }
  });

  it("says the same in shards, in any order, and goes on where it was stopped", async () => {
    const output = at("shards");
    const options = {
      forecasts: at("f.nc"),
      truth,
      output,
      regions: ["tropics", "northern_hemisphere"],
      thresholds: { t2m: [280, 283] },
    };
    const [first] = await scoreEnsemble({ ...options, shard: 1, nShards: 2 });
    expect(first).toMatchObject({ isComplete: false });
    expect(first!.table!.n_dates).toBe(2);
    expect(readdirSync(output)).not.toContain("scores.json");
    const [second] = await scoreEnsemble({ ...options, shard: 0, nShards: 2 });
    expect(second).toMatchObject({ isComplete: true });
    const [whole] = await scoreEnsemble({ ...options, output: at("whole"), maps: false });
    expect(JSON.stringify(second!.table)).toBe(JSON.stringify(whole!.table));
    expect(second!.table!.scores.tropics!.t2m!.brier[3]).toHaveLength(2);
    expect(readEnsembleTable(at("shards", "scores.json")).scores).toEqual(whole!.table!.scores);
    const again = await scoreEnsemble(options);
    expect(JSON.stringify(again[0]!.table)).toBe(JSON.stringify(whole!.table));
    await expect(scoreEnsemble({ ...options, thresholds: {} })).rejects.toThrow(/made with other/);

    const stopped = { ...options, output: at("stopped"), maps: false };
    const controller = new AbortController();
    const progress = { start() {}, note() {}, finish() {}, update: (n: number) => n === 8 && controller.abort() };
    await expect(
      scoreEnsemble({ ...stopped, signal: controller.signal, progress: progress as never }),
    ).rejects.toMatchObject({ code: "interrupted" });
    expect(readdirSync(at("stopped", "sums"))).toHaveLength(1);
    const [resumed] = await scoreEnsemble(stopped);
    expect(JSON.stringify(resumed!.table)).toBe(JSON.stringify(whole!.table));
  });

  it("does without truth, and prints a table with it", async () => {
    const [plain] = await scoreEnsemble({ forecasts: at("f.zarr"), output: at("plain"), channels: ["t2m"] });
    expect(plain!.table).toBeUndefined();
    expect(readdirSync(at("plain")).sort()).toEqual(["mean.zarr", "variance.zarr"]);
    const [scored] = await scoreEnsemble({
      forecasts: at("f.zarr"),
      truth,
      output: at("table"),
      maps: false,
      energy: true,
    });
    const text = formatEnsembleTable(scored!.table!);
    expect(text).toMatch(/global +t2m \(K\) +\+0 h/);
    expect(text).toMatch(/4 members, 3 initial times/);
    expect(scored!.table!.scores.global!.t2m!.energy[2]).toBeGreaterThan(0);
  });

  it("refuses what is not there", async () => {
    const options = { forecasts: at("f.nc"), truth, output: at("bad") };
    await expect(scoreEnsemble({ ...options, dates: [0] })).rejects.toThrow(/no forecast from 1970/);
    await expect(scoreEnsemble({ ...options, channels: ["z500"] })).rejects.toThrow(/z500/);
    await expect(scoreEnsemble({ ...options, averaging: 14 * 86_400 })).rejects.toThrow(/do not fill a window of 14d/);
    await expect(scoreEnsemble({ ...options, forecasts: at("nothing.nc") })).rejects.toThrow(/no forecasts at/);
    expect(readFileSync(at("truth.nc")).length).toBeGreaterThan(0);
  });

  it("scores points at the nearest point of the truth, each as much as the others", async () => {
    const model = persistenceOnData(truth, step);
    // One lies between points of the grid, one at another turn of the Earth.
    const [latitudes, longitudes] = [
      [60, 25, -60],
      [92, 179, -90],
    ];
    const places = [1, 4 + 2, 12 + 3];
    const window = { type: "window", name: "north", region: { north: 90, south: 0, west: 0, east: 360 } } as const;
    const domains = [{ type: "points", name: "stations", latitudes, longitudes } as const, window];
    await runForecast({
      ...model,
      initialTimes: dates.slice(0, 1),
      steps: 2,
      members: 3,
      perturbation: createPerturbation("gaussian", { amplitude: 0.1 }),
      outputs: [fileOutput(at("all.nc")), new DomainNetcdfOutput(at("stations.nc"), { domains })],
    });
    const output = at("of-stations");
    const scored = await scoreEnsemble({ forecasts: at("stations.nc"), truth, output, channels: ["t2m"] });
    expect(scored.map(({ domain, isComplete }) => [domain, isComplete])).toEqual([
      ["north", true],
      ["stations", true],
    ]);
    await using fields = await openForecasts(at("all.nc"));
    await using maps = await openForecasts(join(output, "stations", "crps.zarr"));
    for (const lead of [0, 1, 2]) {
      const valid = dates[0]! + lead * step;
      const members = [0, 1, 2].map((member) => fields.domains[0]!.read("t2m", dates[0]!, lead * step, member));
      const values = await Promise.all(members);
      const [observed] = await truth.read({ time: valid, variables: ["t2m"] });
      const each = places.map((p) =>
        crps(
          values.map((value) => value[p]!),
          observed!.values[p]!,
        ),
      );
      const table = scored[1]!.table!.scores.stations!.t2m!;
      expect(table.crps[lead]).toBeCloseTo((each[0]! + each[1]! + each[2]!) / 3, 10);
      const map = await maps.points[0]!.read("t2m", dates[0]!, lead * step, 0);
      for (const [i, value] of each.entries()) expect(map[i]).toBeCloseTo(value, 4);
    }
    const north = await scoreEnsemble({
      ...{ forecasts: at("stations.nc"), truth, output: at("northern"), channels: ["t2m"], maps: false },
      regions: ["northern_hemisphere"],
    });
    expect(Object.keys(north[1]!.table!.scores)).toEqual(["northern_hemisphere"]);
    expect(() => pointWeights(maps.points[0]!.grid, { north: 10, south: 0, west: 0, east: 360 })).toThrow(
      /no point lies in the region/,
    );
    expect([...pointWeights(maps.points[0]!.grid, { north: 90, south: -90, west: 170, east: 270 })]).toEqual([0, 1, 1]);
    expect(() => chooseDomain(maps, undefined)).toThrow(/of points/);
  });
});
