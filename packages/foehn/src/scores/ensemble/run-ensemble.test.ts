// The whole way: a configuration, an ensemble with domains, its scores; and the same as a job. Here, because the scores are read back too.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkEnsembleConfig, type EnsembleConfigInput, readEnsembleConfig } from "../../forecast/ensemble/config.js";
import { makeJob } from "../../forecast/ensemble/job.js";
import { runEnsemble, runJob } from "../../forecast/ensemble/run-ensemble.js";
import { regularGrid } from "../../grid/grid.js";
import { pythonLacks, runPython } from "../../io/python.test-support.js";
import { arraySource } from "../../sources/array-source.js";
import { openForecasts } from "../../sources/forecast-store.js";
import { scoreEnsemble } from "./score-ensemble.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-run-ensemble-"));
const at = (...path: string[]) => join(folder, ...path);
const step = 21_600;
const start = Date.UTC(2018, 5, 1, 18) / 1000;
const grid = regularGrid({ lat0: 80, dlat: 20, ny: 9, lon0: 0, dlon: 30, nx: 12 });
const times = Array.from({ length: 8 }, (_, i) => start + i * step);
const fields = new Map(
  ["t2m", "msl", "q500"].map((name, v) => [
    name,
    Float32Array.from({ length: 8 * 108 }, (_, i) => [280, 1e5, 0.002][v]! * (1 + 0.01 * Math.sin(i))),
  ]),
);
const source = arraySource({ grid, times, fields });

mkdirSync(at("model"));
writeFileSync(
  at("model", "metadata.json"),
  JSON.stringify({
    architecture: "persistence",
    in_channels_names: ["t2m", "msl", "q500"],
    grid: { kind: "latlon", lat0: 80, dlat: 20, ny: 9, lon0: 0, dlon: 30, nx: 12 },
    time_step: "PT6H",
  }),
);
const raw = (...channels: string[]) => [{ type: "raw", channels }];
const config = {
  weather_model: at("model"),
  simulation_length: 4,
  ensemble_members: 5,
  ensemble_batch_size: 2,
  perturbation_strategy: "gaussian",
  output_frequency: 2,
  weather_event: {
    properties: { name: "Globe", start_time: "2018-06-01 18:00:00" },
    domains: [
      { name: "global", type: "Window", diagnostics: raw("t2m", "q500") },
      {
        name: "greenwich",
        type: "Window",
        lat_min: 30,
        lat_max: 70,
        lon_min: 330,
        lon_max: 30,
        diagnostics: raw("msl"),
      },
      { name: "towns", type: "MultiPoint", lat: [41, -19], lon: [29, 331], diagnostics: raw("t2m") },
    ],
  },
} satisfies EnsembleConfigInput;

describe("foehn ensemble", () => {
  it("writes each domain's own part of the fields, control first", async () => {
    const result = await runEnsemble(readEnsembleConfig(JSON.stringify({ ...config, output_dir: folder })), { source });
    expect(result.folder).toBe(at("Output.model.Globe.2018_06_01_18_00_00"));
    expect(readdirSync(result.folder).sort()).toEqual(["config.json", "ensemble_out_0.nc"]);
    expect(JSON.parse(readFileSync(join(result.folder, "config.json"), "utf8"))).toMatchObject({
      seed: 1,
      noise_amplitude: 0.05,
    });
    await using stores = await openForecasts(result.path!);
    expect(
      stores.domains.map(({ domain, grid: { shape }, members, leadTimes, initialTimes }) => [
        domain,
        shape,
        members,
        leadTimes,
        initialTimes,
      ]),
    ).toEqual([
      ["global", [9, 12], 5, [0, 2 * step, 4 * step], [start]],
      ["greenwich", [2, 3], 5, [0, 2 * step, 4 * step], [start]],
    ]);
    const [whole, part] = stores.domains;
    const analysis = fields.get("msl")!.subarray(0, 108);
    const cut = await part!.read("msl", start, 4 * step, 0);
    // Rows at 60 and 40 °N; columns at 330, 0 and 30 °E.
    expect([...cut]).toEqual([1, 2].flatMap((row) => [11, 0, 1].map((column) => analysis[row * 12 + column]!)));
    const t2m = await Promise.all([0, 1, 2, 3, 4].map((m) => whole!.read("t2m", start, 2 * step, m)));
    expect([...t2m[0]!]).toEqual([...fields.get("t2m")!.subarray(0, 108)]);
    expect(new Set(t2m.map((field) => field.join())).size).toBe(5);
    // q is perturbed too.
    expect([...(await whole!.read("q500", start, 0, 3))]).not.toEqual([...fields.get("q500")!.subarray(0, 108)]);
  });

  it("makes the same members in shards and batches, one file each, that are read as one ensemble", async () => {
    const read = async (paths: string | string[], member: number) => {
      await using stores = await openForecasts(paths);
      return [...(await stores.domains[0]!.read("t2m", start, step * 2, member))];
    };
    const checked = checkEnsembleConfig({ ...config, ensemble_batch_size: 1 });
    for (const shard of [0, 1]) {
      const { members } = await runEnsemble(checked, { source, output: at("shards"), shard, nShards: 2 });
      expect(members).toEqual(shard === 0 ? [0, 2] : [2, 5]);
    }
    expect(readdirSync(at("shards")).sort()).toEqual(["config.json", "ensemble_out_0.nc", "ensemble_out_1.nc"]);
    const one = at("Output.model.Globe.2018_06_01_18_00_00", "ensemble_out_0.nc");
    for (const member of [0, 1, 2, 3, 4]) expect(await read(at("shards"), member)).toEqual(await read(one, member));
  });

  it("is a NetCDF file with groups for Python", async () => {
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) return console.warn(`skipped: ${lacks}`);
    const script = `
import sys, json, netCDF4, numpy as np
d = netCDF4.Dataset(sys.argv[1])
g = d["greenwich"]; p = d["towns"]
print(json.dumps({"groups": list(d.groups), "dims": list(g["msl"].dimensions), "shape": list(g["msl"].shape),
  "bounds": [int(g[k][...]) for k in ("imin", "imax", "jmin", "jmax")], "points": list(p["t2m"].dimensions),
  "event": json.loads(d.weather_event)["properties"]["name"], "lat": [float(v) for v in p["lat_point"][:]],
  "value": float(p["t2m"][0, 0, 0])}))`;
    expect(runPython(script, at("Output.model.Globe.2018_06_01_18_00_00", "ensemble_out_0.nc"))).toEqual({
      groups: ["global", "greenwich", "towns"],
      dims: ["ensemble", "time", "lat", "lon"],
      shape: [5, 3, 2, 3],
      bounds: [1, 3, 11, 2],
      points: ["ensemble", "time", "npoints"],
      event: "Globe",
      lat: [41, -19],
      value: fields.get("t2m")![2 * 12 + 1],
    });
  });

  it("scores each domain in a folder of its own", async () => {
    const scored = await scoreEnsemble({ forecasts: at("shards"), truth: source, output: at("scores"), maps: false });
    expect(scored.map(({ domain, folder: where }) => [domain, where])).toEqual([
      ["global", at("scores", "global")],
      ["greenwich", at("scores", "greenwich")],
      ["towns", at("scores", "towns")],
    ]);
    expect(scored[1]!.table!.scores.greenwich!.msl!.crps[1]).toBeGreaterThan(0);
    // The control is the analysis itself at its initial time.
    expect(scored[0]!.table!.scores.global!.t2m!.rmse_control[0]).toBe(0);
    expect(scored[2]!.table!.scores.towns!.t2m!.rmse_control[0]).toBe(0);
  });

  it("takes output_frequency 0 and lags", async () => {
    const none = await runEnsemble(checkEnsembleConfig({ ...config, output_frequency: 0 }), {
      source,
      output: at("none"),
    });
    expect(none.path).toBeUndefined();
    expect(readdirSync(at("none"))).toEqual(["config.json"]);
    const lagged = {
      ...config,
      perturbation_strategy: "lagged",
      lags: [0, "6h", "12h"],
      ensemble_members: 3,
      output_frequency: 4,
    };
    const result = await runEnsemble(checkEnsembleConfig(lagged), { source, output: at("lagged") });
    await using stores = await openForecasts(result.path!);
    const member = await stores.domains[0]!.read("t2m", start, 0, 2);
    expect([...member]).toEqual([...fields.get("t2m")!.subarray(2 * 108, 3 * 108)]);
  });

  it("brings fields to output_grid", async () => {
    const one = { ...config, output_grid: "s2s", ensemble_members: 1, simulation_length: 0 };
    const { path } = await runEnsemble(checkEnsembleConfig(one), { source, output: at("s2s-grid") });
    await using stores = await openForecasts(path!);
    expect(stores.domains[0]!.grid.shape).toEqual([181, 360]);
    const field = await stores.domains[0]!.read("t2m", start, 0, 0);
    const analysis = fields.get("t2m")!;
    expect(field[30 * 360 + 60]).toBeCloseTo(analysis[12 + 2]!, 4);
    expect(field[30 * 360 + 75]).toBeCloseTo((analysis[12 + 2]! + analysis[12 + 3]!) / 2, 3);
  });

  it("refuses what cannot be done, before anything runs", async () => {
    const checked = checkEnsembleConfig(config);
    await expect(runEnsemble(checked, { source, output: at("shards") })).rejects.toThrow(/ensemble_out_0.nc exists/);
    await expect(runEnsemble(checked, { source, output: at("x"), shard: 6, nShards: 8 })).resolves.toMatchObject({
      members: [3, 4],
    });
    await expect(runEnsemble(checked, { output: at("y") })).rejects.toThrow(
      /nothing says where the initial states are/,
    );
    const typo = checkEnsembleConfig({
      ...config,
      weather_event: { ...config.weather_event, domains: [{ name: "global", diagnostics: raw("t2n") }] },
    });
    await expect(runEnsemble(typo, { source, output: at("z") })).rejects.toThrow(/no variable "t2n"/);
    expect(existsSync(at("z", "ensemble_out_0.nc"))).toBe(false);
  });
});

describe("a job", () => {
  it("runs each initial time in its folder, and skips what is there", async () => {
    const protocol = {
      inference_template: {
        ...config,
        ensemble_members: 2,
        simulation_length: 2,
        output_frequency: 1,
        weather_event: { ...config.weather_event, domains: config.weather_event.domains.slice(0, 1) },
      },
      times: times.slice(0, 3).map((time) => new Date(time * 1000).toISOString().slice(0, 19)),
      score: true,
    };
    writeFileSync(at("protocol.json"), JSON.stringify(protocol));
    const job = await makeJob(at("model"), at("protocol.json"), at("job"));
    const first = await runJob(job, { source, shard: 0, nShards: 3 });
    expect(first).toEqual([{ initialTime: start, folder: at("job", "2018-06-01T18:00:00"), wasDone: false }]);
    mkdirSync(at("job", "2018-06-02T00:00:00.tmp"));
    const all = await runJob(job, { source });
    expect(all.map(({ wasDone }) => wasDone)).toEqual([true, false, false]);
    expect(readdirSync(at("job")).sort()).toEqual([
      "2018-06-01T18:00:00",
      "2018-06-02T00:00:00",
      "2018-06-02T06:00:00",
      "config.json",
    ]);
    const [scored] = await scoreEnsemble({
      forecasts: at("job"),
      truth: source,
      output: at("job-scores"),
      maps: false,
    });
    expect(scored!.table).toMatchObject({ n_dates: 3, members: 2, lead_hours: [0, 6, 12] });
  });
});
