// Scores in pieces: any division gives the same bits, interrupted files are gone on with, regions and climatologies from files, formats.

import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  every,
  grid,
  inventedInfo,
  persistencePackage,
  points,
  start,
  step,
} from "../forecast/invented.test-support.js";
import { fileOutput } from "../forecast/outputs/file-output.js";
import { regularGrid } from "../grid/grid.js";
import { writeNpy } from "../io/npy.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import { scoreArea } from "./case-means.js";
import { compareScores, formatComparison } from "./compare.js";
import { regionByName } from "./ensemble/regions.js";
import { type MetricRow, parseMetricRows } from "./metric-csv.js";
import { mergeScores, type ScoreOptions, scoreForecast } from "./score.js";
import { readScoresConfig } from "./score-shards.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-score-shards-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const climatology = {
  t2m: Float32Array.from({ length: points }, (_, i) => 271 + (i % 5)),
  msl: Float32Array.from({ length: points }, (_, i) => 1.02e5 + 30 * (i % 7)),
};
const times = every(16);
const dates = times.slice(0, 10);
let model = "";
let source: Source;

beforeAll(async () => {
  model = await persistencePackage(join(folder, "model"), { climatology });
  const make = (mean: number, size: number, shift: number) =>
    Float32Array.from({ length: times.length * points }, (_, i) => {
      const [time, point] = [Math.floor(i / points), i % points];
      return mean + size * Math.sin(point * 1.3 + time * 0.7 + shift) + (size / 9) * time;
    });
  const fields = new Map([
    ["t2m", make(280, 6, 0)],
    ["msl", make(1e5, 900, 2)],
  ]);
  source = arraySource({ grid, times, fields });
});

const score = (options: Partial<ScoreOptions>) =>
  scoreForecast({ package: model, source, steps: 3, dates, ...options });
const csvOf = (path: string): MetricRow[] =>
  readdirSync(path)
    .filter((name) => name.endsWith(".csv"))
    .flatMap((name) => parseMetricRows(readFileSync(join(path, name), "utf8"), name));
// The grid has no row between 20 degrees north and south.
const tropics = { ...regionByName("tropics"), north: 30, south: -30 };
const box = { name: "box", south: -30, north: 80, west: 290, east: 70 };

describe("scores in shards", () => {
  it("merge to the same bits for every number of shards, and equal one run", async () => {
    const whole = await score({ regions: [tropics, box] });
    const tables: unknown[] = [];
    for (const nShards of [1, 3, 4]) {
      const output = join(folder, `shards-${nShards}`);
      // In no order, and with several dates at once.
      for (const shard of [...Array(nShards).keys()].reverse()) {
        await score({ output, shard, nShards, regions: [tropics, box], batchSize: nShards });
      }
      const merged = await mergeScores({ folders: [output] });
      expect(merged.initialTimes).toEqual(dates);
      tables.push(merged.table);
    }
    for (const table of tables) expect(table).toEqual(whole.table);
    expect(Object.keys(whole.table.regions!)).toEqual(["tropics", "box"]);
    expect(whole.table.regions!.tropics!.model.rmse.t2m).not.toEqual(whole.table.model.rmse.t2m);
  });

  it("have earth2mip's lines: its formulas from the mean statistics give our scores", async (context) => {
    const output = join(folder, "lines");
    const { table } = await score({ output });
    const rows = csvOf(output);
    expect(rows.length).toBe(dates.length * 3 * 2 * 2 * 9);
    const first = readFileSync(join(output, "000.csv"), "utf8").split("\n")[0]!;
    expect(first).toMatch(/^2019-03-01T00:00:00,6\.0,t2m,mse,\d/);
    expect(readScoresConfig(output)).toMatchObject({ model: "model", lead_hours: [6, 12, 18], areas: ["grid"] });
    const lacks = pythonLacks("csv");
    if (lacks) context.skip(lacks);
    const script = `
import sys, json, glob, csv
from math import sqrt
cells = {}
for f in glob.glob(sys.argv[1] + "/*.csv"):
    for time, lead, channel, metric, value in csv.reader(open(f)):
        cells.setdefault((channel, float(lead), metric), []).append(float(value))
m = {k: sum(v) / len(v) for k, v in cells.items()}
print(json.dumps({c: [[sqrt(m[c, l, "mse"]) for l in (6.0, 12.0, 18.0)], [m[c, l, "xy"] / sqrt(m[c, l, "xx"] * m[c, l, "yy"]) for l in (6.0, 12.0, 18.0)]] for c in ("t2m", "msl")}))`;
    const expected = runPython(script, output) as Record<string, [number[], number[]]>;
    for (const name of ["t2m", "msl"]) {
      for (const lead of [0, 1, 2]) {
        expect(table.model.rmse[name]![lead]! / expected[name]![0][lead]!).toBeCloseTo(1, 12);
        expect(table.model.acc[name]![lead]).toBeCloseTo(expected[name]![1][lead]!, 12);
      }
    }
  });

  it("are gone on with: whole dates stay, a torn end is dropped, nothing is computed twice", async () => {
    const output = join(folder, "torn");
    const reference = await score({});
    await score({ output, dates: dates.slice(0, 4) });
    const file = join(output, "000.csv");
    const whole = readFileSync(file, "utf8");
    // What a process killed while it wrote the fifth date leaves.
    const [line] = whole.split("\n");
    const fifth = new Date(dates[4]! * 1000).toISOString().slice(0, 19);
    appendFileSync(file, `${line!.replace(/^[^,]+/, fifth)}\n${fifth},12.0,t2m,ms`);
    const asked: number[] = [];
    const counted: Source = {
      ...source,
      read: (request) => {
        asked.push(request.time);
        return source.read(request);
      },
    };
    const again = await score({ output, source: counted });
    expect(Math.min(...asked)).toBe(dates[4]!);
    expect(again.table).toEqual(reference.table);
    expect(readFileSync(file, "utf8").startsWith(whole)).toBe(true);
    asked.length = 0;
    await score({ output, source: counted });
    expect(asked).toEqual([]);
  });

  it("survive kill -9 at any moment", async () => {
    const output = join(folder, "killed");
    const data = join(folder, "killed.nc");
    const file = fileOutput(data);
    const leadTimes = times.map((time) => time - start);
    const variables = inventedInfo().features;
    await file.open({
      variables,
      grid,
      initialTimes: [start],
      members: 1,
      hasMembers: false,
      leadTimes,
      provenance: {},
    });
    for (const [leadIndex, validTime] of times.entries()) {
      const fields = (await source.read({ time: validTime, variables: ["t2m", "msl"] })).map((field) => field.values);
      await file.write({ initialIndex: 0, memberIndex: 0, leadIndex, validTime, fields });
    }
    await file.close();
    const cli = fileURLToPath(new URL("../../bin/foehn.mjs", import.meta.url));
    const last = new Date(dates.at(-1)! * 1000).toISOString().slice(0, 19);
    const asked = ["--start-time", "2019-03-01", "--end-time", last, "--time-step", "6", "-n", "3", "-o", output];
    const run = (timeout?: number) =>
      spawnSync(process.execPath, [cli, "score", model, "--data", data, ...asked, "--quiet"], {
        encoding: "utf8",
        ...(timeout === undefined ? {} : { timeout, killSignal: "SIGKILL" as const }),
      });
    const began = performance.now();
    cpSync(join(folder, "torn"), output, { recursive: true });
    rmSync(join(output, "000.csv"));
    // A cut in the middle of a line, as a kill leaves it, at a place that the clock chooses.
    run(500 + Math.floor((performance.now() * 1000) % 1500));
    const partial = readdirSync(output).includes("000.csv") ? readFileSync(join(output, "000.csv"), "utf8") : "";
    if (partial.length > 9) writeFileSync(join(output, "000.csv"), partial.slice(0, -7));
    const { status, stderr } = run();
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const merged = await mergeScores({ folders: [output] });
    expect(merged.incomplete).toEqual([]);
    const reference = await score({});
    expect(merged.table.n_dates).toBe(10);
    for (const lead of [0, 1, 2]) {
      expect(merged.table.model.rmse.t2m![lead]!).toBeCloseTo(reference.table.model.rmse.t2m![lead]!, 5);
    }
    expect(performance.now() - began).toBeLessThan(60_000);
  }, 60_000);

  it("refuse to be mixed with other scores or other things", async () => {
    const output = join(folder, "lines");
    await expect(score({ output, steps: 2 })).rejects.toThrow(/scores differ in lead_hours: \[6,12,18\] and \[6,12\]/);
    await expect(score({ output, regions: [tropics] })).rejects.toThrow(/scores differ in areas/);
    const persistence = { ...box, name: "persistence" };
    await expect(score({ regions: [persistence] })).rejects.toThrow(/cannot be called "persistence"/);
    await expect(score({ regions: [box, box] })).rejects.toThrow(/cannot be called "box"/);
    await expect(score({ output: folder })).rejects.toThrow(/holds something else than scores/);
    await expect(score({ output: join(folder, "x.nc"), nShards: 2 })).rejects.toThrow(/shards go to a folder/);
    await expect(score({ output: join(folder, "x.txt") })).rejects.toThrow(/its ending says no format/);
    await expect(mergeScores({ folders: [folder] })).rejects.toThrow(/no folder of scores/);
    const other = join(folder, "other");
    cpSync(output, other, { recursive: true });
    const file = join(other, "000.csv");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/,mse,[^\n]+/, ",mse,1"));
    await expect(mergeScores({ folders: [output, other] })).rejects.toThrow(/different scores of 2019-03-01T00/);
    writeFileSync(file, `${text}hello\n`);
    await expect(mergeScores({ folders: [other] })).rejects.toThrow(/expected initial time, lead hours/);
    const same = join(folder, "same");
    cpSync(output, same, { recursive: true });
    expect((await mergeScores({ folders: [output, same] })).table.n_dates).toBe(10);
  });
});

describe("a comparison of two models", () => {
  it("is paired over the dates that both have, and the same every time", async () => {
    const [first, second] = [join(folder, "first"), join(folder, "second")];
    await score({ output: first });
    cpSync(first, second, { recursive: true });
    const file = join(second, "000.csv");
    // The second's squared errors are a fourth in t2m, on every date: half the RMSE, beyond doubt. It lacks the last date.
    const last = new Date(dates.at(-1)! * 1000).toISOString().slice(0, 19);
    const text = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => !line.startsWith(last))
      .map((line) =>
        line.replace(/(,t2m,mse,)(.*)/, (_, head: string, value: string) => `${head}${Number(value) / 4}`),
      );
    writeFileSync(file, text.join("\n"));
    const result = await compareScores(first, second, { samples: 200 });
    expect(result.initialTimes).toEqual(dates.slice(0, -1));
    const t2m = result.scores.find(({ variable }) => variable === "t2m")!;
    expect(t2m.rmse[1] / t2m.rmse[0]).toBeCloseTo(0.5, 12);
    expect(t2m.gain).toBeCloseTo(0.5, 12);
    for (const edge of t2m.interval) expect(edge).toBeCloseTo(0.5, 12);
    const msl = result.scores.find(({ variable }) => variable === "msl")!;
    expect([msl.gain, ...msl.interval]).toEqual([0, 0, 0]);
    expect(await compareScores(first, second, { samples: 200 })).toEqual(result);
    expect(formatComparison(result)).toMatch(/t2m +\+6 h .* 50\.0 % +50\.0 % to 50\.0 %/);
  });
});

describe("scores", () => {
  it("of regions are those of the points inside", () => {
    const area = scoreArea(grid, "box", box);
    expect([...area.columns!]).toEqual([5, 0, 1]);
    expect([...area.rowWeights].map((w) => w > 0)).toEqual([true, true, true, false]);
    expect(scoreArea(grid, "tropics", tropics).columns).toBeUndefined();
  });

  it("take a climatology from .npy and NetCDF, and say what does not fit", async () => {
    const own = await score({});
    const npy = join(folder, "time_means.npy");
    const both = new Float32Array(2 * points);
    both.set(climatology.t2m);
    both.set(climatology.msl, points);
    await writeNpy(npy, both, [1, 2, 4, 6]);
    const fromNpy = await score({ climatology: npy });
    expect(fromNpy.table.model).toEqual(own.table.model);
    expect(fromNpy.table.climatology).toBe(npy);
    const nc = join(folder, "means.nc");
    const file = fileOutput(nc);
    const variables = inventedInfo().features;
    await file.open({
      variables,
      grid,
      initialTimes: [0],
      members: 1,
      hasMembers: false,
      leadTimes: [0],
      provenance: {},
    });
    const fields = [climatology.t2m, climatology.msl];
    await file.write({ initialIndex: 0, memberIndex: 0, leadIndex: 0, validTime: 0, fields });
    await file.close();
    expect((await score({ climatology: nc })).table.model).toEqual(own.table.model);
    const output = join(folder, "anomalies");
    await score({ output, climatology: nc, shard: 0, nShards: 2 });
    const mixed = score({ output, shard: 1, nShards: 2 });
    await expect(mixed).rejects.toThrow(/anomalies are from means.nc and from the package's/);
    await writeNpy(npy, new Float32Array(72), [1, 3, 4, 6]);
    await expect(score({ climatology: npy })).rejects.toThrow(/shape \(1, 3, 4, 6\), the model 2 variables/);
    await writeNpy(npy, new Float32Array(36), [2, 3, 6]);
    await expect(score({ climatology: npy })).rejects.toThrow(/3×6 points/);
  });

  it("are written as NetCDF, Zarr and JSON with regions", async (context) => {
    const results = [];
    for (const name of ["regions.nc", "regions.zarr", "regions.json"]) {
      results.push(await score({ output: join(folder, name), regions: [tropics] }));
    }
    const table = JSON.parse(readFileSync(results[2]!.path!, "utf8")) as (typeof results)[0]["table"];
    expect(table.regions!.tropics).toEqual(results[0]!.table.regions!.tropics);
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) context.skip(lacks);
    const script = `
import sys, json, xarray as xr
d = xr.open_dataset(sys.argv[1])
print(json.dumps([d.rmse.dims, d.rmse.sel(region="tropics", model="model", variable="t2m").values.tolist()]))`;
    expect(runPython(script, results[0]!.path!)).toEqual([
      ["region", "model", "variable", "lead"],
      table.regions!.tropics!.model.rmse.t2m,
    ]);
  });

  it("of regridded data verify on the model's grid", async () => {
    // A plane in latitude and longitude is the same after bilinear regridding.
    const fine = regularGrid({ lat0: 90, dlat: 12.5, ny: 15, lon0: 0, dlon: 30, nx: 12 });
    const size = fine.shape[0] * fine.shape[1];
    const plane = (value: number) =>
      Float32Array.from({ length: 2 * size }, (_, n) => value + fine.latitudes[Math.floor((n % size) / 12)]!);
    const fields = new Map([
      ["t2m", plane(280).map((v, n) => v + (n < size ? 0 : 2))],
      ["msl", plane(1e5)],
    ]);
    const finer = arraySource({ grid: fine, times: every(2), fields });
    const { table } = await score({ source: finer, regrid: { method: "conservative" }, dates: [start], steps: 1 });
    expect(table.model.rmse.t2m![0]).toBeCloseTo(2, 4);
    expect(table.model.rmse.msl![0]).toBeCloseTo(0, 4);
    expect(step).toBe(6 * 3600);
  });
});
