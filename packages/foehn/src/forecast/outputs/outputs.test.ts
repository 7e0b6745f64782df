// Forecast files through the library call: what stands in them is compared with the forecast itself, point by point.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dateFeatures, noForcing } from "../../datasets/forcings.js";
import { writePackage } from "../../hub/write-package.js";
import { liveHandles } from "../../io/grib/eccodes.js";
import { openNetcdf } from "../../io/netcdf/read.js";
import { pythonLacks, runPython } from "../../io/python.test-support.js";
import { openZarr } from "../../io/zarr/read.js";
import { openSource } from "../../sources/open.js";
import { type ForecastOptions, forecast } from "../forecast.js";
import { every, inventedInfo, inventedSource, points, start, step } from "../invented.test-support.js";
import type { Perturbation } from "../perturbations/perturbation.js";
import { parseAxisSizes } from "./chunk-shapes.js";
import type { DomainOfOutput } from "./domain-netcdf.js";
import type { ForecastOutput, ForecastStep } from "./output.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-outputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const leftovers = (): string[] => readdirSync(folder).filter((name) => name.startsWith("."));

/** Adds 100 × member to every value: the members of any file are known. */
const hundreds: Perturbation = {
  description: "hundreds",
  async perturb(x, rows) {
    const torch = await import("@foehn/torch");
    return torch.scope(() => x.add(torch.tensor(rows.map(({ member }) => 100 * member)).reshape([-1, 1, 1, 1, 1])));
  },
};

let hours = "";
let rains = "";
const names = ["t2m", "msl"];
const packageOf = (name: string, architecture: string, info: ReturnType<typeof inventedInfo>, settings = {}) =>
  writePackage(at(name), {
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
beforeAll(async () => {
  const info = inventedInfo({ ...noForcing, date: true });
  hours = await packageOf("hours", "adds_first_forcing", info, {
    first_forcing: info.features.length + info.statics.names.length,
  });
  rains = await packageOf("rains", "rains", inventedInfo(noForcing, ["t2m", "msl", "tp"]));
});

const dates = [start, start + step, start + 2 * step];
const steps = 5;
const run = (options: Partial<ForecastOptions> & Pick<ForecastOptions, "output">) =>
  forecast({
    package: hours,
    source: inventedSource(every(3)),
    dates,
    members: 3,
    perturbation: hundreds,
    steps,
    precision: "fp32",
    ...options,
  });

/** What the model says, in closed form. */
function truth(name: string, date: number, member: number, lead: number, point: number): number {
  let value = name === "t2m" ? 270 + point + date : 1e5 + 10 * (270 + point + date);
  value += 100 * member;
  for (let i = 1; i <= lead; i++) value += (name === "t2m" ? 10 : 800) * dateFeatures(dates[date]! + i * step)[0];
  return value;
}

async function expectWhole(path: string): Promise<void> {
  const group = await openZarr(path);
  for (const name of names) {
    const array = group.array(name);
    expect(array.dimensions).toEqual(["forecast_reference_time", "ensemble", "lead_time", "lat", "lon"]);
    expect(array.shape).toEqual([3, 3, 6, 4, 6]);
    const { data } = await array.read();
    let n = 0;
    for (let date = 0; date < 3; date++) {
      for (let member = 0; member < 3; member++) {
        for (let lead = 0; lead <= steps; lead++) {
          for (let point = 0; point < points; point++) {
            const value = Number(data[n++]);
            const wanted = truth(name, date, member, lead, point);
            if (Math.abs(value - wanted) > 0.02) expect([name, date, member, lead, point, value]).toEqual(wanted);
          }
        }
      }
    }
  }
}

/** Every file of a store but what tells of the call. */
function contents(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, "latin1");
      return [file.slice(path.length), entry.name === "zarr.json" ? text.replace(/"history":.*/, "") : text];
    }),
  );
}

describe("Zarr", () => {
  it.each([
    ["plain chunks", {}],
    ["chunks of two leads and parts of the field", { chunks: "lead=2,lat=3,lon=4" }],
    ["shards of members and leads", { shards: "ensemble=2,lead=4" }],
    ["shards of everything", { chunks: "lead=4,lat=2", shards: "date=all,ensemble=all,lead=all", compression: "zstd" }],
  ])("%s hold every forecast, the same in any batch", async (name, settings: Record<string, string>) => {
    const files: Record<string, string>[] = [];
    for (const batchSize of [1, 4, 20]) {
      const output = at(`${name.replaceAll(" ", "-")}-${batchSize}.zarr`);
      const { chunks, shards, compression } = settings;
      await run({
        output,
        batchSize,
        compression,
        chunks: chunks === undefined ? undefined : parseAxisSizes(chunks),
        shards: shards === undefined ? undefined : parseAxisSizes(shards),
      });
      await expectWhole(output);
      files.push(contents(output));
    }
    expect(files[1]).toEqual(files[0]);
    expect(files[2]).toEqual(files[0]);
    expect(leftovers()).toEqual([]);
  });

  it("is filled by shards, in any order, and has its name when the last one is done", async () => {
    const whole = at("whole.zarr");
    await run({ output: whole, resume: true });
    for (const [nShards, order] of [
      [2, [1, 0]],
      [4, [2, 0, 3, 1]],
    ] as const) {
      const output = at(`in-${nShards}.zarr`);
      for (const [i, shard] of order.entries()) {
        const { path } = await run({ output, shard, nShards, batchSize: 2 });
        expect(path).toBe(i === nShards - 1 ? output : undefined);
        expect(existsSync(output)).toBe(i === nShards - 1);
      }
      await expectWhole(output);
      expect(contents(output)).toEqual(contents(whole));
      // Once more: there is nothing to do.
      expect((await run({ output, shard: 1, nShards })).path).toBe(output);
    }
    expect(leftovers()).toEqual([]);
  });

  it("refuses to go on with something else, and says what differs", async () => {
    const output = at("other.zarr");
    await run({ output, shard: 0, nShards: 2 });
    await expect(run({ output, shard: 1, nShards: 2, members: 4 })).rejects.toThrow(/members: 3 there, 4 here/);
    await expect(run({ output, shard: 1, nShards: 2, compression: "zstd" })).rejects.toThrow(/compression: none there/);
    await run({ output, shard: 1, nShards: 2 });
    await expect(run({ output, shard: 1, nShards: 2, steps: 3 })).rejects.toThrow(/exists already/);
    expect(leftovers()).toEqual([]);
  });
});

describe("points, boxes, means", () => {
  const europe: DomainOfOutput = {
    type: "window",
    name: "europe",
    region: { north: 80, south: 20, west: -70, east: 65 },
  };
  const towns: DomainOfOutput = {
    type: "points",
    name: "towns",
    latitudes: [26, -70, 50],
    longitudes: [121, -61, 359],
    pointNames: ["Taipei", "Base", "Paris"],
    variables: ["msl"],
  };

  it("a box across 0° is cut out of every field", async () => {
    for (const ending of ["zarr", "nc"]) {
      const output = at(`box.${ending}`);
      await run({ output, domains: [europe], variables: ["msl"], dates: [start], members: undefined });
      const source = await openSource(output);
      expect(source.variables.map((variable) => variable.name)).toEqual(["msl"]);
      expect([...source.grid.latitudes]).toEqual([75, 25]);
      expect([...source.grid.longitudes]).toEqual([-60, 0, 60]);
      const [field] = await source.read({ time: start + 2 * step, variables: ["msl"] });
      const wanted = [5, 0, 1, 11, 6, 7].map((point) => truth("msl", 0, 0, 2, point));
      for (const [i, value] of wanted.entries()) expect(field!.values[i]).toBeCloseTo(value, 1);
      await source.close();
    }
  });

  it("several domains are groups of one NetCDF file, each with its own part", async (context) => {
    const output = at("domains.nc");
    const world: DomainOfOutput = {
      type: "window",
      name: "global",
      region: { north: 90, south: -90, west: 0, east: 360 },
    };
    await run({ output, domains: [world, europe, towns], dates: [start] });
    const lacks = pythonLacks("xarray", "netCDF4");
    if (lacks) context.skip(lacks);
    const seen = runPython(
      `
import json, sys, xarray, netCDF4
out = {}
for g in ("global", "europe", "towns"):
    d = xarray.open_dataset(sys.argv[1], group=g)
    out[g] = {n: [list(map(str, d[n].dims)), list(d[n].shape), d[n].values.ravel().tolist()] for n in d.data_vars if n in ("t2m", "msl")}
    out[g]["lat"] = d["lat" if g != "towns" else "lat_point"].values.tolist()
    out[g]["lon"] = d["lon" if g != "towns" else "lon_point"].values.tolist()
r = netCDF4.Dataset(sys.argv[1])
out["root"] = [sorted(r.dimensions), r.variables["time"].units, r.title]
out["bounds"] = [int(r["europe"][k][...]) for k in ("imin", "imax", "jmin", "jmax")]
print(json.dumps(out))`,
      output,
    ) as Record<string, Record<string, [string[], number[], number[]]>>;
    const check = (group: string, name: string, dims: string[], shape: number[], places: number[]) => {
      const [seenDims, seenShape, values] = seen[group]![name]!;
      expect([seenDims, seenShape]).toEqual([dims, shape]);
      let n = 0;
      for (let member = 0; member < 3; member++) {
        for (let lead = 0; lead <= steps; lead++) {
          for (const point of places) expect(values[n++]).toBeCloseTo(truth(name, 0, member, lead, point), 1);
        }
      }
    };
    const all = Array.from({ length: points }, (_, i) => i);
    check("global", "t2m", ["ensemble", "time", "lat", "lon"], [3, 6, 4, 6], all);
    check("europe", "msl", ["ensemble", "time", "lat", "lon"], [3, 6, 2, 3], [5, 0, 1, 11, 6, 7]);
    check("towns", "msl", ["ensemble", "time", "npoints"], [3, 6, 3], [8, 23, 0]);
    expect(seen.towns!.t2m).toBeUndefined();
    expect(seen.europe!.lon).toEqual([-60, 0, 60]);
    expect(seen.towns!.lon).toEqual([121, -61, 359]);
    expect(seen.root).toEqual([["ensemble", "time"], "hours since 2019-03-01 00:00:00", "Forecast of hours"]);
    expect(seen.bounds).toEqual([0, 2, 5, 2]);
  });

  it("points are interpolated when asked to", async () => {
    const output = at("points.zarr");
    const half: DomainOfOutput = { ...towns, latitudes: [50, 75, 0], longitudes: [330, -30, 60], method: "bilinear" };
    await run({ output, domains: [half], dates: [start] });
    const array = (await openZarr(output)).array("msl");
    expect(array.dimensions).toEqual(["ensemble", "time", "point"]);
    const { data } = await array.read([1, 3, null]);
    const mean = (...of: number[]) => of.reduce((sum, point) => sum + truth("msl", 0, 1, 3, point), 0) / of.length;
    expect(data[0]).toBeCloseTo(mean(0, 5, 6, 11), 1);
    expect(data[1]).toBeCloseTo(mean(0, 5), 1);
    expect(data[2]).toBeCloseTo(mean(7, 13), 1);
  });

  it("means leave the initial condition and what is no whole window out", async () => {
    const output = at("means.zarr");
    await run({ output, average: "12h", members: undefined });
    const group = await openZarr(output);
    expect([...(await group.array("lead_time").read()).data].map(Number)).toEqual([12, 24]);
    expect([...(await group.array("lead_time_bnds").read()).data].map(Number)).toEqual([0, 12, 12, 24]);
    const { data } = await group.array("msl").read([2, null, 1, 3]);
    const mean = (a: number, b: number) => (truth("msl", 2, 0, a, 9) + truth("msl", 2, 0, b, 9)) / 2;
    expect(data[0]).toBeCloseTo(mean(1, 2), 1);
    expect(data[1]).toBeCloseTo(mean(3, 4), 1);
    expect(group.array("msl").attributes.cell_methods).toBe("time: mean");
    await expect(run({ output: at("x.zarr"), average: "7h" })).rejects.toThrow(/7h are not made of whole steps of 6h/);
    await expect(run({ output: at("x.zarr"), average: "7d" })).rejects.toThrow(/before the first mean over 7d/);
  });

  it("every n-th step is kept, the initial condition first", async () => {
    const output = at("every.zarr");
    await run({ output, outputFrequency: 2, dates: [start], members: undefined });
    const group = await openZarr(output);
    expect([...(await group.array("lead_time").read()).data].map(Number)).toEqual([0, 12, 24]);
    const { data } = await group.array("t2m").read([2, 0, 0]);
    expect(data[0]).toBeCloseTo(truth("t2m", 0, 0, 4, 0), 2);
  });

  it("refuses what is not there", async () => {
    const bad = { output: at("bad.nc") };
    await expect(run({ ...bad, variables: ["t2"] })).rejects.toThrow(/no variable "t2"/);
    const nowhere: DomainOfOutput = { type: "window", name: "x", region: { north: 10, south: 5, west: 0, east: 1 } };
    await expect(run({ ...bad, domains: [nowhere] })).rejects.toThrow(/no grid point lies in the region/);
    await expect(run({ output: at("bad.zarr"), domains: [europe, towns] })).rejects.toThrow(/go into one NetCDF file/);
    await expect(run({ ...bad, chunks: { lead: 2 } })).rejects.toThrow(/chunks were given, which Zarr output has/);
    await expect(run({ output: [at("a.nc"), at("a.nc")] })).rejects.toThrow(/is given twice/);
    expect(() => parseAxisSizes("led=2")).toThrow(/"led" is no axis/);
    expect(() => parseAxisSizes("lead=none")).toThrow(/the size "none"/);
    await expect(run({ output: at("bad.zarr"), chunks: { ensemble: 3 } })).rejects.toThrow(/several forecasts/);
    await expect(run({ output: at("bad.zarr"), chunks: { lead: 2 }, shards: { lead: 3 } })).rejects.toThrow(
      /whole chunks of 2/,
    );
    expect(readdirSync(folder).filter((name) => name.includes("bad"))).toEqual([]);
  });
});

describe("several outputs", () => {
  it("get the same forecast", async () => {
    // Options that one kind of file has go to that one.
    const own = { shards: { lead: 4 }, compression: "zstd" };
    const { paths } = await run({ ...own, output: [at("tee.zarr"), at("tee.nc")], dates: [start], members: undefined });
    expect(readdirSync(at("tee.zarr/t2m")).length).toBe(2 + 1);
    await expect(run({ ...own, output: [at("b.nc"), at("b.grib2")] })).rejects.toThrow(/chunks|shards were given/);
    expect(paths).toEqual([at("tee.zarr"), at("tee.nc")]);
    const [a, b] = [await openSource(at("tee.zarr")), await openSource(at("tee.nc"))];
    for (const time of a.times) {
      const request = { time, variables: names };
      expect((await b.read(request)).map((f) => f.values)).toEqual((await a.read(request)).map((f) => f.values));
    }
    await a.close();
    await b.close();
  });

  it("are all given up when one fails", async () => {
    let count = 0;
    const failing: ForecastOutput = {
      open: async () => {},
      write: async (_: ForecastStep) => {
        if (++count > 3) throw new Error("the tape is full");
      },
      close: async () => undefined,
      abort: async () => {},
    };
    const output = [at("gone.zarr"), at("gone.nc"), at("gone.grib2"), failing];
    await expect(run({ output, batchSize: 2 })).rejects.toThrow("the tape is full");
    expect(readdirSync(folder).filter((name) => name.includes("gone"))).toEqual([]);
    expect(liveHandles()).toBe(0);
  });
});

describe("NetCDF and GRIB by units", () => {
  it.each(["nc", "grib2"])("two shards make the same .%s as one call", async (ending) => {
    const plain = at(`plain.${ending}`);
    await run({ output: plain });
    const output = at(`staged.${ending}`);
    expect((await run({ output, shard: 1, nShards: 2 })).path).toBeUndefined();
    expect((await run({ output, shard: 0, nShards: 2, batchSize: 4 })).path).toBe(output);
    if (ending === "grib2") expect(readFileSync(output).equals(readFileSync(plain))).toBe(true);
    else {
      const [a, b] = [await openNetcdf(plain), await openNetcdf(output)];
      for (const name of names) {
        const [x, y] = [a, b].map((file) => file.variables.find((variable) => variable.name === name)!.read());
        expect(y).toEqual(x);
      }
      a.close();
      b.close();
    }
    expect(leftovers()).toEqual([]);
  });
});

describe("GRIB", () => {
  it("is read back by our own reader, within the packing's error, whatever the batch", async () => {
    for (const bits of [8, 16, 24]) {
      const output = at(`bits-${bits}.grib2`);
      await run({ output, gribBits: bits, dates: [start], members: undefined });
      const source = await openSource(output);
      expect([...source.grid.latitudes]).toEqual([75, 25, -25, -75]);
      for (const name of names) {
        for (let lead = 0; lead <= steps; lead++) {
          const [field] = await source.read({ time: start + lead * step, variables: [name] });
          const range = truth(name, 0, 0, lead, points - 1) - truth(name, 0, 0, lead, 0);
          for (let point = 0; point < points; point++) {
            const error = Math.abs(field!.values[point]! - truth(name, 0, 0, lead, point));
            expect(error).toBeLessThan(range / 2 ** bits + 0.02);
          }
        }
      }
      await source.close();
    }
    expect(liveHandles()).toBe(0);
  });

  it("has dates, members, steps and periods as ecCodes reads them", async (context) => {
    const output = at("rains.grib2");
    const batches = [1, 4].map((batchSize) => at(`rains-${batchSize}.grib2`));
    for (const [i, batchSize] of [1, 4].entries()) {
      await run({ package: rains, output: batches[i]!, batchSize, dates: dates.slice(1), members: 2, steps: 2 });
    }
    expect(readFileSync(batches[0]!).equals(readFileSync(batches[1]!))).toBe(true);
    const sparse = at("sparse.grib2");
    await run({ package: rains, output: sparse, outputFrequency: 2, dates: [start], members: undefined, steps: 4 });
    await run({
      package: rains,
      output,
      average: "12h",
      variables: ["t2m"],
      dates: [start],
      members: undefined,
      steps: 2,
    });
    const lacks = pythonLacks("eccodes");
    if (lacks) context.skip(lacks);
    const script = `
import json, sys, eccodes as e
keys = ("shortName", "dataDate", "dataTime", "stepRange", "stepType", "typeOfLevel", "level", "units")
out = []
with open(sys.argv[1], "rb") as f:
    while (h := e.codes_grib_new_from_file(f)) is not None:
        m = {k: e.codes_get(h, k) for k in keys}
        for k in ("perturbationNumber", "numberOfForecastsInEnsemble"):
            if e.codes_is_defined(h, k): m[k] = e.codes_get(h, k)
        v = e.codes_get_values(h)
        m["missing"] = e.codes_get(h, "numberOfMissing")
        m["first"] = float(v[0])
        out.append(m)
print(json.dumps(out))`;
    const messages = runPython(script, batches[0]!) as Record<string, string | number>[];
    expect(messages.length).toBe(2 * 2 * 3 * 3);
    const [t2m, , tp] = messages.slice(9, 12);
    expect(messages[9]).toMatchObject({ perturbationNumber: 1, stepRange: "0", dataTime: 600 });
    expect(t2m).toMatchObject({
      shortName: "2t",
      dataDate: 20190301,
      typeOfLevel: "heightAboveGround",
      level: 2,
      stepType: "instant",
      numberOfForecastsInEnsemble: 2,
      units: "K",
    });
    // Diagnostic variables have no initial condition.
    expect(tp).toMatchObject({ shortName: "tp", stepType: "accum", stepRange: "0", missing: 24, units: "m" });
    expect(messages.map((m) => m.stepRange).slice(0, 9)).toEqual(["0", "0", "0", "6", "6", "0-6", "12", "12", "6-12"]);
    expect(messages.map((m) => m.dataTime)).toEqual([...Array(18).fill(600), ...Array(18).fill(1200)]);
    expect(messages[0]!.first).toBeCloseTo(271, 2);
    expect(t2m!.first).toBeCloseTo(371, 2);
    // Precipitation is that of the last step, not of the two since the step that was written before.
    expect((runPython(script, sparse) as Record<string, string>[]).map((m) => m.stepRange).slice(3)).toEqual([
      ...["12", "12", "6-12"],
      ...["24", "24", "18-24"],
    ]);
    const [mean] = runPython(script, output) as Record<string, string | number>[];
    expect(mean).toMatchObject({ shortName: "2t", stepType: "avg", stepRange: "0-12", level: 2 });
  });

  it("refuses what GRIB cannot hold, before anything is written", async () => {
    const towns: DomainOfOutput = { type: "points", name: "towns", latitudes: [50], longitudes: [0] };
    await expect(run({ output: at("no.grib2"), domains: [towns] })).rejects.toThrow(/GRIB has no points/);
    await expect(run({ output: at("no.grib2"), gribBits: 40 })).rejects.toThrow(/1 to 32 bits, not 40/);
    await expect(run({ package: rains, output: at("no.grib2"), average: "12h" })).rejects.toThrow(/itself of a period/);
    expect(readdirSync(folder).filter((name) => name.includes("no.grib2"))).toEqual([]);
    expect(liveHandles()).toBe(0);
  });
});
