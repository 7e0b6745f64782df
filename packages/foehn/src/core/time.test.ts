import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, formatTime, formatTimeShort, parseDuration, parseTime, parseTimeRange } from "./time.js";

describe("times", () => {
  const sixth = Date.UTC(2019, 2, 1, 6) / 1000;

  it.each([
    "2019-03-01T06",
    "2019-03-01T06:00",
    "2019-03-01T06:00Z",
    "2019-03-01T06:00:00.000Z",
    "2019-03-01 06:00:00",
    "2019-03-01T07:00+01:00",
    "2019-03-01T00:30-0530",
    "20190301T0600",
    "2019030106",
    "201903010600",
    " 2019-03-01T06:00 UTC ",
  ])("reads %s", (text) => expect(parseTime(text)).toBe(sixth));

  it("reads a day as its midnight, leap days and early years included", () => {
    expect(parseTime("2020-02-29")).toBe(Date.UTC(2020, 1, 29) / 1000);
    expect(formatTime(parseTime("0033-04-03"))).toBe("0033-04-03T00:00:00Z");
  });

  it.each([
    ["2019-02-29", /day 29, but that month has 28/],
    ["2019-13-01", /month 13/],
    ["2019-03-01T24", /no such hour/],
    ["2019-03-01T06:00:00.5", /fraction of a second/],
    ["1 March 2019", /expected a time, got "1 March 2019"/],
    ["", /expected a time/],
  ])("refuses %s", (text, message) => expect(() => parseTime(text)).toThrow(message));

  it("writes what it reads", () => {
    fc.assert(
      fc.property(fc.integer({ min: -62135596800, max: 253402300799 }), (time) => {
        expect(parseTime(formatTime(time))).toBe(time);
        expect(parseTime(formatTimeShort(time))).toBe(time);
      }),
    );
    expect(formatTimeShort(sixth)).toBe("2019-03-01 06:00");
    expect(formatTimeShort(sixth + 5)).toBe("2019-03-01 06:00:05");
  });
});

describe("durations", () => {
  it.each([
    ["6h", 21600],
    ["10d", 864000],
    ["30m", 1800],
    ["30 min", 1800],
    ["1d12h", 129600],
    ["1.5h", 5400],
    ["2 weeks", 1209600],
    ["-6h", -21600],
    ["PT6H", 21600],
    ["P1D", 86400],
    ["P1DT12H", 129600],
    ["PT30M", 1800],
    ["0", 0],
    [3600, 3600],
  ])("reads %s", (text, seconds) => expect(parseDuration(text)).toBe(seconds));

  it.each([
    ["6", /with a unit, got "6"/],
    ["ten", /expected a duration, got "ten"/],
    ["1M", /no months or years/],
    ["1mo", /no months or years/],
    ["P1Y", /no months or years/],
    ["2y", /no months or years/],
    ["6x", /expected a duration/],
    ["6h3", /expected a duration/],
    ["P", /expected a duration/],
    ["", /expected a duration/],
    ["0.3s", /whole seconds/],
    [0.5, /whole number of seconds/],
    [Number.NaN, /whole number of seconds/],
  ])("refuses %s", (text, message) => expect(() => parseDuration(text)).toThrow(message));

  it("writes what it reads", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e8, max: 1e8 }), (s) => {
        expect(parseDuration(formatDuration(s))).toBe(s);
      }),
    );
    expect([21600, 86400, 108000, 5400, 61, 0].map(formatDuration)).toEqual(["6h", "1d", "30h", "1h30m", "1m1s", "0s"]);
  });
});

describe("lists of times", () => {
  it("reads one time, several, and ranges with both ends", () => {
    expect(parseTimeRange("2019-03-01")).toEqual([parseTime("2019-03-01")]);
    expect(parseTimeRange("2019-03-01/2019-03-05T12")).toEqual([parseTime("2019-03-01"), parseTime("2019-03-05T12")]);
    const range = parseTimeRange("2019-03-01/to/2019-03-02/by/6h");
    expect(range.map(formatTimeShort)).toEqual([
      "2019-03-01 00:00",
      "2019-03-01 06:00",
      "2019-03-01 12:00",
      "2019-03-01 18:00",
      "2019-03-02 00:00",
    ]);
    expect(parseTimeRange("2019-03-01/to/2019-03-01T23/by/6h")).toHaveLength(4);
  });

  it.each([
    ["2019-03-02/to/2019-03-01/by/6h", /ends before it begins/],
    ["2019-03-01/to/2019-03-02", /expected a range/],
    ["2019-03-01/to/2019-03-02/by/0", /longer than zero/],
    ["1900-01-01/to/2019-03-02/by/1s", /more than/],
  ])("refuses %s", (text, message) => expect(() => parseTimeRange(text)).toThrow(message));
});
