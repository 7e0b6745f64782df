// The sub-verbs of `foehn package` that have to do with other machines, against a server on this one.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startServer, type TestServer } from "../../../io/remote/server.test-support.js";
import { runHere } from "../../process.test-support.js";

const weights = Buffer.alloc(70_000, "weights");
const sha256 = createHash("sha256").update(weights).digest("hex");
const metadata = JSON.stringify({
  name: "little",
  license: "MIT",
  architecture: "persistence",
  in_channels_names: ["t2m"],
  files: { "w.safetensors": { sha256, size: weights.length } },
});

let folder: string;
let server: TestServer;
let uri: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "foehn-package-verbs-"));
  server = await startServer({ "/m/metadata.json": metadata, "/m/w.safetensors": weights });
  uri = `${server.url}/m`;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  vi.unstubAllEnvs();
  for (const name of ["FOEHN_OFFLINE", "FOEHN_CACHE_READONLY", "MODEL_REGISTRY"]) vi.stubEnv(name, undefined);
  vi.stubEnv("FOEHN_MODEL_CACHE", join(folder, "cache"));
});
const at = (name: string) => join(folder, name);

describe("foehn package", () => {
  it("inspect shows files and sizes before any weights are here", async () => {
    const { status, stdout } = await runHere("package", "inspect", uri);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^package +little$/m);
    expect(stdout).toMatch(/^code +none$/m);
    expect(stdout).toMatch(new RegExp(`w.safetensors +68.4 KiB +${sha256.slice(0, 12)}`));
    expect(server.seen.map(({ path }) => path)).not.toContain("/m/w.safetensors");
    const json = JSON.parse((await runHere("package", "inspect", uri, "--json")).stdout);
    expect(json).toMatchObject({ license: "MIT", trusted: false, bytes: expect.any(Number) });
  });

  it("verify brings and checks a package, and finds what was damaged since", async () => {
    expect(await runHere("package", "verify", uri)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/1 file is as the package says; 1 without a published hash/),
    });
    expect(await runHere("package", "verify")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^2 files/) });
    const [blob] = readdirSync(at("cache/blobs/sha256"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(sha256.slice(2)),
    );
    expect(blob).toBeDefined();
    writeFileSync(join(at("cache/blobs/sha256"), blob!), Buffer.alloc(weights.length));
    const { status, stderr } = await runHere("package", "verify");
    expect(status).toBe(1);
    expect(stderr).toMatch(/1 of 2 cached files were damaged:\n.*w.safetensors: its sha256 is/);
    expect((await runHere("package", "verify", uri)).status).toBe(0);
  });

  it("pull brings files, list shows what is here and what the registry has, and offline says what lacks", async () => {
    vi.stubEnv("FOEHN_MODEL_CACHE", at("pulled"));
    vi.stubEnv("MODEL_REGISTRY", folder);
    expect((await runHere("package", "list")).stdout).toMatch(/^nothing is in the cache .*pulled\n/);
    expect((await runHere("package", "pull", uri, "--file", "w.safetensors")).stdout).toMatch(/m +1 file +68\.4 KiB/);
    expect((await runHere("package", "pull", uri)).stdout).toMatch(/m +2 files +68\.\d KiB/);
    const before = server.sent();
    expect((await runHere("package", "pull", uri)).status).toBe(0);
    expect(server.sent()).toBe(before);
    mkdirSync(at("mine"), { recursive: true });
    writeFileSync(at("mine/metadata.json"), metadata);
    const { stdout } = await runHere("package", "list", "--files");
    expect(stdout).toMatch(new RegExp(`^${uri} +2 files +68\\.\\d KiB +used 20`, "m"));
    expect(stdout).toMatch(/^ +w\.safetensors +68\.4 KiB .*pulled.*w\.safetensors$/m);
    expect(stdout).toMatch(/^in MODEL_REGISTRY: .*mine/m);
    vi.stubEnv("FOEHN_OFFLINE", "1");
    expect((await runHere("package", "pull", uri)).status).toBe(0);
    expect(await runHere("package", "pull", `${server.url}/other`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /error: .*other.* is not in the cache, and Foehn is offline\n(.*\n)*.*hint: where there is a network/,
      ),
    });
  });

  it("lock pins, and another content is refused afterwards", async () => {
    const lock = at("foehn.lock.json");
    expect((await runHere("package", "lock", uri, "--lock", lock)).status).toBe(0);
    expect(JSON.parse(readFileSync(lock, "utf8")).packages[uri].files["w.safetensors"]).toEqual({
      sha256,
      size: weights.length,
    });
  });

  it("mirror fills a folder that serves the same address without a network", async () => {
    const { status, stdout } = await runHere("package", "mirror", uri, "-o", at("mirror"));
    expect(status).toBe(0);
    expect(stdout).toContain(`FOEHN_CACHE_READONLY=${at("mirror")}`);
    vi.stubEnv("FOEHN_MODEL_CACHE", at("empty"));
    vi.stubEnv("FOEHN_OFFLINE", "1");
    const refused = await runHere("package", "verify", uri);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/offline/i) });
    vi.stubEnv("FOEHN_CACHE_READONLY", at("mirror"));
    const before = server.seen.length;
    expect(await runHere("package", "verify", uri)).toMatchObject({ status: 0 });
    expect(server.seen.length).toBe(before);
    expect(await runHere("package", "mirror", at("mirror"), "-o", at("m2"))).toMatchObject({ status: 2 });
  });

  it("push copies a package and replaces it only when told to", async () => {
    const pushed = await runHere("package", "push", uri, at("copy"));
    expect(pushed).toMatchObject({ status: 0, stdout: expect.stringMatching(/^pushed 2 files, 68\.\d KiB, to /) });
    expect(readFileSync(at("copy/w.safetensors")).equals(weights)).toBe(true);
    expect(await runHere("package", "push", uri, at("copy"))).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/there is a package at .*copy already/),
    });
    expect(await runHere("package", "push", uri, at("copy"), "--overwrite")).toMatchObject({ status: 0 });
    expect(await runHere("package", "sanitise", at("copy"), "-o", at("clean"))).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^kept +w.safetensors/),
    });
  });

  it("prune takes away what it says it would", async () => {
    const dry = await runHere("package", "prune", "--package", "/m", "--dry-run");
    expect(dry).toMatchObject({ status: 0, stdout: expect.stringMatching(/2 files\nwould free 68\.\d KiB/) });
    expect(existsSync(at("cache/snapshots"))).toBe(true);
    expect(await runHere("package", "prune", "--package", "/m")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/\nfreed 68\.\d KiB$/m),
    });
    expect(await runHere("package", "verify")).toMatchObject({ stdout: expect.stringMatching(/^0 files/) });
    expect(await runHere("package", "prune", "--max-size", "many")).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--max-size: expected a size such as 20GB, got "many"/),
    });
  });
});
