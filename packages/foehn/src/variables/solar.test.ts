import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { regularGrid } from "../grid/grid.js";
import { golden } from "../io/golden.test-support.js";
import { cosZenith, cosZenithField, sunPosition } from "./solar.js";

const at = (text: string): number => Date.parse(`${text}:00Z`) / 1000;

describe("the cosine of the solar zenith angle", () => {
  it("has the values of Earth2Studio's implementation (float32 inside: to 1e-4)", () => {
    for (const [time, lat, lon, expected] of [
      ["2020-03-20T12:00", 0, 0, 0.99957],
      ["2020-06-21T12:00", 23.44, 0, 0.99997],
      ["2018-01-01T00:00", 0, 180, 0.9203],
      ["2018-01-01T00:00", 45, 0, -0.92727],
      ["2018-01-01T06:00", -30, 90, 0.99248],
      ["2000-01-01T12:00", 0, 0, 0.92018],
    ] as const) {
      expect(Math.abs(cosZenith(at(time), lat, lon) - expected)).toBeLessThan(1e-4);
    }
  });

  it("agrees with other formulas at any time and place (to the 0.01° that both promise)", () => {
    const cases = JSON.parse(readFileSync(golden("variables", "solar.json"), "utf8")) as [
      number,
      number,
      number,
      number,
    ][];
    for (const [time, lat, lon, expected] of cases) {
      expect(Math.abs(cosZenith(time, lat, lon) - expected)).toBeLessThan(4e-4);
    }
  });

  it("knows equinoxes, solstices and the equation of time", () => {
    const degrees = (radians: number) => (radians * 180) / Math.PI;
    for (const [time, declination] of [
      ["2021-03-20T09:37", 0],
      ["2021-06-21T03:32", 23.436],
      ["2021-09-22T19:21", 0],
      ["2021-12-21T15:59", -23.436],
    ] as const) {
      expect(Math.abs(degrees(sunPosition(at(time)).declination) - declination)).toBeLessThan(0.01);
    }
    // Minutes by which the sun is ahead of the clock: its extremes, and near zero in April and on Christmas Day.
    for (const [time, minutes] of [
      ["2021-02-11T12:00", -14.2],
      ["2021-04-15T12:00", 0],
      ["2021-11-03T12:00", 16.4],
      ["2021-12-25T12:00", 0],
    ] as const) {
      const ahead = 4 * (((degrees(sunPosition(at(time)).greenwichHourAngle) + 540) % 360) - 180);
      expect(Math.abs(ahead - minutes)).toBeLessThan(0.3);
    }
  });

  it("is the same on a grid, and comes round after a day and a turn of the Earth", () => {
    const grid = regularGrid({ lat0: 90, dlat: 2.5, ny: 73, lon0: -180, dlon: 2.5, nx: 144 });
    const time = at("2018-07-04T03:20");
    const field = cosZenithField(time, grid);
    const nx = grid.shape[1];
    for (const [i, j] of [
      [0, 0],
      [10, 70],
      [72, 143],
    ] as const) {
      expect(field[i * nx + j]).toBeCloseTo(cosZenith(time, grid.latitudes[i]!, grid.longitudes[j]!), 6);
    }
    // Three hours later the sun stands 45° further west: 18 columns.
    const later = cosZenithField(time + 3 * 3600, grid);
    for (let j = 18; j < nx; j++) expect(Math.abs(later[36 * nx + j - 18]! - field[36 * nx + j]!)).toBeLessThan(2e-3);
    expect(cosZenith(time, 20, -180)).toBeCloseTo(cosZenith(time, 20, 180), 12);
  });
});
