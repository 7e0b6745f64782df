import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { persistenceOnData } from "../../forecast/model-on-data.js";
import { fileOutput } from "../../forecast/outputs/file-output.js";
import { createPerturbation } from "../../forecast/perturbations/registry.js";
import { runForecast } from "../../forecast/rollout.js";
import { latLonGrid } from "../../grid/grid.js";
import { golden } from "../../io/golden.test-support.js";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import { pythonLacks, runPythonFile } from "../../io/python.test-support.js";
import { arraySource } from "../../sources/array-source.js";
import { openForecasts } from "../../sources/forecast-store.js";
import { applyEdges, computeEdges, scoreTerciles } from "./s2s.js";
import { dataSamples, forecastSamples, shardSamples } from "./samples.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-s2s-"));
const at = (...path: string[]) => join(folder, ...path);
const day = 86_400;
const grid = latLonGrid([60, 10, 0, -40], [0, 120, 240]);
const first = Date.UTC(2020, 0, 2) / 1000;
const times = Array.from({ length: 60 }, (_, i) => first + i * day);
const t2m = Float32Array.from({ length: 60 * 12 }, (_, i) => 280 + 8 * Math.sin(i * 0.11) + 3 * Math.cos(i * 1.3));
const source = arraySource({ grid, times, fields: new Map([["t2m", t2m]]) });
const dates = [first, first + 7 * day];
// With four or seven samples an edge is one of them, and rounding decides on which side it lies.
const edgeDates = [0, 1, 2, 4, 5, 6, 7, 8, 9].map((i) => times[i]!);

describe("foehn s2s", () => {
  it("makes edges, probabilities and scores that NumPy makes too", async () => {
    const model = persistenceOnData(source, day);
    await runForecast({
      ...model,
      initialTimes: dates,
      steps: 42,
      members: 6,
      batchSize: 6,
      perturbation: createPerturbation("gaussian", { amplitude: 0.3 }),
      outputs: [fileOutput(at("f.nc"))],
    });
    const climate = dataSamples(source, { initialTimes: edgeDates });
    // Thursday 2 to Saturday 11 January without Sunday: weeks 1 and 2 with 3 and 6 days.
    expect(await computeEdges(climate, { output: at("edges.nc") })).toMatchObject({ weeks: 2, samples: [3, 6] });
    await using stores = await openForecasts(at("f.nc"));
    const forecasts = forecastSamples(stores.domains[0]!);
    await applyEdges(forecasts, at("edges.nc"), { output: at("p.nc") });
    const truth = dataSamples(source, { initialTimes: dates });
    const { scores, path } = await scoreTerciles(at("p.nc"), truth, at("edges.nc"), { output: at("scores.csv") });
    expect(readFileSync(path, "utf8").split("\n")[0]).toBe("lead_time,forecast_time,valid_time,week,source,region,t2m");
    for (const { rps, rpsClimatology, rpss } of scores) expect(rpss).toBeCloseTo(1 - rps / rpsClimatology, 12);
    expect(scores.map(({ region, leadDays }) => `${region} ${leadDays}`)).toEqual(
      [14, 28].flatMap((lead) => ["Global", "Northern", "Southern"].map((region) => `${region} ${lead}`)),
    );
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) return console.warn(`skipped: ${lacks}`);
    const writer = await NetcdfWriter.create(at("data.nc"), { attributes: {} });
    const axis = (name: string, values: Float64Array, units: string) =>
      writer.writeArray(
        { name, dimensions: [name], shape: [values.length], dataType: "float64", attributes: { units } },
        values,
      );
    await axis("time", Float64Array.from(times), "seconds since 1970-01-01 00:00:00");
    await axis("lat", grid.latitudes, "degrees_north");
    await axis("lon", grid.longitudes, "degrees_east");
    await writer.writeArray(
      { name: "t2m", dimensions: ["time", "lat", "lon"], shape: [60, 4, 3], dataType: "float32" },
      t2m,
    );
    await writer.close();
    writeFileSync(
      at("dates.json"),
      JSON.stringify(edgeDates.map((time) => new Date(time * 1000).toISOString().slice(0, 19))),
    );
    const files = ["f.nc", "data.nc", "edges.nc", "p.nc", "scores.csv", "dates.json"].map((name) => at(name));
    const worst = runPythonFile(golden("scores", "check_s2s.py"), ...files) as Record<string, number>;
    expect(worst.rows).toBe(2 * 2 * 2 * 3);
    expect(worst.edges).toBeLessThan(1e-4);
    expect(worst.probabilities).toBeLessThan(1e-6);
    expect(worst.rps).toBeLessThan(1e-6);
  });

  it("divides by weeks; the shards together are the whole", async () => {
    const climate = dataSamples(source, { initialTimes: edgeDates });
    await using stores = await openForecasts(at("f.nc"));
    const forecasts = forecastSamples(stores.domains[0]!);
    for (const shard of [0, 1]) {
      await computeEdges(shardSamples(climate, shard, 2), { output: at(`edges-${shard}.nc`) });
    }
    const edges = [at("edges-1.nc"), at("edges-0.nc")];
    for (const shard of [0, 1]) {
      await applyEdges(shardSamples(forecasts, shard, 2), edges, { output: at(`p-${shard}.nc`) });
    }
    const truth = dataSamples(source, { initialTimes: dates });
    await scoreTerciles([at("p-0.nc"), at("p-1.nc")], truth, edges, { output: at("scores-2.csv") });
    expect(readFileSync(at("scores-2.csv"), "utf8")).toBe(readFileSync(at("scores.csv"), "utf8"));
    expect(() => shardSamples(climate, 2, 3)).not.toThrow();
    expect(() => shardSamples(climate, 0, 3)).toThrow(/has nothing to do: the dates are in 2 ISO weeks/);
    await expect(applyEdges(forecasts, [edges[0]!, edges[0]!], { output: at("y.nc") })).rejects.toThrow(/once more/);
  });

  it("says what is missing", async () => {
    await using stores = await openForecasts(at("f.nc"));
    expect(() => forecastSamples(stores.domains[0]!, { leads: [56 * day] })).toThrow(/no two weeks from \+56d/);
    const late = dataSamples(source, { initialTimes: [times[50]!] });
    await expect(late.read("t2m", times[50]!, 14 * day)).rejects.toThrow(/do not cover the two weeks/);
    const other = dataSamples(source, { initialTimes: [times[20]!] });
    await expect(applyEdges(other, at("edges.nc"), { output: at("x.nc") })).rejects.toThrow(/no week 4/);
    await expect(applyEdges(forecastSamples(stores.domains[0]!), at("p.nc"), { output: at("x.nc") })).rejects.toThrow(
      /no variable "category_edge"/,
    );
  });
});
