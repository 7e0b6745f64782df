import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { parseTime } from "../core/time.js";
import { openObjectStore } from "../io/remote/object-store.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { DataCache } from "./data-cache.js";
import { ecmwfPaths, openEcmwf } from "./ecmwf.js";
import { type EcmwfField, ecmwfFile, valuesOf } from "./operational.test-support.js";
import type { RemoteOptions } from "./remote-grib.js";

const run = parseTime("2024-03-10T00");
const hour = 3600;

/** Traps: 10 m and 100 m wind, total column vapour beside total column ice, geopotential height, soil, and a parameter of no variable. */
const fields: readonly EcmwfField[] = [
  { param: "10u", levtype: "sfc", base: 10 },
  { param: "100u", levtype: "sfc", base: 20 },
  { param: "100v", levtype: "sfc", base: 30 },
  { param: "2t", levtype: "sfc", base: 280 },
  { param: "tcwv", levtype: "sfc", base: 40 },
  { param: "tciw", levtype: "sfc", base: 50 },
  { param: "lsm", levtype: "sfc", base: 0 },
  { param: "gh", levtype: "pl", levelist: 500, base: 5500 },
  { param: "u", levtype: "pl", levelist: 100, base: 60 },
  { param: "u", levtype: "pl", levelist: 1000, base: 70 },
  { param: "q", levtype: "pl", levelist: 850, base: 1 },
];
const folder = mkdtempSync(join(tmpdir(), "foehn-ecmwf-"));
let server: TestServer;
let count = 0;
let remote: RemoteOptions;

function publish(path: string, file: { grib: Buffer; index: string }): void {
  server.files.set(`/${path}.grib2`, file.grib);
  server.files.set(`/${path}.index`, Buffer.from(file.index));
}

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.files.clear();
  server.seen.length = 0;
  remote = {
    cache: new DataCache(join(folder, String(count++))),
    open: (url) => openObjectStore(url, { retries: 0 }),
  };
});

const open = (rest: string) => openEcmwf(`ecmwf:server=${server.url},${rest}`, remote);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );
/** The files begin at 180° W, as the sources do. */
function expectClose(actual: Float32Array, base: number, factor = 1): void {
  for (const [k, value] of valuesOf(base).entries()) {
    expect(Math.abs(actual[k]! - value * factor)).toBeLessThan(1e-5 * Math.abs(value * factor) + 1e-5);
  }
}

describe("names of files", () => {
  const at = (text: string) => parseTime(text);

  it("are those of each period", () => {
    expect(ecmwfPaths({}, "fc", at("2024-03-01T00"), 0)).toEqual([
      "20240301/00z/ifs/0p25/oper/20240301000000-0h-oper-fc.grib2",
    ]);
    expect(ecmwfPaths({}, "fc", at("2023-03-10T00"), 0)).toEqual([
      "20230310/00z/0p4-beta/oper/20230310000000-0h-oper-fc.grib2",
    ]);
    expect(ecmwfPaths({}, "fc", at("2024-02-10T12"), 6 * hour)).toEqual([
      "20240210/12z/0p25/oper/20240210120000-6h-oper-fc.grib2",
    ]);
    expect(ecmwfPaths({ resolution: "0p4-beta" }, "fc", at("2024-06-01T00"), 0)).toEqual([
      "20240601/00z/ifs/0p4-beta/oper/20240601000000-0h-oper-fc.grib2",
    ]);
    expect(ecmwfPaths({}, "fc", at("2024-03-01T18"), 3 * hour)).toEqual([
      "20240301/18z/ifs/0p25/scda/20240301180000-3h-scda-fc.grib2",
      "20240301/18z/ifs/0p25/oper/20240301180000-3h-oper-fc.grib2",
    ]);
    expect(ecmwfPaths({}, "fc", at("2026-10-01T06"), 0)[0]).toMatch(/oper-fc/);
    expect(ecmwfPaths({ stream: "enfo" }, "pf", at("2024-03-01T06"), 240 * hour)).toEqual([
      "20240301/06z/ifs/0p25/enfo/20240301060000-240h-enfo-ef.grib2",
    ]);
    expect(ecmwfPaths({ model: "aifs-ens", stream: "enfo" }, "pf", at("2025-09-01T06"), 0)).toEqual([
      "20250901/06z/aifs-ens/0p25/enfo/20250901060000-0h-enfo-pf.grib2",
    ]);
    expect(ecmwfPaths({ model: "aifs-single" }, "fc", at("2025-06-01T06"), 0)).toEqual([
      "20250601/06z/aifs-single/0p25/oper/20250601060000-0h-oper-fc.grib2",
    ]);
    expect(ecmwfPaths({ model: "aifs-single" }, "fc", at("2025-01-01T00"), 0).at(-1)).toBe(
      "20250101/00z/aifs/0p25/oper/20250101000000-0h-oper-fc.grib2",
    );
  });
});

describe("ecmwf:", () => {
  const path = "20240310/00z/ifs/0p25/oper/20240310000000-0h-oper-fc";

  it("gives the right variables in the catalogue's units", async () => {
    publish(path, ecmwfFile(fields, run, 0));
    const source = await open("date=2024-03-10T00");
    expect(source.variables.map((v) => v.name)).toEqual([
      "u10m",
      "u100m",
      "v100m",
      "t2m",
      "tcwv",
      "tciw",
      "lsm",
      "z500",
      "u100",
      "u1000",
      "q850",
    ]);
    expect([...source.grid.longitudes].slice(0, 2)).toEqual([-180, -135]);
    const wanted = ["u100m", "v100m", "tcwv", "z500", "u100", "u1000", "u10m"];
    const read = await source.read({ time: run, variables: wanted });
    for (const [i, base] of [20, 30, 40, 5500, 60, 70, 10].entries()) {
      expectClose(read[i]!.values, base, wanted[i] === "z500" ? 9.80665 : 1);
    }
    // HEAD and index, the smallest field for the grid, and neighbours in one request.
    expect(server.seen.filter((s) => s.headers.range)).toHaveLength(2);
    expect(server.seen).toHaveLength(4);
  });

  it("takes one member of an ensemble", async () => {
    const members: EcmwfField[] = [
      { param: "2t", levtype: "sfc", base: 280 },
      { param: "2t", levtype: "sfc", number: 3, base: 283 },
      { param: "2t", levtype: "sfc", number: 13, base: 293 },
    ];
    publish("20240310/00z/ifs/0p25/enfo/20240310000000-6h-enfo-ef", ecmwfFile(members, run, 6 * hour, "enfo", "cf"));
    for (const [setting, base] of [
      ["", 280],
      [",number=3", 283],
      [",number=13", 293],
    ] as const) {
      const source = await open(`date=2024-03-10T00,steps=6,stream=enfo${setting}`);
      const [field] = await source.read({ time: run + 6 * hour, variables: ["2t"] });
      expectClose(field!.values, base);
    }
    expect(await failure(open("date=2024-03-10T00,steps=6,stream=enfo,number=4"))).toMatch(/names no field/);
  });

  it("reads fields that do not change from the step that has them, and accumulations from those that do", async () => {
    publish(path, ecmwfFile([...fields], run, 0));
    const tp: EcmwfField = {
      param: "tp",
      levtype: "sfc",
      base: 3,
      keys: [["productDefinitionTemplateNumber", 8]],
    };
    publish(path.replace("-0h-", "-6h-"), ecmwfFile([fields[0]!, tp], run, 6 * hour));
    const source = await open("date=2024-03-10T00,steps=0/6");
    const [rain, mask] = await source.read({ time: run + 6 * hour, variables: ["tp", "lsm"] });
    expectClose(rain!.values, 3);
    expectClose(mask!.values, 0);
  });

  it("gives the rain of six hours as the difference of two sums", async () => {
    const tp = (base: number): EcmwfField => ({
      ...{ param: "tp", levtype: "sfc", base },
      keys: [["productDefinitionTemplateNumber", 8]],
    });
    for (const [step, base] of [
      [0, undefined],
      [3, 1],
      [6, 3],
      [12, 8],
    ] as const) {
      const list = base === undefined ? [fields[0]!] : [fields[0]!, tp(base)];
      publish(path.replace("-0h-", `-${step}h-`), ecmwfFile(list, run, step * hour));
    }
    const source = await open("date=2024-03-10T00,steps=0/3/6/12");
    expect(source.timesOf?.("tp06")).toEqual([run + 6 * hour, run + 12 * hour]);
    const at = async (step: number) => {
      const read = await source.read({ time: run + step * hour, variables: ["tp06", "u10m", "tp"] });
      return read.map((f) => Math.round(f.values[0]! * 1000) / 1000);
    };
    expect(await at(12)).toEqual([5, 10, 8]);
    expect(await at(6)).toEqual([3, 10, 3]);
    expect(await failure(source.read({ time: run + 3 * hour, variables: ["tp06"] }))).toMatch(/\+3h has no tp06/);
  });

  it("finds the short runs under either name", async () => {
    const evening = parseTime("2024-03-10T18");
    publish("20240310/18z/ifs/0p25/scda/20240310180000-0h-scda-fc", ecmwfFile(fields, evening, 0, "scda"));
    const source = await open("times=2024-03-10T18");
    expectClose((await source.read({ time: evening, variables: ["t2m"] }))[0]!.values, 280);
    server.files.clear();
    publish("20240310/18z/ifs/0p25/oper/20240310180000-0h-oper-fc", ecmwfFile(fields, evening, 0));
    const other = await open("times=2024-03-10T18");
    expectClose((await other.read({ time: evening, variables: ["t2m"] }))[0]!.values, 280);
  });

  it("refuses another field or member than the index promised", async () => {
    const file = ecmwfFile(fields, run, 0);
    const wind = JSON.parse(file.index.split("\n")[0]!) as { _length: number };
    // 10u answers where 100u is promised.
    const swapped = Buffer.from(file.grib);
    file.grib.copy(swapped, wind._length, 0, wind._length);
    publish(path, { grib: swapped, index: file.index });
    const source = await open("date=2024-03-10T00");
    expect(await failure(source.read({ time: run, variables: ["u100m"] }))).toMatch(
      /message is not u100m of 2024-03-10 00:00 \+0s: it has parameter 10u, not 100u/,
    );
  });

  it("tells soil layers apart", async () => {
    const layer = (n: number) => {
      const level = [["topLevel", n - 1] as const, ["bottomLevel", n] as const];
      const keys = [["shortName", "sot"] as const, ["typeOfLevel", "soilLayer"] as const, ...level];
      return { param: "sot", levtype: "sol", levelist: n, keys, base: 270 + n } as const;
    };
    const file = ecmwfFile([layer(1), layer(2)], run, 0);
    publish(path, file);
    const [upper, lower] = await (await open("date=2024-03-10T00")).read({ time: run, variables: ["stl1", "stl2"] });
    expectClose(upper!.values, 271);
    expectClose(lower!.values, 272);
    const length = file.grib.length / 2;
    publish(path, { ...file, grib: Buffer.concat([file.grib.subarray(length), file.grib.subarray(0, length)]) });
    remote = { ...remote, cache: new DataCache(join(folder, "swapped layers")) };
    expect(await failure(open("date=2024-03-10T00"))).toMatch(/not stl1 .* it has soil layer 2, not 1/);
  });

  it.each([
    ["date=2024-03-10T00,number=3", /number belongs to the ensemble/],
    ["date=2024-03-10T00,model=aifs-single,stream=enfo", /aifs-single has no stream enfo/],
    ["date=2024-03-10T00,model=aifs", /not one of ifs, aifs-single, aifs-ens[\s\S]*Did you mean .*"aifs-single"/],
    ["date=2024-03-10T00", /forecast of 2024-03-10 00:00 for \+0s is not there[\s\S]*oper-fc.grib2[\s\S]*some 8 hours/],
  ])("explains %s", async (rest, message) => {
    expect(await failure(open(rest))).toMatch(message);
  });
});
