// The cache under many processes: one transfer for all of them, kill -9 at any moment, locks left behind. Children run the built code.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../../io/remote/server.test-support.js";
import { withFileLock } from "./file-lock.js";

const built = fileURLToPath(new URL("../../../dist/hub/package.js", import.meta.url));
const weights = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 13 + (i >> 8)) & 255));
const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
const manifest = JSON.stringify({ files: { "w.bin": { sha256: sha256(weights), size: weights.length } } });

let root: string;
let server: TestServer;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "foehn-processes-"));
  server = await startServer({ "/m/metadata.json": manifest, "/m/w.bin": weights });
});
afterEach(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

interface Child {
  readonly process: ChildProcess;
  /** Path that it printed; undefined when it failed or was killed. */
  readonly done: Promise<{ readonly path: string | undefined; readonly stderr: string }>;
}

function start(): Child {
  const script = `
    const { Package } = await import(${JSON.stringify(built)});
    const cache = { folder: ${JSON.stringify(join(root, "cache"))}, transfer: { segmentBytes: 65536, retryDelayMs: 1 } };
    process.stdout.write(await new Package(${JSON.stringify(`${server.url}/m`)}, { cache, lock: false }).resolve("w.bin"));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => (stderr += data));
  const done = new Promise<{ path: string | undefined; stderr: string }>((resolve) => {
    child.on("close", (code) => resolve({ path: code === 0 ? stdout : undefined, stderr }));
  });
  return { process: child, done };
}

describe("many processes", () => {
  it("make one transfer, and each gets the right file", async () => {
    server.faults.set("/m/w.bin", { slow: 3000 });
    const children = Array.from({ length: 3 }, start);
    for (const { path, stderr } of await Promise.all(children.map((child) => child.done))) {
      expect(path, stderr).toBeDefined();
      expect(sha256(await readFile(path ?? ""))).toBe(sha256(weights));
    }
    expect(server.sent()).toBe(weights.length + manifest.length);
    expect(await readdir(join(root, "cache", "locks"))).toEqual([]);
  });

  it("may be killed at any moment: nothing wrong is served, and the next one goes on", {
    timeout: 60_000,
  }, async () => {
    server.faults.set("/m/w.bin", { slow: 2500 });
    let state = 20_261_127;
    for (let round = 0; round < 3; round++) {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      const limit = server.sent() + 2000 + ((state >> 8) % 400_000);
      const child = start();
      while (server.sent() < limit && child.process.exitCode === null) await new Promise((r) => setTimeout(r, 2));
      child.process.kill("SIGKILL");
      const { path } = await child.done;
      if (path !== undefined) expect(sha256(await readFile(path))).toBe(sha256(weights));
      const names = await readdir(join(root, "cache"), { recursive: true });
      for (const name of names.filter((n) => /^(blobs|snapshots).*(w\.bin|[0-9a-f]{64})$/.test(n))) {
        const data = await readFile(join(root, "cache", name));
        expect([sha256(weights), sha256(Buffer.from(manifest))], name).toContain(sha256(data));
      }
    }
    // Once more, when it is known that something is noted.
    const child = start();
    const noted = async (): Promise<boolean> =>
      (await readdir(join(root, "cache", "partial")).catch(() => [])).some((name) => /^[0-9a-f]+\.json$/.test(name));
    while (!(await noted()) && child.process.exitCode === null) await new Promise((r) => setTimeout(r, 5));
    child.process.kill("SIGKILL");
    await child.done;
    const before = server.sent();
    server.faults.clear();
    const { path, stderr } = await start().done;
    expect(path, stderr).toBeDefined();
    expect(sha256(await readFile(path ?? ""))).toBe(sha256(weights));
    expect(server.sent() - before).toBeLessThan(weights.length);
    expect(await readdir(join(root, "cache", "locks"))).toEqual([]);
    expect(await readdir(join(root, "cache", "partial"))).toEqual([]);
  });
});

describe("a lock file", () => {
  const path = (): string => join(root, "locks", "a.lock");
  const left = async (holder: object, ageMs: number): Promise<void> => {
    await mkdir(join(root, "locks"), { recursive: true });
    await writeFile(path(), JSON.stringify(holder));
    const then = new Date(Date.now() - ageMs);
    await utimes(path(), then, then);
  };

  it("lets one in at a time", async () => {
    let inside = 0;
    let most = 0;
    const waits: number[] = [];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    const onWait = ({ pid }: { pid: number }): void => void waits.push(pid);
    await Promise.all(Array.from({ length: 6 }, () => withFileLock(path(), work, { onWait })));
    expect(most).toBe(1);
    expect(waits).toContain(process.pid);
    await expect(stat(path())).rejects.toThrow();
  });

  it("is taken over from a dead process, and from a machine that is silent", async () => {
    const { pid, done } = await new Promise<{ pid: number; done: Promise<unknown> }>((resolve) => {
      const child = spawn(process.execPath, ["-e", ""]);
      resolve({ pid: child.pid ?? 0, done: new Promise((end) => child.on("close", end)) });
    });
    await done;
    let holder: unknown;
    await withFileLock(path(), async () => {
      holder = JSON.parse(await readFile(path(), "utf8"));
    });
    await left({ ...(holder as object), pid, token: "dead" }, 0);
    expect(await withFileLock(path(), async () => "in")).toBe("in");
    await left({ pid: 1, host: "another machine", token: "old" }, 60_000);
    expect(await withFileLock(path(), async () => "in")).toBe("in");
    await left({ pid: 1, host: "another machine", token: "alive" }, 0);
    const late = withFileLock(path(), async () => "in", { signal: AbortSignal.timeout(100) });
    await expect(late).rejects.toMatchObject({ code: "interrupted" });
    await writeFile(path(), "half a li");
    await expect(withFileLock(path(), async () => "in", { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
      code: "interrupted",
    });
    await utimes(path(), new Date(0), new Date(0));
    expect(await withFileLock(path(), async () => hostname())).toBe(hostname());
  });
});
