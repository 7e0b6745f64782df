import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { disposeItem } from "./item.js";
import { openDataset } from "./registry.js";
import { defaultWeight } from "./weights.js";

const options = { numInputSteps: 1, numPredStepsTrain: 1, numPredStepsValTest: 2 };
const folder = mkdtempSync(join(tmpdir(), "foehn-gridded-"));
let count = 0;
function conf(text: string, extension = "yaml"): string {
  const path = join(folder, `conf-${count++}.${extension}`);
  writeFileSync(path, text);
  return path;
}
const open = (text: string, extension?: string) =>
  openDataset("gridded", { ...options, confPath: conf(text, extension) });
const basin = "synthetic:ny=16,nx=16,days=2,spin_up_days=0,spacing=1";

describe("gridded", () => {
  it("follows its configuration", async () => {
    const splits = await open(`
name: basin
source: "${basin}"
step: 2h
periods:
  train: { start: 2020-01-01, end: 2020-01-01 }
  valid: { start: 2020-01-02, end: 2020-01-02T11 }
  test: { start: 2020-01-02T12, end: 2020-01-02T23 }
variables:
  h: { weight: 5 }
  u:
  v: { role: forcing }
forcings: { insolation: false }
statics: { latitude: true }
border_size: 2
region: { north: 50, south: 41, west: -20, east: -10 }
`);
    const { info } = splits;
    expect(info.name).toBe("basin");
    expect(info.stepSeconds).toBe(7200);
    expect(info.features.map((f) => [f.name, f.units, f.weight])).toEqual([
      ["h", "m", 5],
      ["u", "m s-1", 2],
    ]);
    expect(info.forcingNames).toEqual(["v", "sin_hour", "cos_hour", "sin_year", "cos_year"]);
    expect(info.grid.shape).toEqual([9, 11]);
    expect(info.statics.names).toEqual(["x", "y", "border_mask", "latitude"]);
    expect([splits.train.length, splits.valid.length, splits.test.length]).toEqual([22, 8, 8]);
    await splits.close();
  });

  it("regrids what it reads", async () => {
    const text = (regrid: string) => `
source: "${basin}"
periods:
  train: { start: 2020-01-01, end: 2020-01-01 }
  valid: { start: 2020-01-02, end: 2020-01-02T11 }
  test: { start: 2020-01-02T12, end: 2020-01-02T23 }
variables: { h: }
${regrid}`;
    // Every second point of the finer grid is one of the basin's.
    const grid = "{ kind: latlon, lat0: 50.5, dlat: 0.5, ny: 9, lon0: -20, dlon: 0.5, nx: 11 }";
    const [plain, finer] = [await open(text("")), await open(text(`regrid: { grid: ${grid} }`))];
    expect(finer.info.grid.shape).toEqual([9, 11]);
    const [coarseRow, coarseColumn] = [
      plain.info.grid.latitudes.indexOf(50.5),
      plain.info.grid.longitudes.indexOf(-20),
    ];
    const [a, b] = [await plain.train.item(3), await finer.train.item(3)];
    const value = (item: typeof a, row: number, column: number) =>
      item.inputs.tensor.select(0, 0).select(0, row).select(0, column).select(0, 0).item() as number;
    const physical = (splits: typeof plain, normalised: number) =>
      normalised * splits.info.stats.h!.std + splits.info.stats.h!.mean;
    for (const [row, column] of [
      [0, 0],
      [2, 3],
      [4, 5],
    ] as const) {
      const exact = physical(plain, value(a, coarseRow + row, coarseColumn + column));
      expect(physical(finer, value(b, 2 * row, 2 * column))).toBeCloseTo(exact, 2);
    }
    disposeItem(a);
    disposeItem(b);
    await Promise.all([plain.close(), finer.close()]);
    await expect(open(text("regrid: { grid: s2s }"))).rejects.toThrow(/do not cover \d+ of the 65160 points/);
    await expect(open(text("regrid: { grid: s2s, method: cubic }"))).rejects.toThrow(/regrid/);
  });

  it("reads TOML and JSON too, and predicts everything by default", async () => {
    const toml = await open(
      `source = "${basin}"\n[periods]\ntrain = { start = 2020-01-01, end = 2020-01-01 }\nvalid = { start = "2020-01-02", end = "2020-01-02T11" }\ntest = { start = "2020-01-02T12", end = "2020-01-02T23" }\n`,
      "toml",
    );
    expect(toml.train.times(0).inputs[0]).toBe(Date.UTC(2020, 0, 1) / 1000);
    expect(toml.train.length).toBe(23);
    const json = await open(JSON.stringify({ source: basin }), "json");
    expect(json.info.features.map((f) => f.name)).toEqual(["h", "u", "v"]);
    expect(json.info.name).toMatch(/^conf-\d+$/);
    const bare = await openDataset("gridded", { ...options, overrides: { source: basin } });
    expect(bare.info.features.length).toBe(3);
  });

  it.each([
    ["an unknown key", `source: x\nvariable: {}`, /variable/],
    ["an unknown role", `source: x\nvariables: { t: { role: prognostik } }`, /prognostik|prognostic/],
    [
      "a reversed period",
      `source: ${JSON.stringify(basin)}\nperiods: { train: {start: 2020-01-02, end: 2020-01-01}, valid: {start: 2020-01-02, end: 2020-01-02}, test: {start: 2020-01-03, end: 2020-01-03} }`,
      /ends before/,
    ],
    [
      "levels of a surface variable",
      `source: ${JSON.stringify(basin)}\nvariables: { t2m: { levels: [500] } }`,
      /"t2m" is not a variable on pressure levels/,
    ],
    ["a file that is not there", `source: nothing.grib`, /nothing.grib/],
    ["an unknown basin key", `source: "synthetic:sed=3"`, /sed/],
    ["no value for a basin key", `source: "synthetic:seed"`, /key=value/],
  ])("refuses %s", async (_, text, message) => {
    await expect(open(text)).rejects.toThrow(message);
  });

  it("needs a configuration or a source", async () => {
    await expect(openDataset("gridded", options)).rejects.toThrow(/configuration file or a source/);
  });
});

describe("default weights", () => {
  it("follow the rule for pressure levels and the rest", () => {
    expect(["z500", "t850", "t2m", "u10", "msl", "h"].map(defaultWeight)).toEqual([1.5, 1.85, 2, 2, 2, 2]);
  });
});

const era5 = resolve(process.env.FOEHN_TEST_DATA ?? "../shared/data", "era5-2mt-2019-03-uk.grib");
const haveEra5 = existsSync(era5);
if (!haveEra5) console.log(`skipped: no ERA5 file at ${era5} (set FOEHN_TEST_DATA)`);

describe.skipIf(!haveEra5)("ERA5 2 m temperature over the British Isles", () => {
  it("opens from GRIB with sensible statistics", async () => {
    const splits = await open(`
source: ${JSON.stringify(era5)}
variables: { t2m: { role: prognostic } }
periods:
  train: { start: 2019-03-01, end: 2019-03-22 }
  valid: { start: 2019-03-23, end: 2019-03-26 }
  test: { start: 2019-03-27, end: 2019-03-31 }
`);
    const { info } = splits;
    expect(info.grid.shape).toEqual([33, 49]);
    expect(info.stepSeconds).toBe(3600);
    expect([splits.train.length, splits.valid.length, splits.test.length]).toEqual([
      22 * 24 - 1,
      4 * 24 - 2,
      5 * 24 - 2,
    ]);
    const stats = info.stats.t2m!;
    expect(stats.mean).toBeGreaterThan(278);
    expect(stats.mean).toBeLessThan(285);
    expect(stats.std).toBeGreaterThan(1);
    expect(stats.std).toBeLessThan(5);
    expect(info.diffStats.t2m!.std).toBeLessThan(0.5);
    const item = await splits.test.item(0);
    expect(item.inputs.tensor.isfinite().all().item()).toBeTruthy();
    disposeItem(item);
    await splits.close();
  });
});
