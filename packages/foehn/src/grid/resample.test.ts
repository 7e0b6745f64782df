import { describe, expect, it } from "vitest";
import { regularGrid } from "./grid.js";
import { resampler } from "./resample.js";

const grid = (lat0: number, spacing: number, ny: number, lon0: number, nx: number) =>
  regularGrid({ lat0, dlat: spacing, ny, lon0, dlon: spacing, nx });
const plane = (g: ReturnType<typeof grid>) =>
  Float32Array.from(
    { length: g.shape[0] * g.shape[1] },
    (_, n) => 2 * g.latitudes[Math.floor(n / g.shape[1])]! - 3 * g.longitudes[n % g.shape[1]]!,
  );

describe("fields on another grid", () => {
  const coarse = grid(50, 0.1, 11, 0, 21);

  it("are bilinear between points, exact for planes, and unchanged where both grids have a point", () => {
    const fine = grid(49.9, 0.025, 21, 0.2, 41);
    const values = resampler(coarse, fine).apply(plane(coarse));
    const exact = plane(fine);
    for (const [n, value] of values.entries()) expect(value).toBeCloseTo(exact[n]!, 3);
    const rough = Float32Array.from({ length: 11 * 21 }, (_, n) => (n * 7919) % 101);
    const same = resampler(coarse, fine).apply(rough);
    expect(same[0]).toBe(rough[21 + 2]);
    expect(same[4 * 41 + 8]).toBe(rough[2 * 21 + 4]);
  });

  it("are means of the points in each cell towards a coarser grid", () => {
    const wide = grid(49.8, 0.3, 2, 0.3, 3);
    const values = resampler(coarse, wide).apply(plane(coarse));
    const exact = plane(wide);
    for (const [n, value] of values.entries()) expect(value).toBeCloseTo(exact[n]!, 4);
    const one = new Float32Array(11 * 21);
    one[2 * 21 + 3] = 9;
    expect(resampler(coarse, wide).apply(one)[0]).toBeCloseTo(1, 6);
  });

  it("spread missing values to the points that would need them, and no further", () => {
    const values = plane(coarse);
    values[21 + 2] = Number.NaN;
    const out = resampler(coarse, grid(49.9, 0.05, 3, 0.2, 4)).apply(values);
    expect([...out].map(Number.isNaN)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it("must lie inside", () => {
    expect(() => resampler(coarse, grid(51, 0.1, 3, 0, 4))).toThrow(/does not cover 3×4 points, 51 to 50.8 °N/);
  });
});
