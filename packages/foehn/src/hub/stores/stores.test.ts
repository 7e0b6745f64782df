import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FoehnError } from "../../core/errors.js";
import { startServer, type TestServer } from "../../io/remote/server.test-support.js";
import { readLock } from "../lock.js";
import { Package, type PackageOptions } from "../package.js";
import { lockPackages, pull } from "../pull.js";
import { push } from "../push.js";
import { openNgcStore } from "./ngc-store.js";
import { type FakeRepository, hubHandler, ngcHandler } from "./stores.test-support.js";

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
const first = "a".repeat(40);
const second = "b".repeat(40);
const weights = Buffer.alloc(30_000, "weights");
const config = Buffer.from('{"a":1}');

let folder: string;
const servers: TestServer[] = [];
const serve = async (...args: Parameters<typeof startServer>): Promise<TestServer> => {
  const server = await startServer(...args);
  servers.push(server);
  return server;
};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foehn-stores-"));
  for (const name of [
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "NGC_CLI_API_KEY",
    "FOEHN_OFFLINE",
    "FOEHN_CACHE_READONLY",
  ]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("HF_TOKEN_PATH", join(folder, "no-token"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

const open = (uri: string, options: PackageOptions = {}): Package =>
  new Package(uri, {
    cache: { folder: join(folder, "cache"), transfer: { retryDelayMs: 1, segmentBytes: 8192 }, ...asObject(options) },
    retryDelayMs: 1,
    retries: 1,
    timeoutMs: 2000,
    lock: false,
    ...options,
  });
const asObject = ({ refresh, offline }: PackageOptions) => ({ refresh, offline });

describe("a repository of the Hugging Face Hub", () => {
  const start = async (more: Partial<FakeRepository> = {}): Promise<TestServer & { refs: Record<string, string> }> => {
    const refs: Record<string, string> = { main: first, "refs/pr/1": second, "v1.0": first };
    const commits = {
      [first]: { "config.json": config, "sub/weights.bin": weights, "other.txt": Buffer.from("x") },
      [second]: { "config.json": Buffer.from('{"a":2}') },
    };
    const server: TestServer = await serve(
      {},
      hubHandler({ repo: "org/model", refs, commits, lfsFrom: 1000, ...more }, () => server.url),
    );
    vi.stubEnv("HF_ENDPOINT", server.url);
    return Object.assign(server, { refs });
  };

  it("is pinned to a commit, listed over all pages, checked against its hashes, and asked about once", async () => {
    const server = await start();
    const pkg = open("hf://org/model");
    expect((await pkg.store()).id).toBe(`hf://org/model@${first}`);
    expect((await pkg.list()).map((file) => file.path)).toEqual(["config.json", "sub/weights.bin", "other.txt"]);
    expect((await pkg.list()).find((file) => file.size === 30_000)?.sha256).toBe(sha256(weights));
    const path = await pkg.resolve("sub/weights.bin");
    expect(path).toMatch(/sub[\\/]weights\.bin$/);
    expect((await readFile(await open("hf://org/model/sub").resolve("weights.bin"))).equals(weights)).toBe(true);
    expect(String(await readFile(await open("hf://org/model@refs%2Fpr%2F1").resolve("config.json")))).toBe('{"a":2}');
    const before = server.seen.length;
    await open("hf://org/model").resolve("sub/weights.bin");
    expect(server.seen).toHaveLength(before);
    // The branch moves on: seen on refresh, not before.
    server.refs.main = second;
    expect(String(await readFile(await open("hf://org/model").resolve("config.json")))).toBe('{"a":1}');
    expect(String(await readFile(await open("hf://org/model", { refresh: true }).resolve("config.json")))).toBe(
      '{"a":2}',
    );
    await server.close();
    expect(String(await readFile(await open("hf://org/model", { refresh: true }).resolve("config.json")))).toBe(
      '{"a":2}',
    );
    const offline = open(`hf://org/model@${first}`, { offline: true });
    expect((await offline.list()).map((file) => file.path)).toEqual(["config.json", "sub/weights.bin"]);
    expect((await pull(offline)).files.map((file) => file.sha256)).toContain(sha256(weights));
    await expect(open("hf://org/model@v1.0", { offline: true }).resolve("config.json")).rejects.toThrow(
      /not known which commit .*@v1.0 means/,
    );
  });

  it("is not believed when a file is not what the tree says", async () => {
    const server = await start();
    const right = hubHandler(
      {
        repo: "org/model",
        refs: { main: first },
        commits: { [first]: { "config.json": config, "w.bin": weights } },
        lfsFrom: 1000,
      },
      () => server.url,
    );
    const lying = await serve({}, (request, response, body) => {
      const name = /resolve\/[^/]+\/(.*)$/.exec(request.url ?? "")?.[1];
      if (name === undefined) return right(request, response, body);
      response.end(name === "w.bin" ? Buffer.alloc(30_000, "Weights") : '{"a":9}');
      return true;
    });
    vi.stubEnv("HF_ENDPOINT", lying.url);
    await expect(open("hf://org/model").resolve("config.json")).rejects.toThrow(/its git id is/);
    await expect(open("hf://org/model").resolve("w.bin")).rejects.toThrow(/its sha256 is/);
  });

  it("gets the token only when it asks for it, and other hosts never", async () => {
    const cdn = await serve({ [`/${sha256(weights)}`]: weights });
    const server = await start({ token: "hf_secret", cdn: cdn.url });
    await expect(open("hf://org/model").resolve("config.json")).rejects.toMatchObject({
      status: 401,
      hint: expect.stringContaining("set HF_TOKEN"),
    });
    vi.stubEnv("HF_TOKEN", "hf_secret");
    await open("hf://org/model").resolve("sub/weights.bin");
    expect(server.seen.some(({ headers }) => headers.authorization === "Bearer hf_secret")).toBe(true);
    expect(cdn.seen.length).toBeGreaterThan(0);
    for (const { headers } of cdn.seen) expect(headers.authorization).toBeUndefined();
    // An old token must not close what is public.
    vi.stubEnv("HF_TOKEN", "old");
    await start();
    await open("hf://org/model@v1.0").resolve("other.txt");
  });

  it("says what is near a wrong revision or file", async () => {
    await start();
    await expect(open("hf://org/model@mian").resolve("x")).rejects.toMatchObject({ hint: 'Did you mean "main"?' });
    await expect(open("hf://org/model").resolve("confg.json")).rejects.toMatchObject({
      code: "model",
      hint: 'Did you mean "config.json"?',
    });
  });

  it("is the same a year later when a lock file pins it", async () => {
    const server = await start();
    const lock = join(folder, "foehn.lock.json");
    const options = { cache: { folder: join(folder, "cache") }, retryDelayMs: 1, lock };
    await lockPackages(["hf://org/model"], options);
    expect(readLock(lock)?.packages["hf://org/model"]).toMatchObject({
      revision: first,
      files: { "sub/weights.bin": { sha256: sha256(weights), size: 30_000 } },
    });
    server.refs.main = second;
    const elsewhere = { ...options, cache: { folder: join(folder, "new") } };
    expect(String(await readFile(await new Package("hf://org/model", elsewhere).resolve("config.json")))).toBe(
      '{"a":1}',
    );
    await expect(new Package("hf://org/model", elsewhere).resolve("confi.json")).rejects.toThrow(
      /lock file does not list/,
    );
    await writeFile(lock, String(await readFile(lock)).replace(sha256(config), sha256(weights)));
    const third = { ...options, cache: { folder: join(folder, "third"), transfer: { retryDelayMs: 1 } } };
    await expect(new Package("hf://org/model", third).resolve("config.json")).rejects.toThrow(
      /not the file that was expected/,
    );
    await writeFile(lock, '{"version": 1, "packages": {"a": {"fils": {}}}}');
    await expect(new Package("hf://org/model", options).resolve("config.json")).rejects.toMatchObject({
      code: "config",
    });
  });
});

describe("a model in NGC", () => {
  const start = async (more: { key?: string; place?: string; version?: string; files?: string[] } = {}) => {
    const storage = await serve({ "/signed/weights.tar": weights });
    const place = more.place ?? "org/nvidia/team/modulus";
    const options = { place, model: "fcn", version: "0.2", files: ["weights.tar"], signed: () => storage.url, ...more };
    const server = await serve({}, ngcHandler(options));
    vi.stubEnv("NGC_CLI_SEARCH_SERVICE_URL", server.url);
    vi.stubEnv("NGC_CLI_AUTH_URL", server.url);
    return { server, storage };
  };

  it.each(["0.2", "v0.2"])(
    "is read without a key, version written %s; a key that is no good does not close it",
    async (v) => {
      vi.stubEnv("NGC_CLI_API_KEY", "old-key");
      const { server, storage } = await start();
      const pkg = open(`ngc://models/nvidia/modulus/fcn@${v}`);
      expect((await readFile(await pkg.resolve("weights.tar"))).equals(weights)).toBe(true);
      expect((await pkg.list()).map((file) => file.path)).toEqual(["weights.tar"]);
      for (const { headers } of [...server.seen, ...storage.seen]) expect(headers.authorization).toBeUndefined();
    },
  );

  it("is read with a key when it is private", async () => {
    const { storage } = await start({ key: "right-key", place: "org/mine" });
    await expect(open("ngc://models/mine/fcn@0.2").resolve("weights.tar")).rejects.toMatchObject({
      hint: expect.stringContaining("NGC_CLI_API_KEY"),
    });
    vi.stubEnv("NGC_CLI_API_KEY", "wrong-key");
    await expect(open("ngc://models/mine/fcn@0.2").resolve("weights.tar")).rejects.toMatchObject({ status: 401 });
    vi.stubEnv("NGC_CLI_API_KEY", "right-key");
    expect((await readFile(await open("ngc://models/mine/fcn@0.2").resolve("weights.tar"))).equals(weights)).toBe(true);
    for (const { headers } of storage.seen) expect(headers.authorization).toBeUndefined();
  });

  it("is not read in the clear, nor from anything but the web", async () => {
    let url = "http://storage.example/weights?sig=geheim";
    const asked: string[] = [];
    const answer = async (input: string | URL | Request): Promise<Response> => {
      asked.push(String(input));
      return Response.json({ urls: [url] });
    };
    const { objects } = openNgcStore(
      { org: "nvidia", team: "modulus", model: "fcn", version: "0.2" },
      { endpoint: "https://ngc.example", fetch: answer as typeof globalThis.fetch, retries: 0 },
    );
    const failure = await objects.read("weights.tar").catch((error: unknown) => error as Error & { where: string });
    expect(failure).toMatchObject({ message: "the registry gives an unencrypted address" });
    expect(JSON.stringify(failure)).not.toContain("geheim");
    url = "file:///etc/passwd";
    await expect(objects.read("weights.tar")).rejects.toThrow(/not http/);
    expect(asked.every((address) => address.startsWith("https://ngc.example/"))).toBe(true);
  });

  it("gives members of a zip, and a zip as the package", async () => {
    const { storage } = await start({ files: ["fcn.zip"] });
    storage.files.set("/signed/fcn.zip", zip({ "fcn/means.npy": config, "fcn/metadata.json": Buffer.from("{}") }));
    const uri = "ngc://models/nvidia/modulus/fcn@0.2";
    const path = await open(uri).resolve("fcn.zip/fcn/means.npy");
    expect(path).toMatch(/fcn[\\/]means\.npy$/);
    expect((await readFile(path)).equals(config)).toBe(true);
    const inner = open(`${uri}/fcn.zip/fcn`);
    expect(await inner.resolve("means.npy")).toBe(path);
    expect((await inner.list()).map((file) => file.path)).toEqual(["means.npy", "metadata.json"]);
    await expect(inner.resolve("mean.npy")).rejects.toMatchObject({ hint: 'Did you mean "means.npy"?' });
    expect(storage.seen.filter(({ method }) => method === "GET")).toHaveLength(1);
  });
});

describe("a server that answers anything", () => {
  it("leads to an answer or a Foehn error, and to no file outside of the cache", async () => {
    const answers = [
      ...fc.sample(fc.json({ maxDepth: 3 }), { numRuns: 25, seed: 4 }),
      "null",
      '[{"type":"file","path":"../../evil","size":1},null,{"type":"file","path":"a","lfs":null}]',
      `{"sha":"${first}","urls":[null],"modelFiles":[null,{"path":7}],"branches":[{}]}`,
      '{"urls":["file:///etc/passwd"]}',
      '{"filepath":[1,"../x"]}',
    ];
    let answer = "";
    const server = await serve({}, (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(answer);
      return true;
    });
    vi.stubEnv("HF_ENDPOINT", server.url);
    vi.stubEnv("NGC_CLI_SEARCH_SERVICE_URL", server.url);
    for (answer of answers) {
      for (const uri of [`hf://a/b@${first}`, "hf://a/b", "ngc://models/a/b@1"]) {
        const cache = join(folder, "hostile", String(answers.indexOf(answer)));
        const pkg = new Package(uri, {
          cache: { folder: cache, transfer: { retryDelayMs: 1 } },
          retries: 0,
          lock: false,
        });
        await pull(pkg).catch((error: unknown) => expect(error, `${uri} ${answer}`).toBeInstanceOf(FoehnError));
      }
    }
    expect(await readdir(folder)).toEqual(["hostile"]);
  });
});

describe("pull and push", () => {
  it("bring all files and copy a package, its metadata.json last", async () => {
    const source = {
      "/m/metadata.json": JSON.stringify({
        in_channels_names: ["t2m"],
        files: { "a/w.bin": { sha256: sha256(weights), size: weights.length } },
      }),
      "/m/a/w.bin": weights,
    };
    const server = await serve(source);
    const options = { cache: { folder: join(folder, "cache") }, retryDelayMs: 1 };
    const pulled = await pull(`${server.url}/m`, options);
    expect(pulled.files.map(({ path, sha256: hash }) => [path, hash])).toEqual([
      ["a/w.bin", sha256(weights)],
      ["metadata.json", sha256(Buffer.from(source["/m/metadata.json"]))],
    ]);
    const target = join(folder, "copy");
    const pushed = await push(`${server.url}/m`, target, options);
    expect(pushed.files).toEqual(["a/w.bin", "metadata.json"]);
    await expect(push(`${server.url}/m`, target, options)).rejects.toThrow(/there is a package at .*copy already/);
    await expect(push(target, "hf://org/repo")).rejects.toThrow(/cannot be pushed to hf:/);
    expect((await readFile(await new Package(target).resolve("a/w.bin"))).equals(weights)).toBe(true);
    expect((await pull(target)).files).toHaveLength(2);
    await expect(pull(`${server.url}/m`, { ...options, files: ["b"] })).rejects.toThrow(/lists no file "b"/);
    await expect(push(target, "https://x.org/m")).rejects.toThrow(/nothing can be written/);
    await expect(lockPackages([target], options)).rejects.toThrow(/nothing to pin/);
  });
});

/** A zip of deflated files, as APPNOTE.TXT describes it. */
function zip(members: Readonly<Record<string, Buffer>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, data] of Object.entries(members)) {
    const packed = deflateRawSync(data);
    const crc = crc32(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc, 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, rest, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, central, Buffer.from("PK\x05\x06"), end]);
}

function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
