import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { areaWeights, borderMask, cellSizes, cropField, cropGrid, nearestIndex } from "./geometry.js";
import { describeGrid, latLonGrid, normaliseAxes, regularGrid, reorderField, sameGrid } from "./grid.js";
import { gridFromJson, gridToJson, namedGrid } from "./json.js";

const uk = regularGrid({ lat0: 59, dlat: 0.25, ny: 33, lon0: -10, dlon: 0.25, nx: 49 });

describe("latLonGrid", () => {
  it("keeps the axes and knows when it goes round the Earth", () => {
    expect(uk.shape).toEqual([33, 49]);
    expect(uk.isGlobal).toBe(false);
    expect(namedGrid("721x1440").isGlobal).toBe(true);
    expect(namedGrid("720x1440").latitudes[719]).toBeCloseTo(-89.75, 12);
    expect(regularGrid({ lat0: 90, dlat: 1, ny: 2, lon0: 0, dlon: 1, nx: 359 }).isGlobal).toBe(false);
  });

  it.each([
    [[], [0], /at least one/],
    [[0, 1], [0], /descend/],
    [[1, 1], [0], /descend/],
    [[91], [0], /outside/],
    [[Number.NaN], [0], /outside/],
    [[1, 0], [3, 2], /ascend/],
    [[1, 0], [0, Number.NaN], /NaN/],
    [[1, 0], [0, 360], /360/],
  ])("refuses %j × %j", (lat, lon, message) => {
    expect(() => latLonGrid(lat, lon)).toThrow(message);
  });

  it("describes itself", () => {
    expect(describeGrid(uk)).toBe("33×49 points, 59 to 51 °N by 0.25, -10 to 2 °E by 0.25");
    expect(describeGrid(latLonGrid([3, 2, 0], [1]))).toContain("uneven");
  });

  it("compares longitudes modulo 360", () => {
    const shifted = regularGrid({ lat0: 59, dlat: 0.25, ny: 33, lon0: 350, dlon: 0.25, nx: 49 });
    expect(sameGrid(uk, shifted)).toBe(true);
    expect(sameGrid(uk, regularGrid({ lat0: 59, dlat: 0.25, ny: 33, lon0: 350.1, dlon: 0.25, nx: 49 }))).toBe(false);
    expect(sameGrid(uk, regularGrid({ lat0: 59, dlat: 0.25, ny: 32, lon0: -10, dlon: 0.25, nx: 49 }))).toBe(false);
  });
});

describe("normaliseAxes", () => {
  it("flips rows and unwraps longitudes", () => {
    const axes = normaliseAxes([-1, 0, 1], [359, 0, 1]);
    expect([...axes.grid.latitudes]).toEqual([1, 0, -1]);
    expect([...axes.grid.longitudes]).toEqual([-1, 0, 1]);
    const out = reorderField(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 3, axes);
    expect([...out]).toEqual([7, 8, 9, 4, 5, 6, 1, 2, 3]);
  });

  it("drops a cyclic column and reverses descending longitudes", () => {
    const cyclic = normaliseAxes([1, 0], [0, 90, 180, 270, 360]);
    expect(cyclic.grid.isGlobal).toBe(true);
    expect([...reorderField(Float32Array.of(0, 1, 2, 3, 0, 4, 5, 6, 7, 4), 5, cyclic)]).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    const reversed = normaliseAxes([1, 0], [3, 2, 1]);
    expect([...reorderField(Float32Array.of(3, 2, 1, 6, 5, 4), 3, reversed)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("leaves each value on its own point", () => {
    const axis = fc.integer({ min: 2, max: 9 });
    fc.assert(
      fc.property(axis, axis, fc.boolean(), fc.boolean(), (ny, nx, up, down) => {
        const lat = Array.from({ length: ny }, (_, i) => (up ? i : ny - i));
        const lon = Array.from({ length: nx }, (_, j) => (down ? nx - j : j));
        const axes = normaliseAxes(lat, lon);
        const raw = Float32Array.from({ length: ny * nx }, (_, k) => lat[Math.floor(k / nx)]! * 100 + lon[k % nx]!);
        const out = reorderField(raw, nx, axes);
        return out.every(
          (v, k) => v === axes.grid.latitudes[Math.floor(k / nx)]! * 100 + axes.grid.longitudes[k % nx]!,
        );
      }),
    );
  });
});

describe("geometry", () => {
  it("weights rows by cos(lat) with mean 1", () => {
    const w = areaWeights(uk);
    expect(w.reduce((a, b) => a + b, 0) / 33).toBeCloseTo(1, 12);
    expect(w[0]! / w[32]!).toBeCloseTo(Math.cos((59 * Math.PI) / 180) / Math.cos((51 * Math.PI) / 180), 12);
    const global = areaWeights(namedGrid("721x1440"));
    expect(global[0]).toBeLessThan(1e-15);
    expect(global[0]).toBeGreaterThanOrEqual(0);
    expect([...areaWeights(latLonGrid([90], [0]))]).toEqual([1]);
  });

  it("measures cells in metres", () => {
    const { dx, dy } = cellSizes(regularGrid({ lat0: 1, dlat: 1, ny: 3, lon0: 0, dlon: 1, nx: 4 }));
    expect(dy[1]).toBeCloseTo(111_195, 0);
    expect(dx[1]).toBeCloseTo(111_195, 0);
    expect(dx[0]).toBeCloseTo(111_195 * Math.cos(Math.PI / 180), 0);
  });

  it("finds the nearest point modulo 360", () => {
    expect(nearestIndex(uk, 51.6, 359.9)).toEqual({ row: 30, column: 40 });
  });

  it("frames the grid and refuses a frame without interior", () => {
    expect([...borderMask([3, 4], 1)]).toEqual([1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
    expect([...borderMask([2, 2], 0)]).toEqual([0, 0, 0, 0]);
    expect(() => borderMask([4, 4], 2)).toThrow(/no interior/);
    expect(() => borderMask([4, 4], 0.5)).toThrow(/no interior/);
  });

  it("crops, also across Greenwich of a global grid", () => {
    const global = regularGrid({ lat0: 2, dlat: 1, ny: 5, lon0: 0, dlon: 90, nx: 4 });
    const crop = cropGrid(global, { north: 1, south: -1, west: -90, east: 90 });
    expect([...crop.grid.longitudes]).toEqual([-90, 0, 90]);
    expect([...crop.grid.latitudes]).toEqual([1, 0, -1]);
    const field = Float32Array.from({ length: 20 }, (_, k) => k);
    expect([...cropField(field, crop)]).toEqual([7, 4, 5, 11, 8, 9, 15, 12, 13]);
    expect(() => cropGrid(uk, { north: 10, south: 0, west: 0, east: 1 })).toThrow(/no grid point/);
  });
});

describe("grid JSON", () => {
  it("is a name, compact, or the axes", () => {
    expect(gridToJson(namedGrid("720x1440"))).toBe("720x1440");
    expect(gridToJson(regularGrid({ lat0: 90, dlat: 1, ny: 181, lon0: 0, dlon: 1, nx: 360 }))).toBe("s2s");
    expect(gridToJson(uk)).toEqual({ kind: "latlon", lat0: 59, dlat: 0.25, ny: 33, lon0: -10, dlon: 0.25, nx: 49 });
    expect(gridToJson(latLonGrid([3, 2, 0], [1, 2]))).toEqual({
      kind: "latlon",
      latitudes: [3, 2, 0],
      longitudes: [1, 2],
    });
  });

  it("round-trips any grid", () => {
    const step = fc.double({ min: 0.01, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 9 }),
        fc.array(step, { minLength: 1, maxLength: 9 }),
        (a, b) => {
          let lat = 80;
          let lon = -170;
          const grid = latLonGrid(
            a.map((s) => (lat -= s)),
            b.map((s) => (lon += s)),
          );
          return sameGrid(grid, gridFromJson(JSON.parse(JSON.stringify(gridToJson(grid)))), 1e-8);
        },
      ),
    );
  });

  it("says what is wrong with a wrong one", () => {
    expect(() => gridFromJson("721x1441")).toThrow(/721x1441/);
    expect(() => gridFromJson({ kind: "latlon" })).toThrow(/not a grid/);
  });
});
