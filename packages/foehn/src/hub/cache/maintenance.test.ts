import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startServer, type TestServer } from "../../io/remote/server.test-support.js";
import { Package } from "../package.js";
import { listCached, prune, verifyCache } from "./maintenance.js";

let root: string;
let server: TestServer;
const cache = (): { folder: string } => ({ folder: join(root, "cache") });
const resolve = (name: string, file: string): Promise<string> =>
  new Package(`${server.url}/${name}`, { cache: cache(), lock: false }).resolve(file);
const sha256 = (data: string): string => createHash("sha256").update(data).digest("hex");
const age = async (name: string, hours: number): Promise<void> => {
  const folder = join(root, "cache", "entries");
  for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!item.isFile() || !item.parentPath.includes(name)) continue;
    const then = new Date(Date.now() - hours * 3_600_000);
    await utimes(join(item.parentPath, item.name), then, then);
  }
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "foehn-upkeep-"));
  server = await startServer({
    "/one/w": "w".repeat(1000),
    "/one/c": "c",
    "/two/w": "w".repeat(1000),
    "/three/t": "t".repeat(500),
  });
  for (const [name, file] of [
    ["one", "w"],
    ["one", "c"],
    ["two", "w"],
    ["three", "t"],
  ] as const)
    await resolve(name, file);
});
afterEach(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

describe("upkeep of the cache", () => {
  it("lists what is there", async () => {
    await age("one", 5);
    const packages = await listCached({ cache: cache() });
    expect(packages.map((p) => [p.package.split("/").at(-1), p.bytes, p.files.length])).toEqual([
      ["three", 500, 1],
      ["two", 1000, 1],
      ["one", 1001, 2],
    ]);
    expect(packages[2]?.files.find(({ path }) => path === "w")?.sha256).toBe(sha256("w".repeat(1000)));
    expect((packages[0]?.lastUsed ?? 0) - (packages[2]?.lastUsed ?? 0)).toBeGreaterThan(4 * 3600);
    expect(await listCached({ cache: { folder: join(root, "none") } })).toEqual([]);
  });

  it("finds a flipped bit that size and time hide, and takes it out", async () => {
    const path = await resolve("three", "t");
    const { atime, mtime } = await stat(path);
    await chmod(path, 0o644);
    await writeFile(path, `u${"t".repeat(499)}`);
    await utimes(path, atime, mtime);
    const result = await verifyCache({ cache: cache() });
    expect(result.checked).toBe(4);
    expect(result.damaged).toMatchObject([{ path: "t", why: expect.stringContaining("sha256") }]);
    expect(await readFile(await resolve("three", "t"), "utf8")).toBe("t".repeat(500));
    expect((await verifyCache({ cache: cache() })).damaged).toEqual([]);
  });

  it("takes away by age, by name and by size; equal contents stay while somebody has them", async () => {
    await age("one", 5);
    const old = await prune({ cache: cache(), unusedFor: 4 * 3600, dryRun: true });
    expect(old).toMatchObject({ removed: [{ path: "c" }, { path: "w" }], bytes: 1 });
    expect(await listCached({ cache: cache() })).toHaveLength(3);
    await prune({ cache: cache(), unusedFor: 4 * 3600 });
    expect((await listCached({ cache: cache() })).map((p) => p.bytes).sort()).toEqual([1000, 500]);
    await age("three", 1);
    expect(await prune({ cache: cache(), maxBytes: 1200 })).toMatchObject({ removed: [{ path: "t" }], bytes: 500 });
    expect(await readFile(await resolve("two", "w"), "utf8")).toBe("w".repeat(1000));
    expect(await prune({ cache: cache(), package: "two" })).toMatchObject({ removed: [{ path: "w" }], bytes: 1000 });
    const names = await readdir(join(root, "cache"), { recursive: true, withFileTypes: true });
    expect(
      names
        .filter((item) => item.isFile())
        .map((item) => item.name)
        .filter((name) => !name.endsWith(".json")),
    ).toEqual([]);
  });

  it("touches nothing outside of the cache, whatever an entry says", async () => {
    const outside = join(root, "precious");
    await writeFile(outside, "p");
    const [folder] = await readdir(join(root, "cache", "entries"));
    const path = join(root, "cache", "entries", folder!);
    const [file] = await readdir(path);
    const entry = JSON.parse(await readFile(join(path, file!), "utf8"));
    await writeFile(join(path, "evil.json"), JSON.stringify({ ...entry, path: "../../../precious" }));
    expect((await verifyCache({ cache: cache() })).damaged).toEqual([]);
    await prune({ cache: cache(), unusedFor: -1 });
    expect(await readFile(outside, "utf8")).toBe("p");
    expect(await listCached({ cache: cache() })).toEqual([]);
  });

  it("takes away names of which no entry tells any more, with their contents", async () => {
    const path = await resolve("three", "t");
    const entries = join(root, "cache", "entries");
    const known = (await readdir(entries, { recursive: true })).find((name) => name.endsWith("t.json"))!;
    await rm(join(entries, known));
    await prune({ cache: cache() });
    await stat(path); // it may just be on its way
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 2 * 3_600_000);
    expect(await prune({ cache: cache() })).toEqual({ removed: [], bytes: 500 });
    await expect(stat(path)).rejects.toThrow();
    expect(await listCached({ cache: cache() })).toHaveLength(2);
    vi.restoreAllMocks();
    expect((await verifyCache({ cache: cache() })).damaged).toEqual([]);
  });

  it("takes strays away once they are old", async () => {
    const partial = join(root, "cache", "partial", "abc");
    const blob = join(root, "cache", "blobs", "sha256", "aa", "a".repeat(64));
    const { mkdir } = await import("node:fs/promises");
    for (const path of [partial, blob]) {
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, "12345");
    }
    expect((await prune({ cache: cache() })).bytes).toBe(0);
    for (const path of [partial, blob]) await utimes(path, new Date(0), new Date(0));
    expect(await prune({ cache: cache() })).toEqual({ removed: [], bytes: 10 });
    await expect(stat(partial)).rejects.toThrow();
    await expect(stat(blob)).rejects.toThrow();
  });
});
