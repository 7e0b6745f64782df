import { describe, expect, it } from "vitest";
import { parseTime } from "../core/time.js";
import { checkPeriods, defaultPeriods, parsePeriod, requireSamples, sampleStarts } from "./periods.js";

const hours = (...values: number[]) => values.map((h) => h * 3600);
const range = (n: number) => Array.from({ length: n }, (_, h) => h * 3600);
const period = (start: number, end: number) => ({ start: start * 3600, end: end * 3600 });

describe("parsePeriod", () => {
  it("includes the whole of an end day", () => {
    expect(parsePeriod("2019-03-01", "2019-03-02")).toEqual({
      start: parseTime("2019-03-01"),
      end: parseTime("2019-03-02T23:59:59Z"),
    });
    expect(parsePeriod("2019-03-01", "2019-03-02T06").end).toBe(parseTime("2019-03-02T06"));
    expect(() => parsePeriod("2019-03-02", "2019-03-01")).toThrow(/ends before/);
  });
});

describe("checkPeriods", () => {
  const times = range(100);
  it("refuses overlaps with both ranges", () => {
    const periods = { train: period(0, 50), valid: period(50, 60), test: period(61, 99) };
    expect(() => checkPeriods(periods, times)).toThrow(
      /"train" \(1970-01-01 00:00 to 1970-01-03 02:00\) and "valid" \(1970-01-03 02:00 to 1970-01-03 12:00\) overlap/,
    );
    expect(() => checkPeriods({ ...periods, train: period(0, 49) }, times)).not.toThrow();
    // In any order.
    expect(() => checkPeriods({ train: period(50, 99), valid: period(0, 40), test: period(30, 45) }, times)).toThrow(
      /overlap/,
    );
  });
  it("refuses a period without data, with the range of the data", () => {
    const periods = { train: period(0, 49), valid: period(50, 60), test: period(200, 300) };
    expect(() => checkPeriods(periods, times)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('period "test"'),
        hint: expect.stringContaining("1970-01-05 03:00"),
      }),
    );
  });
});

describe("defaultPeriods", () => {
  it("splits 70, 15, 15 without overlap", () => {
    const periods = defaultPeriods(range(100));
    expect(periods).toEqual({ train: period(0, 69), valid: period(70, 84), test: period(85, 99) });
    expect(() => checkPeriods(defaultPeriods(range(3)), range(3))).not.toThrow();
    expect(() => defaultPeriods(range(2))).toThrow(/2 times/);
  });
});

describe("sampleStarts", () => {
  const starting = (times: readonly number[]) => times.map((time) => ({ time }));
  it("makes a sample at each time that has all its states", () => {
    expect(sampleStarts(period(0, 9), range(20), 3600, 3)).toEqual({ starts: starting(range(8)), skipped: 0 });
    expect(sampleStarts(period(0, 9), range(20), 7200, 3)).toEqual({ starts: starting(range(6)), skipped: 0 });
  });
  it("leaves out samples with a gap and counts them", () => {
    const times = hours(0, 1, 2, 4, 5, 6, 7);
    expect(sampleStarts(period(0, 7), times, 3600, 3)).toEqual({ starts: starting(hours(0, 4, 5)), skipped: 2 });
  });
  it("says how long a sample must be when there is none", () => {
    const samples = sampleStarts(period(0, 3), range(9), 3600, 5);
    expect(samples).toEqual({ starts: [], skipped: 0 });
    expect(() => requireSamples("valid", "2019-03-01", samples, 3600, 5)).toThrow(
      /"valid" .* sample of 5 states, 1h apart/,
    );
  });
});
