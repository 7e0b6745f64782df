// Both array writers against one list of promises: what was written reads back, what was not reads as NaN, nothing stands
// under the final name before the end, and xarray agrees.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { ArrayWriter } from "./array-writer.js";
import { openNetcdf } from "./netcdf/read.js";
import { NetcdfWriter } from "./netcdf/write.js";
import { pythonLacks, runPython } from "./python.test-support.js";
import { openZarr } from "./zarr/read.js";
import { ZarrWriter } from "./zarr/write.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-writers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lat = Float64Array.of(52, 51, 50);
const lon = Float64Array.of(-1, 0);

async function fillForecast(writer: ArrayWriter, steps: number, skip = -1): Promise<void> {
  await writer.writeArray(
    {
      name: "time",
      dimensions: ["time"],
      shape: [null],
      dataType: "int64",
      attributes: { standard_name: "time", units: "hours since 2019-03-01 00:00:00", calendar: "standard", axis: "T" },
    },
    BigInt64Array.from({ length: steps }, (_, i) => BigInt(6 * i)),
  );
  await writer.writeArray(
    { name: "lat", dimensions: ["lat"], shape: [3], dataType: "float64", attributes: { units: "degrees_north" } },
    lat,
  );
  await writer.writeArray(
    { name: "lon", dimensions: ["lon"], shape: [2], dataType: "float64", attributes: { units: "degrees_east" } },
    lon,
  );
  await writer.writeArray(
    {
      name: "forecast_reference_time",
      dimensions: [],
      shape: [],
      dataType: "int64",
      attributes: { units: "hours since 2019-03-01 00:00:00", calendar: "standard" },
    },
    BigInt64Array.of(0n),
  );
  await writer.declare({
    name: "t2m",
    dimensions: ["time", "lat", "lon"],
    shape: [null, 3, 2],
    chunkShape: [1, 3, 2],
    dataType: "float32",
    attributes: { units: "K", long_name: "2 metre temperature", coordinates: "forecast_reference_time" },
  });
  for (let step = steps - 1; step >= 0; step--) {
    if (step !== skip) await writer.writeChunk("t2m", [step, 0, 0], field(step));
  }
}

const field = (step: number): Float32Array => Float32Array.from({ length: 6 }, (_, i) => 280 + step + i / 8);

const kinds = [
  {
    name: "Zarr 3",
    suffix: "3.zarr",
    create: (path: string, overwrite = false) => ZarrWriter.create(path, { overwrite }),
  },
  {
    name: "Zarr 2",
    suffix: "2.zarr",
    create: (path: string, overwrite = false) => ZarrWriter.create(path, { overwrite, format: 2 }),
  },
  {
    name: "NetCDF",
    suffix: "nc",
    create: (path: string, overwrite = false) => NetcdfWriter.create(path, { overwrite }),
  },
];

for (const { name, suffix, create } of kinds) {
  describe(`${name} writer`, () => {
    it("has nothing under the final name until it is closed, and nothing at all after abort", async () => {
      const path = join(folder, `abort.${suffix}`);
      const before = readdirSync(folder);
      const writer = await create(path);
      await fillForecast(writer, 2);
      expect(existsSync(path)).toBe(false);
      await writer.abort();
      await writer.abort();
      expect(readdirSync(folder)).toEqual(before);
    });

    it("refuses an existing output, and replaces it at the end when told to", async () => {
      const path = join(folder, `again.${suffix}`);
      const first = await create(path);
      await fillForecast(first, 1);
      expect(await first.close()).toBe(path);
      await expect(create(path)).rejects.toThrow(/exists already/);
      const second = await create(path, true);
      await fillForecast(second, 2);
      expect(existsSync(path)).toBe(true);
      await second.close();
      expect(readdirSync(folder).filter((entry) => entry.includes(".tmp"))).toEqual([]);
    });

    it("does not replace a folder that is something else", async () => {
      const path = join(folder, `precious.${suffix}`);
      mkdirSync(path);
      writeFileSync(join(path, "thesis.txt"), "years of work");
      await expect(create(path, true)).rejects.toThrow(/not replaced/);
      expect(readFileSync(join(path, "thesis.txt"), "utf8")).toBe("years of work");
    });

    it("refuses wrong chunks by name", async () => {
      const writer = await create(join(folder, `wrong.${suffix}`));
      await fillForecast(writer, 1);
      await expect(writer.writeChunk("t2m", [0, 0, 0], new Float32Array(5))).rejects.toThrow(/"t2m".*6 float32.*got 5/);
      await expect(writer.writeChunk("t2m", [0, 1, 0], field(0))).rejects.toThrow(/outside/);
      await expect(writer.writeChunk("z500", [0, 0, 0], field(0))).rejects.toThrow(/"z500" was not declared/);
      await expect(writer.declare({ name: "../x", dimensions: [], shape: [], dataType: "float32" })).rejects.toThrow(
        /cannot name an array|there is no group "\.\."/,
      );
      await writer.abort();
    });

    it("opens in xarray with coordinates, units and CF times; unwritten steps are NaN", async (context) => {
      // zarr.abc came with zarr 3, which reads this format.
      const lacks = pythonLacks(
        "xarray",
        ...(suffix === "nc" ? ["netCDF4", "h5netcdf"] : suffix === "3.zarr" ? ["zarr.abc"] : ["zarr"]),
      );
      if (lacks) context.skip(lacks);
      const path = join(folder, `xarray.${suffix}`);
      const writer = await create(path);
      await fillForecast(writer, 3, 1);
      await writer.close();
      for (const engine of suffix === "nc" ? ["netcdf4", "h5netcdf"] : ["zarr"]) {
        const seen = runPython(
          `
import json, sys, xarray
d = xarray.open_dataset(sys.argv[1], engine=sys.argv[2])
print(json.dumps({
  "dims": list(d.t2m.dims), "times": [str(t)[:16] for t in d.time.values], "reference": str(d.forecast_reference_time.values)[:16],
  "coords": sorted(map(str, d.coords)), "units": d.t2m.attrs["units"], "lat": d.lat.values.tolist(),
  "nan": d.t2m.isnull().all(("lat", "lon")).values.tolist(), "value": float(d.t2m.sel(lat=50, lon=0).values[2]),
  "unlimited": "time" in d.encoding.get("unlimited_dims", ["time"])}))`,
          path,
          engine,
        );
        expect(seen).toEqual({
          dims: ["time", "lat", "lon"],
          times: ["2019-03-01T00:00", "2019-03-01T06:00", "2019-03-01T12:00"],
          reference: "2019-03-01T00:00",
          coords: expect.arrayContaining(["lat", "lon", "time"]),
          units: "K",
          lat: [52, 51, 50],
          nan: [false, true, false],
          value: 282.625,
          unlimited: true,
        });
      }
    });
  });
}

it("NetCDF attributes keep whole numbers that 32 bits cannot hold", async () => {
  const path = join(folder, "large.nc");
  const attributes = { seed: 5_000_000_000, small: -7, none: 2.5 };
  await (await NetcdfWriter.create(path, { attributes })).close();
  using file = await openNetcdf(path);
  expect(file.attributes).toMatchObject(attributes);
});

describe("Zarr round trip", () => {
  it.each(["none", "gzip", "zstd", "blosc"])("reads back bit for bit with %s, both formats", async (compression) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(2 as const, 3 as const),
        fc.array(fc.float32Array({ minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
        async (format, fields) => {
          const path = join(folder, `${compression}-${format}-${Math.random()}.zarr`);
          const writer = await ZarrWriter.create(path, { format, compression, attributes: { title: "t" } });
          await fillForecast(writer, fields.length);
          await Promise.all(fields.map((values, step) => writer.writeChunk("t2m", [step, 0, 0], values)));
          await writer.close();
          const group = await openZarr(path);
          expect(group.attributes).toEqual({ title: "t" });
          const t2m = group.array("t2m");
          expect(t2m).toMatchObject({ dimensions: ["time", "lat", "lon"], shape: [fields.length, 3, 2] });
          for (const [step, values] of fields.entries()) {
            const { data, shape } = await t2m.read([step, null, null]);
            expect(shape).toEqual([3, 2]);
            expect(new Uint8Array(data.slice().buffer)).toEqual(new Uint8Array(values.slice().buffer));
          }
          const { data } = await t2m.read([[0, 1], [1, 3], 0]);
          expect([...(data as Float32Array)]).toEqual([fields[0]![2], fields[0]![4]]);
          const reference = await group.array("forecast_reference_time").read();
          expect(reference).toEqual({ data: BigInt64Array.of(0n), shape: [] });
        },
      ),
      { numRuns: 4 },
    );
  });

  it("reads chunks that were never written as NaN", async () => {
    const path = join(folder, "gap.zarr");
    const writer = await ZarrWriter.create(path);
    await fillForecast(writer, 3, 1);
    await writer.close();
    const { data } = await (await openZarr(path)).array("t2m").read([[0, 3], 0, 0]);
    expect([...(data as Float32Array)]).toEqual([280, Number.NaN, 282]);
  });

  it("names what is wrong", async () => {
    await expect(openZarr(join(folder, "nowhere.zarr"))).rejects.toThrow(/not a Zarr store/);
    const path = join(folder, "bad.zarr");
    const writer = await ZarrWriter.create(path);
    await fillForecast(writer, 1);
    await writer.close();
    const group = await openZarr(path);
    expect(() => group.array("t2n")).toThrow(expect.objectContaining({ hint: expect.stringMatching(/"t2m"/) }));
    await expect(group.array("t2m").read([5, null, null])).rejects.toThrow(/outside axis 0/);
    writeFileSync(join(path, "zarr.json"), "{ half");
    await expect(openZarr(path)).rejects.toThrow(/cannot be read/);
    await expect(ZarrWriter.create(join(folder, "x.zarr"), { compression: "zst" })).rejects.toThrow(/"zst"/);
  });
});
