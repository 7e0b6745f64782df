// Writers at a real limit of the operating system: a process that may not write files above 200 kB (ulimit -f) sees its writes
// fail in the middle. Needs no privileges, but the compiled code and a POSIX shell; the tests say so when those are missing.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "foehn-limit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dist = new URL("../../dist/io/", import.meta.url);

it.for([
  ["netcdf/write.js", "NetcdfWriter", "out.nc", /out\.nc: the file cannot be written: File too large/],
  ["zarr/write.js", "ZarrWriter", "out.zarr", /out\.zarr: the file is larger than this file system allows/],
] as const)("%s says what failed and leaves nothing", ([module, name, file, message], context) => {
  if (!existsSync(new URL(module, dist))) context.skip("packages/foehn/dist is not built");
  const script = `
    const { ${name}: Writer } = await import(${JSON.stringify(new URL(module, dist).href)});
    const writer = await Writer.create(${JSON.stringify(join(folder, file))});
    let steps = 0;
    try {
      await writer.writeArray({ name: "x", dimensions: ["x"], shape: [100000], dataType: "int32" }, new Int32Array(100000));
      await writer.writeArray({ name: "time", dimensions: ["time"], shape: [null], dataType: "int64" }, new BigInt64Array(50));
      await writer.declare({ name: "a", dimensions: ["time", "x"], shape: [null, 100000], chunkShape: [1, 100000], dataType: "float32" });
      for (; steps < 50; steps++) await writer.writeChunk("a", [steps, 0], new Float32Array(100000).fill(steps));
      await writer.close();
    } catch (error) {
      await writer.abort();
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    }`;
  // An ignored SIGXFSZ turns the limit into an error of the write.
  const command = `trap '' XFSZ; ulimit -f 200; exec "$0" --input-type=module -e "$1"`;
  const run = spawnSync("bash", ["-c", command, process.execPath, script], { encoding: "utf8" });
  expect(run.stderr).toBe("");
  const error = JSON.parse(run.stdout) as { code: string; message: string };
  expect(error.code).toBe("storage");
  expect(error.message).toMatch(message);
  expect(readdirSync(folder)).toEqual([]);
});
