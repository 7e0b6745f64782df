import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { latLonGrid } from "../../grid/grid.js";
import { golden } from "../../io/golden.test-support.js";
import { regionByName, regionWeights } from "./regions.js";
import { type EnsembleScores, EnsembleSums, type EnsembleSumsSettings } from "./sums.js";

interface Golden {
  readonly latitudes: number[];
  readonly longitudes: number[];
  readonly thresholds: number[];
  readonly cases: readonly { readonly members: (number | null)[][]; readonly truth: (number | null)[] }[];
  readonly scores: Readonly<Record<string, EnsembleScores>>;
}

const expected: Golden = JSON.parse(readFileSync(golden("scores", "ensemble.json"), "utf8"));
const grid = latLonGrid(expected.latitudes, expected.longitudes);
const regions = Object.keys(expected.scores);
const weights = regions.map((name) => regionWeights(grid, regionByName(name)));
const field = (values: readonly (number | null)[]) => Float32Array.from(values, (value) => value ?? Number.NaN);
const cases = expected.cases.map(({ members, truth }, i) => ({
  members: members.map(field),
  truth: field(truth),
  time: i * 43_200,
}));
const settings: EnsembleSumsSettings = {
  variables: ["t850", "t2m"],
  regions,
  numLeads: 2,
  members: 4,
  thresholds: { t2m: expected.thresholds },
  energy: true,
};

function compare(scores: EnsembleScores, wanted: EnsembleScores): void {
  for (const [name, value] of Object.entries(wanted)) {
    const got = scores[name as keyof EnsembleScores];
    for (const [i, number] of [value].flat().entries()) expect([got].flat()[i], name).toBeCloseTo(number, 9);
  }
}

describe("ensemble scores", () => {
  it("are those that NumPy computes from the definitions", () => {
    const sums = new EnsembleSums(settings);
    for (const one of cases) sums.add(1, 1, one, weights);
    for (const [r, name] of regions.entries()) compare(sums.scores(1, r, 1), expected.scores[name]!);
    expect(sums.scores(0, 0, 0).crps).toBeNaN();
    expect(sums.scores(1, 0, 0).cases).toBe(0);
  });

  it("merge over shards, by way of JSON, in any order", () => {
    const shards = cases.map((one) => {
      const sums = new EnsembleSums(settings);
      sums.add(1, 0, one, weights);
      return EnsembleSums.fromJson(JSON.parse(JSON.stringify(sums.toJson())));
    });
    const merged = shards[2]!;
    merged.merge(shards[0]!);
    merged.merge(shards[1]!);
    for (const [r, name] of regions.entries()) compare(merged.scores(1, r, 0), expected.scores[name]!);
    expect(() => merged.merge(new EnsembleSums({ ...settings, members: 5 }))).toThrow(/cannot merge/);
    expect(() => EnsembleSums.fromJson({ settings, sums: [[1], []] })).toThrow(/not complete/);
  });

  it("give ties a random rank that depends on the case only, and is even in the long run", () => {
    const [ny, nx] = [40, 50];
    const flat = latLonGrid(
      Array.from({ length: ny }, (_, i) => 0.1 - 0.005 * i),
      Array.from({ length: nx }, (_, j) => j),
    );
    const all = [regionWeights(flat, regionByName("global"))];
    const zeros = new Float32Array(ny * nx);
    const histogram = (seed: number, time: number) => {
      const sums = new EnsembleSums({ variables: ["tp"], regions: ["global"], numLeads: 1, members: 3, seed });
      sums.add(0, 0, { members: [zeros, zeros, zeros], truth: zeros, time }, all);
      return sums.scores(0, 0, 0).rankHistogram;
    };
    for (const share of histogram(1, 0)) expect(Math.abs(share - 0.25)).toBeLessThan(4 * Math.sqrt(0.1875 / 2000));
    expect(histogram(1, 0)).toEqual(histogram(1, 0));
    expect(histogram(2, 0)).not.toEqual(histogram(1, 0));
    expect(histogram(1, 3600)).not.toEqual(histogram(1, 0));
  });

  it("of one member are those of a forecast", () => {
    const sums = new EnsembleSums({ variables: ["t2m"], regions: ["global"], numLeads: 1, members: 1 });
    const [members, truth] = [[Float32Array.of(3, 3)], Float32Array.of(1, 4)];
    sums.add(0, 0, { members, truth, time: 0 }, [Float64Array.of(1, 1)]);
    const scores = EnsembleSums.fromJson(JSON.parse(JSON.stringify(sums.toJson()))).scores(0, 0, 0);
    expect(scores).toMatchObject({ crps: 1.5, rmse: Math.sqrt(2.5), rankHistogram: [0.5, 0.5], cases: 1 });
    for (const value of [scores.crpsFair, scores.spread, scores.spreadSkill]) expect(value).toBeNaN();
  });

  it("say what does not fit", () => {
    const sums = new EnsembleSums({ variables: ["t2m"], regions: ["global"], numLeads: 1, members: 2 });
    const one = { members: [Float32Array.of(1)], truth: Float32Array.of(1), time: 0 };
    expect(() => sums.add(0, 0, one, [Float64Array.of(1)])).toThrow(/expected 2 members/);
    expect(() => regionByName("tropic")).toThrow(/no region "tropic"/);
    expect(() => regionWeights(grid, { north: 5, south: 1, west: 0, east: 10 })).toThrow(/no grid point/);
  });
});
