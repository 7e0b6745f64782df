import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { golden, testData } from "../io/golden.test-support.js";
import { ZarrWriter } from "../io/zarr/write.js";
import { standardGravity } from "../variables/units.js";
import { netcdfSource } from "./netcdf-source.js";
import { openSource } from "./open.js";
import type { Source } from "./source.js";

const start = Date.UTC(2019, 2, 1) / 1000;
const file = (name: string) => golden("sources", name);
const folder = mkdtempSync(join(tmpdir(), "foehn-cf-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The formula of make_sources.py: what each point must hold, wherever the file had it. */
function truth(source: Source, time: number, level: number): Float32Array {
  const hours = (time - start) / 3600;
  const { latitudes, longitudes } = source.grid;
  return Float32Array.from(
    [...latitudes].flatMap((lat) =>
      [...longitudes].map((lon) => hours * 1000 + level + lat / 10 + ((lon + 360) % 360) / 1000),
    ),
  );
}

async function expectTruth(source: Source, variable: string, level: number, factor = 1): Promise<void> {
  for (const time of source.times) {
    const [field] = await source.read({ time, variables: [variable] });
    const wanted = truth(source, time, level);
    for (const [i, value] of field!.values.entries()) expect(value / factor).toBeCloseTo(wanted[i]!, 2);
    expect(field!.values).toHaveLength(wanted.length);
  }
}

const info = (source: Source) => Object.fromEntries(source.variables.map((v) => [v.name, v.units]));

describe("NetCDF dialects", () => {
  it("ERA5 of the new CDS: valid_time, pressure levels, scalar and text coordinates", async () => {
    const source = await openSource(file("cds2024.nc"));
    expect(info(source)).toEqual({ z850: "m2 s-2", z500: "m2 s-2", t850: "K", t500: "K" });
    expect(source.times).toEqual([start, start + 21600]);
    expect(source.grid.shape).toEqual([3, 4]);
    await expectTruth(source, "z500", 500);
    await expectTruth(source, "t_850", 850);
    expect(source.variables[0]).toMatchObject({ longName: "Geopotential at 850 hPa", standardName: "geopotential" });
    await source.close();
  });

  it("ERA5 of the old CDS: packed, across Greenwich, winds at 10 m and 100 m told apart", async () => {
    const source = await openSource(file("cds2019.nc"));
    expect(info(source)).toEqual({ u10m: "m s-1", u100m: "m s-1", t2m: "K" });
    expect(Array.from(source.grid.longitudes)).toEqual([-10, -5, 0, 5]);
    const [u10, u100, t2m] = await source.read({ time: start + 3600, variables: ["10u", "u100m", "2t"] });
    const at = (values: Float32Array, i: number) => values[i]!;
    const wanted = truth(source, start + 3600, 0);
    // Packing to steps of 0.05.
    expect(Math.abs(at(u10!.values, 5) - wanted[5]!)).toBeLessThan(0.026);
    expect(Math.abs(at(u100!.values, 5) - wanted[5]! - 1)).toBeLessThan(0.026);
    expect(t2m!.values.findIndex(Number.isNaN)).toBe(1);
    expect(t2m!.values.filter(Number.isNaN)).toHaveLength(1);
    expect(t2m!.variable).toBe("2t");
  });

  it("CMIP: southern rows first, pascals, a calendar without leap days, bounds, a scalar height", async () => {
    const source = await openSource(file("cmip.nc"));
    expect(info(source)).toEqual({ gh850: "m", gh500: "m", t2m: "K", orog: "m" });
    expect(source.times).toEqual([start, start + 86400]);
    expect(Array.from(source.grid.latitudes)).toEqual([60, 0, -60]);
    expect(source.grid.isGlobal).toBe(true);
    await expectTruth(source, "gh500", 500);
    await expectTruth(source, "tas", 2);
    // Geopotential is made of the height that is there.
    await expectTruth(source, "z850", 850, standardGravity);
    expect(source.variables.find((v) => v.name === "orog")?.invariant).toBe(true);
    const [orography] = await source.read({ time: start + 12345, variables: ["orog"] });
    expect(orography!.values[0]).toBeCloseTo(6, 5);
  });

  it("a forecast with steps, columns before rows, east first, one level in a scalar", async () => {
    const source = await openSource(file("forecast.nc"));
    expect(source.times).toEqual([start + 6 * 3600, start + 12 * 3600]);
    expect(Array.from(source.grid.longitudes)).toEqual([-1, 0, 1, 2]);
    expect(source.variables.map((v) => v.name)).toEqual(["z500"]);
    await expectTruth(source, "z500", 500);
  });

  it("ensembles need a member", async () => {
    await expect(openSource(file("members.nc"))).rejects.toThrow(
      expect.objectContaining({ code: "data", hint: expect.stringContaining("0, 1, 5") }),
    );
    const source = await openSource(file("members.nc"), { member: 5 });
    const [field] = await source.read({ time: start, variables: ["t2m"] });
    expect(field!.values[0]).toBeCloseTo(5000.1, 2);
  });

  it("curvilinear grids are named", async () => {
    await expect(openSource(file("curvilinear.nc"))).rejects.toThrow(/not on latitudes and longitudes: .*curvilinear/);
  });

  it("several files join over time, and overlap is an error", async () => {
    await expect(netcdfSource([file("cds2024.nc"), file("cds2024.nc")])).rejects.toThrow(
      /two fields give z850 at 2019-03-01/,
    );
    await expect(netcdfSource([file("cds2024.nc"), file("cds2019.nc")])).rejects.toThrow(/several grids: 3×4 points/);
  });

  it("says why an array of the file is not a field, and what fields there are", async () => {
    const source = await openSource(file("cmip.nc"));
    const read = (variable: string) => source.read({ time: start, variables: [variable] });
    await expect(read("zg1000")).rejects.toThrow(
      expect.objectContaining({ hint: expect.stringContaining("gh850, gh500, t2m, orog") }),
    );
    const winds = await openSource(file("cds2024.nc"));
    await expect(winds.read({ time: start, variables: ["expver"] })).rejects.toThrow(/there is no variable "expver"/);
  });
});

describe("Zarr", () => {
  it("reads what xarray's conventions say, written by this library", async () => {
    const path = join(folder, "data.zarr");
    const writer = await ZarrWriter.create(path, { attributes: {} });
    const axis = (name: string, values: Float64Array, attributes: Record<string, string>) =>
      writer.writeArray({ name, dimensions: [name], shape: [values.length], dataType: "float64", attributes }, values);
    await axis("time", Float64Array.of(0, 6), { units: "hours since 2019-03-01" });
    await axis("lat", Float64Array.of(50, 51), { units: "degrees_north" });
    await axis("lon", Float64Array.of(0, 1, 2), { units: "degrees_east" });
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    await writer.writeArray(
      {
        name: "t2m",
        dimensions: ["time", "lat", "lon"],
        shape: [2, 2, 3],
        dataType: "float32",
        attributes: { units: "K" },
      },
      values,
    );
    await writer.close();
    const source = await openSource(path);
    expect(source.times).toEqual([start, start + 21600]);
    const [field] = await source.read({ time: source.times[1]!, variables: ["t2m"] });
    expect(Array.from(field!.values)).toEqual([9, 10, 11, 6, 7, 8]);
  });
});

const interim = testData("eraint_uvz.nc");
describe.skipIf(interim === undefined)("ERA-Interim months", () => {
  it("has nine features, global, dated in a year that it names", async () => {
    const source = await openSource(interim!);
    expect(source.variables.map((v) => v.name).sort()).toEqual([
      "u200",
      "u500",
      "u850",
      "v200",
      "v500",
      "v850",
      "z200",
      "z500",
      "z850",
    ]);
    expect(source.description).toContain("months without a year, dated 2000");
    expect(source.grid).toMatchObject({ shape: [241, 480], isGlobal: true });
    const [z, gh] = await source.read({ time: Date.UTC(2000, 6, 1) / 1000, variables: ["z500", "gh500"] });
    expect(z!.values[100 * 480 + 7]).toBeCloseTo(57596.603, 2);
    expect(gh!.values[0]! * standardGravity).toBeCloseTo(z!.values[0]!, 1);
    await source.close();
  });
});
