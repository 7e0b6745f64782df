// Zarr stores as Python writes them (test/golden/sources/make_zarr.py), on the disk, on a web server with latency and in a bucket: values,
// and the requests that they cost.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { regularGrid } from "../grid/grid.js";
import { golden } from "../io/golden.test-support.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { type Handler, startServer, type TestServer } from "../io/remote/server.test-support.js";
import { DataCache } from "./data-cache.js";
import { openSource } from "./open.js";
import type { Source } from "./source.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-zarr-"));
afterAll(() => rmSync(folder, { recursive: true }));
const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
let made = 0;
const cacheHere = () => new DataCache(join(folder, String(made++)));
const stores = golden("sources/zarr");
const start = Date.UTC(2019, 2, 1) / 1000;
const hour = 3600;

/** The formula of make_zarr.py, north first. */
const truth = (hours: number, level: number): Float32Array =>
  Float32Array.from(
    [60, 30, 0, -30, -60].flatMap((lat) =>
      Array.from({ length: 8 }, (_, i) => hours * 1000 + level + lat / 10 + (i * 45) / 1000),
    ),
  );

async function expectAll(source: Source): Promise<void> {
  expect(source.variables.map((v) => v.name).sort()).toEqual(["lsm", "sp", "t2m", "z1000", "z500", "z850"]);
  expect(source.times.map((t) => (t - start) / hour)).toEqual([0, 6, 12, 18]);
  expect([...source.grid.latitudes]).toEqual([60, 30, 0, -30, -60]);
  expect(source.grid.isGlobal).toBe(true);
  for (const h of [0, 6, 12, 18]) {
    const time = start + h * hour;
    const fields = await source.read({ time, variables: ["z1000", "2t", "z500", "lsm", "sp", "geopotential_850"] });
    const [z1000, t2m, z500, lsm, sp, z850] = fields.map((f) => f.values);
    expect(z500).toEqual(truth(h, 500));
    expect(z850).toEqual(truth(h, 850));
    expect(z1000).toEqual(truth(h, 1000));
    expect(lsm).toEqual(truth(0, 0));
    // Packed in steps of 0.01.
    for (const [i, value] of truth(h, 100).entries()) expect(Math.abs(sp![i]! - value)).toBeLessThan(0.0061);
    const gap = h === 6 ? 2 * 8 + 3 : -1;
    for (const [i, value] of truth(h, 2).entries()) expect(t2m![i]).toBe(i === gap ? Number.NaN : value);
  }
}

/** All files of the stores under the path that a server gives them. */
function filesUnder(prefix: string): Record<string, Uint8Array> {
  const entries = readdirSync(stores, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  return Object.fromEntries(
    entries.map((e) => {
      const path = join(e.parentPath, e.name);
      return [`${prefix}/${relative(stores, path)}`, readFileSync(path)];
    }),
  );
}

/** A server that takes 15 ms for each answer, and knows how many it worked on at once. */
async function serve(prefix = "", handler?: Handler): Promise<TestServer & { busiest: () => number }> {
  let busy = 0;
  let busiest = 0;
  const server = await startServer(filesUnder(prefix), async (request, response, body) => {
    busy++;
    busiest = Math.max(busiest, busy);
    await new Promise((resolve) => setTimeout(resolve, 15));
    busy--;
    return (await handler?.(request, response, body)) ?? false;
  });
  servers.push(server);
  return Object.assign(server, { busiest: () => busiest });
}
const asked = (server: TestServer) => server.seen.splice(0).map((s) => `${s.method} ${s.path}`);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );

describe("Zarr written by Python, on the disk", () => {
  it.each(["v2.zarr", "v3.zarr"])("%s has the values, names and axes", async (name) => {
    await expectAll(await openSource(join(stores, name)));
  });

  it("plain.zarr: not consolidated, index before the chunks, big-endian, a chunk never written", async () => {
    const source = await openSource(join(stores, "plain.zarr"));
    const read = async (h: number) => (await source.read({ time: start + h * hour, variables: ["t2m"] }))[0]!.values;
    expect(await read(0)).toEqual(truth(0, 2));
    expect((await read(6)).every(Number.isNaN)).toBe(true);
    expect((await read(18)).every(Number.isNaN)).toBe(true);
  });
});

describe("Zarr on a web server", () => {
  it("opens with two requests and its axes, and fetches the chunks that are needed, once and together", async () => {
    const server = await serve("/data");
    const cache = cacheHere();
    const open = () => openSource(`${server.url}/data/v3.zarr`, { remote: { cache } });
    const source = await open();
    expect(source.description).toMatch(/^Zarr http:\/\/127.0.0.1:\d+\/data\/v3.zarr: /);
    expect(asked(server).sort()).toEqual([
      "GET /data/v3.zarr/.zmetadata",
      "GET /data/v3.zarr/latitude/c/0",
      "GET /data/v3.zarr/level/c/0",
      "GET /data/v3.zarr/longitude/c/0",
      "GET /data/v3.zarr/time/c/0",
      "GET /data/v3.zarr/zarr.json",
    ]);
    // One level of one time: the index of the shard, and two chunks of half a field with one request.
    await source.read({ time: start, variables: ["z500"] });
    const ranges = server.seen.splice(0).map((s) => `${s.path} ${s.headers.range}`);
    expect(ranges).toHaveLength(2);
    expect(ranges[0]).toBe("/data/v3.zarr/geopotential/c/0/0/0/0 bytes=-388");
    // All times of a variable that is one chunk: one request; what was read before: none.
    for (const time of source.times) await source.read({ time, variables: ["t2m"] });
    await source.read({ time: start, variables: ["z500"] });
    expect(asked(server)).toEqual(["GET /data/v3.zarr/2m_temperature/c/0/0/0"]);
    await source.read({ time: start + 18 * hour, variables: ["z500", "z850", "z1000", "lsm", "sp"] });
    expect(asked(server)).toHaveLength(1 + 2 + 1);
    expect(server.busiest()).toBeGreaterThan(3);
    await source.close();
    // The next process asks whether the metadata are still the same, and for nothing else.
    const again = await open();
    await again.read({ time: start, variables: ["z500", "t2m"] });
    expect(asked(server).sort()).toEqual(["GET /data/v3.zarr/.zmetadata", "HEAD /data/v3.zarr/zarr.json"]);
    await expectAll(again);
  });

  it("reads format 2 in WeatherBench's order, with addresses that end in a slash", async () => {
    const server = await serve();
    await expectAll(await openSource(`${server.url}/v2.zarr/`, { remote: { cache: cacheHere() } }));
  });

  it("works offline from what was read before", async () => {
    const server = await serve();
    const cache = cacheHere();
    const open = (offline: boolean) => openSource(`${server.url}/v3.zarr`, { remote: { cache, offline } });
    await (await open(false)).read({ time: start, variables: ["t2m"] });
    asked(server);
    const source = await open(true);
    expect((await source.read({ time: start, variables: ["t2m"] }))[0]!.values).toEqual(truth(0, 2));
    expect(await failure(source.read({ time: start, variables: ["z500"] }))).toMatch(
      /not in the data cache, and FOEHN_OFFLINE/,
    );
    expect(asked(server)).toEqual([]);
  });

  it("needs consolidated metadata, or the names of the arrays", async () => {
    const server = await serve();
    const address = `${server.url}/plain.zarr`;
    const remote = { cache: cacheHere() };
    expect(await failure(openSource(address, { remote }))).toMatch(
      /no consolidated metadata, and a web server does not list[\s\S]*arrays: \[t2m/,
    );
    const source = await openSource(address, { remote, arrays: ["t2m", "time", "lat", "lon", "gone"] });
    const [field] = await source.read({ time: start, variables: ["t2m"] });
    expect(field!.values).toEqual(truth(0, 2));
    // The chunk that was never written is known not to be there.
    asked(server);
    for (const h of [12, 18]) await source.read({ time: start + h * hour, variables: ["t2m"] });
    expect(asked(server)).toEqual(["GET /plain.zarr/t2m/c/1/0/0"]);
  });

  it("explains what is not a store, is damaged, or is not let in", async () => {
    const server = await serve();
    const open = (path: string) =>
      failure(openSource(`${server.url}/${path}`, { remote: { cache: cacheHere(), retryDelayMs: 1 } }));
    expect(await open("nothing.zarr")).toMatch(/nothing.zarr is not a Zarr store[\s\S]*a Zarr store has/);
    expect(await open("nothing")).toMatch(/nothing is not a Zarr store/);
    expect(await open("v3.zarr/geopotential")).toMatch(/single Zarr array/);
    server.files.set("/bad.zarr/zarr.json", Buffer.from("{ half"));
    expect(await open("bad.zarr")).toMatch(/cannot be read: zarr.json is not JSON/);
    server.faults.set("/v3.zarr/zarr.json", { status: 403 });
    expect(await open("v3.zarr")).toMatch(/answered GET with 403[\s\S]*hint: /);
    server.faults.set("/v3.zarr/zarr.json", {});
    const source = await openSource(`${server.url}/v3.zarr`, { remote: { cache: cacheHere(), retries: 0 } });
    server.faults.set("/v3.zarr/2m_temperature/c/0/0/0", { flipBit: 100 });
    expect(await failure(source.read({ time: start, variables: ["t2m"] }))).toMatch(
      /cannot be read[\s\S]*2m_temperature/,
    );
    server.faults.set("/v3.zarr/surface_pressure/c/0/0/0", { status: 500 });
    expect(await failure(source.read({ time: start, variables: ["sp"] }))).toMatch(/answered GET with 500/);
  });

  it("survives NaN in attributes, as Python's JSON has it", async () => {
    const server = await serve();
    const text = readFileSync(join(stores, "v2.zarr/.zmetadata"), "utf8");
    const nan = text.replace(
      '"units": "K"',
      '"units": "K", "odd": NaN, "list": [1, -Infinity], "text": "NaN, Infinity"',
    );
    expect(nan).not.toBe(text);
    server.files.set("/v2.zarr/.zmetadata", Buffer.from(nan));
    await expectAll(await openSource(`${server.url}/v2.zarr`, { remote: { cache: cacheHere() } }));
  });
});

describe("Zarr in a bucket", () => {
  // A service in S3's shape: path style, ListObjectsV2 with a delimiter, 403 for what is not there when listing is not allowed.
  const bucket =
    (listing: boolean) =>
    (files: () => ReadonlyMap<string, Uint8Array>): Handler =>
    (request, response) => {
      const url = new URL(request.url ?? "/", "http://localhost");
      if (url.searchParams.get("list-type") === "2") {
        const prefix = url.searchParams.get("prefix") ?? "";
        const keys = [...files().keys()]
          .map((path) => path.replace(/^\/bucket\//, ""))
          .filter((key) => key.startsWith(prefix));
        const names = new Set(keys.map((key) => key.slice(prefix.length).replace(/\/.*/, "/")));
        const xml = [...names].map((name) =>
          name.endsWith("/")
            ? `<CommonPrefixes><Prefix>${prefix}${name}</Prefix></CommonPrefixes>`
            : `<Contents><Key>${prefix}${name}</Key><Size>1</Size></Contents>`,
        );
        response.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${xml.join("")}</ListBucketResult>`);
        return true;
      }
      if (!listing && !files().has(decodeURIComponent(url.pathname))) {
        response.writeHead(403).end("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
        return true;
      }
      return false;
    };
  const serveBucket = async (listing: boolean) => {
    let files: ReadonlyMap<string, Uint8Array> = new Map();
    const server = await serve(
      "/bucket/era5",
      bucket(listing)(() => files),
    );
    files = server.files;
    return server;
  };

  it.each(["s3", "gs"])("%s: consolidated, and listed where it is not", async (scheme) => {
    const server = await serveBucket(true);
    const remote = { cache: cacheHere(), endpoint: server.url, anonymous: true };
    await expectAll(await openSource(`${scheme}://bucket/era5/v3.zarr`, { remote }));
    asked(server);
    const source = await openSource(`${scheme}://bucket/era5/plain.zarr`, { remote });
    expect((await source.read({ time: start, variables: ["t2m"] }))[0]!.values).toEqual(truth(0, 2));
    expect(asked(server).filter((line) => line.includes("list-type"))).toHaveLength(1);
  });

  it("is read where what is not there is called forbidden", async () => {
    const server = await serveBucket(false);
    const remote = { cache: cacheHere(), endpoint: server.url, anonymous: true };
    for (const name of ["v2", "v3"]) await expectAll(await openSource(`s3://bucket/era5/${name}.zarr`, { remote }));
    expect(await failure(openSource("s3://bucket/era5/v4.zarr", { remote }))).toMatch(/403[\s\S]*Access Denied/);
  });
});

const lacks = pythonLacks("xarray", "zarr");
if (lacks) console.log(`skipped: ${lacks}`);
describe.skipIf(lacks)("Zarr written by the Python on this machine", () => {
  it("has the values that xarray reads", async () => {
    const path = join(folder, "python.zarr");
    const printed = runPython(
      `
import json, sys, numpy as np, xarray as xr
rng = np.random.default_rng(1)
ds = xr.Dataset({"t": (("time", "plev", "lat", "lon"), rng.normal(270, 10, (5, 2, 7, 9)).astype("f4"), {"units": "K"}),
                 "msl": (("time", "lat", "lon"), rng.normal(1e5, 1e3, (5, 7, 9)), {"units": "Pa"})},
  coords={"time": np.datetime64("2020-02-28", "ns") + np.arange(5) * np.timedelta64(12, "h"), "plev": ("plev", [50000.0, 85000.0], {"units": "Pa"}),
          "lat": ("lat", np.linspace(90, -90, 7), {"units": "degrees_north"}), "lon": ("lon", np.linspace(-180, 140, 9), {"units": "degrees_east"})})
ds.to_zarr(sys.argv[1], consolidated=True, encoding={"t": {"chunks": (2, 1, 4, 5)}, "msl": {"dtype": "int16", "scale_factor": 0.5, "add_offset": 1e5, "_FillValue": -32768}})
back = xr.open_zarr(sys.argv[1])
print(json.dumps({"t": back.t[3, 1].values.ravel().tolist(), "msl": back.msl[4].values.ravel().tolist()}))
`,
      path,
    ) as { t: number[]; msl: number[] };
    const source = await openSource(path);
    const at = (k: number) => Date.UTC(2020, 1, 28) / 1000 + k * 12 * hour;
    const [t] = await source.read({ time: at(3), variables: ["t850"] });
    const [msl] = await source.read({ time: at(4), variables: ["msl"] });
    expect([...t!.values]).toEqual(printed.t);
    expect([...msl!.values]).toEqual(printed.msl);
  });

  it("is regridded from a curvilinear grid, as NetCDF is", async () => {
    const [zarr, netcdf] = [join(folder, "curvilinear.zarr"), join(folder, "curvilinear.nc")];
    runPython(
      `
import json, sys, numpy as np, xarray as xr
y, x = np.meshgrid(np.linspace(50, 40, 6), np.linspace(0, 8, 8), indexing="ij")
ds = xr.Dataset({"t2m": (("y", "x"), np.arange(48, dtype="f4").reshape(6, 8), {"units": "K"})},
  coords={"lat": (("y", "x"), y + 0.1 * x, {"units": "degrees_north"}), "lon": (("y", "x"), x + 0.05 * y, {"units": "degrees_east"})})
ds.to_zarr(sys.argv[1])
ds.to_netcdf(sys.argv[2])
print(json.dumps({}))
`,
      ...[zarr, netcdf],
    );
    const regrid = { to: regularGrid({ lat0: 47, dlat: 1, ny: 3, lon0: 5, dlon: 1, nx: 4 }), method: "nearest" };
    const read = async (path: string) => {
      const source = await openSource(path, { regrid });
      return (await source.read({ time: 0, variables: ["t2m"] }))[0]!.values;
    };
    const values = await read(zarr);
    expect(values).toEqual(await read(netcdf));
    expect(new Set(values).size).toBeGreaterThan(6);
    expect(await failure(openSource(zarr))).toMatch(/curvilinear[\s\S]*--regrid/);
  });
});
