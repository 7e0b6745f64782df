import { describe, expect, it } from "vitest";
import { isoWeek, quantile, rankedProbabilityScore, tercileEdges, tercileProbabilities } from "./terciles.js";

const week = (text: string) => isoWeek(Date.parse(text) / 1000);

describe("terciles", () => {
  it("knows ISO weeks at the turns of years", () => {
    expect(
      [
        "2018-01-01",
        "2018-12-30",
        "2018-12-31",
        "2020-01-02",
        "2020-12-31",
        "2021-01-03",
        "2021-01-04",
        "2016-01-03",
      ].map(week),
    ).toEqual([1, 52, 1, 1, 53, 53, 1, 53]);
    expect(week("1969-12-29")).toBe(1);
  });

  it("has NumPy's quantiles", () => {
    // numpy.quantile([1, 2, 4, 8, 16], [1/3, 2/3])
    expect(quantile([1, 2, 4, 8, 16], 1 / 3)).toBeCloseTo(2.6666666667, 9);
    expect(quantile([1, 2, 4, 8, 16], 2 / 3)).toBeCloseTo(6.6666666667, 9);
    expect(quantile([5], 1 / 3)).toBe(5);
  });

  it("gives edges and probabilities point by point", () => {
    const samples = [16, 2, 8, 1, 4].map((value) => Float32Array.of(value, value === 2 ? Number.NaN : value));
    const [lower, upper] = tercileEdges(samples);
    expect([lower[0], upper[0]].map((x) => Number(x!.toFixed(5)))).toEqual([2.66667, 6.66667]);
    expect(lower[1]).toBeNaN();
    const [below, near, above] = tercileProbabilities(
      [0, 3, 6, 9].map((value) => Float32Array.of(value, value)),
      [Float32Array.of(3, 3), Float32Array.of(9, Number.NaN)],
    );
    // On an edge: not below the lower one, above the upper one.
    expect([below[0], near[0], above[0]]).toEqual([0.25, 0.5, 0.25]);
    expect(near[1]).toBeNaN();
  });

  it("scores probabilities", () => {
    const weights = Float64Array.of(1, 3, 0, 1);
    const third = new Float32Array(4).fill(1 / 3);
    const observed = [Float32Array.of(1, 0, 0, Number.NaN), Float32Array.of(0, 1, 1, 0), Float32Array.of(0, 0, 0, 1)];
    // (2/3)² + (1/3)² below, (1/3)² + (1/3)² near.
    const expected = (1 * (5 / 9) + 3 * (2 / 9)) / 4;
    expect(rankedProbabilityScore([third, third, third], observed, weights)).toBeCloseTo(expected, 6);
    expect(rankedProbabilityScore(observed, observed, weights)).toBe(0);
    expect(rankedProbabilityScore(observed, observed, new Float64Array(4))).toBeNaN();
  });
});
