// Regridding against NumPy, SciPy and xarray (test/golden/grid/make_regrid.py), closed forms, and what each method must keep.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnyGrid, describeAnyGrid, numberOfPoints, placesOf, sameAnyGrid } from "../any-grid.js";
import { gaussianGrid, gaussianLatitudes, octahedralGrid, reducedGaussianGrid } from "../gaussian.js";
import { type Grid, latLonGrid, regularGrid } from "../grid.js";
import { namedGrid } from "../json.js";
import { pointsGrid } from "../points-grid.js";
import { curvilinearGrid } from "../projected-grid.js";
import { type CellGrid, cellAreas } from "./conservative.js";
import { type RegridMethod, regridder } from "./regridder.js";

const golden = JSON.parse(
  readFileSync(new URL("../../../../../test/golden/grid/regrid.json", import.meta.url), "utf8"),
) as {
  gaussian: Record<string, number[]>;
  gaussian_sine: Record<string, number[]>;
  periodic: Interpolated;
  region: Interpolated;
  nearest: { lat: number[]; lon: number[]; to_lat: number[]; to_lon: number[]; index: number[] };
};
interface Interpolated {
  lat: number[];
  lon: number[];
  field: number[];
  to_lat: number[];
  to_lon: number[];
  bilinear: number[];
}

const radians = Math.PI / 180;

/** A field of closed form at every point of a grid. */
function field(grid: AnyGrid, value: (latitude: number, longitude: number) => number): Float64Array {
  const { latitudes, longitudes } = placesOf(grid);
  return latitudes.map((latitude, i) => value(latitude, longitudes[i]!));
}
const smooth = (lat: number, lon: number) =>
  280 + 20 * Math.cos(2 * lat * radians) + 7 * Math.cos(3 * lon * radians) * Math.cos(lat * radians);
const worst = (a: Float64Array | number[], b: ArrayLike<number>) =>
  Float64Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe("Gaussian grids", () => {
  it("have NumPy's Legendre roots as latitudes", () => {
    for (const [n, latitudes] of Object.entries(golden.gaussian)) {
      expect(worst(gaussianLatitudes(Number(n)), latitudes)).toBeLessThan(1e-12);
    }
    const sines = gaussianLatitudes(320).map((latitude) => Math.sin(latitude * radians));
    expect(worst(sines, golden.gaussian_sine["320"]!)).toBeLessThan(1e-14);
    expect(() => gaussianLatitudes(0)).toThrow(/1 or more/);
  });

  it("are full, octahedral or classic", () => {
    expect(gaussianGrid(32).shape).toEqual([64, 128]);
    expect(gaussianGrid(32).isGlobal).toBe(true);
    // ECMWF's O1280 has 6 599 680 points, O32 5 248.
    expect(octahedralGrid(32).shape).toEqual([5248]);
    expect(octahedralGrid(1280).pointsPerRow.reduce((a, b) => a + b)).toBe(6_599_680);
    expect(describeAnyGrid(octahedralGrid(32))).toBe("5248 points, reduced Gaussian O32, global");
    expect(describeAnyGrid(reducedGaussianGrid([20, 24, 24, 20]))).toContain("O2");
    expect(() => reducedGaussianGrid([4, 4, 4])).toThrow(/even number of rows/);
  });
});

describe("bilinear", () => {
  it("is exact on a plane and where both grids have a point", () => {
    const axis = [3, 2, 1, 0];
    const four = latLonGrid(axis, [0, 1, 2, 3]);
    const plane = field(four, (lat, lon) => 10 * lat + lon);
    const at = pointsGrid([0, 1.5, 3], [0, 1.5, 3]);
    expect([...regridder(four, at, "bilinear").apply(plane)]).toEqual([0, 16.5, 33]);
  });

  it.each(["periodic", "region"] as const)("equals xarray and SciPy: %s", (name) => {
    const g = golden[name];
    const grid = regridder(latLonGrid(g.lat, g.lon), latLonGrid(g.to_lat, g.to_lon), "bilinear");
    expect(grid.uncovered).toBe(0);
    expect(worst(grid.apply(Float64Array.from(g.field)), g.bilinear)).toBeLessThan(1e-10);
  });

  it("closes a gap at the pole with the mean of the row beside it", () => {
    const rows = regularGrid({ lat0: 80, dlat: 20, ny: 9, lon0: 0, dlon: 90, nx: 4 });
    const values = field(rows, (lat, lon) => lat + lon);
    const out = regridder(rows, pointsGrid([90, 85, -90], [10, 90, 200]), "bilinear").apply(values);
    expect(out[0]).toBeCloseTo(80 + 135, 10);
    expect(out[1]).toBeCloseTo((80 + 90 + 80 + 135) / 2, 10);
    expect(out[2]).toBeCloseTo(-80 + 135, 10);
    // ERA5's grid without its south pole comes back whole.
    const back = regridder(namedGrid("720x1440"), namedGrid("s2s"), "bilinear");
    expect(back.uncovered).toBe(0);
    expect(back.apply(field(namedGrid("720x1440"), smooth))[180 * 360]).toBeCloseTo(
      280 - 20 * Math.cos(0.5 * radians),
      3,
    );
  });

  it("leaves what lies outside of a region missing", () => {
    const region = regularGrid({ lat0: 60, dlat: 1, ny: 11, lon0: -5, dlon: 1, nx: 11 });
    const grid = regridder(region, pointsGrid([55, 61, 49, 55, 55], [355, 0, 0, 6, -6]), "bilinear");
    expect(grid.uncovered).toBe(4);
    expect([...grid.apply(new Float64Array(121).fill(1))]).toEqual([1, NaN, NaN, NaN, NaN]);
  });

  it("follows reduced rows", () => {
    const grid = octahedralGrid(64);
    const out = regridder(grid, namedGrid("s2s"), "bilinear");
    expect(out.uncovered).toBe(0);
    expect(worst(out.apply(field(grid, smooth)), field(namedGrid("s2s"), smooth))).toBeLessThan(0.06);
  });

  it("finds the cell of a curvilinear grid", () => {
    // Lat–lon axes turned by 30 degrees around a place of the middle latitudes, so that no side follows a parallel.
    const places = Array.from({ length: 30 * 40 }, (_, n) => {
      const [y, x] = [(14.5 - Math.floor(n / 40)) / 3, ((n % 40) - 19.5) / 3];
      return [50 + 0.87 * y + 0.5 * x, 358 + 1.5 * (0.87 * x - 0.5 * y)] as const;
    });
    const grid = curvilinearGrid(
      [30, 40],
      places.map((p) => p[0]),
      places.map((p) => p[1]),
    );
    const to = regularGrid({ lat0: 52, dlat: 0.1, ny: 40, lon0: -4, dlon: 0.1, nx: 40 });
    const out = regridder(grid, to, "bilinear");
    expect(out.uncovered).toBe(0);
    expect(worst(out.apply(field(grid, smooth)), field(to, smooth))).toBeLessThan(2e-3);
    expect(regridder(grid, pointsGrid([70, 50], [0, 30]), "bilinear").uncovered).toBe(2);
  });
});

describe("select", () => {
  it("takes points without changing them: 721 to 720 and 181 rows", () => {
    const era5 = namedGrid("721x1440");
    const values = Float32Array.from({ length: 721 * 1440 }, (_, n) => n);
    for (const [name, row, column] of [
      ["720x1440", 719, 1439],
      ["s2s", 180, 359],
    ] as const) {
      const to = namedGrid(name);
      const exact = regridder(era5, to, "select").apply(values);
      const every = name === "s2s" ? 4 : 1;
      expect(exact[row * to.shape[1] + column]).toBe(every * row * 1440 + every * column);
      if (name !== "s2s") continue;
      expect(worst(Float64Array.from(regridder(era5, to, "bilinear").apply(values)), exact)).toBe(0);
    }
    expect(() => regridder(namedGrid("720x1440"), era5, "select")).toThrow(/not possible between these grids/);
  });
});

describe("nearest", () => {
  it("equals SciPy's tree on the sphere", () => {
    const g = golden.nearest;
    const { weights } = regridder(pointsGrid(g.lat, g.lon), pointsGrid(g.to_lat, g.to_lon), "nearest");
    expect([...weights.column]).toEqual(g.index);
  });

  it("takes the first of equals, and wraps", () => {
    const grid = namedGrid("s2s");
    const { weights } = regridder(grid, pointsGrid([90, 0, 0, 0.4, -90], [17, 0.5, 359.8, -0.5, 3]), "nearest");
    expect([...weights.column]).toEqual([0, 90 * 360, 90 * 360, 90 * 360, 180 * 360]);
  });
});

describe("conservative", () => {
  const integral = (grid: CellGrid, values: Float64Array) =>
    cellAreas(grid).reduce((sum, area, i) => sum + area * values[i]!, 0);
  const kinds = fc.oneof(
    fc
      .record({
        ny: fc.integer({ min: 2, max: 12 }),
        nx: fc.integer({ min: 2, max: 15 }),
        lon0: fc.double({ min: -180, max: 180, noNaN: true }),
      })
      .map(
        ({ ny, nx, lon0 }): CellGrid =>
          latLonGrid(
            Array.from({ length: ny }, (_, i) => 90 - (180 * (i + 0.5)) / ny),
            Array.from({ length: nx }, (_, j) => lon0 + (360 * j) / nx),
          ),
      ),
    fc.integer({ min: 2, max: 8 }).map((n): CellGrid => gaussianGrid(n)),
    fc.integer({ min: 2, max: 8 }).map((n): CellGrid => octahedralGrid(n)),
    fc.constant<CellGrid>(regularGrid({ lat0: 90, dlat: 15, ny: 13, lon0: 0, dlon: 20, nx: 18 })),
  );

  it("keeps the integral over the sphere to 1e-12, and constants", () => {
    fc.assert(
      fc.property(kinds, kinds, fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })), (from, to, random) => {
        const grid = regridder(from, to, "conservative");
        const values = new Float64Array(numberOfPoints(from)).map(() => 10 + random.next().value);
        const [before, after] = [integral(from, values), integral(to, grid.apply(values))];
        const ones = grid.apply(new Float64Array(values.length).fill(1));
        return Math.abs(after / before - 1) < 1e-12 && ones.every((value) => Math.abs(value - 1) < 1e-12);
      }),
      { numRuns: 60 },
    );
    expect(cellAreas(octahedralGrid(8)).reduce((a, b) => a + b)).toBeCloseTo(4 * Math.PI, 12);
  });

  it("is the mean over cells: four of a row to one", () => {
    const fine = regularGrid({ lat0: 0.75, dlat: 0.5, ny: 4, lon0: 0.25, dlon: 0.5, nx: 4 });
    const coarse = regularGrid({ lat0: 0.5, dlat: 1, ny: 2, lon0: 0.5, dlon: 1, nx: 2 });
    const out = regridder(fine, coarse, "conservative").apply(Float64Array.from({ length: 16 }, (_, n) => n));
    const [inner, outer] = [Math.sin(0.5 * radians), Math.sin(1 * radians) - Math.sin(0.5 * radians)];
    expect(out[0]).toBeCloseTo((0.5 * outer + 4.5 * inner) / (inner + outer), 12);
    expect(out[3]).toBeCloseTo((10.5 * inner + 14.5 * outer) / (inner + outer), 12);
  });

  it("needs cells", () => {
    const points = pointsGrid([0, 1], [0, 1]);
    expect(() => regridder(points, namedGrid("s2s"), "conservative")).toThrow(/not possible/);
    expect(() => regridder(points, namedGrid("s2s"), "bilinear")).toThrow(/bilinear/);
    expect(() => regridder(points, points, "cubic" as RegridMethod)).toThrow(/unknown regridding method "cubic"/);
  });
});

describe("weights", () => {
  it("of a target add up to one by every method, and none is negative", () => {
    const lat = fc.double({ min: -90, max: 90, noNaN: true });
    const lon = fc.double({ min: -400, max: 400, noNaN: true });
    const sources: AnyGrid[] = [
      gaussianGrid(4),
      octahedralGrid(5),
      regularGrid({ lat0: 90, dlat: 20, ny: 10, lon0: -180, dlon: 30, nx: 12 }),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(fc.tuple(lat, lon), { minLength: 1, maxLength: 8 }),
        (from, places) => {
          const to = pointsGrid(
            places.map((p) => p[0]),
            places.map((p) => p[1]),
          );
          return (["bilinear", "nearest"] as const).every((method) => {
            const { weights, apply } = regridder(from, to, method);
            const ones = apply(new Float64Array(weights.columns).fill(1));
            return ones.every((sum) => Math.abs(sum - 1) < 1e-12) && weights.weight.every((w) => w >= 0);
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("a regridder", () => {
  const from = latLonGrid([1, 0], [0, 1, 2]);
  const to: Grid = latLonGrid([0.5], [0.5, 1.5]);
  const holed = Float32Array.of(1, Number.NaN, 3, 4, 5, 6);

  it("spreads missing values, or averages what is there", () => {
    const plain = regridder(from, to, "bilinear");
    expect(plain.apply(holed)).toEqual(Float32Array.of(Number.NaN, Number.NaN));
    const mean = regridder(from, to, "bilinear", { missing: "renormalise" });
    expect(mean.apply(holed)[0]).toBeCloseTo(10 / 3, 6);
    const empty = Float32Array.of(1, Number.NaN, Number.NaN, Number.NaN, Number.NaN, 6);
    expect(mean.apply(empty)).toEqual(Float32Array.of(Number.NaN, Number.NaN));
  });

  it("fills an array that it is given, keeps its weights, and checks lengths", () => {
    const grid = regridder(from, to, "bilinear");
    const out = new Float32Array(2);
    expect(grid.apply(Float32Array.of(1, 2, 3, 4, 5, 6), out)).toBe(out);
    expect([...out]).toEqual([3, 4]);
    expect(regridder(latLonGrid([1, 0], [0, 1, 2]), to, "bilinear").weights).toBe(grid.weights);
    expect(() => grid.apply(new Float32Array(5))).toThrow(/a field of 6 points to one of 2, got 5/);
  });

  it("knows grids of a kind from each other", () => {
    expect(sameAnyGrid(octahedralGrid(4), octahedralGrid(4))).toBe(true);
    expect(sameAnyGrid(octahedralGrid(4), octahedralGrid(5))).toBe(false);
    expect(sameAnyGrid(pointsGrid([1], [359]), pointsGrid([1], [-1]))).toBe(true);
    expect(sameAnyGrid(pointsGrid([1], [0]), latLonGrid([1], [0]))).toBe(false);
  });
});
