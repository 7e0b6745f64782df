// GRIB files read back by our own reader and by ecCodes in Python: pressure levels, longitudes below zero, gaps, constant fields, steps of
// minutes, units of the model that are not the parameter's.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { latLonGrid, regularGrid } from "../../grid/grid.js";
import { liveHandles } from "../../io/grib/eccodes.js";
import { pythonLacks, runPython } from "../../io/python.test-support.js";
import { openSource } from "../../sources/open.js";
import { lookupVariable } from "../../variables/catalogue.js";
import { GribOutput } from "./grib-output.js";
import type { ForecastHeader } from "./output.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-grib-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const grid = regularGrid({ lat0: 60, dlat: 2.5, ny: 5, lon0: -10, dlon: 2.5, nx: 9 });
const start = Date.UTC(2021, 11, 31, 18, 30) / 1000;
const points = 45;

function header(
  names: readonly string[],
  leadTimes: readonly number[],
  units: Record<string, string> = {},
): ForecastHeader {
  const variables = names.map((name) => ({ ...lookupVariable(name)!, ...(units[name] ? { units: units[name] } : {}) }));
  return { variables, grid, initialTimes: [start], members: 1, hasMembers: false, leadTimes, provenance: {} };
}

async function write(path: string, head: ForecastHeader, value: (v: number, lead: number, i: number) => number) {
  const output = new GribOutput(path, { bits: 20 });
  await output.open(head);
  for (const [leadIndex, lead] of head.leadTimes.entries()) {
    const fields = head.variables.map((_, v) =>
      Float32Array.from({ length: points }, (_, i) => value(v, leadIndex, i)),
    );
    await output.write({ initialIndex: 0, memberIndex: 0, leadIndex, validTime: start + lead, fields });
  }
  await output.close();
}

describe("GRIB output", () => {
  it("comes back: levels, places, gaps, constant fields, minutes", async () => {
    const path = join(folder, "a.grib2");
    const names = ["z500", "gh850", "t850", "msl"];
    const leads = [0, 15 * 60, 30 * 60, 45 * 60];
    // The second lead of t850 is constant, the first of z500 has gaps.
    const value = (v: number, lead: number, i: number): number => {
      if (v === 0 && lead === 0 && i % 7 === 3) return Number.NaN;
      if (v === 2 && lead === 1) return 271.5;
      return [54_000, 1400, 270, 101_000][v]! + 10 * lead + i / 4;
    };
    await write(path, header(names, leads), value);
    const source = await openSource(path);
    expect([...source.grid.longitudes]).toEqual([...grid.longitudes]);
    expect([...source.grid.latitudes]).toEqual([...grid.latitudes]);
    for (const [lead, seconds] of leads.entries()) {
      const fields = await source.read({ time: start + seconds, variables: names });
      for (const [v, field] of fields.entries()) {
        for (let i = 0; i < points; i++) {
          const wanted = value(v, lead, i);
          if (Number.isNaN(wanted)) expect(field.values[i]).toBeNaN();
          else expect(Math.abs(field.values[i]! - wanted)).toBeLessThan(0.01);
        }
      }
    }
    await source.close();
    expect(liveHandles()).toBe(0);
  });

  it("is what ecCodes says: names, levels, steps, points in their order", async (context) => {
    const lacks = pythonLacks("eccodes");
    if (lacks) context.skip(lacks);
    const path = join(folder, "b.grib2");
    await write(
      path,
      header(["gh850", "t2m"], [0, 15 * 60], { t2m: "degC" }),
      (v, lead, i) => (v ? 10 : 1400) + lead + i,
    );
    const seen = runPython(
      `
import json, sys, eccodes as e
out = []
with open(sys.argv[1], "rb") as f:
    while (h := e.codes_grib_new_from_file(f)) is not None:
        lat, lon, v = (e.codes_get_array(h, k) for k in ("latitudes", "longitudes", "values"))
        out.append([e.codes_get(h, k) for k in ("shortName", "typeOfLevel", "level", "gridType", "validityDate", "validityTime", "centre")]
          + [[float(lat[10]), float(lon[10]) % 360, round(float(v[10]), 2)]])
print(json.dumps(out))`,
      path,
    );
    // The point in the second row and column, in degrees east from 0 to 360.
    const place = [57.5, 352.5];
    expect(seen).toEqual([
      ["gh", "isobaricInhPa", 850, "regular_ll", 20211231, 1830, "consensus", [...place, 1410]],
      ["2t", "heightAboveGround", 2, "regular_ll", 20211231, 1830, "consensus", [...place, 293.15]],
      ["gh", "isobaricInhPa", 850, "regular_ll", 20211231, 1845, "consensus", [...place, 1411]],
      ["2t", "heightAboveGround", 2, "regular_ll", 20211231, 1845, "consensus", [...place, 294.15]],
    ]);
  });

  it("refuses uneven grids and variables without a parameter, and frees everything", async () => {
    const uneven = { ...header(["t2m"], [0]), grid: latLonGrid([60, 50, 45], [0, 10]) };
    await expect(new GribOutput(join(folder, "c.grib2")).open(uneven)).rejects.toThrow(
      /regular latitude–longitude grids only/,
    );
    const unknown = { ...header(["t2m"], [0]), variables: [{ name: "mojo", units: "1", longName: "mojo" }] };
    await expect(new GribOutput(join(folder, "c.grib2")).open(unknown)).rejects.toThrow(/"mojo" is no variable/);
    const late = new GribOutput(join(folder, "c.grib2"));
    await expect(late.open(header(["t2m", "tp01"], [0]))).rejects.toThrow(/"tp01" cannot be written as GRIB 2/);
    await late.abort();
    expect(liveHandles()).toBe(0);
  });
});
