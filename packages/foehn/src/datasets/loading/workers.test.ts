// Reading threads, which only compiled code has: these tests run `dist`, and say so when it is not there.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import { ZarrWriter } from "../../io/zarr/write.js";
import type { batches as Batches } from "../batches.js";
import type { DatasetOptions, ItemBatch } from "../dataset.js";
import type { openDataset as OpenDataset } from "../registry.js";
import { writeFields } from "./fields.test-support.js";

const dist = new URL("../../../dist/", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "foehn-threads-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const conf = (name: string): string => join(folder, `${name}.yaml`);
const value = (name: string, hour: number, point: number): number =>
  name.charCodeAt(0) + Math.sin(hour / 3 + point * name.charCodeAt(0));

beforeAll(async () => {
  const hours = Array.from({ length: 40 }, (_, h) => h);
  const fields = { names: ["a", "b", "c"], hours, shape: [6, 5] as [number, number], value };
  const netcdf = await NetcdfWriter.create(join(folder, "data.nc"));
  await writeFields(netcdf, fields);
  await netcdf.close();
  const zarr = await ZarrWriter.create(join(folder, "data.zarr"));
  await writeFields(zarr, fields);
  await zarr.close();
  const broken = await ZarrWriter.create(join(folder, "broken.zarr"));
  // The last hours are outside the training period, so that the statistics do not meet the gap.
  await writeFields(broken, {
    ...fields,
    value: (n, h, p) => (n === "b" && h === 36 && p === 8 ? Number.NaN : 1 + h + p),
  });
  await broken.close();
  for (const [name, file] of [
    ["netcdf", "data.nc"],
    ["zarr", "data.zarr"],
    ["broken", "broken.zarr"],
  ] as const) {
    const c = name === "broken" ? "" : "\n  c: { role: forcing }";
    writeFileSync(
      conf(name),
      `source: ${file}
variables:
  a: {}
  b: {}${c}
region: { north: 51, south: 47, west: 0, east: 3 }
memory_limit_gb: 0.000001
`,
    );
  }
});

interface Compiled {
  readonly openDataset: typeof OpenDataset;
  readonly batches: typeof Batches;
}

async function compiled(context: TestContext): Promise<Compiled> {
  if (!existsSync(fileURLToPath(new URL("datasets/loading/worker.js", dist))))
    context.skip("foehn's dist is not built");
  const load = (path: string) => import(/* @vite-ignore */ new URL(path, dist).href);
  return { ...(await load("datasets/registry.js")), ...(await load("datasets/batches.js")) } as Compiled;
}

const options: DatasetOptions = { numInputSteps: 2, numPredStepsTrain: 1, numPredStepsValTest: 2 };
const values = (batch: ItemBatch) =>
  (["inputs", "outputs", "forcing"] as const).map((part) => [...(batch[part].tensor.toTypedArray() as Float32Array)]);

describe("reading threads", () => {
  it.each(["netcdf", "zarr"])("give bit for bit what the main thread reads, in the same order (%s)", async (name) => {
    const context = { skip: () => undefined } as unknown as TestContext;
    const { openDataset, batches } = await compiled(context);
    const read = async (numWorkers: number, shuffleSeed: number | undefined) => {
      const splits = await openDataset("gridded", { ...options, confPath: conf(name), numWorkers });
      const found: unknown[] = [];
      for (const part of [splits.train, splits.valid]) {
        for await (const batch of batches(part, { batchSize: 3, shuffleSeed, epoch: 1, startAt: 1 })) {
          found.push([batch.times, values(batch)]);
          for (const nt of [batch.inputs, batch.outputs, batch.forcing, batch.initialForcing]) nt?.dispose();
        }
      }
      await splits.close();
      return found;
    };
    for (const seed of [undefined, 5]) {
      const here = await read(0, seed);
      expect(here.length).toBeGreaterThan(7);
      expect(await read(1, seed)).toEqual(here);
      expect(await read(3, seed)).toEqual(here);
    }
  });

  it("hand over errors with their class, place and hint", async (context) => {
    const { openDataset, batches } = await compiled(context);
    const splits = await openDataset("gridded", { ...options, confPath: conf("broken"), numWorkers: 1 });
    const read = async () => {
      for await (const _ of batches(splits.test, { batchSize: 1 })) void _;
    };
    await expect(read()).rejects.toMatchObject({
      name: "DataError",
      code: "data",
      message: "missing values (NaN) in b at 2019-03-02 12:00 (1 point)",
      hint: expect.stringContaining("on_nan: mask"),
    });
    await splits.close();
    await expect(splits.test.load!([0], { isShuffled: false })).rejects.toThrow("the dataset is closed");
  });

  it("neither keep the process alive nor outlive a loop that is left early", async (context) => {
    await compiled(context);
    const script = `
      import { batches, openDataset } from ${JSON.stringify(new URL("index.js", dist).href)};
      const options = ${JSON.stringify({ ...options, confPath: conf("zarr"), numWorkers: 2 })};
      const splits = await openDataset("gridded", options);
      for await (const batch of batches(splits.train, { batchSize: 2 })) { console.log(batch.batchSize); break; }
      console.log("left");`;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 50_000,
    });
    expect([run.status, run.stdout, run.stderr]).toEqual([0, "2\nleft\n", ""]);
  });
});
