// Grids that are not regular against ecCodes' own iterators (test/golden/io/make_grib_grids.py).

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { describeAnyGrid, numberOfPoints, placesOf } from "../../grid/any-grid.js";
import { liveHandles } from "./eccodes.js";
import { openGrib } from "./read.js";

const golden = (name: string) => fileURLToPath(new URL(`../../../../../test/golden/io/${name}`, import.meta.url));
const expected = JSON.parse(readFileSync(golden("grids.json"), "utf8")) as {
  name: string;
  points: number;
  every: number;
  gridType: string;
  lat: number[];
  lon: number[];
}[];

const turned = (longitude: number) => ((longitude % 360) + 360) % 360;
/** Degrees, also across Greenwich. */
const gap = (a: number, b: number) => Math.min(Math.abs(turned(a) - turned(b)), 360 - Math.abs(turned(a) - turned(b)));

describe("GRIB grids of other kinds", () => {
  using file = openGrib(golden("grids.grib"));

  it.each(expected.map((e, i) => [e.name, e, i] as const))("%s", (_name, e, index) => {
    const message = file.messages[index]!;
    const grid = file.anyGridOf(message);
    const kind =
      e.gridType === "reduced_gg" ? "reduced_gaussian" : e.name.startsWith("points") ? "points" : "projected";
    expect(grid.kind).toBe(kind);
    expect(numberOfPoints(grid)).toBe(e.points);
    const { latitudes, longitudes } = placesOf(grid);
    const values = file.readValues(message);
    // Each value names its place; ecCodes rounds rotated coordinates to a millionth of a degree.
    for (let n = 0; n < e.points; n++) {
      expect(values[n]).toBeCloseTo(latitudes[n]! + turned(longitudes[n]!) / 1000, 4);
    }
    // The same points as ecCodes has, in whatever order.
    for (const [n, latitude] of e.lat.entries()) {
      const longitude = e.lon[n]!;
      const found = latitudes.findIndex(
        (l, k) => Math.abs(l - latitude) < 2e-6 && gap(longitudes[k]!, longitude) < 2e-6,
      );
      expect(found, `${latitude} ${longitude}`).toBeGreaterThanOrEqual(0);
    }
    if (grid.kind !== "projected") return;
    const [ny, nx] = grid.shape;
    // North is up along the middle column (away from the pole of a stereographic grid), and places are found where they are.
    if (!/stereographic/.test(e.name)) {
      const middle = Math.floor(nx / 2);
      expect(latitudes[middle]!).toBeGreaterThan(latitudes[(ny - 1) * nx + middle]!);
    }
    for (let n = 0; n < e.points; n++) {
      const [row, column] = grid.indexOf!(latitudes[n]!, longitudes[n]! - 720);
      expect(row).toBeCloseTo(Math.floor(n / nx), 6);
      expect(column).toBeCloseTo(n % nx, 6);
    }
    expect(describeAnyGrid(grid)).toMatch(/^5×7 points, (Lambert|polar|Mercator|rotated)/);
  });

  it("names what has no points", () => {
    using spectral = openGrib(golden("spectral.grib"));
    expect(() => spectral.anyGridOf(spectral.messages[0]!)).toThrow(/grid is spherical harmonics.*does not say where/);
  });

  it("leaves no handle open", () => expect(liveHandles()).toBe(0));
});
