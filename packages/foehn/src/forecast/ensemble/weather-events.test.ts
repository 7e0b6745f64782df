import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cropGrid } from "../../grid/geometry.js";
import { namedGrid } from "../../grid/json.js";
import {
  describeDomain,
  domainChannels,
  folderTime,
  readWeatherEvents,
  startOf,
  weatherEvent,
  windowRegion,
} from "./weather-events.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-events-"));
const file = (name: string, events: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof events === "string" ? events : JSON.stringify(events, null, 2));
  return path;
};
const raw = (...channels: string[]) => [{ type: "raw", channels }];
const properties = { name: "Globe", start_time: "2018-06-01 18:00:00", initial_condition_source: "cds" };

describe("weather events", () => {
  it("are read, with what the names of domains say", () => {
    const path = file("good.json", {
      Globe: {
        properties,
        domains: [
          { name: "global", type: "Window", diagnostics: raw("t2m", "u10m") },
          { name: "northern_hemisphere", diagnostics: [...raw("t2m"), ...raw("z500", "t2m")] },
          {
            name: "gulf",
            type: "Window",
            lat_min: 20,
            lat_max: 35,
            lon_min: 260,
            lon_max: 280,
            diagnostics: raw("msl"),
          },
          { name: "towns", type: "MultiPoint", lat: [47.3, 40], lon: [11.4, 254.7], diagnostics: raw("t2m") },
        ],
      },
    });
    const event = weatherEvent("Globe", path);
    expect(startOf(event)).toBe(Date.UTC(2018, 5, 1, 18) / 1000);
    expect(folderTime(startOf(event))).toBe("2018_06_01_18_00_00");
    expect(event.domains.map(describeDomain)).toEqual([
      "global: -90 to 90 °N, 0 to 360 °E; t2m, u10m",
      "northern_hemisphere: 0 to 90 °N, 0 to 360 °E; t2m, z500",
      "gulf: 20 to 35 °N, 260 to 280 °E; msl",
      "towns: 2 points; t2m",
    ]);
    expect(domainChannels(event.domains[1]!)).toEqual(["t2m", "z500"]);
    expect(event.properties.netcdf).toBe("");
  });

  it("have the windows of earth2mip on its grid", () => {
    const grid = namedGrid("721x1440");
    const rows = (lat_min: number, lat_max: number, lon_min = 0, lon_max = 360) => {
      const window = { type: "Window" as const, name: "w", diagnostics: [], lat_min, lat_max, lon_min, lon_max };
      const { rowStart, columns, grid: inside } = cropGrid(grid, windowRegion(window));
      return [rowStart, rowStart + inside.shape[0], columns[0], columns.at(-1)! + 1];
    };
    expect(rows(20, 35, 260, 280)).toEqual([220, 281, 1040, 1121]);
    expect(rows(-15, 15)).toEqual([300, 421, 0, 1440]);
    // Across Greenwich, which earth2mip cannot.
    expect(rows(40, 60, 350, 10).slice(2)).toEqual([1400, 41]);
  });

  it("are refused with the place of every problem", () => {
    const path = file("bad.json", {
      Bad: {
        properties: { name: "Bad", start_time: "June", initial_condition_source: "era" },
        domains: [
          {
            name: "w",
            type: "Window",
            latmin: 3,
            lat_min: 10,
            lat_max: 5,
            diagnostics: [{ type: "histogram", channels: ["t2m"] }],
          },
          { name: "w", type: "MultiPoint", lat: [1, 2], lon: [3], diagnostics: raw("t2m") },
          { name: "x", type: "CWBDomain", diagnostics: raw("t2m") },
        ],
      },
    });
    let message = "";
    try {
      readWeatherEvents(path);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/bad\.json:\d+:\d+ Bad\.properties\.start_time: not a time.*got "June"/);
    expect(message).toMatch(/initial_condition_source: expected one of "era5".*got "era"\. Did you mean "era5"\?/);
    expect(message).toMatch(/domains\.0\.latmin: unknown key\. Did you mean "lat_min"/);
    expect(message).toMatch(/domains\.0\.diagnostics\.0\.type: expected "raw".*got "histogram"/);
    expect(message).toMatch(/domains\.2\.type: expected one of "Window", "MultiPoint".*got "CWBDomain"/);
    const second = file("bad2.json", {
      Bad: {
        properties,
        domains: [
          { name: "w", lat_min: 10, lat_max: 5, diagnostics: raw("t2m") },
          { name: "p", type: "MultiPoint", lat: [1, 2], lon: [3], diagnostics: raw("t2m") },
        ],
      },
    });
    expect(() => readWeatherEvents(second)).toThrow(
      /lat_max: expected at least lat_min \(10\)[\s\S]*as many longitudes as latitudes \(2\)/,
    );
    const twice = file("twice.json", {
      A: { properties, domains: [1, 2].map(() => ({ name: "global", diagnostics: raw("t2m") })) },
    });
    expect(() => readWeatherEvents(twice)).toThrow(/"global" is there twice/);
  });

  it("are found by name, or the nearest is named", () => {
    const path = file("names.json", {
      Harvey2017: { properties: { name: "h" }, domains: [{ name: "global", diagnostics: raw("t2m") }] },
    });
    expect(() => weatherEvent("Harvey", path)).toThrow(expect.objectContaining({ hint: 'Did you mean "Harvey2017"?' }));
    expect(() => startOf(weatherEvent("Harvey2017", path))).toThrow(/no start_time/);
    expect(() => weatherEvent("x", join(folder, "nowhere.json"))).toThrow(/no configuration file/);
  });
});
