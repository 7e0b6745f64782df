// Titan trees in each published layout, made here with values that say which field, hour and point they are.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { gribMessage } from "../../io/grib/write.test-support.js";
import { writeNpy } from "../../io/npy.js";
import { folderTimes } from "../hourly-folders.js";
import { titanFeature, titanGrid, titanParameters } from "./parameters.js";
import {
  describeIncomplete,
  openTitanSource,
  type TitanField,
  type TitanSetup,
  titanFile,
  titanFolder,
  titanFolderTime,
} from "./titan-source.js";

const start = Date.UTC(2023, 0, 31, 22) / 1000;
const times = [0, 1, 2, 3].map((h) => start + 3600 * h);
const root = mkdtempSync(join(tmpdir(), "foehn-titan-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fields: TitanField[] = [
  { parameter: "aro_t2m", level: 2 },
  { parameter: "aro_t", level: 850 },
  { parameter: "aro_t", level: 500 },
  { parameter: "arp_z", level: 500 },
];
const names = fields.map((f) => titanFeature(titanParameters.get(f.parameter)!, f.level));
// Sixteen rows and twenty columns in the middle of the 0.025° grid.
const window = { rows: [300, 316], columns: [500, 520] } as const;
const whole = titanGrid("PAAROME_1S40");
/** Smooth in place, so that interpolation shows where it is wrong; hour and field tell fields apart. */
const value = (f: number, time: number, lat: number, lon: number) =>
  1000 * f + ((time - start) / 3600) * 10 + lat / 10 + lon;

const setup = (format: TitanSetup["format"], folder: string, more: Partial<TitanSetup> = {}): TitanSetup => ({
  format,
  folder: join(root, folder),
  grid: "PAAROME_1S40",
  window,
  fields,
  terrain: [join(root, "conf_PAAROME_1S40.grib")],
  times,
  ...more,
});

async function expectFields(source: ReturnType<typeof openTitanSource>, tolerance: number): Promise<void> {
  expect(source.grid.shape).toEqual([16, 20]);
  expect(source.grid.latitudes[0]).toBeCloseTo(55.4 - 0.025 * 300, 9);
  expect(source.grid.longitudes[19]).toBeCloseTo(-12 + 0.025 * 519, 9);
  for (const time of times) {
    const read = await source.read({ time, variables: [...names].reverse() });
    for (const { variable, values } of read) {
      const f = names.indexOf(variable);
      let worst = 0;
      for (let n = 0; n < values.length; n++) {
        const [lat, lon] = [source.grid.latitudes[Math.floor(n / 20)]!, source.grid.longitudes[n % 20]!];
        worst = Math.max(worst, Math.abs(values[n]! - value(f, time, lat, lon)));
      }
      expect(worst, `${variable} at ${titanFolder(time)}`).toBeLessThan(tolerance);
    }
  }
}

describe("the folders of hours", () => {
  it("have names that go both ways", () => {
    expect(titanFolder(start)).toBe("2023-01-31_22h00");
    expect(titanFolderTime("2023-01-31_22h00")).toBe(start);
    expect(["2023-01-31", "2023-13-31_22h00", "x2023-01-31_22h00"].map(titanFolderTime)).toEqual(
      Array(3).fill(undefined),
    );
  });

  it("are searched for files, and remembered until they change", async () => {
    const cacheDir = join(root, "cache");
    const files = ["a.npy", "b.npy"];
    for (const [i, time] of times.entries()) {
      mkdirSync(join(root, "found", titanFolder(time)), { recursive: true });
      for (const file of i === 2 ? ["b.npy"] : files) writeFileSync(join(root, "found", titanFolder(time), file), "");
    }
    mkdirSync(join(root, "found", "notes"));
    const search = { root: join(root, "found"), timeOf: titanFolderTime, files, cacheDir };
    const first = await folderTimes(search);
    expect(first.times).toEqual([times[0], times[1], times[3]]);
    expect(describeIncomplete(first.incomplete)).toBe(
      "1 hour left out because files are missing: 2023-02-01 00:00 (a.npy)",
    );
    expect(await folderTimes(search)).toEqual(first);
    writeFileSync(join(root, "found", titanFolder(times[2]!), "a.npy"), "");
    expect((await folderTimes(search)).times).toEqual(times);
    expect((await folderTimes({ ...search, wanted: (t) => t > times[1]! })).times).toEqual(times.slice(2));
    expect(describeIncomplete([])).toBeUndefined();
    await expect(folderTimes({ ...search, root: join(root, "nowhere") })).rejects.toThrow(
      /nowhere cannot be listed: ENOENT/,
    );
  });
});

describe("arrays of the trained part", () => {
  it("have their first row in the south, in float32 and float16", async () => {
    for (const type of ["float32", "float16"] as const) {
      for (const time of times) {
        for (const [f, field] of fields.entries()) {
          const values = Float32Array.from({ length: 320 }, (_, n) =>
            value(f, time, whole.latitudes[315 - Math.floor(n / 20)]!, whole.longitudes[500 + (n % 20)]!),
          );
          await writeNpy(join(root, type, titanFolder(time), titanFile("npy", field)), values, [16, 20], type);
        }
      }
      // Half precision has 11 bits: steps of 2 at 3000.
      await expectFields(openTitanSource(setup("npy", type)), type === "float32" ? 1e-3 : 1.01);
    }
    const source = openTitanSource(setup("npy", "float32"));
    const into = [new Float32Array(320)];
    const [field] = await source.read({ time: times[1]!, variables: [names[2]!], into });
    expect(field!.values).toBe(into[0]);
    expect(source.variables[2]).toEqual({
      name: "aro_t_500hpa",
      units: "K",
      longName: "Arome: temperature at 500 hPa",
    });
    expect(source.description).toContain("4 times from 2023-01-31 22:00 to 2023-02-01 01:00 by 1h; 16×20 points");
  });

  it("name pressure at sea level as py4cast's files do", () => {
    expect(titanFile("npy", { parameter: "aro_prmsl", level: 0 })).toBe("aro_prmsl_0hpa.npy");
    expect(titanFile("npy", { parameter: "aro_tp", level: 0 })).toBe("aro_tp_0m.npy");
    expect(titanFile("grib", { parameter: "aro_tp", level: 0 })).toBe("PAAROME_1S100_ECH1_SOL.grib");
  });

  it("are refused when they are of another size, with both sizes", async () => {
    await writeNpy(join(root, "small", titanFolder(start), "aro_t2m_2m.npy"), new Float32Array(6), [2, 3]);
    const source = openTitanSource(setup("npy", "small", { fields: fields.slice(0, 1) }));
    await expect(source.read({ time: start, variables: ["aro_t2m_2m"] })).rejects.toThrow(/is 2×3, the grid 16×20/);
    await expect(source.read({ time: start, variables: ["aro_t2m"] })).rejects.toMatchObject({
      hint: expect.stringContaining('Did you mean "aro_t2m_2m"?'),
    });
    await expect(source.read({ time: start + 60, variables: ["aro_t2m_2m"] })).rejects.toThrow(
      /no data for 2023-01-31 22:01/,
    );
  });
});

it("arrays of whole parameters have all levels of the whole grid, from the north", async () => {
  const [time] = times;
  const levels = titanParameters.get("aro_t")!.levels;
  const all = new Float32Array(levels.length * 717 * 1121);
  for (const [l, level] of levels.entries()) all.fill(level, l * 717 * 1121, (l + 1) * 717 * 1121);
  for (let j = 500; j < 520; j++) all[(levels.indexOf(850) * 717 + 300) * 1121 + j] = j;
  await writeNpy(join(root, "parameters", titanFolder(time!), "aro_t.npy"), all, [levels.length, 717, 1121], "float16");
  const source = openTitanSource(setup("npy_parameters", "parameters", { fields: fields.slice(1, 3), times: [time!] }));
  const [lower, upper] = await source.read({ time: time!, variables: ["aro_t_850hpa", "aro_t_500hpa"] });
  expect([...lower!.values.slice(0, 22)]).toEqual([...Array.from({ length: 20 }, (_, j) => 500 + j), 850, 850]);
  expect(new Set(upper!.values)).toEqual(new Set([500]));
});

describe("GRIB files", () => {
  const area = { lat0: 48.2, lon0: 0.2, extent: 1 };
  const message = (f: number, time: number, spacing: number, shortName: string, typeOfLevel: string, level: number) => {
    const size = Math.round(area.extent / spacing) + 1;
    const values = Float64Array.from({ length: size * size }, (_, n) =>
      value(f, time, area.lat0 - spacing * Math.floor(n / size), area.lon0 + spacing * (n % size)),
    );
    const { lat0, lon0 } = area;
    return gribMessage({ shortName, typeOfLevel, level, time, lat0, lon0, spacing, shape: [size, size], values });
  };

  it("are read through their index and brought to the grid that is wanted", async () => {
    for (const time of times) {
      const folder = join(root, "grib", titanFolder(time));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "PAAROME_1S100_ECH0_2M.grib"), message(0, time, 0.01, "2t", "heightAboveGround", 2));
      writeFileSync(
        join(folder, "PAAROME_1S40_ECH0_ISOBARE.grib"),
        Buffer.concat([
          message(2, time, 0.025, "t", "isobaricInhPa", 500),
          message(1, time, 0.025, "t", "isobaricInhPa", 850),
        ]),
      );
      writeFileSync(join(folder, "PA_01D_ISOBARE.grib"), message(3, time, 0.1, "z", "isobaricInhPa", 500));
    }
    writeFileSync(join(root, "conf_PAAROME_1S40.grib"), message(5, start, 0.025, "orog", "surface", 0));
    const source = openTitanSource(setup("grib", "grib"));
    // 24 bits over the range of a field, and means of points around a place where values are not quite linear.
    await expectFields(source, 2e-2);
    const [terrain] = await source.read({ time: 0, variables: ["geopotential"] });
    expect(terrain!.values[0]).toBeCloseTo(value(5, start, source.grid.latitudes[0]!, source.grid.longitudes[0]!), 2);
    await source.close();
  });

  it("name what they have when a field is not there", async () => {
    const source = openTitanSource(setup("grib", "grib", { fields: [{ parameter: "aro_r", level: 500 }] }));
    await expect(source.read({ time: start, variables: ["aro_r_500hpa"] })).rejects.toMatchObject({
      message: "there is no aro_r_500hpa",
      hint: "the file has: t 500, t 850",
    });
    await source.close();
  });
});

it("a window outside the grid is refused", () => {
  expect(() => openTitanSource(setup("npy", "x", { window: { rows: [700, 718], columns: [0, 9] } }))).toThrow(
    /rows 700 to 718 .* not a part of PAAROME_1S40, which has 717×1121/,
  );
});
