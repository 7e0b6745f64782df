import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { areaWeights } from "../grid/geometry.js";
import { latLonGrid } from "../grid/grid.js";
import { ScoreSums } from "./sums.js";

type Plain = (number | null)[][];

const golden: {
  latitudes: number[];
  longitudes: number[];
  climatology: Plain;
  cases: { forecast: Plain; truth: Plain }[];
  expected: { rmse: number; mae: number; bias: number; acc: number; acc_centred: number; missing: number };
} = JSON.parse(readFileSync(new URL("../../../../test/golden/scores/sums.json", import.meta.url), "utf8"));

describe("ScoreSums", () => {
  it("equals NumPy on a checked-in case with missing truth", () => {
    const grid = latLonGrid(golden.latitudes, golden.longitudes);
    const sums = new ScoreSums(1, 1);
    const fields = (values: Plain) => Float32Array.from(values.flat(), (v) => v ?? Number.NaN);
    for (const { forecast, truth } of golden.cases) {
      const climatology = fields(golden.climatology);
      sums.add(0, 0, { forecast: fields(forecast), truth: fields(truth), climatology }, areaWeights(grid));
    }
    const scores = sums.scores(0, 0);
    expect(scores.rmse).toBeCloseTo(golden.expected.rmse, 10);
    expect(scores.mae).toBeCloseTo(golden.expected.mae, 10);
    expect(scores.bias).toBeCloseTo(golden.expected.bias, 10);
    expect(scores.acc).toBeCloseTo(golden.expected.acc, 10);
    expect(scores.accCentred).toBeCloseTo(golden.expected.acc_centred, 10);
    expect(scores).toMatchObject({ cases: 3, missing: golden.expected.missing });
  });

  it("takes the root of the mean, not the mean of the roots", () => {
    const sums = new ScoreSums(1, 1);
    const truth = Float32Array.of(0, 0);
    sums.add(0, 0, { forecast: Float32Array.of(3, 3), truth }, Float64Array.of(1));
    sums.add(0, 0, { forecast: Float32Array.of(-4, -4), truth }, Float64Array.of(1));
    expect(sums.scores(0, 0)).toMatchObject({ rmse: Math.sqrt(12.5), mae: 3.5, bias: -0.5, acc: Number.NaN });
  });

  it("weights rows by area", () => {
    const sums = new ScoreSums(1, 1);
    const weights = areaWeights(latLonGrid([60, 0], [0]));
    sums.add(0, 0, { forecast: Float32Array.of(1, 0), truth: Float32Array.of(0, 0) }, weights);
    expect(sums.scores(0, 0).bias).toBeCloseTo(0.5 / 1.5, 12);
  });

  it("gives the same scores from merged shards in any order, through JSON", () => {
    const values = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(values, values), { minLength: 2, maxLength: 6 }), fc.nat(5), (cases, cut) => {
        const weights = Float64Array.of(0.5, 1.5);
        const climatology = Float32Array.of(1, 2, 3, 4, 5, 6);
        const whole = new ScoreSums(2, 1);
        const parts = [new ScoreSums(2, 1), new ScoreSums(2, 1)];
        for (const [i, [f, o]] of cases.entries()) {
          const one = { forecast: Float32Array.from(f), truth: Float32Array.from(o), climatology };
          for (const sums of [whole, parts[i <= cut ? 0 : 1]!]) sums.add(1, 0, one, weights);
        }
        const merged = ScoreSums.fromJson(JSON.parse(JSON.stringify(parts[1]!.toJson())));
        merged.merge(parts[0]!);
        const [a, b] = [whole.scores(1, 0), merged.scores(1, 0)];
        for (const key of ["rmse", "mae", "bias", "acc", "cases"] as const) expect(b[key]).toBeCloseTo(a[key], 9);
        expect(merged.scores(0, 0).cases).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it("is perfect for a perfect forecast and refuses other sizes", () => {
    const sums = new ScoreSums(1, 1);
    const truth = Float32Array.of(1, 5, 3, 2);
    const climatology = Float32Array.of(2, 2, 2, 2);
    sums.add(0, 0, { forecast: truth, truth, climatology }, Float64Array.of(1, 1));
    expect(sums.scores(0, 0)).toMatchObject({ rmse: 0, mae: 0, bias: 0, acc: 1, cases: 1, missing: 0 });
    expect(sums.scores(0, 0).accCentred).toBeCloseTo(1, 12);
    expect(() => sums.add(0, 0, { forecast: Float32Array.of(1), truth }, Float64Array.of(1))).toThrow(/1 points/);
    expect(() => sums.merge(new ScoreSums(1, 2))).toThrow(/cannot merge/);
  });
});
