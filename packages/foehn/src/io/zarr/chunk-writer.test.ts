// The writer with its worker thread, which only compiled code has: these tests run `dist`, and say so when it is not there.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { openZarr } from "./read.js";
import type { ZarrWriter } from "./write.js";

const compiled = new URL("../../../dist/io/zarr/write.js", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "foehn-worker-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function compiledWriter(context: TestContext): Promise<typeof ZarrWriter> {
  if (!existsSync(fileURLToPath(compiled))) context.skip("packages/foehn/dist is not built");
  return ((await import(/* @vite-ignore */ compiled.href)) as { ZarrWriter: typeof ZarrWriter }).ZarrWriter;
}

const size = 20_000;
const field = (step: number): Float32Array => Float32Array.from({ length: size }, (_, i) => Math.sin(i + step));
const spec = { name: "a", dimensions: ["time", "x"], shape: [null, size], dataType: "float32" } as const;

describe("the worker thread", () => {
  it("copies before it resolves: the caller may reuse its array", async (context) => {
    const Writer = await compiledWriter(context);
    for (const compression of ["none", "gzip", "zstd", "blosc"]) {
      const path = join(folder, `${compression}.zarr`);
      const writer = await Writer.create(path, { compression });
      await writer.declare(spec);
      const values = new Float32Array(size);
      for (let step = 0; step < 12; step++) {
        values.set(field(step));
        await writer.writeChunk("a", [step, 0], values);
      }
      values.fill(Number.NaN);
      await writer.close();
      const array = (await openZarr(path)).array("a");
      expect(array.shape).toEqual([12, size]);
      for (const step of [0, 5, 11]) expect((await array.read([step, null])).data).toEqual(field(step));
    }
  });

  it("reports the failure of a chunk, and leaves nothing", async (context) => {
    const Writer = await compiledWriter(context);
    const writer = await Writer.create(join(folder, "gone.zarr"));
    await writer.declare(spec);
    await writer.writeChunk("a", [0, 0], field(0));
    const temporary = readdirSync(folder).find((name) => name.startsWith(".gone.zarr"))!;
    rmSync(join(folder, temporary), { recursive: true });
    const failing = async () => {
      const values = field(1);
      for (let step = 1; step < 5000; step++) await writer.writeChunk("a", [step, 0], values);
    };
    await expect(failing()).rejects.toMatchObject({ code: "storage", message: expect.stringMatching(/no such file/) });
    await expect(writer.close()).rejects.toMatchObject({ code: "storage" });
    expect(readdirSync(folder).filter((name) => name.includes("gone"))).toEqual([]);
  });

  it("leaves nothing under the final name when the process is killed in mid-write", async (context) => {
    await compiledWriter(context);
    const script = `
      const { ZarrWriter } = await import(${JSON.stringify(compiled.href)});
      const writer = await ZarrWriter.create(${JSON.stringify(join(folder, "killed.zarr"))});
      await writer.declare(${JSON.stringify(spec)});
      for (let step = 0; ; step++) {
        await writer.writeChunk("a", [step, 0], new Float32Array(${size}));
        if (step === 300) console.log("writing");
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(existsSync(join(folder, "killed.zarr"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes("killed"))).toEqual([
      expect.stringMatching(/^\.killed\.zarr\..*\.tmp$/),
    ]);
  });
});
