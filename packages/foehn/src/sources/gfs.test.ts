import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { formatError } from "../core/errors.js";
import { parseTime } from "../core/time.js";
import { openObjectStore } from "../io/remote/object-store.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { DataCache } from "./data-cache.js";
import { openGfs } from "./gfs.js";
import { openSource } from "./open.js";
import { type NcepField, ncepFile, ncepMessage, valuesOf } from "./operational.test-support.js";
import type { RemoteOptions } from "./remote-grib.js";

const run = parseTime("2024-01-01T00");
const hour = 3600;
const total = "entire atmosphere (considered as a single layer)";

/** As in the real files, traps side by side: the same parameter at 10 m, 100 m, 10 hPa and 100 hPa. */
const fields: readonly NcepField[] = [
  { parameter: "PRMSL", code: [0, 3, 1], level: "mean sea level", base: 101_000 },
  { parameter: "UGRD", code: [0, 2, 2], level: "10 mb", base: 1 },
  { parameter: "VGRD", code: [0, 2, 3], level: "10 mb", base: 2 },
  { parameter: "UGRD", code: [0, 2, 2], level: "100 mb", base: 3 },
  { parameter: "HGT", code: [0, 3, 5], level: "500 mb", base: 5500 },
  { parameter: "TMP", code: [0, 0, 0], level: "500 mb", base: 250 },
  { parameter: "RH", code: [0, 1, 1], level: "500 mb", base: 40 },
  { parameter: "HGT", code: [0, 3, 5], level: "surface", base: 100 },
  { parameter: "TMP", code: [0, 0, 0], level: "2 m above ground", base: 280 },
  { parameter: "UGRD", code: [0, 2, 2], level: "10 m above ground", base: 10 },
  { parameter: "UGRD", code: [0, 2, 2], level: "100 m above ground", base: 20 },
  { parameter: "PWAT", code: [0, 1, 3], level: total, base: 30 },
  { parameter: "MSLET", code: [0, 3, 192], level: "mean sea level", base: 102_000 },
];
const rain = (over: number, base: number): NcepField => ({
  parameter: "APCP",
  code: [0, 1, 8],
  level: "surface",
  over,
  base,
});

const pathOf = (day: string, hh: string, f: string): string => `/gfs.${day}/${hh}/atmos/gfs.t${hh}z.pgrb2.0p25.f${f}`;
const folder = mkdtempSync(join(tmpdir(), "foehn-gfs-"));
let server: TestServer;
let count = 0;
let remote: RemoteOptions;

function publish(at: number, step: number, list: readonly NcepField[]): void {
  const stamp = new Date(at * 1000).toISOString();
  const path = pathOf(stamp.slice(0, 10).replaceAll("-", ""), stamp.slice(11, 13), String(step).padStart(3, "0"));
  const { grib, idx } = ncepFile(list, at, step * hour);
  server.files.set(path, grib);
  server.files.set(`${path}.idx`, Buffer.from(idx));
}

beforeAll(async () => {
  server = await startServer();
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.files.clear();
  server.faults.clear();
  server.seen.length = 0;
  remote = {
    cache: new DataCache(join(folder, String(count++))),
    open: (url) => openObjectStore(url, { retries: 0 }),
  };
  publish(run, 0, fields);
  publish(run, 6, [...fields, rain(6, 6), rain(6, 6)]);
  publish(run, 24, [...fields, rain(6, 7), rain(24, 8)]);
});

const open = (rest: string) => openGfs(`gfs:server=${server.url},${rest}`, remote);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );
const values = (base: number, factor = 1): Float32Array => Float32Array.from(valuesOf(base), (x) => x * factor);

/** Equal up to the packing of 24 bits and single precision. */
function expectClose(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  for (const [k, value] of expected.entries())
    expect(Math.abs(actual[k]! - value)).toBeLessThan(1e-5 * Math.abs(value) + 1e-5);
}

describe("gfs:", () => {
  it("gives the catalogue's variables in its units, on the grid of the messages", async () => {
    const source = await open("date=2024-01-01T00");
    expect(source.variables.map((v) => `${v.name} ${v.units}`)).toEqual([
      "msl Pa",
      "u10 m s-1",
      "v10 m s-1",
      "u100 m s-1",
      "z500 m2 s-2",
      "t500 K",
      "r500 %",
      "z m2 s-2",
      "t2m K",
      "u10m m s-1",
      "u100m m s-1",
      "tcwv kg m-2",
    ]);
    expect(source.variables.find((v) => v.name === "z")?.invariant).toBe(true);
    expect(source.grid.shape).toEqual([5, 8]);
    expect([...source.grid.latitudes]).toEqual([90, 45, 0, -45, -90]);
    expect([...source.grid.longitudes]).toEqual([0, 45, 90, 135, 180, 225, 270, 315]);
    expect(source.times).toEqual([run]);
    const wanted = ["u10m", "u100m", "u100", "z500", "tcwv", "msl", "z"];
    const read = await source.read({ time: run, variables: wanted });
    expect(read.map((f) => f.variable)).toEqual(wanted);
    const bases = [
      values(10),
      values(20),
      values(3),
      values(5500, 9.80665),
      values(30),
      values(101_000),
      values(100, 9.80665),
    ];
    for (const [i, expected] of bases.entries()) expectClose(read[i]!.values, expected);
  });

  it("asks for the head, the index and merged ranges, and for nothing twice", async () => {
    const source = await open("date=2024-01-01T00");
    // The smallest message gives the grid.
    expect(server.seen.map((s) => `${s.method} ${s.path.split("/").at(-1)} ${s.headers.range ?? ""}`)).toEqual([
      "HEAD gfs.t00z.pgrb2.0p25.f000 ",
      "GET gfs.t00z.pgrb2.0p25.f000.idx ",
      expect.stringMatching(/^GET gfs.t00z.pgrb2.0p25.f000 bytes=0-\d+$/),
    ]);
    server.seen.length = 0;
    const before = server.sent();
    await source.read({ time: run, variables: ["t500", "u10m", "z500"] });
    expect(server.seen).toHaveLength(1); // neighbours: one request
    const message = ncepMessage(fields[4]!, run, 0).length;
    expect(server.sent() - before).toBe(6 * message); // from HGT:500 mb to UGRD:10 m
    await source.read({ time: run, variables: ["t500", "z500"] });
    expect(server.seen).toHaveLength(1);
    // Another process finds all of it in the cache; one question tells that the file is still the same.
    const again = await open("date=2024-01-01T00");
    const [field] = await again.read({ time: run, variables: ["z500"] });
    expectClose(field!.values, values(5500, 9.80665));
    expect(server.seen.map((s) => s.method)).toEqual(["GET", "HEAD"]);
  });

  it("gives forecasts by valid time, and precipitation over the right hours", async () => {
    const source = await open("date=2024-01-01T00,steps=0/6/24");
    expect(source.times).toEqual([run, run + 6 * hour, run + 24 * hour]);
    expect(source.timesOf?.("tp06")).toEqual([run + 6 * hour, run + 24 * hour]);
    const [tp, tp06] = await source.read({ time: run + 24 * hour, variables: ["tp", "tp06"] });
    expectClose(tp!.values, values(8, 1e-3));
    expectClose(tp06!.values, values(7, 1e-3));
    const [early] = await source.read({ time: run + 6 * hour, variables: ["tp"] });
    expectClose(early!.values, values(6, 1e-3));
    expect(await failure(source.read({ time: run, variables: ["tp"] }))).toMatch(/2024-01-01 00:00 for \+0s has no tp/);
    expect(await failure(source.read({ time: run + hour, variables: ["msl"] }))).toMatch(
      /no data for 2024-01-01 01:00/,
    );
  });

  it("wants a run named where several reach the same time", async () => {
    publish(run + 6 * hour, 0, [{ ...fields[0]!, base: 99_000 }, fields[4]!]);
    publish(run + 6 * hour, 6, fields);
    const source = await open("date=2024-01-01T00/2024-01-01T06,steps=0/6");
    const time = run + 6 * hour;
    expect(await failure(source.read({ time, variables: ["msl"] }))).toMatch(
      /2 forecasts reach 2024-01-01 06:00[\s\S]*`run`.*, its initial time: 2024-01-01 06:00, 2024-01-01 00:00/,
    );
    const [newest] = await source.read({ time, variables: ["msl"], run: "2024-01-01 06:00" });
    expectClose(newest!.values, values(99_000));
    const [older] = await source.read({ time, variables: ["msl"], run: "2024-01-01T00" });
    expectClose(older!.values, values(101_000));
    expect(await failure(source.read({ time, variables: ["msl"], run: "2024-01-01T12" }))).toMatch(
      /run 2024-01-01T12 does not reach 2024-01-01 06:00[\s\S]*runs for that time: 2024-01-01 06:00, 2024-01-01 00:00/,
    );
  });

  it("takes an earlier run only when asked", async () => {
    const strict = await open("times=2024-01-01T00/2024-01-01T06");
    expect(await failure(strict.read({ time: run + 6 * hour, variables: ["msl"] }))).toMatch(
      /forecast of 2024-01-01 06:00 for \+0s is not there[\s\S]*f000[\s\S]*fallback=12h/,
    );
    const lenient = await open("times=2024-01-01T00/2024-01-01T06,fallback=6h");
    publish(run, 6, [{ ...fields[5]!, base: 260 }]);
    const [field] = await lenient.read({ time: run + 6 * hour, variables: ["t500"] });
    expectClose(field!.values, values(260));
    expect(await failure(open("date=2023-12-31T18"))).toMatch(/forecast of 2023-12-31 18:00 for \+0s is not there/);
    expect(await failure(open("times=2024-01-02T12,fallback=12h"))).toMatch(/is not there, nor 2 earlier ones/);
  });

  it("reads msl by the other reduction when asked", async () => {
    const source = await open("date=2024-01-01T00,msl=mslet");
    const [field] = await source.read({ time: run, variables: ["msl"] });
    expectClose(field!.values, values(102_000));
  });

  it("finds the folder without `atmos` of before March 2021", async () => {
    const old = parseTime("2021-02-01T12");
    const { grib, idx } = ncepFile(fields, old, 0);
    const path = "/gfs.20210201/12/gfs.t12z.pgrb2.0p25.f000";
    server.files.set(path, grib);
    server.files.set(`${path}.idx`, Buffer.from(idx));
    const source = await open("date=2021-02-01T12");
    const [field] = await source.read({ time: old, variables: ["t2m"] });
    expectClose(field!.values, values(280));
  });

  it("refuses a message that is not the one of the index", async () => {
    const path = pathOf("20240101", "00", "000");
    const size = ncepMessage(fields[1]!, run, 0).length;
    const swapped = Buffer.from(server.files.get(path)!);
    // UGRD at 10 hPa and 100 hPa change places: whole messages, wrong level.
    const first = swapped.subarray(size, 2 * size);
    const second = Buffer.from(swapped.subarray(3 * size, 4 * size));
    expect(first.length).toBe(second.length);
    second.copy(swapped, size);
    server.files.set(path, swapped);
    const source = await open("date=2024-01-01T00");
    expect(await failure(source.read({ time: run, variables: ["u10"] }))).toMatch(
      /the message is not u10 of 2024-01-01 00:00 \+0s: it has level isobaricInhPa 100, not 10 hPa[\s\S]*byte \d+/,
    );
    // Another run's file behind this run's index.
    server.files.set(path, ncepFile(fields, run - 6 * hour, 0).grib);
    const stale = await failure(open("date=2024-01-01T00"));
    expect(stale).toMatch(/it has the run 2023-12-31 18:00/);
  });

  it("never keeps a part that is cut or broken", async () => {
    const path = pathOf("20240101", "00", "000");
    const source = await open("date=2024-01-01T00");
    const whole = server.files.get(path)!;
    server.files.set(path, whole.subarray(0, whole.length - 100));
    expect(await failure(source.read({ time: run, variables: ["tcwv", "msl"] }))).toBe("no error");
    const other = await open("date=2024-01-01T00,msl=MSLET");
    expect(await failure(other.read({ time: run, variables: ["msl"] }))).toMatch(/cut short|sent \d+ of \d+ bytes/);
    server.files.set(path, whole);
    server.faults.set(path, { resetAfter: 50, times: 1 });
    expect(await failure(source.read({ time: run, variables: ["t500"] }))).toMatch(/connection to .* failed/);
    const [field] = await source.read({ time: run, variables: ["t500"] });
    expectClose(field!.values, values(250));
  });

  it("explains an index that is none, and a missing one", async () => {
    const path = `${pathOf("20240101", "00", "000")}.idx`;
    server.files.set(path, Buffer.from("<html>Not here</html>"));
    expect(await failure(open("date=2024-01-01T00"))).toMatch(/not a line of a GRIB index[\s\S]*f000.idx, line 1/);
    server.files.delete(path);
    expect(await failure(open("date=2024-01-01T00"))).toMatch(/no index beside it/);
  });

  it("reads without a network what it read before", async () => {
    const source = await open("date=2024-01-01T00");
    await source.read({ time: run, variables: ["t2m"] });
    server.seen.length = 0;
    vi.stubEnv("FOEHN_OFFLINE", "1");
    const offline = await open("date=2024-01-01T00");
    const [field] = await offline.read({ time: run, variables: ["t2m"] });
    expectClose(field!.values, values(280));
    expect(await failure(offline.read({ time: run, variables: ["tcwv"] }))).toMatch(/not in the data cache/);
    expect(await failure(open("date=2024-01-01T06"))).toMatch(/FOEHN_OFFLINE forbids/);
    expect(server.seen).toEqual([]);
  });

  it("is opened by its text, from the server and the cache that the environment names", async () => {
    const cache = join(folder, "from-environment");
    vi.stubEnv("FOEHN_DATA_CACHE", cache);
    vi.stubEnv("FOEHN_GFS_URL", `${server.url}/`);
    const source = await openSource("gfs:date=2024-01-01T00,steps=0/6", { run });
    const [field] = await source.read({ time: run + 6 * hour, variables: ["2t"] });
    expectClose(field!.values, values(280));
    expect(existsSync(cache)).toBe(true);
    const address = `${server.url}${pathOf("20240101", "00", "006")}`;
    const file = await openSource(address);
    expect(file.times).toEqual([run + 6 * hour]);
  });

  it.each([
    ["date=2024-01-01T03", /no run at 2024-01-01T03:00:00Z; runs are at 00, 06, 12 and 18 UTC/],
    ["dates=2024-01-01", /no setting "dates"[\s\S]*Did you mean "date"/],
    ["steps=0/6", /steps belong to date/],
    ["date=2024-01-01,steps=90m", /no step of 5400 s/],
    ["date=2024-01-01,resolution=0p24", /not one of 0p25, 0p50, 1p00/],
  ])("explains %s", async (rest, message) => {
    expect(await failure(open(rest))).toMatch(message);
  });
});
