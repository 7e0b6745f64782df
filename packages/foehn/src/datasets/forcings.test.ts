import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseTime } from "../core/time.js";
import { latLonGrid, regularGrid } from "../grid/grid.js";
import { cosZenithField } from "../variables/solar.js";
import { computeForcings, dateFeatures, dayOfYear, forcingNames, forcingSpecSchema, insolation } from "./forcings.js";

interface Golden {
  lat: number[];
  lon: number[];
  cases: { time: number; text: string; day: number; date: number[]; insolation: number[] }[];
}
const golden: Golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/datasets/forcings.json", import.meta.url), "utf8"),
);

describe("date features", () => {
  it("match the reference for a leap day (reference case 19)", () => {
    const time = parseTime("2024-02-29T00:00Z");
    expect(dayOfYear(time)).toBe(60);
    const expected = [1, 0.5, 0.92530781, 0.76289403];
    // The reference computes in float32.
    for (const [i, value] of dateFeatures(time + 6 * 3600).entries()) expect(value).toBeCloseTo(expected[i]!, 7);
  });

  it.each(golden.cases.map((c) => [c.text, c] as const))("match Python's calendar at %s", (_, c) => {
    expect(dayOfYear(c.time)).toBe(c.day);
    for (const [i, value] of dateFeatures(c.time).entries()) expect(value).toBeCloseTo(c.date[i]!, 12);
  });

  it("begin the year anew at new year, by the Gregorian rule", () => {
    for (const year of ["1900", "2000", "2023", "2024", "2100"]) {
      const [, , sine, cosine] = dateFeatures(parseTime(`${year}-01-01`));
      expect([sine, cosine]).toEqual([0.5, 1]);
      // Half of a common year is noon of 2 July, of a leap year midnight.
      const leap = year === "2000" || year === "2024";
      const [, , half, other] = dateFeatures(parseTime(leap ? `${year}-07-02T00` : `${year}-07-02T12`));
      expect(half).toBeCloseTo(0.5, 12);
      expect(other).toBeCloseTo(0, 12);
    }
  });
});

describe("insolation", () => {
  it("matches the reference (reference case 21)", () => {
    const grid = latLonGrid([43], [-89]);
    expect(insolation(grid, parseTime("2023-02-13T15:26Z"))[0]).toBeCloseTo(544.69123, 2);
  });

  it.each(golden.cases.map((c) => [c.text, c] as const))("matches NumPy at %s", (_, c) => {
    const values = insolation(latLonGrid(golden.lat, golden.lon), c.time);
    for (const [n, value] of values.entries()) expect(value).toBeCloseTo(c.insolation[n]!, 8);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  });
});

describe("computeForcings", () => {
  const grid = regularGrid({ lat0: 50, dlat: 1, ny: 2, lon0: 0, dlon: 1, nx: 3 });
  const time = parseTime("2024-02-29T06:00Z");
  const read = new Map([["sst", Float32Array.of(1, 2, 3, 4, 5, 6)]]);

  it("puts read variables first, then the date, then insolation over 1366", () => {
    const spec = forcingSpecSchema.parse({ variables: ["sst"] });
    expect(forcingNames(spec)).toEqual(["sst", "sin_hour", "cos_hour", "sin_year", "cos_year", "toa_radiation"]);
    const out = computeForcings(spec, grid, time, read);
    expect(out.length).toBe(6 * 6);
    const date = dateFeatures(time).map(Math.fround);
    const sun = insolation(grid, time);
    for (let n = 0; n < 6; n++) {
      expect([...out.slice(n * 6, n * 6 + 6)]).toEqual([n + 1, ...date, Math.fround(sun[n]! / 1366)]);
    }
  });

  it("gives the cosine of the solar zenith angle last, as it is", () => {
    const spec = forcingSpecSchema.parse({ date: false, cos_zenith: true });
    expect(forcingNames(spec)).toEqual(["toa_radiation", "cos_zenith"]);
    const out = computeForcings(spec, grid, time);
    expect(out.filter((_, i) => i % 2 === 1)).toEqual(cosZenithField(time, grid));
  });

  it("swaps labels, not values, for py4cast", () => {
    const ours = forcingSpecSchema.parse({ insolation: false });
    const theirs = forcingSpecSchema.parse({ insolation: false, compat: "py4cast" });
    expect(forcingNames(theirs)).toEqual(["cos_hour", "sin_hour", "cos_doy", "sin_doy"]);
    expect(computeForcings(theirs, grid, time)).toEqual(computeForcings(ours, grid, time));
  });

  it("may be empty, and names a read variable that is not given", () => {
    const none = forcingSpecSchema.parse({ date: false, insolation: false });
    expect(computeForcings(none, grid, time).length).toBe(0);
    expect(() => computeForcings({ ...none, variables: ["sst"] }, grid, time)).toThrow(/"sst"/);
  });
});
