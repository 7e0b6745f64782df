import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { isNotFound } from "../io/remote/http.js";
import { openObjectStore } from "../io/remote/object-store.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { type CachedStoreOptions, cachedStore, fetchFile } from "./cached-store.js";
import { DataCache } from "./data-cache.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-cached-"));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const servers: TestServer[] = [];
const serve = async (files: Record<string, Uint8Array | string>): Promise<TestServer> => {
  const server = await startServer(files);
  servers.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
const cacheHere = () => new DataCache(join(folder, String(made++)));
const open = (server: TestServer, options: CachedStoreOptions = {}) =>
  cachedStore(openObjectStore(server.url, { retries: 1, retryDelayMs: 1 }), { cache: cacheHere(), ...options });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const asked = (server: TestServer) => server.seen.splice(0).map((s) => `${s.method} ${s.path}`);
const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 7 + (i >> 8)) & 255);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );

describe("cachedStore", () => {
  it("fetches objects and parts once, also for the next process", async () => {
    const server = await serve({ "/a": "0123456789" });
    const cache = cacheHere();
    for (const store of [open(server, { cache }), open(server, { cache })]) {
      expect(text(await store.read("a"))).toBe("0123456789");
      expect(text(await store.read("a", { start: 2, end: 5 }))).toBe("234");
      expect(text(await store.read("a", { start: -3 }))).toBe("789");
    }
    expect(asked(server)).toEqual(["GET /a", "GET /a", "GET /a"]);
  });

  it("asks for what may change each time, and doubts the rest when it did", async () => {
    const server = await serve({ "/meta": "one", "/chunk": "old" });
    const cache = cacheHere();
    const options = { cache, mutable: (path: string) => path === "meta" };
    const first = open(server, options);
    await first.read("meta");
    await first.read("chunk");
    const second = open(server, options);
    expect(text(await second.read("meta"))).toBe("one");
    await second.read("chunk");
    expect(asked(server)).toEqual(["GET /meta", "GET /chunk", "HEAD /meta"]);
    server.files.set("/meta", Buffer.from("two"));
    server.files.set("/chunk", Buffer.from("new"));
    const third = open(server, options);
    expect(text(await third.read("meta"))).toBe("two");
    expect(text(await third.read("chunk"))).toBe("new");
    expect(asked(server)).toEqual(["HEAD /meta", "GET /meta", "HEAD /chunk", "GET /chunk"]);
  });

  it("asks again after a week, and takes the answer for another one", async () => {
    const server = await serve({ "/a": "x" });
    let now = Date.now();
    const cache = new DataCache(join(folder, String(made++)), { now: () => now });
    const store = open(server, { cache, now: () => now });
    await store.read("a");
    now += 8 * 86_400_000;
    await store.read("a");
    await store.read("a");
    expect(asked(server)).toEqual(["GET /a", "HEAD /a"]);
  });

  it("works without a network from what is there, and says what is not", async () => {
    const server = await serve({ "/a": "x" });
    const cache = cacheHere();
    const store = open(server, { cache });
    await store.read("a");
    expect(isNotFound(await store.read("gone").catch((error) => error))).toBe(true);
    asked(server);
    const offline = open(server, { cache, offline: true, mutable: () => true });
    expect(text(await offline.read("a"))).toBe("x");
    expect(await offline.head("a")).toMatchObject({ size: 1 });
    expect(isNotFound(await offline.read("gone").catch((error) => error))).toBe(true);
    expect(await failure(offline.read("b"))).toMatch(
      /not in the data cache, and FOEHN_OFFLINE[\s\S]*\/b[\s\S]*run once with the network/,
    );
    expect(asked(server)).toEqual([]);
  });

  it("remembers for an hour that something is not there", async () => {
    const server = await serve({});
    let now = Date.now();
    const store = open(server, { now: () => now });
    const read = () => store.read("c/0").catch(isNotFound);
    expect([await read(), await read()]).toEqual([true, true]);
    expect(asked(server)).toEqual(["GET /c/0"]);
    now += 2 * 3600_000;
    server.files.set("/c/0", Buffer.from("now"));
    expect(text((await read()) as Uint8Array)).toBe("now");
  });

  it("takes parts from servers that know none, and never a transfer that broke off", async () => {
    const server = await serve({ "/a": bytes(5000), "/b": bytes(5000) });
    server.faults.set("/a", { noRanges: true });
    const store = open(server);
    expect(Buffer.from(await store.read("a", { start: 100, end: 103 }))).toEqual(Buffer.from(bytes(103).slice(100)));
    expect(Buffer.from(await store.read("a", { start: -2 }))).toEqual(Buffer.from(bytes(5000).slice(4998)));
    server.faults.set("/b", { resetAfter: 1000, times: 2 });
    expect(Buffer.from(await store.read("b")).equals(bytes(5000))).toBe(true);
    expect(asked(server).filter((line) => line === "GET /b")).toHaveLength(3);
    server.faults.set("/b", { resetAfter: 1000 });
    const other = open(server);
    expect(await failure(other.read("b"))).toMatch(/error: /);
    server.faults.clear();
    expect(await other.read("b")).toHaveLength(5000);
  });

  it("keeps stores of the same name apart", async () => {
    const server = await serve({ "/a": "x" });
    const cache = cacheHere();
    await open(server, { cache, identity: "one" }).read("a");
    await open(server, { cache, identity: "two" }).read("a");
    expect(asked(server)).toHaveLength(2);
  });
});

describe("fetchFile", () => {
  const options = (cache: DataCache) => ({ cache, name: "data.nc" });

  it("downloads once, goes on where it broke off, and notices a new version", async () => {
    const server = await serve({ "/data.nc": bytes(300_000) });
    server.faults.set("/data.nc", { resetAfter: 200_000, times: 2 }); // HEAD counts too
    const cache = cacheHere();
    const store = openObjectStore(`${server.url}/data.nc`, { retryDelayMs: 1 });
    const seen: number[] = [];
    const path = await fetchFile(store, "", { ...options(cache), onProgress: (done) => seen.push(done) });
    expect(readFileSync(path).equals(bytes(300_000))).toBe(true);
    expect(seen.at(-1)).toBe(300_000);
    const ranges = server.seen.map((s) => `${s.method} ${s.headers.range ?? ""}`);
    expect(ranges.slice(0, 2)).toEqual(["HEAD ", "GET bytes=0-8388607"]);
    expect(ranges.some((line) => /GET bytes=[1-9]\d*-/.test(line))).toBe(true);
    asked(server);
    expect(await fetchFile(store, "", options(cache))).toBe(path);
    expect(asked(server)).toEqual(["HEAD /data.nc"]);
    expect(await fetchFile(store, "", { ...options(cache), offline: true })).toBe(path);
    expect(asked(server)).toEqual([]);
    server.files.set("/data.nc", Buffer.from("new"));
    expect(readFileSync(await fetchFile(store, "", options(cache)), "utf8")).toBe("new");
  });

  it("explains a file that is not there", async () => {
    const server = await serve({});
    const store = openObjectStore(`${server.url}/data.nc`);
    expect(await failure(fetchFile(store, "", options(cacheHere())))).toMatch(/no such object[\s\S]*data.nc/);
    expect(await failure(fetchFile(store, "", { ...options(cacheHere()), offline: true }))).toMatch(/FOEHN_OFFLINE/);
  });
});
