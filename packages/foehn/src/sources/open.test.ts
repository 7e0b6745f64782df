import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { latLonGrid } from "../grid/grid.js";
import { golden, testData } from "../io/golden.test-support.js";
import { gribMessage } from "../io/grib/write.test-support.js";
import { NetcdfWriter } from "../io/netcdf/write.js";
import { arraySource } from "./array-source.js";
import { gribSource } from "./grib-source.js";
import { openSource } from "./open.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-open-"));
afterAll(() => rmSync(folder, { recursive: true }));
const start = Date.UTC(2019, 2, 1, 6) / 1000;

const put = (name: string, from: string): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  copyFileSync(from, path);
  return path;
};
const text = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};
/** The message, place and hint that a user sees. */
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );

describe("openSource", () => {
  it("tells formats by content, not by name", async () => {
    const source = await openSource(put("odd/data.nc", golden("io/multi.grib")));
    expect(source.variables.map((v) => v.name)).toEqual(["u500", "v500", "t500"]);
    const other = await openSource(put("odd/data.grib", golden("sources/forecast.nc")));
    expect(other.variables.map((v) => v.name)).toEqual(["z500"]);
  });

  it("opens globs, folders and lists, relative to cwd", async () => {
    put("many/a/one.grib", golden("io/multi.grib"));
    put("many/b/two.grb", golden("io/multi.grib"));
    text("many/a/notes.txt", "not data, although GRIB is spoken of");
    for (const spec of ["many/a", "many/*/one.grib", "many/**/*.gr?b", ["many/a/one.grib"], "many/[a]/o*"]) {
      const source = await openSource(spec, { cwd: folder });
      expect(source.times).toEqual([start]);
    }
    expect(await failure(openSource("many/**/*.gr*", { cwd: folder }))).toMatch(
      /two fields give u500 at 2019-03-01 06:00: the same field twice/,
    );
  });

  it("opens yearly folders of monthly files, as a glob and as a list", async () => {
    const nc = async (name: string, month: number) => {
      const path = join(folder, name);
      mkdirSync(join(path, ".."), { recursive: true });
      const writer = await NetcdfWriter.create(path);
      const axis = (key: string, values: number[], units: string) =>
        writer.writeArray(
          { name: key, dimensions: [key], shape: [values.length], dataType: "float64", attributes: { units } },
          Float64Array.from(values),
        );
      await axis("time", [0, 12], `hours since 2020-${String(month).padStart(2, "0")}-01`);
      await axis("lat", [1, 0], "degrees_north");
      await axis("lon", [0, 1], "degrees_east");
      const values = Float32Array.from({ length: 8 }, (_, i) => month * 10 + i);
      const spec = { name: "t2m", dimensions: ["time", "lat", "lon"], shape: [2, 2, 2], dataType: "float32" } as const;
      await writer.writeArray(spec, values);
      await writer.close();
    };
    await nc("monthly/2020/2020_02.nc", 2);
    await nc("monthly/2020/2020_11.nc", 11);
    for (const spec of ["monthly/*/*.nc", "monthly/**", ["monthly/2020/2020_11.nc", "monthly/2020/2020_02.nc"]]) {
      const source = await openSource(spec, { cwd: folder });
      expect(source.times.map((t) => new Date(t * 1000).toISOString().slice(0, 13))).toEqual([
        "2020-02-01T00",
        "2020-02-01T12",
        "2020-11-01T00",
        "2020-11-01T12",
      ]);
      const [field] = await source.read({ time: source.times[3]!, variables: ["2t"] });
      expect([...field!.values]).toEqual([114, 115, 116, 117]);
      await source.close();
    }
  });

  it.each([
    ["a mistyped file", "many/a/ome.grib", /no file or folder "many\/a\/ome.grib"[\s\S]*Did you mean "one.grib"/],
    ["a mistyped source without a file", "synthetc", /no file or folder "synthetc"[\s\S]*Did you mean "synthetic"/],
    ["a mistyped folder", "manu/a/one.grib", /no file or folder[\s\S]*Did you mean "many"/],
    ["a glob without a match", "many/*.nc", /nothing matches "many\/\*.nc"/],
  ])("explains %s", async (_, spec, message) => {
    expect(await failure(openSource(spec, { cwd: folder }))).toMatch(message);
  });

  it("explains files that are not data", async () => {
    mkdirSync(join(folder, "empty"));
    const cases: [string, RegExp][] = [
      [join(folder, "empty"), /holds no GRIB, NetCDF or Zarr[\s\S]*it is empty/],
      [text("page/a.html", "x"), /neither GRIB nor NetCDF/],
      [text("bad/empty.grib", ""), /the file is empty[\s\S]*fetch it again/],
      [text("bad/page.grib", "<!DOCTYPE html><p>log in"), /this is a web page, not data/],
      [text("bad/error.grib", '{"detail": "required licences not accepted"}'), /this is a JSON text/],
      [text("bad/data.zip", Buffer.from("PK\x03\x04abcdefgh")), /zip archive[\s\S]*unpack it first/],
      [text("bad/data.gz", Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])), /compressed with gzip/],
      [join(folder, "page"), /holds no GRIB[\s\S]*a.html/],
    ];
    for (const [path, message] of cases) expect(await failure(openSource(path))).toMatch(message);
    expect(await failure(openSource([]))).toMatch(/no data was named/);
    put("mixed/a.grib", golden("io/multi.grib"));
    put("mixed/b.nc", golden("sources/cmip.nc"));
    expect(await failure(openSource(join(folder, "mixed")))).toMatch(
      /several formats: 1 grib \(a.grib\), 1 netcdf \(b.nc\)/,
    );
  });

  it("explains a truncated GRIB file with the message and the byte", async () => {
    const whole = readFileSync(golden("io/scanning.grib"));
    const path = text("cut/cut.grib", whole.subarray(0, 1000));
    expect(await failure(openSource(path))).toMatch(
      /cut short: message \d+ needs[\s\S]*cut.grib, message \d+ at byte \d+[\s\S]*fetch/,
    );
  });
});

describe("gribSource", () => {
  it("names fields by the catalogue and level, and refuses what claims one name", () => {
    const path = golden("io/product.grib");
    expect(() => gribSource([path])).toThrow(/two fields give z500 at 2019-03-01 06:00/);
    expect(() => gribSource([path], { select: (m) => m.edition === 1 && m.stepSeconds === 0 })).toThrow(
      /two fields give t2m at 2019-03-01 06:00: ensemble members none and 7/,
    );
    expect(() =>
      gribSource([path], { select: (m) => m.edition === 2 && m.number === undefined && m.stepSeconds === 0 }),
    ).not.toThrow();
    const source = gribSource([path], {
      select: (m) => m.edition === 1 && m.number === undefined && m.stepSeconds === 0,
    });
    const units = Object.fromEntries(source.variables.map((v) => [v.name, v.units]));
    expect(units).toEqual({
      z500: "m2 s-2",
      t850: "K",
      u1000: "m s-1",
      gh500: "gpm",
      t2m: "K",
      u10m: "m s-1",
      v10m: "m s-1",
      msl: "Pa",
      sp: "Pa",
      lsm: "1",
      z: "m2 s-2",
      tcwv: "kg m-2",
    });
  });

  it("tells geopotential of the ground from that elsewhere, and knows soil layers and whole columns", async () => {
    const field = (
      value: number,
      shortName: string,
      typeOfLevel: string,
      level: Readonly<Record<string, number>> = {},
    ) =>
      gribMessage({
        ...{ shortName: "t", typeOfLevel: "surface", level: 0, time: start, lat0: 90, lon0: 0, spacing: 45 },
        ...{ shape: [3, 4], values: Float64Array.from({ length: 12 }, () => value) },
        keys: [["centre", "ecmf"], ["shortName", shortName], ["typeOfLevel", typeOfLevel], ...Object.entries(level)],
      });
    const path = text(
      "levels.grib",
      Buffer.concat([
        field(1, "z", "hybrid", { level: 1 }),
        field(2, "z", "hybrid", { level: 60 }),
        field(3, "z", "heightAboveGround", { level: 100 }),
        field(4, "z", "theta", { level: 320 }),
        field(5, "pwat", "atmosphereSingleLayer"),
        field(6, "sot", "soilLayer", { topLevel: 0, bottomLevel: 1 }),
        field(7, "vsw", "soilLayer", { topLevel: 2, bottomLevel: 3 }),
      ]),
    );
    const source = await openSource(path);
    const names = ["z", "z60k", "z100m", "z_320", "tcwv", "stl1", "swvl3"];
    expect(source.variables.map(({ name }) => name)).toEqual(names);
    const fields = await source.read({ time: start, variables: names });
    expect(fields.map(({ values }) => values[0])).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const [height] = await source.read({ time: start, variables: ["orog"] });
    expect(height!.values[0]).toBeCloseTo(1 / 9.80665, 6);
  });

  it("uses the valid time of steps and accumulations", () => {
    const source = gribSource([golden("io/product.grib")], { select: (m) => m.edition === 1 && m.shortName === "tp" });
    expect(source.times).toEqual([start + 6 * 3600, start + 12 * 3600]);
  });

  it("picks an ensemble member", () => {
    const only = (m: { shortName: string; edition: number; number?: number }) => m.number !== undefined;
    expect(() => gribSource([golden("io/product.grib")], { member: 4, select: only })).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/3, 7/) }),
    );
    expect(gribSource([golden("io/product.grib")], { member: 3, select: only }).variables).toHaveLength(1);
  });

  it("picks one of several forecasts, and keeps what never changes", async () => {
    const field = (shortName: string, time: number, step: number, value: number) =>
      gribMessage({
        ...{ shortName, typeOfLevel: "surface", level: 0, time, lat0: 90, lon0: 0, spacing: 45, shape: [3, 4] },
        values: Float64Array.from({ length: 12 }, (_, k) => value + k / 16),
        keys: [
          ["centre", "ecmf"],
          ["shortName", shortName],
          ["step", step],
        ],
      });
    const late = start - 6 * 3600;
    const early = start - 12 * 3600;
    const path = text(
      "runs.grib",
      Buffer.concat([field("2t", late, 6, 1), field("2t", early, 12, 2), field("lsm", early, 0, 0)]),
    );
    expect(await failure(openSource(path))).toMatch(/forecasts started .*[\s\S]*option `run`/);
    const source = await openSource(path, { run: late });
    const [t2m, lsm] = await source.read({ time: start, variables: ["t2m", "lsm"] });
    expect([t2m!.values[5], lsm!.values[5]]).toEqual([1.3125, 0.3125]);
    const other = await openSource(path, { run: early });
    expect((await other.read({ time: start, variables: ["t2m"] }))[0]!.values[5]).toBe(2.3125);
    expect(await failure(openSource(path, { run: start }))).toMatch(/no forecast that starts 2019-03-01 06:00/);
  });

  it("lists the grids when there are several", () => {
    expect(() => gribSource([golden("io/grid.grib")])).toThrow(/the fields lie on [34] grids: .*points.*; .*points/);
    expect(() => gribSource([golden("io/reduced.grib")])).toThrow(/reduced Gaussian N32/);
  });

  it("normalises every scanning mode to one grid and one field", async () => {
    // All 24 fields of the file are the same one, stored in 24 ways.
    const modes = 24;
    const fields: Float32Array[] = [];
    for (let index = 0; index < modes; index++) {
      const source = gribSource([golden("io/scanning.grib")], { select: (m) => m.index === index });
      fields.push((await source.read({ time: start, variables: ["t2m"] }))[0]!.values);
      expect([source.grid.latitudes[0], source.grid.longitudes[0]]).toEqual([58, -2]);
    }
    for (const values of fields) for (const [i, v] of values.entries()) expect(v).toBeCloseTo(fields[0]![i]!, 2);
  });
});

const era5 = testData("era5-2mt-2019-03-uk.grib");
describe.skipIf(era5 === undefined)("ERA5 over the British Isles", () => {
  it("reads by name or alias, and fails with everything one needs to know", async () => {
    const source = await openSource(era5!);
    expect(source.variables).toEqual([
      { name: "t2m", units: "K", longName: "2 metre temperature", standardName: "air_temperature" },
    ]);
    expect(source.times).toHaveLength(744);
    const [field] = await source.read({ time: source.times[0]!, variables: ["2t"] });
    expect(field!.values[0]).toBeCloseTo(282.4248, 4);
    const at = (time: number, variable = "t2m") => failure(source.read({ time, variables: [variable] }));
    expect(await at(Date.UTC(2019, 3, 2) / 1000)).toMatch(
      /no data for 2019-04-02 00:00[\s\S]*744 times from 2019-03-01 00:00 to 2019-03-31 23:00 by 1h; the nearest is 2019-03-31 23:00/,
    );
    expect(await at(source.times[0]! + 1500)).toMatch(/nearest is 2019-03-01 00:00/);
    expect(await at(source.times[0]!, "tm2")).toMatch(/no variable "tm2"[\s\S]*Did you mean "t2m"[\s\S]*It has: t2m/);
    await source.close();
    await source.close();
  });
});

describe("arraySource", () => {
  const grid = latLonGrid([1, 0], [0, 1, 2]);
  const make = () =>
    arraySource({
      grid,
      times: [0, 3600],
      fields: new Map([
        ["t2m", Float32Array.from({ length: 12 }, (_, i) => i)],
        ["lsm", new Float32Array(6).fill(1)],
      ]),
      units: { lsm: "%" },
    });

  it("gives copies of the field of the time, in the order asked", async () => {
    const source = make();
    const [lsm, t2m] = await source.read({ time: 3600, variables: ["lsm", "2t"] });
    expect(Array.from(t2m!.values)).toEqual([6, 7, 8, 9, 10, 11]);
    expect(lsm!.values).toEqual(new Float32Array(6).fill(1));
    t2m!.values.fill(0);
    expect((await source.read({ time: 3600, variables: ["t2m"] }))[0]!.values[0]).toBe(6);
    expect(source.variables).toMatchObject([
      { name: "t2m", units: "K" },
      { name: "lsm", units: "%", invariant: true },
    ]);
  });

  it("refuses wrong lengths, unordered times, unknown names and times", async () => {
    expect(() => arraySource({ grid, times: [0], fields: new Map([["a", new Float32Array(5)]]) })).toThrow(
      /"a" has 5 values/,
    );
    expect(() => arraySource({ grid, times: [1, 1], fields: new Map() })).toThrow(/times must ascend/);
    expect(await failure(make().read({ time: 7200, variables: ["t2m"] }))).toMatch(
      /by 1h; the nearest is 1970-01-01 01:00/,
    );
    expect(await failure(make().read({ time: 0, variables: ["t2n"] }))).toMatch(/Did you mean "t2m"/);
  });
});
