// Forecasts as data: files with initial times, lead times and ensemble members, as this library, xarray and Earth2Studio write them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { ZarrWriter } from "../io/zarr/write.js";
import { openSource } from "./open.js";
import { timeTable } from "./time-table.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-runs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const start = Date.UTC(2019, 2, 1) / 1000;
const hour = 3600;
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );

/** value = initial hour · 1000 + lead hour · 10 + member + point / 8 */
async function writeForecasts(name: string, inits: readonly number[], members?: readonly number[]): Promise<string> {
  const path = join(folder, name);
  const writer = await ZarrWriter.create(path);
  const leads = [0, 6, 12];
  const axis = (key: string, values: readonly number[], attributes: Record<string, string>) =>
    writer.writeArray(
      { name: key, dimensions: [key], shape: [values.length], dataType: "float64", attributes },
      Float64Array.from(values),
    );
  await axis("forecast_reference_time", inits, {
    units: "hours since 2019-03-01",
    standard_name: "forecast_reference_time",
  });
  await axis("lead_time", leads, { units: "hours", standard_name: "forecast_period" });
  if (members) await axis("number", members, { standard_name: "realization" });
  await axis("lat", [51, 50], { units: "degrees_north" });
  await axis("lon", [0, 1], { units: "degrees_east" });
  const values = inits.flatMap((init) =>
    leads.flatMap((lead) =>
      (members ?? [0]).flatMap((member) => [0, 1, 2, 3].map((p) => init * 1000 + lead * 10 + member + p / 8)),
    ),
  );
  await writer.writeArray(
    {
      name: "t2m",
      dimensions: ["forecast_reference_time", "lead_time", ...(members ? ["number"] : []), "lat", "lon"],
      shape: [inits.length, leads.length, ...(members ? [members.length] : []), 2, 2],
      dataType: "float32",
      attributes: { units: "K" },
    },
    Float32Array.from(values),
  );
  await writer.close();
  return path;
}

describe("forecasts as a source", () => {
  it("gives a valid time of one forecast, and asks which one where there are several", async () => {
    const source = await openSource(await writeForecasts("two.zarr", [0, 6]));
    expect(source.times.map((t) => (t - start) / hour)).toEqual([0, 6, 12, 18]);
    const read = async (h: number, run?: string) =>
      (await source.read({ time: start + h * hour, variables: ["t2m"], run }))[0]!.values[0];
    expect(await read(0)).toBe(0);
    expect(await read(18)).toBe(6120);
    expect(await read(12, "2019-03-01T00:00Z")).toBe(120);
    expect(await read(12, "2019-03-01T06")).toBe(6060);
    expect(await failure(read(12))).toMatch(
      /2 forecasts give t2m at 2019-03-01 12:00[\s\S]*`run`.*, its initial time: 2019-03-01 00:00, 2019-03-01 06:00/,
    );
    expect(await failure(read(12, "2019-03-02"))).toMatch(/no forecast that starts 2019-03-02 00:00[\s\S]*there are/);
    await source.close();
  });

  it("takes one forecast for all, and one member", async () => {
    const path = await writeForecasts("members.zarr", [0, 6], [0, 1, 7]);
    expect(await failure(openSource(path))).toMatch(/has 3 ensemble members[\s\S]*member`.*: 0, 1, 7/);
    const source = await openSource(path, { member: 7, run: start + 6 * hour });
    expect(source.times.map((t) => (t - start) / hour)).toEqual([6, 12, 18]);
    const [field] = await source.read({ time: start + 12 * hour, variables: ["t2m"] });
    expect([...field!.values]).toEqual([6067, 6067.125, 6067.25, 6067.375]);
    await source.close();
    expect(await failure(openSource(path, { member: 7, run: start + 1 }))).toMatch(
      /no forecast that starts 2019-03-01 00:00:01[\s\S]*there are: 2019-03-01 00:00, 2019-03-01 06:00/,
    );
  });

  it("joins files of one forecast each", async () => {
    await writeForecasts("each/a.zarr", [0]);
    await writeForecasts("each/b.zarr", [12]);
    const source = await openSource("each/*.zarr", { cwd: folder });
    expect(source.times.map((t) => (t - start) / hour)).toEqual([0, 6, 12, 18, 24]);
    const at = (run?: string) => source.read({ time: start + 12 * hour, variables: ["t2m"], run });
    expect(await failure(at())).toMatch(/2 forecasts give/);
    expect((await at("2019-03-01T12"))[0]!.values[0]).toBe(12000);
    await source.close();
    await writeForecasts("same/a.zarr", [0]);
    await writeForecasts("same/b.zarr", [0]);
    expect(await failure(openSource("same/*.zarr", { cwd: folder }))).toMatch(
      /two fields give t2m at 2019-03-01 00:00/,
    );
  });

  it("refuses a run where the data have none", async () => {
    const path = join(folder, "series.zarr");
    const writer = await ZarrWriter.create(path);
    for (const [name, values, units] of [
      ["time", [0, 6], "hours since 2019-03-01"],
      ["lat", [51, 50], "degrees_north"],
      ["lon", [0, 1], "degrees_east"],
    ] as const) {
      await writer.writeArray(
        { name, dimensions: [name], shape: [2], dataType: "float64", attributes: { units } },
        Float64Array.from(values),
      );
    }
    await writer.writeArray(
      { name: "t2m", dimensions: ["time", "lat", "lon"], shape: [2, 2, 2], dataType: "float32" },
      new Float32Array(8),
    );
    await writer.close();
    expect(await failure(openSource(path, { run: start }))).toMatch(/the data have no initial times: leave `run` out/);
  });
});

describe("timeTable", () => {
  it("finds times on axes in any order and refuses repeats", () => {
    const table = timeTable([30, 10, 20], undefined, "x");
    expect(table.times).toEqual([10, 20, 30]);
    expect([10, 20, 30, 15].map((t) => table.find(t)?.[0])).toEqual([1, 2, 0, undefined]);
    expect(() => timeTable([0, 86400 * 1e4, 0], undefined, "x")).toThrow(
      /a time axis has 0 h twice, at positions 0 and 2/,
    );
    const ahead = timeTable([100], [0, 50], "x");
    expect(ahead.times).toEqual([100, 150]);
    expect(ahead.find(150)).toEqual([0, 1]);
    expect(ahead.runsAt(150)).toEqual([100]);
  });
});
