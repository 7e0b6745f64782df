// Sources on other grids: GRIB and NetCDF files that no model can read as they are, winds, map files, and what is refused.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type AnyGrid, numberOfPoints, placesOf } from "../grid/any-grid.js";
import { latLonGrid, regularGrid } from "../grid/grid.js";
import { namedGrid } from "../grid/json.js";
import { pointsGrid } from "../grid/points-grid.js";
import { projectedGrid } from "../grid/projected-grid.js";
import { lambertConformal } from "../grid/projections.js";
import { regridder } from "../grid/regrid/regridder.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { mapRegridder, readRegridMap, writeRegridMap } from "../io/regrid-map.js";
import { arraySource } from "./array-source.js";
import { openSource } from "./open.js";
import { regridSource } from "./regrid-source.js";
import type { Source } from "./source.js";

const golden = (name: string) => fileURLToPath(new URL(`../../../../test/golden/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "foehn-regrid-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const start = Date.UTC(2019, 2, 1) / 1000;

/** One field of each variable at one time, by place. */
function anySource(
  grid: AnyGrid,
  fields: Readonly<Record<string, (latitude: number, longitude: number) => number>>,
): Source<AnyGrid> {
  const { latitudes, longitudes } = placesOf(grid);
  return {
    description: "made of formulas",
    grid,
    times: [start],
    variables: Object.keys(fields).map((name) => ({ name, units: "1", longName: name })),
    read: async ({ time, variables }) =>
      variables.map((variable) => ({
        variable,
        time,
        values: Float32Array.from(latitudes, (latitude, n) => fields[variable]!(latitude, longitudes[n]!)),
      })),
    close: async () => {},
  };
}

describe("files on grids of other kinds", () => {
  it("are refused with the way out, and read with it: GRIB on a Lambert grid", async () => {
    // The first message of the file; every value is latitude + longitude (0 to 360) / 1000.
    const first = { select: (message: { index: number }) => message.index === 0 };
    await expect(openSource(golden("io/grids.grib"), first)).rejects.toMatchObject({
      message: expect.stringMatching(
        /not on latitudes and longitudes: 5×7 points, Lambert conformal \(46.5 °N, 2 °E\)/,
      ),
      hint: expect.stringContaining("--regrid bilinear"),
    });
    const to = regularGrid({ lat0: 43.5, dlat: 0.25, ny: 10, lon0: -6, dlon: 0.25, nx: 12 });
    const source = await openSource(golden("io/grids.grib"), { ...first, regrid: { to, method: "bilinear" } });
    expect([source.grid, source.nativeGrid?.kind]).toEqual([to, "projected"]);
    expect(source.description).toContain("regridded (bilinear)");
    const [field] = await source.read({ time: source.times[0]!, variables: [source.variables[0]!.name] });
    for (const [n, value] of field!.values.entries()) {
      const [latitude, longitude] = [to.latitudes[Math.floor(n / 12)]!, to.longitudes[n % 12]!];
      // Latitude is not linear in the plane of the projection: 130 km steps leave a few thousandths.
      expect(Math.abs(value - latitude - (longitude + 360) / 1000)).toBeLessThan(0.005);
    }
    await source.close();
  });

  it("are read with both dimensions of their coordinates: curvilinear NetCDF", async () => {
    const to = latLonGrid([54, 53, 52], [-5, -4.5, -4, -3.5]);
    const file = golden("sources/curvilinear.nc");
    const source = await openSource(file, { regrid: { to, method: "bilinear" } });
    const [field] = await source.read({ time: start, variables: ["t2m"] });
    for (const [n, value] of field!.values.entries()) {
      expect(value).toBeCloseTo(280 + 2 * to.latitudes[Math.floor(n / 4)]! + (to.longitudes[n % 4]! + 360) / 10, 2);
    }
    const far = { to: latLonGrid([70, 53], [0, 1]), method: "bilinear" } as const;
    await expect(openSource(file, { regrid: far })).rejects.toThrow(/do not cover \d of the 4 points/);
    await expect(openSource(file, { regrid: { to, method: "conservative" } })).rejects.toThrow(/not possible/);
    await expect(openSource(file, { regrid: { to, method: "bilinaer" } })).rejects.toMatchObject({
      hint: expect.stringContaining('Did you mean "bilinear"?'),
    });
  });
});

describe("regridSource", () => {
  it("turns winds along the axes of the grid to east and north", async () => {
    const earth = { majorAxis: 6_371_229, minorAxis: 6_371_229 };
    const lambert = lambertConformal(earth, { latitude1: 50, latitude2: 50, meridian: 0 });
    const [x0, y0] = lambert.forward(65, -20);
    const axes = { x0, dx: 40_000, nx: 80, y0, dy: -50_000, ny: 60 };
    const grid = projectedGrid(lambert, axes, { vectorsAlongGrid: true });
    // With one standard parallel the meridians of a Lambert grid lean by (λ - λ0) sin φ0.
    const lean = (longitude: number) => (longitude * Math.sin((50 * Math.PI) / 180) * Math.PI) / 180;
    const [east, north] = [8, -3];
    const source = anySource(grid, {
      u10m: (_, longitude) => east * Math.cos(lean(longitude)) - north * Math.sin(lean(longitude)),
      v10m: (_, longitude) => north * Math.cos(lean(longitude)) + east * Math.sin(lean(longitude)),
      t2m: (latitude) => latitude,
    });
    const to = regularGrid({ lat0: 60, dlat: 1, ny: 8, lon0: -10, dlon: 2, nx: 12 });
    const turned = await regridSource(source, { to, method: "bilinear" });
    const [v, t, u] = await turned.read({ time: start, variables: ["v10m", "t2m", "u10m"] });
    for (const value of u!.values) expect(value).toBeCloseTo(east, 3);
    for (const value of v!.values) expect(value).toBeCloseTo(north, 3);
    expect(t!.values[0]).toBeCloseTo(60, 2);
    const half = await regridSource(anySource(grid, { u10m: () => 1 }), { to, method: "nearest" });
    await expect(half.read({ time: start, variables: ["u10m"] })).rejects.toThrow(/lack "v10m" to turn it/);
  });

  it("regrids points by the nearest one, and fills arrays that it is given", async () => {
    const stations = anySource(pointsGrid([10, 20], [0, 90]), { t2m: (latitude) => latitude });
    const source = await regridSource(stations, { to: latLonGrid([30, 0], [5, 80]), method: "nearest" });
    const into = [new Float32Array(4)];
    const [field] = await source.read({ time: start, variables: ["t2m"], into });
    expect(field!.values).toBe(into[0]);
    expect([...into[0]!]).toEqual([10, 20, 10, 20]);
  });
});

describe("map files", () => {
  const from = regularGrid({ lat0: 80, dlat: 20, ny: 9, lon0: 0, dlon: 30, nx: 12 });
  const to = regularGrid({ lat0: 75, dlat: 30, ny: 6, lon0: 5, dlon: 45, nx: 8 });
  const values = Float32Array.from({ length: numberOfPoints(from) }, (_, n) => (n * 37) % 101);

  it("give back what was written, and are applied by SciPy to the same", async (context) => {
    const made = regridder(from, to, "conservative");
    const path = await writeRegridMap(join(folder, "map.nc"), made);
    const map = await readRegridMap(path);
    expect(map.targetShape).toEqual([6, 8]);
    expect(map.weights).toEqual(made.weights);
    const source = arraySource({ grid: from, times: [start], fields: new Map([["t2m", values]]) });
    const regridded = await regridSource(source, { to, method: path });
    const [field] = await regridded.read({ time: start, variables: ["t2m"] });
    expect(field!.values).toEqual(made.apply(values));
    const lacks = pythonLacks("scipy", "netCDF4");
    if (lacks) context.skip(lacks);
    const script = `
import sys, json, netCDF4, numpy as np, scipy.sparse as sp
d = netCDF4.Dataset(sys.argv[1])
m = sp.coo_matrix((d["S"][:], (d["row"][:] - 1, d["col"][:] - 1)), shape=(len(d.dimensions["n_b"]), len(d.dimensions["n_a"]))).tocsr()
x = np.array(json.loads(sys.argv[2]))
print(json.dumps([list(map(float, m @ x)), d["latc_b"][:].tolist(), d["xc_a"][:3].tolist()]))`;
    const [product, latc, xc] = runPython(script, path, JSON.stringify([...values])) as number[][];
    for (const [n, value] of product!.entries()) expect(field!.values[n]).toBeCloseTo(value, 4);
    expect([latc, xc]).toEqual([[...to.latitudes], [0, 30, 60]]);
  });

  it("of rows from the south are turned; of other grids are refused", async (context) => {
    const lacks = pythonLacks("netCDF4");
    if (lacks) context.skip(lacks);
    // As TempestRemap numbers them: from the south, entries in any order, radians.
    const path = join(folder, "south.nc");
    const script = `
import sys, netCDF4, numpy as np
d = netCDF4.Dataset(sys.argv[1], "w", format="NETCDF3_CLASSIC")
lat, lon = np.arange(-80, 81, 20.0), np.arange(0, 360, 30.0)
blat, blon = np.arange(-75, 76, 30.0), np.arange(5, 365, 45.0)
for n, size in (("n_a", 108), ("n_b", 48), ("n_s", 48), ("lat", 6), ("lon", 8)): d.createDimension(n, size)
def put(name, dim, values, kind="f8", units=None):
    v = d.createVariable(name, kind, (dim,))
    v[:] = values
    if units: v.units = units
put("row", "n_s", np.arange(48, 0, -1), "i4")
put("col", "n_s", 2 * np.arange(48, 0, -1), "i4")
put("S", "n_s", np.full(48, 1.0))
put("yc_a", "n_a", np.radians(np.repeat(lat, 12)), units="radians")
put("xc_a", "n_a", np.radians(np.tile(lon, 9)), units="radians")
put("latc_b", "lat", blat); put("lonc_b", "lon", blon)
d.close(); print("null")`;
    runPython(script, path);
    const grids = await mapRegridder(path, from, to);
    const out = grids.apply(values);
    // Target n of the file (from the south) takes its source 2n + 1.
    for (const n of [0, 7, 47]) {
      const here = (5 - Math.floor(n / 8)) * 8 + (n % 8);
      const there = 2 * n + 1;
      expect(out[here]).toBe(values[(8 - Math.floor(there / 12)) * 12 + (there % 12)]);
    }
    const shifted = regularGrid({ lat0: 80, dlat: 20, ny: 9, lon0: 1, dlon: 30, nx: 12 });
    await expect(mapRegridder(path, shifted, to)).rejects.toThrow(/maps from other points than the grid's/);
    await expect(mapRegridder(path, namedGrid("s2s"), to)).rejects.toThrow(/108 points to map from, the grid 65160/);
    await expect(readRegridMap(golden("sources/cmip.nc"))).rejects.toThrow(/"row", "col" and "S"/);
  });
});
