import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { InterruptedError } from "../core/errors.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { Package, type PackageOptions } from "./package.js";

const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");
const bytes = (count: number, seed = 7): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, i) => (i * seed + (i >> 8)) & 255));

let root: string;
const servers: TestServer[] = [];
const serve = async (...args: Parameters<typeof startServer>): Promise<TestServer> => {
  const server = await startServer(...args);
  servers.push(server);
  return server;
};
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "foehn-cache-"));
  for (const name of ["FOEHN_OFFLINE", "FOEHN_CACHE_READONLY", "HF_TOKEN", "NGC_CLI_API_KEY"])
    vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await chmod(root, 0o755);
  await rm(root, { recursive: true, force: true });
});

const transfer = { segmentBytes: 4096, connections: 3, retryDelayMs: 1 };
const open = (uri: string, options: PackageOptions & { folder?: string } = {}): Package => {
  const { folder = join(root, "cache"), offline, refresh, ...rest } = options;
  return new Package(uri, {
    cache: { folder, transfer, offline, refresh },
    retryDelayMs: 1,
    timeoutMs: 5000,
    lock: false,
    ...rest,
  });
};

const weights = bytes(50_000);
const table = { "weights.bin": { sha256: sha256(weights), size: weights.length } };
const manifest = JSON.stringify({ in_channels_names: ["t2m"], architecture: "persistence", files: table });
const withTable = (): Promise<TestServer> => serve({ "/m/metadata.json": manifest, "/m/weights.bin": weights });
const withoutTable = (): Promise<TestServer> => serve({ "/m/weights.bin": weights, "/m/sub/weights.bin": bytes(100) });
const cached = async (path: string): Promise<string> => sha256(await readFile(path));
const left = async (folder: string): Promise<string[]> => readdir(join(root, "cache", folder)).catch(() => []);

describe("a package on a web server", () => {
  it("brings nothing before it is used, and each file once", async () => {
    const server = await withTable();
    const pkg = open(`${server.url}/m`);
    expect(server.seen).toHaveLength(0);
    expect(pkg.trusted).toBe(false);
    const [path, same] = await Promise.all([pkg.resolve("weights.bin"), pkg.get("weights.bin")]);
    expect(path).toMatch(/[\\/]weights\.bin$/);
    expect(same).toBe(path);
    expect(await cached(path)).toBe(table["weights.bin"].sha256);
    expect(server.sent()).toBe(weights.length + manifest.length);
    const before = server.seen.length;
    expect(await open(`${server.url}/m`).resolve("weights.bin")).toBe(path);
    expect(server.seen).toHaveLength(before);
    expect((await pkg.metadata()).architecture).toBe("persistence");
    expect((await pkg.list()).map((file) => file.path)).toEqual(["metadata.json", "weights.bin"]);
    const chunks: Buffer[] = [];
    for await (const chunk of await pkg.open("weights.bin")) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(weights)).toBe(true);
    expect([await left("partial"), await left("locks")]).toEqual([[], []]);
  });

  it("asks again for what has no hash when it is told to, and takes what is new", async () => {
    const server = await withoutTable();
    const [path] = await Promise.all([open(`${server.url}/m`).resolve("weights.bin")]);
    const sent = server.sent();
    expect(await open(`${server.url}/m`, { refresh: true }).resolve("weights.bin")).toBe(path);
    expect(server.sent()).toBe(sent);
    server.files.set("/m/weights.bin", bytes(60_000, 3));
    expect(await cached(await open(`${server.url}/m`).resolve("weights.bin"))).toBe(table["weights.bin"].sha256);
    expect(await cached(await open(`${server.url}/m`, { refresh: true }).resolve("weights.bin"))).toBe(
      sha256(bytes(60_000, 3)),
    );
    // Two files of one name are two files.
    expect(await cached(await open(`${server.url}/m`).resolve("sub/weights.bin"))).toBe(sha256(bytes(100)));
  });

  it("takes new contents when the table of files names them", async () => {
    const server = await withTable();
    await open(`${server.url}/m`).resolve("weights.bin");
    const other = bytes(50_000, 9);
    server.files.set("/m/weights.bin", other);
    server.files.set("/m/metadata.json", Buffer.from(manifest.replace(table["weights.bin"].sha256, sha256(other))));
    expect(await cached(await open(`${server.url}/m`, { refresh: true }).resolve("weights.bin"))).toBe(sha256(other));
  });

  it("says which file there is when a name is wrong, and refuses paths that lead out", async () => {
    const server = await withTable();
    const pkg = open(`${server.url}/m`);
    await expect(pkg.resolve("weight.bin")).rejects.toMatchObject({
      code: "model",
      hint: 'Did you mean "weights.bin"?',
    });
    for (const path of ["../x", "/etc/passwd", "a\\..\\b", "a/../../b", "%2e%2e/x", "C:\\x", "a\0", ""]) {
      await expect(pkg.resolve(path), path).rejects.toMatchObject({ code: "usage" });
    }
    await expect(open(`${server.url}/none`).metadata()).rejects.toThrow(/there is no package at .*no metadata.json/);
    await expect(open(`${server.url}/none`).resolve("x")).rejects.toMatchObject({ code: "model" });
    await expect(open(`${server.url}/none`).list()).rejects.toThrow(/cannot be listed/);
  });

  it("does not read a metadata.json that never ends", async () => {
    let written = 0;
    const server = await serve({}, async (request, response) => {
      if (request.url !== "/m/metadata.json") return false;
      response.writeHead(200);
      const chunk = Buffer.alloc(8 << 20, " ");
      while (!response.destroyed && written < 400 << 20) {
        written += chunk.length;
        if (!response.write(chunk)) await new Promise((go) => response.once("drain", go).once("close", go));
      }
      response.end();
      return true;
    });
    await expect(open(`${server.url}/m`).metadata()).rejects.toThrow(/sends more than the 67108864 bytes/);
    expect(written).toBeLessThan(200 << 20);
    expect([await left("partial"), await left("blobs")]).toEqual([[], []]);
  });

  it("does not serve what a hostile table or file name asks for", async () => {
    const hostile = JSON.stringify({
      in_channels_names: ["t2m"],
      files: { "../../evil": { sha256: sha256("x"), size: 1 }, "weights.bin": table["weights.bin"] },
    });
    const server = await serve({ "/m/metadata.json": hostile, "/evil": "x", "/m/weights.bin": weights });
    const pkg = open(`${server.url}/m`);
    await expect(pkg.resolve("../../evil")).rejects.toMatchObject({ code: "usage" });
    await expect(pkg.metadata()).rejects.toMatchObject({ code: "config" });
    expect(await readdir(root)).toEqual(["cache"]);
  });
});

describe("faults of the server", () => {
  it.each([
    ["resets in the middle, twice", { resetAfter: 3000, times: 2 }],
    ["has no ranges", { noRanges: true }],
    ["has no ranges and resets once", { noRanges: true, resetAfter: 20_000, times: 1 }],
    ["turns a bit over, once", { flipBit: 80_001, times: 13 }],
    ["is busy", { status: 503, times: 2, headers: { "retry-after": "0" } }],
    ["asks to wait", { status: 429, times: 1, headers: { "retry-after": "0" } }],
  ])("that %s: the right file arrives", async (_, fault) => {
    const server = await withTable();
    server.faults.set("/m/weights.bin", fault);
    expect(await cached(await open(`${server.url}/m`).resolve("weights.bin"))).toBe(table["weights.bin"].sha256);
    expect([await left("partial"), await left("locks")]).toEqual([[], []]);
  });

  it.each([
    ["always turns a bit over", { flipBit: 80_001 }, /not the file that was expected: its sha256/],
    ["sends less than it says", { noRanges: true, resetAfter: 20_000 }, /connection|closed|terminated/],
    ["resets after every few bytes", { resetAfter: 100 }, /connection|closed|terminated/],
    ["says that the file is shorter", { noRanges: true, contentLength: 20_000 }, /20000 bytes, expected were 50000/],
    ["says that the file is longer", { noRanges: true, contentLength: 90_000 }, /90000 bytes, expected were 50000/],
    ["refuses", { status: 403 }, /403/],
    ["asks for a password", { status: 401 }, /401/],
    ["redirects in a circle", { status: 302, headers: { location: "/m/weights.bin" } }, /redirected more than/],
    ["is broken", { status: 500 }, /500/],
  ])("that %s: nothing wrong is served or kept", async (_, fault, message) => {
    const server = await withTable();
    server.faults.set("/m/weights.bin", fault);
    const pkg = open(`${server.url}/m`, { retries: 1 });
    await expect(pkg.resolve("weights.bin")).rejects.toThrow(message);
    await expect(pkg.resolve("weights.bin")).rejects.toMatchObject({ code: "network", hint: expect.any(String) });
    const blobs = await readdir(join(root, "cache", "blobs"), { recursive: true });
    expect(blobs.filter((name) => name.length > 60).map((name) => name.slice(-64))).toEqual([sha256(manifest)]);
    server.faults.clear();
    expect(await cached(await pkg.resolve("weights.bin"))).toBe(table["weights.bin"].sha256);
  });

  it("that has no hash and sends less than it says: nothing is kept", async () => {
    const server = await withoutTable();
    server.faults.set("/m/weights.bin", { noRanges: true, resetAfter: 20_000 });
    await expect(open(`${server.url}/m`, { retries: 0 }).resolve("weights.bin")).rejects.toMatchObject({
      code: "network",
    });
    expect(await readdir(join(root, "cache", "blobs", "sha256")).catch(() => [])).toEqual([]);
  });

  it("that replaces the file during the download: one version arrives", async () => {
    const server = await serve({ "/m/weights.bin": weights });
    server.faults.set("/m/weights.bin", { slow: 4000, resetAfter: 4000 });
    const other = bytes(40_000, 5);
    setTimeout(() => {
      server.files.set("/m/weights.bin", other);
      server.faults.clear();
    }, 30);
    const got = await cached(await open(`${server.url}/m`).resolve("weights.bin"));
    expect([sha256(other), sha256(weights)]).toContain(got);
  });

  it("that replaces the file by one of the same length, and gives no tag: one version arrives", async () => {
    const [old, other] = [bytes(40_000, 5), bytes(40_000, 6)];
    let asked = 0;
    const server = await serve({}, (request, response) => {
      if (request.url !== "/m/weights.bin") return false;
      const [start, end] = /bytes=(\d+)-(\d+)/
        .exec(request.headers.range ?? "")!
        .slice(1)
        .map(Number) as [number, number];
      const isOld = asked++ < 3;
      response.writeHead(206, {
        "content-range": `bytes ${start}-${Math.min(end, 39_999)}/40000`,
        "last-modified": `Wed, 0${isOld ? 1 : 2} Jan 2020 00:00:00 GMT`,
      });
      response.end((isOld ? old : other).subarray(start, end + 1));
      return true;
    });
    expect(await cached(await open(`${server.url}/m`).resolve("weights.bin"))).toBe(sha256(other));
  });

  it("that redirects to another host does not see the token there", async () => {
    const other = await serve({ "/w": weights });
    const server = await serve({});
    server.faults.set("/m/weights.bin", { status: 302, headers: { location: `${other.url}/w` } });
    await open(`${server.url}/m`, { token: "geheim" }).resolve("weights.bin");
    expect(server.seen.at(-1)?.headers.authorization).toBe("Bearer geheim");
    expect(other.seen.length).toBeGreaterThan(0);
    for (const { headers } of other.seen) expect(headers.authorization).toBeUndefined();
  });

  it("that wants a password or a signature: neither is shown or kept", async () => {
    const server = await withTable();
    const address = new URL(`${server.url}/m?sig=geheim1`);
    address.username = "me";
    address.password = "geheim2";
    const pkg = open(address.href);
    await pkg.resolve("weights.bin");
    expect(server.seen.at(-1)?.headers.authorization).toBe(`Basic ${btoa("me:geheim2")}`);
    expect(server.seen.at(-1)?.path).toBe("/m/weights.bin?sig=geheim1");
    const failure = await pkg.resolve("none").catch((error: unknown) => error);
    const entries = await readdir(join(root, "cache", "entries"), { recursive: true, withFileTypes: true });
    const files = entries
      .filter((item) => item.isFile())
      .map((item) => readFile(join(item.parentPath, item.name), "utf8"));
    const shown = [pkg.uri, String(failure), JSON.stringify(failure), ...(await Promise.all(files))].join();
    expect(shown).toContain("/m");
    expect(shown).not.toMatch(/geheim/);
  });

  it("goes on where an interrupted download stopped", async () => {
    const server = await withTable();
    server.faults.set("/m/weights.bin", { slow: 1500 });
    const stop = new AbortController();
    const pkg = open(`${server.url}/m`);
    const pull = pkg.resolve("weights.bin", {
      signal: stop.signal,
      onBytes: (done) => done > 20_000 && stop.abort(new InterruptedError("interrupted")),
    });
    await expect(pull).rejects.toMatchObject({ code: "interrupted" });
    server.faults.clear();
    const before = server.sent();
    expect(await cached(await pkg.resolve("weights.bin"))).toBe(table["weights.bin"].sha256);
    expect(server.sent() - before).toBeLessThan(weights.length - 15_000);
  });
});

describe("the cache", () => {
  it("finds what was altered, cut or taken away, and brings it again", async () => {
    const server = await withTable();
    const path = await open(`${server.url}/m`).resolve("weights.bin");
    const spoil = [
      async () => writeFile(path, bytes(50_000, 11)),
      async () => writeFile(path, weights.subarray(0, 1000)),
      async () => rm(path),
    ];
    for (const [i, harm] of spoil.entries()) {
      await chmod(path, 0o644);
      await harm();
      expect(await cached(await open(`${server.url}/m`).resolve("weights.bin")), `harm ${i}`).toBe(
        table["weights.bin"].sha256,
      );
    }
    // Another time alone is no harm: the hash decides, without a transfer.
    await utimes(path, new Date(), new Date(0));
    const sent = server.sent();
    await open(`${server.url}/m`).resolve("weights.bin");
    expect(server.sent()).toBe(sent);
  });

  it("keeps equal contents once, and names of packages apart", async () => {
    const server = await withTable();
    server.files.set("/n/metadata.json", Buffer.from(manifest));
    server.files.set("/n/weights.bin", bytes(10)); // never asked for: the contents are here
    const a = await open(`${server.url}/m`).resolve("weights.bin");
    const b = await open(`${server.url}/n`).resolve("weights.bin");
    expect(b).not.toBe(a);
    expect((await stat(a)).ino).toBe((await stat(b)).ino);
    expect(server.seen.filter(({ path }) => path === "/n/weights.bin")).toEqual([]);
  });

  it("is enough without a network, and says what it lacks", async () => {
    const server = await withTable();
    const uri = `${server.url}/m`;
    await open(uri).resolve("metadata.json");
    await expect(open(uri, { offline: true }).resolve("weights.bin")).rejects.toMatchObject({
      code: "network",
      message: expect.stringMatching(/weights.bin of .* is not in the cache, and Foehn is offline/),
      hint: expect.stringContaining("foehn package pull"),
    });
    await open(uri).resolve("weights.bin");
    await server.close();
    vi.stubEnv("FOEHN_OFFLINE", "1");
    expect(await cached(await open(uri).resolve("weights.bin"))).toBe(table["weights.bin"].sha256);
    vi.stubEnv("FOEHN_OFFLINE", undefined);
    // A server that is away is no trouble for what is here.
    const notes: string[] = [];
    const progress = { start() {}, update() {}, finish() {}, note: (line: string) => void notes.push(line) };
    expect(await open(uri, { refresh: true, retries: 0, progress }).resolve("weights.bin")).toMatch(/weights.bin$/);
    expect(notes.join()).toMatch(/cannot be reached: using metadata.json from the cache/);
  });

  it("reads a second cache and never writes it", async () => {
    const server = await withTable();
    const uri = `${server.url}/m`;
    const site = join(root, "site");
    await open(uri, { folder: site }).resolve("weights.bin");
    const names = (await readdir(site, { recursive: true })).sort();
    vi.stubEnv("FOEHN_CACHE_READONLY", site);
    const sent = server.sent();
    const path = await open(uri).resolve("weights.bin");
    expect(path.startsWith(site)).toBe(true);
    expect(server.sent()).toBe(sent);
    // A damaged file of the site is not used, and not repaired either.
    await chmod(path, 0o644);
    await writeFile(path, bytes(50_000, 13));
    const own = await open(uri).resolve("weights.bin");
    expect(own.startsWith(join(root, "cache"))).toBe(true);
    expect(await cached(own)).toBe(table["weights.bin"].sha256);
    expect((await readdir(site, { recursive: true })).sort()).toEqual(names);
  });

  it.skipIf(process.getuid?.() === 0)("says when it cannot be written", async () => {
    const server = await withTable();
    await chmod(root, 0o555);
    await expect(open(`${server.url}/m`).resolve("weights.bin")).rejects.toMatchObject({ code: "storage" });
  });
});

it("a disk that takes no more is said, and nothing is left", async (context) => {
  const dist = new URL("../../dist/hub/package.js", import.meta.url);
  if (!existsSync(dist)) context.skip("packages/foehn/dist is not built");
  const server = await serve({ "/m/weights.bin": bytes(600_000) });
  const script = `
    const { Package } = await import(${JSON.stringify(dist.href)});
    const pkg = new Package(${JSON.stringify(`${server.url}/m`)}, { cache: ${JSON.stringify(join(root, "cache"))}, lock: false });
    await pkg.resolve("weights.bin").catch((error) => console.log(JSON.stringify({ code: error.code, message: error.message })));`;
  // An ignored SIGXFSZ turns the limit into an error of the write.
  const command = `trap '' XFSZ; ulimit -f 200; exec "$0" --input-type=module -e "$1"`;
  const child = spawn("bash", ["-c", command, process.execPath, script], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(err).toBe("");
  expect(JSON.parse(out)).toMatchObject({ code: "storage", message: expect.stringContaining("file is larger than") });
  expect([await left("partial"), await left("blobs"), await left("locks")]).toEqual([[], [], []]);
});
