import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { formatError, isFoehnError } from "../core/errors.js";
import { parseTime } from "../core/time.js";
import { golden } from "../io/golden.test-support.js";
import { openGrib, openGribBytes } from "../io/grib/read.js";
import { gribMessage } from "../io/grib/write.test-support.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { openObjectStore } from "../io/remote/object-store.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { DataCache } from "./data-cache.js";
import { scanHeaders } from "./grib-index/header-scan.js";
import { gribSource } from "./grib-source.js";
import { openSource } from "./open.js";
import { ecmwfFile, ncepFile, valuesOf } from "./operational.test-support.js";
import type { RemoteOptions } from "./remote-grib.js";
import { remoteGribSource } from "./remote-grib-source.js";

const run = parseTime("2024-01-01T00");
const hour = 3600;
const folder = mkdtempSync(join(tmpdir(), "foehn-remote-grib-"));
let server: TestServer;
let count = 0;
let remote: RemoteOptions;

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

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );
const ranges = () => server.seen.flatMap((s) => s.headers.range ?? []);

const ncep = () =>
  ncepFile(
    [
      { parameter: "UGRD", code: [0, 2, 2], level: "10 mb", base: 1 },
      { parameter: "UGRD", code: [0, 2, 2], level: "10 m above ground", base: 10 },
      { parameter: "HGT", code: [0, 3, 5], level: "500 mb", base: 5500 },
    ],
    run,
    6 * hour,
  );

describe("GRIB at an address", () => {
  it("is read by the .idx beside it", async () => {
    const { grib, idx } = ncep();
    server.files.set("/a/f006", grib);
    server.files.set("/a/f006.idx", Buffer.from(idx));
    const source = await remoteGribSource([`${server.url}/a/f006`], remote);
    expect(source.variables.map((v) => v.name)).toEqual(["u10", "u10m", "z500"]);
    expect(source.times).toEqual([run + 6 * hour]);
    const [wind, height] = await source.read({ time: run + 6 * hour, variables: ["u10m", "gh500"] });
    expect(wind!.values[3]).toBeCloseTo(10.3, 3);
    expect(height!.values[3]).toBeCloseTo(5500.3, 1);
  });

  it("is read by the .index beside it, one member of many", async () => {
    const { grib, index } = ecmwfFile(
      [
        { param: "2t", levtype: "sfc", number: 1, base: 281 },
        { param: "2t", levtype: "sfc", number: 2, base: 282 },
      ],
      run,
      6 * hour,
      "enfo",
    );
    server.files.set("/x-ef.grib2", grib);
    server.files.set("/x-ef.index", Buffer.from(index));
    const url = `${server.url}/x-ef.grib2`;
    expect(await failure(remoteGribSource([url], remote))).toMatch(/two fields give t2m[\s\S]*ensemble members/);
    const source = await remoteGribSource([url], { ...remote, member: 2 });
    const [field] = await source.read({ time: run + 6 * hour, variables: ["t2m"] });
    expect(field!.values[0]).toBeCloseTo(282, 3);
  });

  it("is read by its headers where the index names members only", async () => {
    const { grib, idx } = ncep();
    server.files.set("/c.grib2", grib);
    server.files.set("/c.grib2.idx", Buffer.from(idx.replaceAll(/:$/gm, ":ENS=+1:")));
    const source = await remoteGribSource([`${server.url}/c.grib2`], remote);
    expect(source.variables.map((v) => v.name)).toEqual(["u10", "u10m", "z500"]);
  });

  it("takes one of several forecasts that reach the same time", async () => {
    const field = (base: number, start: number, step: number) =>
      ecmwfFile([{ param: "2t", levtype: "sfc", base }], start, step, "oper");
    const [late, early] = [field(281, run, 6 * hour), field(282, run - 6 * hour, 12 * hour)];
    const urls = [late, early].map(({ grib, index }, i) => {
      server.files.set(`/runs${i}.grib2`, grib);
      server.files.set(`/runs${i}.index`, Buffer.from(index));
      return `${server.url}/runs${i}.grib2`;
    });
    expect(await failure(remoteGribSource(urls, remote))).toMatch(/forecasts started .*[\s\S]*option `run`/);
    const source = await openSource(urls, { run: run - 6 * hour, remote: { cache: remote.cache } });
    const [read] = await source.read({ time: run + 6 * hour, variables: ["t2m"] });
    expect(read!.values[0]).toBeCloseTo(282, 3);
    expect(await failure(remoteGribSource(urls, { ...remote, run: run + hour }))).toMatch(/no forecast that starts/);
  });

  it("is walked once by its headers where no index is", async () => {
    const { grib } = ncep();
    server.files.set("/b.grib2", grib);
    const source = await remoteGribSource([`${server.url}/b.grib2`], remote);
    expect(source.variables.map((v) => `${v.name} ${v.units}`)).toEqual(["u10 m s-1", "u10m m s-1", "z500 m2 s-2"]);
    const [field] = await source.read({ time: run + 6 * hour, variables: ["z500"] });
    expect(field!.values[0]).toBeCloseTo(5500 * 9.80665, 0);
    server.seen.length = 0;
    const again = await remoteGribSource([`${server.url}/b.grib2`], remote);
    await again.read({ time: run + 6 * hour, variables: ["z500"] });
    expect(ranges()).toEqual([]); // index and field are kept
    expect(server.seen.filter((s) => s.method === "HEAD")).toHaveLength(1);
  });

  it("asks for headers only, when messages are large", async () => {
    const shape = [256, 512] as const;
    const message = gribMessage({
      ...{
        shortName: "t",
        typeOfLevel: "isobaricInhPa",
        level: 500,
        time: run,
        lat0: 60,
        lon0: 0,
        spacing: 0.25,
        shape,
      },
      values: Float64Array.from({ length: shape[0] * shape[1] }, (_, k) => k % 1000),
    });
    const bytes = Buffer.concat([message, message, Buffer.alloc(64), message]);
    let asked = 0;
    const fields = await scanHeaders(
      async (start, end) => {
        asked += end - start;
        return bytes.subarray(start, end);
      },
      bytes.length,
      "x",
    );
    expect(fields.map((f) => f.offset)).toEqual([0, message.length, 2 * message.length + 64]);
    expect(message.length).toBeGreaterThan(300_000);
    expect(asked).toBeLessThan(40_000);
  });

  it.each(readdirSync(golden("io")).filter((name) => name.endsWith(".grib")))(
    "has the same fields as a local file: %s",
    async (name) => {
      const bytes = readFileSync(golden("io", name));
      const fields = await scanHeaders(async (start, end) => bytes.subarray(start, end), bytes.length, name);
      const local = openGrib(golden("io", name)).messages;
      expect(fields.map((f) => [f.offset, f.length])).toEqual(local.map((m) => [m.offset, m.length]));
      const headers = openGribBytes(Buffer.concat(fields.map((f) => f.header)), name).messages;
      const strip = (list: typeof local) => list.map(({ offset: _, length: __, packingType: ___, ...rest }) => rest);
      expect(strip(headers)).toEqual(strip(local));
    },
  );

  it("gives the values of a local file with several fields in one message", async () => {
    server.files.set("/multi.grib", readFileSync(golden("io/multi.grib")));
    const source = await remoteGribSource([`${server.url}/multi.grib`], remote);
    const local = gribSource([golden("io/multi.grib")]);
    const request = { time: local.times[0]!, variables: ["v500", "t500", "u500"] };
    const expected = await local.read(request);
    expect(await source.read(request)).toEqual(expected);
    // One for the headers, one for the message, which holds all three and came for the grid.
    expect(ranges()).toHaveLength(2);
  });

  it("keeps a signature in the address of the index, and never shows it", async () => {
    const { grib, idx } = ncep();
    server.files.set("/s/f006", grib);
    server.files.set("/s/f006.idx", Buffer.from(idx));
    const source = await remoteGribSource([`${server.url}/s/f006?token=secret`], remote);
    expect(server.seen.map((s) => s.path)).toContain("/s/f006.idx?token=secret");
    expect(source.description).not.toMatch(/secret/);
    server.files.clear();
    expect(await failure(remoteGribSource([`${server.url}/s/f007?token=secret`], remote))).toMatch(
      /no such file\n {3}at: http:\/\/[^ ]+\/s\/f007\?token=…/,
    );
  });

  it("survives damaged headers", async () => {
    const whole = Buffer.concat(["io/multi.grib", "io/scanning.grib"].map((name) => readFileSync(golden(name))));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(whole.length),
        async (changes, length) => {
          const bytes = Buffer.from(whole.subarray(0, length));
          for (const [at, value] of changes) if (at < length) bytes[at] = value;
          try {
            const fields = await scanHeaders(async (start, end) => bytes.subarray(start, end), length, "x");
            for (const f of fields) expect(f.offset + f.length).toBeLessThanOrEqual(length);
          } catch (error) {
            if (!isFoehnError(error, "format")) throw error;
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  const lacking = pythonLacks("eccodes", "numpy");
  if (lacking) console.warn(`skipped: values against Python's ecCodes: ${lacking}`);
  it.skipIf(lacking)("has the values that Python's ecCodes decodes", async () => {
    const { grib, idx } = ncep();
    const path = join(folder, "check.grib2");
    writeFileSync(path, grib);
    server.files.set("/c/f006", grib);
    server.files.set("/c/f006.idx", Buffer.from(idx));
    const source = await remoteGribSource([`${server.url}/c/f006`], remote);
    const read = await source.read({ time: run + 6 * hour, variables: ["u10", "u10m", "gh500"] });
    const script = `
import eccodes, json, sys
out = []
with open(sys.argv[1], "rb") as f:
    while True:
        h = eccodes.codes_grib_new_from_file(f)
        if h is None: break
        out.append(dict(name=eccodes.codes_get(h, "shortName"), level=eccodes.codes_get(h, "level"),
                        step=eccodes.codes_get(h, "endStep"), values=list(eccodes.codes_get_values(h))))
print(json.dumps(out))`;
    const expected = runPython(script, path) as { name: string; level: number; step: number; values: number[] }[];
    expect(expected.map((e) => `${e.name} ${e.level} +${e.step}`)).toEqual(["u 10 +6", "10u 10 +6", "gh 500 +6"]);
    for (const [i, { values }] of expected.entries()) {
      expect(values.length).toBe(valuesOf(0).length);
      for (const [k, value] of values.entries()) expect(Math.abs(read[i]!.values[k]! - value)).toBeLessThan(1e-3);
    }
  });
});
