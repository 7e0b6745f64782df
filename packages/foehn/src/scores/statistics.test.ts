import { describe, expect, it } from "vitest";
import { fractionsSkillScore } from "./fss.js";
import { latitudeWeights, weightedMean, weightedVariance } from "./statistics.js";

const axis = (first: number, last: number, n: number) =>
  Array.from({ length: n }, (_, i) => first + ((last - first) * i) / (n - 1));

describe("weights and moments", () => {
  it("are Earth2Studio's", () => {
    const expected = [0, 1.4644661, 2.0710678, 1.4644661, 0];
    for (const [i, w] of latitudeWeights(axis(90, -90, 5)).entries()) expect(w).toBeCloseTo(expected[i]!, 7);
    expect(Math.max(...latitudeWeights(axis(90, -90, 721)))).toBeCloseTo(1.5729804839716, 12);
    expect(Math.max(...latitudeWeights(axis(90, -89.75, 720)))).toBeCloseTo(1.570798818945, 12);
    expect(weightedVariance([1, 2, 4], [0.5, 1, 1.5])).toBeCloseTo(2.409090909, 9);
    expect(weightedVariance([1, 2, 4])).toBeCloseTo(7 / 3, 12);
    expect(weightedMean([1, 2, 4], [0.5, 1, 1.5])).toBeCloseTo(8.5 / 3, 12);
    expect(weightedVariance([3])).toBeNaN();
  });
});

describe("fractions skill score", () => {
  const n = 128;
  const shape = [n, n] as const;
  const board = Float32Array.from({ length: n * n }, (_, i) => (Math.floor(i / n) + (i % n)) % 2);
  const constant = new Float32Array(n * n).fill(0.75);
  const score = (a: Float32Array, b: Float32Array, window: number) =>
    fractionsSkillScore(a, b, shape, { threshold: 0.5, window });

  it.each([
    [10, 0.8],
    [5, 0.796748],
    [3, 0.7980296],
  ])("of a checkerboard and a constant, window %d, is %d", (window, expected) => {
    expect(score(board, constant, window)).toBeCloseTo(expected, 7);
  });

  it("is 1 for the same field, 0 without overlap, and takes a window of one point", () => {
    expect(score(board, board, 5)).toBe(1);
    expect(score(new Float32Array(n * n), constant, 5)).toBe(0);
    expect(score(board, constant, 1)).toBeCloseTo(1 - 0.5 / 1.5, 12);
    expect(() => score(board, constant, 129)).toThrow(/does not fit/);
  });

  it("leaves out windows with missing points", () => {
    // What is missing is where the fields differ: the rest agrees.
    const [field, other] = [board.slice(), board.slice()];
    other[40 * n + 50] = 1 - other[40 * n + 50]!;
    expect(score(field, other, 3)).toBeLessThan(1);
    other[40 * n + 50] = Number.NaN;
    expect(score(field, other, 3)).toBe(1);
    expect(score(other, field, 3)).toBe(1);
  });
});
