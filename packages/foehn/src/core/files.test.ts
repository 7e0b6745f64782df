import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { DataError, StorageError } from "./errors.js";
import { atomicWrite, atomicWriteSync, isDiskFull, sha256File, temporaryPath, toStorageError } from "./files.js";

const folder = () => mkdtempSync(join(tmpdir(), "foehn-files-"));
const diskFull = () =>
  Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });

describe("atomic writing", () => {
  it("writes bytes and text, making folders, and leaves nothing else behind", async () => {
    const dir = folder();
    await atomicWrite(join(dir, "a/b/text.txt"), "hé");
    await atomicWrite(join(dir, "bytes"), new Uint8Array([1, 2, 3]));
    atomicWriteSync(join(dir, "sync/x.json"), "{}");
    expect(readFileSync(join(dir, "a/b/text.txt"), "utf8")).toBe("hé");
    expect([...readFileSync(join(dir, "bytes"))]).toEqual([1, 2, 3]);
    expect(readdirSync(dir).sort()).toEqual(["a", "bytes", "sync"]);
    expect(readdirSync(join(dir, "a/b"))).toEqual(["text.txt"]);
    expect(readdirSync(join(dir, "sync"))).toEqual(["x.json"]);
  });

  it("renames a whole folder into place", async () => {
    const dir = folder();
    await atomicWrite(join(dir, "package"), async (temporary) => {
      expect(dirname(temporary)).toBe(dir);
      await mkdir(temporary);
      await writeFile(join(temporary, "metadata.json"), "{}");
      expect(existsSync(join(dir, "package"))).toBe(false);
    });
    expect(readdirSync(dir)).toEqual(["package"]);
    expect(readdirSync(join(dir, "package"))).toEqual(["metadata.json"]);
  });

  it("keeps the old file and removes the temporary one when the disk fills up in the middle", async () => {
    const dir = folder();
    const path = join(dir, "out.nc");
    writeFileSync(path, "old");
    const failing = atomicWrite(path, async (temporary) => {
      await writeFile(temporary, "half of the n");
      throw diskFull();
    });
    await expect(failing).rejects.toMatchObject({ code: "storage", message: `${path}: the disk is full`, exitCode: 1 });
    await expect(failing).rejects.toSatisfy(isDiskFull);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(dir)).toEqual(["out.nc"]);
  });

  it("hears a really full disk", async ({ skip }) => {
    if (!existsSync("/dev/full")) skip("no /dev/full on this system");
    const failing = atomicWrite(join(folder(), "x"), async () => {
      await writeFile("/dev/full", "x");
    });
    await expect(failing).rejects.toMatchObject({
      code: "storage",
      message: expect.stringContaining("the disk is full"),
    });
  });

  it("says so when a part of the path is a file", async () => {
    const dir = folder();
    writeFileSync(join(dir, "file"), "");
    await expect(atomicWrite(join(dir, "file/x"), "x")).rejects.toMatchObject({ code: "storage" });
    expect(() => atomicWriteSync(join(dir, "file/x"), "x")).toThrow(StorageError);
  });

  it("makes temporary names in the same folder, hidden and different each time", () => {
    const [a, b] = [temporaryPath("/data/out.zarr"), temporaryPath("/data/out.zarr")];
    expect(a).toMatch(/^\/data\/\.out\.zarr\.[0-9a-f]{12}\.tmp$/);
    expect(a).not.toBe(b);
  });
});

describe("refusals of the operating system", () => {
  it.each([
    ["EACCES", /no permission/],
    ["EROFS", /read-only/],
    ["EDQUOT", /quota/],
    ["ENOENT", /no such file/],
    ["ENOTEMPTY", /not empty/],
  ])("%s becomes a StorageError with advice", (code, message) => {
    const err = toStorageError(Object.assign(new Error(code), { code, syscall: "open" }), "/data/x");
    expect(err).toBeInstanceOf(StorageError);
    expect(err.message).toMatch(message);
    expect((err as StorageError).hint).toBeTruthy();
  });

  it("leaves other errors alone", () => {
    const ours = new DataError("x");
    const theirs = new TypeError("y");
    expect(toStorageError(ours, "p")).toBe(ours);
    expect(toStorageError(theirs, "p")).toBe(theirs);
    expect(isDiskFull(theirs)).toBe(false);
  });
});

describe("hashes", () => {
  it("are streamed over the whole file", async () => {
    const dir = folder();
    const bytes = Buffer.alloc(3_000_001, "foehn");
    writeFileSync(join(dir, "big"), bytes);
    expect(await sha256File(join(dir, "big"))).toEqual({
      sha256: createHash("sha256").update(bytes).digest("hex"),
      size: statSync(join(dir, "big")).size,
    });
    mkdirSync(join(dir, "d"));
    await expect(sha256File(join(dir, "none"))).rejects.toMatchObject({ code: "storage" });
    await expect(sha256File(join(dir, "d"))).rejects.toMatchObject({ code: "storage" });
  });
});
