// Standard deviations that a network gives, from the package to the file; how they are learnt: training/output-std.test.ts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { dateFeatures, noForcing } from "../datasets/forcings.js";
import { exportPackageTorchScript } from "../hub/export.js";
import { openPackage } from "../hub/model-package.js";
import { writePackage } from "../hub/write-package.js";
import { createNetwork } from "../models/registry.js";
import { openSource } from "../sources/open.js";
import type { PackageContents } from "../training/package-contents.js";
import { explain } from "./explain/explain.js";
import { forecast } from "./forecast.js";
import { getModel } from "./get-model.js";
import { every, inventedInfo, inventedSource, points, start, step } from "./invented.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-forecast-std-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const info = inventedInfo({ ...noForcing, date: true }, ["t2m", "msl", "tp"]);
const inputs = 2 + info.statics.names.length + 4;
const contents: PackageContents = {
  ...{ name: "spread", version: "1.0.0", strategy: "scaled_ar", numInputSteps: 1, numInterSteps: 1, outputStd: true },
  architecture: "adds_first_forcing", // all of its outputs are the sine of the hour
  settings: { first_forcing: inputs - 4 },
  ...{ weights: new Map<string, Tensor>(), info, climatology: {}, provenance: {} },
};
const written = (name: string, changes: Partial<PackageContents> = {}) =>
  writePackage(join(folder, name), { ...contents, ...changes });

const read = async (file: string, time: number, name: string) => {
  const source = await openSource(file);
  const [field] = await source.read({ time, variables: [name] });
  await source.close();
  return field!.values;
};

describe("a package with output_std", () => {
  it("rolls out the values, and writes the standard deviations where they are asked for", async () => {
    const path = await written("known");
    expect(JSON.parse(readFileSync(join(path, "metadata.json"), "utf8"))).toMatchObject({
      output_std: true,
      out_channels_names: ["t2m", "msl", "tp"],
    });
    const run = { package: path, source: inventedSource(every(2)), start, steps: 3, precision: "fp32" as const };
    const plain = await forecast({ ...run, output: join(folder, "plain.nc") });
    expect(plain.variables).toEqual(["t2m", "msl", "tp"]);
    const { path: file, variables } = await forecast({ ...run, outputStd: true, output: join(folder, "std.nc") });
    expect(variables).toEqual(["t2m", "msl", "tp", "t2m_std", "msl_std", "tp_std"]);
    for (const lead of [1, 2, 3]) {
      const time = start + lead * step;
      const std = Math.log1p(Math.exp(dateFeatures(time)[0])) + 1e-4;
      // In units of σ_d = 0.25 where the output is an increment; as it is where it is the value.
      for (const [name, unit] of Object.entries({ t2m: 10 * 0.25, msl: 800 * 0.25, tp: 0.004 })) {
        expect(await read(file!, time, name)).toEqual(await read(plain.path!, time, name));
        const fields = await read(file!, time, `${name}_std`);
        expect(fields).toHaveLength(points);
        for (const value of fields) expect(value / (unit * std)).toBeCloseTo(1, 5);
      }
    }
    const initial = await read(file!, start, "t2m_std");
    expect(initial.every(Number.isNaN)).toBe(true);
    const chosen = { ...run, outputStd: true, variables: ["t2m", "t2m_std"], output: join(folder, "chosen.zarr") };
    expect((await forecast(chosen)).variables).toEqual(["t2m", "t2m_std"]);
    using model = await getModel(path, { outputStd: true });
    expect((await model.features()).slice(2, 4)).toMatchObject([
      { name: "tp", units: "m" },
      { name: "t2m_std", units: "K", longName: "standard deviation of 2 metre temperature", role: "diagnostic" },
    ]);
  });

  it("has its trained network back, with twice the outputs", async () => {
    const network = createNetwork("halfunet", inputs, 6, { num_filters: 4 }, info.grid.shape);
    const settings = { num_filters: 4 };
    const path = await written("trained", { architecture: "halfunet", settings, weights: network.stateDict() });
    const pkg = await openPackage(path);
    expect((await pkg.network()).numOutputFeatures).toBe(6);
    const { outputFeatures } = await exportPackageTorchScript(pkg, join(folder, "spread.pt"));
    expect(outputFeatures).toEqual(["t2m", "msl", "tp", "t2m_std", "msl_std", "tp_std"]);
    const metadata = join(path, "metadata.json");
    writeFileSync(metadata, readFileSync(metadata, "utf8").replace('"output_std": true', '"output_std": false'));
    await expect((await openPackage(path)).network()).rejects.toThrow(/weights of .* do not fit halfunet/);
  });

  it("goes through a dummy run and an explanation", async () => {
    const path = await written("looked-at", { architecture: "halfunet", settings: {} });
    const run = { package: path, source: inventedSource(every(2)), start, steps: 2, outputStd: true };
    const dummy = await forecast({ ...run, dummy: true, output: join(folder, "dummy.zarr") });
    expect(dummy.checkedSlots).toBe(2 + 2 * (inputs + 3));
    const found = await explain({ ...run, verb: "forecast" });
    expect(found.problems).toEqual([]);
    expect(found.model.outChannels).toEqual(["t2m", "msl", "tp", "t2m_std", "msl_std", "tp_std"]);
  });

  it("is what a forecast of standard deviations needs", async () => {
    const path = await written("without", { outputStd: false });
    const run = { package: path, source: inventedSource(every(2)), start, steps: 2, outputStd: true };
    const refusal = {
      code: "config",
      message: "the model spread gives no standard deviations",
      hint: expect.stringMatching(/foehn train --output-std --loss nll/),
    };
    await expect(forecast({ ...run, output: join(folder, "none.nc") })).rejects.toMatchObject(refusal);
    expect((await explain({ ...run, verb: "forecast" })).problems).toMatchObject([{ message: refusal.message }]);
  });
});
