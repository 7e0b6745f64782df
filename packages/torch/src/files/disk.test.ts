import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeAll, writeFileAtomic } from "./disk.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-disk-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("writeFileAtomic", () => {
  it("leaves the old file alone, and no other, when writing fails half-way", () => {
    const path = join(folder, "a.bin");
    writeFileSync(path, "old");
    expect(() =>
      writeFileAtomic(path, (fd) => {
        writeAll(fd, new Uint8Array(1000));
        expect(readFileSync(path, "utf8")).toBe("old");
        throw new Error("disk full");
      }),
    ).toThrow("disk full");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["a.bin"]);
  });

  it("replaces the old file when writing succeeds", () => {
    const path = join(folder, "a.bin");
    writeFileAtomic(path, (fd) => writeAll(fd, Buffer.from("new")));
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(readdirSync(folder)).toEqual(["a.bin"]);
  });
});
