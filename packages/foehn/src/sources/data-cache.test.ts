import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DataCache, dataCacheDir, dataCacheLimit } from "./data-cache.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-cache-"));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const fresh = () => join(folder, String(made++));
const bytes = (n: number, from = 0) => Uint8Array.from({ length: n }, (_, i) => (i * 7 + from) & 255);
const filesOf = (root: string) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => e.name);

describe("the place and the size", () => {
  it("come from the environment: the data cache's own variable, the cache's, the root's, the system's", () => {
    const all = { FOEHN_DATA_CACHE: "/d", FOEHN_CACHE: "/c", FOEHN_ROOTDIR: "/r" };
    expect(dataCacheDir(all)).toBe("/d");
    expect(dataCacheDir({ ...all, FOEHN_DATA_CACHE: "" })).toBe("/c/data");
    expect(dataCacheDir({ ...all, FOEHN_DATA_CACHE: "~/d" })).toBe(join(homedir(), "d"));
    expect(dataCacheDir({ FOEHN_ROOTDIR: "/r" })).toBe("/r/cache/data");
    expect(dataCacheDir({ XDG_CACHE_HOME: "/x" })).toMatch(/data$/);
    expect([{}, { FOEHN_DATA_CACHE_SIZE: "500MB" }, { FOEHN_DATA_CACHE_SIZE: "0" }].map(dataCacheLimit)).toEqual([
      20e9, 500e6, 0,
    ]);
    expect(() => dataCacheLimit({ FOEHN_DATA_CACHE_SIZE: "much" })).toThrow(/FOEHN_DATA_CACHE_SIZE is "much"/);
  });
});

describe("DataCache", () => {
  it("gives back what was put, for each key its own", async () => {
    const cache = new DataCache(fresh());
    expect(await cache.get("a")).toBeUndefined();
    await cache.put("a", bytes(1000));
    await cache.put("b", new Uint8Array());
    expect(Buffer.from((await cache.get("a"))!)).toEqual(Buffer.from(bytes(1000)));
    expect(await cache.get("b")).toHaveLength(0);
    await cache.remove("a");
    expect(await cache.get("a")).toBeUndefined();
    expect(filesOf(cache.folder)).toEqual([basename(cache.pathOf("b"))]);
  });

  it("never takes an entry that was cut, changed or made by something else", async () => {
    const cache = new DataCache(fresh());
    const path = cache.pathOf("a");
    for (const damage of [
      () => truncateSync(path, 700),
      () => truncateSync(path, 3),
      () => writeFileSync(path, ""),
      () => {
        const all = readFileSync(path);
        all[500] = all[500]! ^ 1;
        writeFileSync(path, all);
      },
      () => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from("more")])),
    ]) {
      await cache.put("a", bytes(1000));
      damage();
      expect(await cache.get("a")).toBeUndefined();
      expect(existsSync(path)).toBe(false);
    }
  });

  it("says how much there is", async () => {
    const cache = new DataCache(fresh());
    expect(await cache.usage()).toEqual({ entries: 0, bytes: 0 });
    await cache.put("a", bytes(100));
    await cache.put("b", bytes(50));
    expect(await cache.usage()).toEqual({ entries: 2, bytes: 150 + 2 * 16 });
  });

  it("stays below its limit: what was used longest ago goes", async () => {
    let now = 1e12;
    const cache = new DataCache(fresh(), { limit: 10_000, now: () => now });
    for (const key of ["a", "b", "c", "d"]) {
      now += 7200_000;
      await cache.put(key, bytes(2000));
    }
    now += 7200_000;
    await cache.get("a");
    now += 7200_000;
    await cache.put("e", bytes(2500));
    await cache.settled();
    await cache.prune();
    const left = await Promise.all(["a", "b", "c", "d", "e"].map(async (k) => (await cache.get(k)) !== undefined));
    expect(left).toEqual([true, false, true, true, true]);
    // Nothing that is larger than all of it, and nothing at all with a limit of 0.
    await cache.put("huge", bytes(20_000));
    expect(await cache.get("huge")).toBeUndefined();
    const none = new DataCache(fresh(), { limit: 0 });
    await none.put("a", bytes(1));
    expect(await none.get("a")).toBeUndefined();
  });

  it("removes what a process that died left behind", async () => {
    const cache = new DataCache(fresh(), { limit: 2500 });
    await cache.put("a", bytes(2000));
    const left = `${cache.pathOf("a")}.abc.tmp`;
    writeFileSync(left, bytes(2000));
    utimesSync(left, 1e9, 1e9);
    await cache.prune();
    expect(existsSync(left)).toBe(false);
    expect(await cache.get("a")).toHaveLength(2000);
  });

  it("keeps whole files under their names, made once for all who ask", async () => {
    const cache = new DataCache(fresh());
    let calls = 0;
    const get = (content = "hello") =>
      cache.file("k", "era5.nc", async (temporary) => {
        calls++;
        await writeFile(temporary, content);
      });
    const paths = await Promise.all([get(), get(), get()]);
    expect(new Set(paths).size).toBe(1);
    expect(basename(paths[0]!)).toBe("era5.nc");
    expect(calls).toBe(1);
    expect(await cache.findFile("k", "era5.nc")).toBe(paths[0]);
    // Touched but the same: still good. Cut or changed: made again.
    utimesSync(paths[0]!, 1e9, 1e9);
    await get();
    expect(calls).toBe(1);
    writeFileSync(paths[0]!, "hellO");
    await get();
    truncateSync(paths[0]!, 2);
    await get();
    expect(calls).toBe(3);
    expect(readFileSync(paths[0]!, "utf8")).toBe("hello");
    // A download that fails leaves nothing.
    await expect(
      cache.file("other", "x.nc", async (temporary) => {
        await writeFile(temporary, "half");
        throw new Error("cut");
      }),
    ).rejects.toThrow("cut");
    expect(await cache.findFile("other", "x.nc")).toBeUndefined();
    expect(filesOf(cache.folder).sort()).toEqual(["entry.json", "era5.nc"]);
  });

  it("warns once and goes on when it cannot be written", async () => {
    const file = join(folder, "not-a-folder");
    writeFileSync(file, "x");
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    const cache = new DataCache(join(file, "cache"));
    await cache.put("a", bytes(10));
    await cache.put("b", bytes(10));
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off("warning", listen);
    expect(warnings.map((w) => w.message)).toEqual([
      expect.stringMatching(/data cache cannot be written.*a part of the path is a file/),
    ]);
  });
});
