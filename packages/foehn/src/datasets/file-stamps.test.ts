import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { fileStamps } from "./file-stamps.js";

const root = mkdtempSync(join(tmpdir(), "foehn-stamps-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("tells files that changed, in folders and globs, and knows nothing of addresses", async () => {
  mkdirSync(join(root, "store.zarr", "t2m"), { recursive: true });
  writeFileSync(join(root, "store.zarr", "t2m", "c0"), "abc");
  writeFileSync(join(root, "a.grib"), "a");
  writeFileSync(join(root, "b.grib"), "b");
  const stamps = () => fileStamps(["store.zarr", "*.grib", "https://example.org/x.zarr", "synthetic"], root);
  const before = await stamps();
  expect(before.map((line) => line.split(" ")[0])).toEqual([
    join(root, "a.grib"),
    join(root, "b.grib"),
    join(root, "store.zarr", "t2m", "c0"),
  ]);
  expect(await stamps()).toEqual(before);
  utimesSync(join(root, "store.zarr", "t2m", "c0"), 1e9, 1e9);
  const after = await stamps();
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
  expect(after[2]).not.toBe(before[2]);
});
