import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cfTimeUnits, parseCfTime } from "./cf-time.js";
import { parseTime } from "./time.js";

interface Case {
  readonly units: string;
  readonly calendar: string;
  readonly value: number;
  readonly date: string;
  readonly seconds: number | null;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/core/cf_time.json", import.meta.url), "utf8"),
) as { cases: Case[] };

describe("CF time axes", () => {
  it.each(golden.cases)("$value $units ($calendar) is $date, as cftime says", ({ units, calendar, value, seconds }) => {
    const decode = parseCfTime(units, calendar);
    if (seconds === null) expect(() => decode(value)).toThrow(/exists in the calendar/);
    else expect(decode(value)).toBe(seconds);
  });

  it("knows the nanoseconds of NumPy's times", () => {
    expect(parseCfTime("nanoseconds since 2000-01-01")(86_400e9)).toBeCloseTo(Date.UTC(2000, 0, 2) / 1000, 6);
  });

  it("refuses what it cannot decode, and says what to do", () => {
    expect(() => parseCfTime("hours since yesterday")).toThrow(/not CF time units/);
    expect(() => parseCfTime("months since 2000-01-01")).toThrow(/no fixed length/);
    expect(() => parseCfTime("fortnights since 2000-01-01")).toThrow(/unknown time unit "fortnights"/);
    expect(() => parseCfTime("hours since 2000-13-01")).toThrow(/does not exist/);
    expect(() => parseCfTime("days since 2000-01-01", "no_leap")).toThrow(/unknown calendar "no_leap"/);
    expect(() => parseCfTime("days since 2000-01-01")(Number.NaN)).toThrow(/value NaN/);
  });

  it("writes units that it reads back", () => {
    const origin = parseTime("2019-03-01T06:30");
    expect(cfTimeUnits(origin)).toBe("hours since 2019-03-01T06:30:00Z");
    expect(parseCfTime(cfTimeUnits(origin))(1.5)).toBe(origin + 5400);
  });

  it("writes units that xarray reads", ({ skip }) => {
    const script = `
import numpy as np, xarray as xr
ds = xr.Dataset(coords={"time": ("time", np.array([0, 6, 25.5]), {"units": "${cfTimeUnits(parseTime("2019-03-01T06"))}"})})
print(",".join(str(t)[:19] for t in xr.decode_cf(ds).time.values))`;
    const python = spawnSync("/usr/bin/python3", ["-c", script], { encoding: "utf8" });
    if (python.status !== 0) skip("python3 with xarray is not on this machine");
    expect(python.stdout.trim()).toBe("2019-03-01T06:00:00,2019-03-01T12:00:00,2019-03-02T07:30:00");
  });
});
