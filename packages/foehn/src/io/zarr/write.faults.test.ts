// A full disk under the Zarr writer. It cannot be made without privileges, so the operating system's refusal is put in its place.

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it, vi } from "vitest";

const fault = vi.hoisted(() => ({
  after: Number.POSITIVE_INFINITY,
  code: "ENOSPC",
  on: "write" as "write" | "datasync",
}));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  let calls = 0;
  const fail = () => {
    throw Object.assign(new Error(`${fault.code}: injected`), { code: fault.code, syscall: fault.on });
  };
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>): Promise<FileHandle> => {
      const handle = await real.open(...args);
      if (fault.after === Number.POSITIVE_INFINITY) calls = 0;
      const method = handle[fault.on].bind(handle) as (...inner: unknown[]) => Promise<never>;
      Object.defineProperty(handle, fault.on, {
        value: (...inner: unknown[]) => (++calls > fault.after ? fail() : method(...inner)),
      });
      return handle;
    },
  };
});

const { StorageError } = await import("../../core/errors.js");
const { ZarrWriter } = await import("./write.js");

const folder = mkdtempSync(join(tmpdir(), "foehn-full-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  fault.after = Number.POSITIVE_INFINITY;
});

const spec = { name: "t2m", dimensions: ["time", "lat"], shape: [null, 4], dataType: "float32" } as const;

it.each([
  ["ENOSPC", "write", /the disk is full/],
  ["EDQUOT", "datasync", /quota/],
  ["EIO", "write", /input\/output error/],
] as const)("says what %s on %s means and leaves nothing", async (code, on, message) => {
  const writer = await ZarrWriter.create(join(folder, "a.zarr"));
  await writer.declare(spec);
  await writer.writeChunk("t2m", [0, 0], new Float32Array(4));
  Object.assign(fault, { after: 0, code, on });
  const error = await writer.writeChunk("t2m", [1, 0], new Float32Array(4)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(StorageError);
  expect(error).toMatchObject({ message: expect.stringMatching(message), exitCode: 1 });
  await writer.abort();
  expect(readdirSync(folder)).toEqual([]);
});

it("notices a disk that fills up with the last metadata", async () => {
  const writer = await ZarrWriter.create(join(folder, "b.zarr"));
  await writer.declare(spec);
  await writer.writeChunk("t2m", [0, 0], new Float32Array(4));
  Object.assign(fault, { after: 1, code: "ENOSPC", on: "write" });
  await expect(writer.close()).rejects.toThrow(/the disk is full/);
  expect(existsSync(join(folder, "b.zarr"))).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

it("does not close over a chunk that failed, even when nobody looked at it", async () => {
  const writer = await ZarrWriter.create(join(folder, "c.zarr"));
  await writer.declare(spec);
  Object.assign(fault, { after: 0, code: "ENOSPC", on: "write" });
  await writer.writeChunk("t2m", [0, 0], new Float32Array(4)).catch(() => undefined);
  fault.after = Number.POSITIVE_INFINITY;
  await writer.writeChunk("t2m", [1, 0], new Float32Array(4)).catch(() => undefined);
  await expect(writer.close()).rejects.toThrow(/the disk is full/);
  expect(readdirSync(folder)).toEqual([]);
});
