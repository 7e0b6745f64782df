import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { normaliseUnits } from "../../variables/units.js";
import { golden, testData } from "../golden.test-support.js";
import { liveHandles } from "./eccodes.js";
import { type GribMessage, openGrib } from "./read.js";

interface Expected {
  edition: number;
  shortName: string;
  paramId: number;
  units: string;
  typeOfLevel: string;
  level: number;
  stepRange: string;
  stepType: string;
  number: number | null;
  packingType: string;
  dataTime: number;
  validTime: number;
  latitudes: number[];
  longitudes: number[];
  values: (number | null)[];
}

const expected = JSON.parse(readFileSync(golden("io/grib.json"), "utf8")) as Record<string, Expected[]>;
const folder = mkdtempSync(join(tmpdir(), "foehn-grib-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => expect(liveHandles()).toBe(0));

const openDescriptors = () => readdirSync("/proc/self/fd").length;

function summary(message: GribMessage) {
  const { edition, shortName, paramId, units, typeOfLevel, level, stepRange, stepType, packingType } = message;
  const { dataTime, validTime } = message;
  return {
    edition,
    shortName,
    paramId,
    units,
    typeOfLevel,
    level,
    stepRange,
    stepType,
    number: message.number ?? null,
    packingType,
    dataTime,
    validTime,
  };
}

describe.each(Object.entries(expected))("%s, against ecCodes", (name, fields) => {
  const file = openGrib(golden("io", name));

  it("has the same fields", () => {
    const headers = fields.map(({ latitudes: _, longitudes: __, values: ___, ...header }) => ({
      ...header,
      units: normaliseUnits(header.units),
    }));
    expect(file.messages.map(summary)).toEqual(headers);
  });

  it("has the same grids, north to south and west to east", () => {
    for (const [i, field] of fields.entries()) {
      const grid = file.gridOf(file.messages[i]!);
      expect(grid.shape).toEqual([field.latitudes.length, field.longitudes.length]);
      // GRIB rounds to a thousandth (edition 1) or a millionth of a degree.
      const digits = field.edition === 1 ? 2.5 : 5;
      for (const [j, lat] of field.latitudes.entries()) expect(grid.latitudes[j]).toBeCloseTo(lat, digits);
      for (const [j, lon] of field.longitudes.entries()) expect(grid.longitudes[j]).toBeCloseTo(lon, digits);
    }
  });

  it("has the same values, missing ones as NaN", () => {
    for (const [i, field] of fields.entries()) {
      if (field.values.length === 0) continue;
      const values = Array.from(file.readValues(file.messages[i]!));
      expect(values).toEqual(field.values.map((v) => (v === null ? Number.NaN : Math.fround(v))));
    }
  });
});

describe("golden files", () => {
  it("cover every packing, scanning mode and a real 9999", () => {
    const packings = new Set(expected["packing.grib"]!.map((m) => `${m.edition} ${m.packingType}`));
    expect(packings.size).toBe(9);
    expect(expected["scanning.grib"]).toHaveLength(8 + 16);
    expect(expected["bitmap.grib"]!.some((m) => m.values.includes(9999) && m.values.includes(null))).toBe(true);
    expect(expected["packing.grib"]![0]!.values.some((v) => v !== null && v < 0)).toBe(true);
  });

  it("name the grid that is not regular", () => {
    const file = openGrib(golden("io/reduced.grib"));
    expect(() => file.gridOf(file.messages[0]!)).toThrow(
      /not one of latitudes and longitudes: 6114 points, reduced Gaussian N32/,
    );
  });
});

describe("damaged files", () => {
  const whole = readFileSync(golden("io/scanning.grib"));
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const lengths = (() => {
    const { messages } = openGrib(golden("io/scanning.grib"));
    return messages.map((m) => [m.offset, m.length] as const);
  })();

  it("says that an empty file is empty", () => {
    expect(() => openGrib(file("empty.grib", new Uint8Array(0)))).toThrow("the file is empty");
  });

  it("says that another file is not GRIB", () => {
    const path = file("text.grib", Buffer.from("<html>no such dataset</html>".repeat(300)));
    expect(() => openGrib(path)).toThrow(/not a GRIB file/);
    const zeros = file("zeros.grib", new Uint8Array(5000));
    expect(() => openGrib(zeros)).toThrow(/not a GRIB file/);
  });

  it("names the truncated message and its byte, wherever the cut is", () => {
    const [offset] = lengths[2]!;
    const end = offset + lengths[2]![1];
    for (const cut of [1, 2, 3, 5, 9, 40, end - offset - 1]) {
      const path = file("cut.grib", whole.subarray(0, offset + cut));
      expect(() => openGrib(path), `cut after ${cut} bytes`).toThrow(
        expect.objectContaining({
          code: "format",
          message: expect.stringMatching(/cut short: message 3 needs/),
          where: `${path}, message 3 at byte ${offset}`,
        }),
      );
    }
  });

  it("refuses bytes between messages that are not padding", () => {
    const [second] = lengths[1]!;
    const between = (gap: Uint8Array) => Buffer.concat([whole.subarray(0, second), gap, whole.subarray(second)]);
    const path = file("garbage.grib", between(Uint8Array.of(0, 0, 0xde, 0xad)));
    expect(() => openGrib(path)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("after message 1"),
        where: `${path}, byte ${second + 2}`,
      }),
    );
    for (const gap of [new Uint8Array(10_000), Buffer.from("\r\r\nHTEA85 ECMF 010000\r\r\n")]) {
      expect(openGrib(file("padded.grib", between(gap))).messages).toHaveLength(lengths.length);
    }
    // A message that lost its first letter must not vanish silently.
    const broken = Buffer.from(whole);
    broken[second] = 0;
    expect(() => openGrib(file("magic.grib", broken))).toThrow(/after message 1 come bytes that are not GRIB/);
  });

  it("notices a wrong length and a broken section", () => {
    const longer = Buffer.from(whole);
    longer.writeUIntBE(lengths[0]![1] + 1, 4, 3);
    expect(() => openGrib(file("longer.grib", longer))).toThrow(/does not end in "7777"/);
    const last = lengths.at(-1)![0];
    const section = Buffer.from(whole);
    section.writeUInt32BE(0, last + 16);
    expect(() => openGrib(file("section.grib", section))).toThrow(/no valid section at byte/);
  });

  it("survives any single wrong byte with a Foehn error or a result", () => {
    const [offset, length] = lengths[9]!;
    const message = whole.subarray(offset, offset + length);
    let refused = 0;
    for (let i = 0; i < 16 + 21; i++) {
      const bad = Buffer.from(message);
      bad[i]! ^= 0x55;
      try {
        const opened = openGrib(file("fuzz.grib", bad));
        for (const m of opened.messages) opened.readValues(m);
      } catch (error) {
        expect(error, `byte ${i}`).toHaveProperty("code");
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
  });

  it("notices a file that shrank after it was opened", () => {
    const path = file("shrinks.grib", whole);
    const opened = openGrib(path);
    writeFileSync(path, whole.subarray(0, 100));
    expect(() => opened.readValues(opened.messages[5]!)).toThrow(/shorter since it was opened/);
  });

  it("leaves no file descriptor open, also after errors", () => {
    const path = file("fd.grib", whole.subarray(0, whole.length - 3));
    const before = openDescriptors();
    for (let i = 0; i < 20; i++) {
      expect(() => openGrib(path)).toThrow();
      openGrib(golden("io/scanning.grib"));
    }
    expect(openDescriptors()).toBe(before);
  });
});

const era5 = testData("era5-2mt-2019-03-uk.grib");
describe.skipIf(era5 === undefined)("ERA5, 744 hours", () => {
  const points = JSON.parse(readFileSync(golden("io/era5.json"), "utf8")) as {
    messages: number;
    fields: { index: number; mean: number; min: number; max: number; first: number; middle: number; last: number }[];
  };

  it("is indexed quickly, with the right times", () => {
    openGrib(era5!);
    const start = performance.now();
    const { messages } = openGrib(era5!);
    // 25 ms on one idle core; the bound only catches decoding while indexing.
    expect(performance.now() - start).toBeLessThan(1000);
    expect(messages).toHaveLength(points.messages);
    expect(messages[0]).toMatchObject({
      shortName: "2t",
      units: "K",
      level: 0,
      validTime: Date.UTC(2019, 2, 1) / 1000,
    });
    expect(messages.every((m, i) => m.validTime === messages[0]!.validTime + 3600 * i)).toBe(true);
  });

  it("has the values that ecCodes gives", () => {
    const file = openGrib(era5!);
    expect(Array.from(file.gridOf(file.messages[0]!).longitudes).slice(0, 2)).toEqual([-10, -9.75]);
    for (const field of points.fields) {
      const values = file.readValues(file.messages[field.index]!);
      expect(values).toHaveLength(33 * 49);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      expect(mean).toBeCloseTo(field.mean, 9);
      expect([Math.min(...values), Math.max(...values)]).toEqual([field.min, field.max]);
      expect([values[0], values[16 * 49 + 24], values.at(-1)]).toEqual([field.first, field.middle, field.last]);
    }
  });

  it("reads a copy with a bulletin heading the same", () => {
    const path = join(folder, "heading.grib");
    copyFileSync(era5!, path);
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.concat([Buffer.from("\x01\r\r\n001\r\r\nHTEA85 ECMF 010000\r\r\n"), bytes]));
    expect(openGrib(path).messages).toHaveLength(points.messages);
  });
});
