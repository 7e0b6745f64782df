import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { formatError, InterruptedError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { golden } from "../io/golden.test-support.js";
import { openObjectStore } from "../io/remote/object-store.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { coalescedStore } from "./coalesced-store.js";
import { DataCache } from "./data-cache.js";
import { openSource } from "./open.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-remote-"));
afterAll(() => rmSync(folder, { recursive: true }));
const servers: TestServer[] = [];
const serve = async (files: Record<string, Uint8Array | string>): Promise<TestServer> => {
  const server = await startServer(files);
  servers.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
let made = 0;
const cacheHere = () => new DataCache(join(folder, String(made++)));
const asked = (server: TestServer) => server.seen.splice(0).map((s) => `${s.method} ${s.path}`);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );

describe("files at an address", () => {
  it("are fetched once, opened like local ones, and joined with them", async () => {
    const server = await serve({ "/a/cds.nc": readFileSync(golden("sources/cds2024.nc")) });
    const cache = cacheHere();
    const started: string[] = [];
    const progress: Progress = { start: (label) => void started.push(label), update() {}, note() {}, finish() {} };
    const local = await openSource(golden("sources/cds2024.nc"));
    const time = local.times[0]!;
    const [truth] = await local.read({ time, variables: ["z500"] });
    for (let i = 0; i < 2; i++) {
      const source = await openSource(`${server.url}/a/cds.nc`, { remote: { cache, progress } });
      expect((await source.read({ time, variables: ["z500"] }))[0]!.values).toEqual(truth!.values);
      await source.close();
    }
    expect(asked(server)).toEqual(["HEAD /a/cds.nc", "GET /a/cds.nc", "HEAD /a/cds.nc"]);
    expect(started).toEqual(["fetching cds.nc"]);
    expect(
      await failure(openSource([`${server.url}/a/cds.nc`, golden("sources/cds2024.nc")], { remote: { cache } })),
    ).toMatch(/two fields give z850/);
    expect(
      await failure(openSource([`${server.url}/a/cds.nc`, golden("io/multi.grib")], { remote: { cache } })),
    ).toMatch(/several formats: 1 netcdf \(cds.nc\), 1 grib/);
  });

  it("are told by their first bytes where the name says nothing", async () => {
    const server = await serve({
      "/download": readFileSync(golden("sources/cmip.nc")),
      "/text": "hello",
      "/error.nc": '{"detail": "licence"}',
    });
    const open = (path: string) => openSource(`${server.url}/${path}`, { remote: { cache: cacheHere() } });
    const source = await open("download?id=7&token=abc");
    expect(source.variables.map((v) => v.name)).toContain("gh850");
    await source.close();
    expect(await failure(open("text"))).toMatch(/neither GRIB nor NetCDF[\s\S]*at: http.*text/);
    expect(await failure(open("error.nc"))).toMatch(/JSON text[\s\S]*at: http.*error.nc/);
    expect(await failure(open("gone.nc"))).toMatch(/no such object[\s\S]*gone.nc/);
  });

  it("are not opened when they come cut, and the fetch can be interrupted", async () => {
    const server = await serve({ "/big.nc": new Uint8Array(3_000_000) });
    server.faults.set("/big.nc", { slow: 100 });
    const abort = new AbortController();
    setTimeout(() => abort.abort(new InterruptedError("interrupted")), 50);
    const cache = cacheHere();
    const start = performance.now();
    await expect(openSource(`${server.url}/big.nc`, { remote: { cache, signal: abort.signal } })).rejects.toThrow(
      "interrupted",
    );
    expect(performance.now() - start).toBeLessThan(5000);
    server.faults.set("/big.nc", { contentLength: 3_000_000, resetAfter: 1000 });
    expect(await failure(openSource(`${server.url}/big.nc`, { remote: { cache, retries: 0 } }))).toMatch(
      /error: (the connection|the transfer)/,
    );
  });
});

describe("coalescedStore", () => {
  it("fetches neighbours together and gives each its own", async () => {
    const data = Uint8Array.from({ length: 900_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
    const server = await serve({ "/a": data, "/b": data });
    const read = async (store: ReturnType<typeof coalescedStore>, path: string, start: number, end: number) => {
      const { body, offset, size } = await store.stream(path, { start, end });
      const got = Buffer.from(await new Response(body).arrayBuffer());
      expect(size).toBe(900_000);
      return got.subarray(start - offset, end - offset);
    };
    for (const noRanges of [false, true]) {
      const store = coalescedStore(openObjectStore(server.url));
      server.faults.set("/a", { noRanges });
      const wanted = [
        [100, 200],
        [150, 260],
        [5000, 5001],
        [800_000, 800_100],
      ] as const;
      const got = await Promise.all([...wanted.map(([s, e]) => read(store, "a", s, e)), read(store, "b", 0, 10)]);
      for (const [i, [s, e]] of wanted.entries()) expect(got[i]!.equals(data.slice(s, e))).toBe(true);
      expect(
        server.seen
          .splice(0)
          .map((s) => `${s.path} ${s.headers.range}`)
          .sort(),
      ).toEqual(["/a bytes=100-5000", "/a bytes=800000-800099", "/b bytes=0-9"]);
    }
    server.faults.set("/a", { status: 404 });
    const store = coalescedStore(openObjectStore(server.url));
    const results = await Promise.allSettled([read(store, "a", 0, 5), read(store, "a", 5, 9)]);
    expect(results.map((r) => r.status)).toEqual(["rejected", "rejected"]);
  });
});
