import { readFileSync } from "node:fs";
import type * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { latLonGrid, regularGrid } from "../../grid/grid.js";
import { golden as goldenFile } from "../../io/golden.test-support.js";
import { randomStream } from "./philox.js";
import { maternWeights, resolvedDegrees, sphericalField } from "./spherical.js";
import { legendre, sphericalSynthesis } from "./spherical-synthesis.js";

const numbers = (x: torch.Tensor): number[] => Array.from(x.contiguous().toTypedArray(), Number);
/** N rows from 90 − 90/N without poles; N + 1 with both. */
const globe = (n: number, poles: boolean) =>
  regularGrid({
    lat0: poles ? 90 : 90 - 90 / n,
    dlat: 180 / n,
    ny: poles ? n + 1 : n,
    lon0: 0,
    dlon: 180 / n,
    nx: 2 * n,
  });

describe("Matérn weights", () => {
  it("are the reference's for four degrees", () => {
    const weights = maternWeights(4, { alpha: 2, tau: 3, sigma: null });
    for (const [l, expected] of [1 / 3, 0.272727, 0.2, 0.142857].entries()) expect(weights[l]).toBeCloseTo(expected, 6);
    expect(maternWeights(2, { alpha: 2, tau: 2, sigma: 5 })[1]).toBeCloseTo(5 / 6, 12);
  });
});

describe("spherical harmonics", () => {
  it("are orthonormal: Gauss–Legendre quadrature is exact for them", () => {
    // Nodes and weights for n = 5 (Abramowitz & Stegun 25.4): exact to degree 9.
    const nodes = [0, 0.5384693101056831, -0.5384693101056831, 0.906179845938664, -0.906179845938664];
    const weights = [
      0.5688888888888889, 0.47862867049936647, 0.47862867049936647, 0.23692688505618908, 0.23692688505618908,
    ];
    for (let m = 0; m < 5; m++) {
      const table = legendre(m, 5, Float64Array.from(nodes));
      for (let a = 0; a < 5 - m; a++) {
        for (let b = 0; b < 5 - m; b++) {
          const sum = nodes.reduce((s, _, j) => s + weights[j]! * table[a * 5 + j]! * table[b * 5 + j]!, 0);
          expect(2 * Math.PI * sum).toBeCloseTo(Number(a === b), 12);
        }
      }
    }
  });

  it("obey the addition theorem to degree 700 at the pole, beside it and at the equator", () => {
    const sines = Float64Array.from([1, Math.sin((89.75 * Math.PI) / 180), 0.5, 0]);
    const degree = 700;
    const sums = [0, 0, 0, 0];
    for (let m = 0; m <= degree; m++) {
      const row = legendre(m, degree + 1, sines).subarray((degree - m) * 4);
      for (let j = 0; j < 4; j++) sums[j]! += (m === 0 ? 1 : 2) * row[j]! ** 2;
    }
    for (const sum of sums) expect(sum / ((2 * degree + 1) / (4 * Math.PI))).toBeCloseTo(1, 9);
  });

  it("add up to the fields that SciPy's harmonics give", () => {
    const golden: Record<"latitudes" | "longitudes" | "coefficients" | "field", number[]> & { degrees: number } =
      JSON.parse(readFileSync(goldenFile("forecast", "spherical.json"), "utf8"));
    const field = sphericalSynthesis(
      latLonGrid(golden.latitudes, golden.longitudes),
      golden.degrees,
    )([Float32Array.from(golden.coefficients)]);
    for (const [i, value] of numbers(field).entries()) expect(value).toBeCloseTo(golden.field[i]!, 4);
  });
});

describe("the random field", () => {
  const stream = (member: number) => randomStream({ seed: 1, time: 0, member, name: "t2m" });

  it("knows what grids resolve", () => {
    expect(resolvedDegrees(globe(4, false))).toBe(4);
    expect(resolvedDegrees(globe(4, true))).toBe(4);
    expect(resolvedDegrees(globe(180, true))).toBe(180);
    expect(resolvedDegrees(regularGrid({ lat0: 50, dlat: 0.025, ny: 11, lon0: 0, dlon: 0.025, nx: 9 }))).toBe(720);
    expect(resolvedDegrees(latLonGrid([50], [0, 10]))).toBe(18);
  });

  it("is one field, seen with more or fewer points", () => {
    const draw = (grid: Parameters<ReturnType<typeof sphericalField>["on"]>[0]) =>
      numbers(sphericalField({ alpha: 6 }).on(grid)([stream(1)]));
    const coarse = draw(globe(8, true));
    const fine = draw(globe(16, true));
    for (let i = 0; i <= 8; i++) {
      for (let j = 0; j < 16; j++) expect(fine[2 * i * 32 + 2 * j]).toBeCloseTo(coarse[i * 16 + j]!, 2);
    }
    // The pole is one point.
    for (let j = 1; j < 32; j++) expect(fine[j]).toBeCloseTo(fine[0]!, 5);
  });

  it("has the variance of its spectrum everywhere, at the pole as at the equator, and mean zero over the globe", () => {
    const grid = latLonGrid([90, 45, 0], [0, 90]);
    const [n, degrees] = [1500, resolvedDegrees(grid)];
    const fields = numbers(sphericalField().on(grid)(Array.from({ length: n }, (_, m) => stream(m))));
    const weights = maternWeights(degrees);
    const expected = weights.reduce((sum, w, l) => sum + (l === 0 ? 0 : (w * w * (2 * l + 1)) / (4 * Math.PI)), 0);
    for (const point of [0, 2, 3, 4]) {
      const variance = Array.from({ length: n }, (_, m) => fields[m * 6 + point]! ** 2).reduce((a, b) => a + b) / n;
      // Four standard errors of a variance.
      expect(Math.abs(variance / expected - 1), `point ${point}`).toBeLessThan(4 * Math.sqrt(2 / n));
    }
  });

  it("does not vary its global mean", () => {
    const nodes = [0.906179845938664, 0.5384693101056831, 0, -0.5384693101056831, -0.906179845938664];
    const weights = [
      0.23692688505618908, 0.47862867049936647, 0.5688888888888889, 0.47862867049936647, 0.23692688505618908,
    ];
    const grid = latLonGrid(
      nodes.map((x) => (Math.asin(x) * 180) / Math.PI),
      Array.from({ length: 12 }, (_, j) => 30 * j),
    );
    const field = numbers(sphericalField().on(grid)([stream(5)]));
    const mean = weights.reduce((sum, w, i) => sum + w * field.slice(i * 12, i * 12 + 12).reduce((a, b) => a + b), 0);
    expect(mean / 24).toBeCloseTo(0, 6);
  });
});
