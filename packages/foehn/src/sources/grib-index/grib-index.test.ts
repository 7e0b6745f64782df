import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFoehnError } from "../../core/errors.js";
import { parseTime } from "../../core/time.js";
import { parseEcmwfIndex } from "./ecmwf-index.js";
import { type NcepEntry, parseNcepIndex, parseNcepStep } from "./ncep-index.js";
import { ncepVariables } from "./ncep-parameters.js";

const idx = `1:0:d=2024010100:PRMSL:mean sea level:anl:
2:1000:d=2024010100:UGRD:10 mb:anl:
3.1:2500:d=2024010100:UGRD:10 m above ground:anl:
3.2:2500:d=2024010100:VGRD:10 m above ground:anl:
4:4000:d=2024010100:UGRD:100 m above ground:anl:
5:5000:d=2024010100:UGRD:100 mb:anl:ENS=+1
`;

describe("NCEP's index", () => {
  it("gives ranges up to the next message, fields of one message the same", () => {
    const entries = parseNcepIndex(idx, "x.idx");
    expect(entries.map((e) => [e.message, e.field, e.offset, e.length])).toEqual([
      [1, 1, 0, 1000],
      [2, 1, 1000, 1500],
      [3, 1, 2500, 1500],
      [3, 2, 2500, 1500],
      [4, 1, 4000, 1000],
      [5, 1, 5000, undefined],
    ]);
    expect(entries[0]!.dataTime).toBe(parseTime("2024-01-01T00"));
    expect(entries.at(-1)!.extra).toEqual(["ENS=+1"]);
    expect(parseNcepIndex("1:0:d=202401010015:TMP:surface:15 min fcst:", "x")[0]!.dataTime).toBe(
      parseTime("2024-01-01T00:15"),
    );
  });

  it("knows variables by whole words only", () => {
    const names = parseNcepIndex(idx, "x.idx").map((e) => ncepVariables(e).map((v) => v.definition.name));
    expect(names).toEqual([["msl"], ["u10"], ["u10m"], ["v10m"], ["u100m"], []]);
  });

  it.each([
    ["anl", { start: 0, end: 0, kind: "instant" }],
    ["6 hour fcst", { start: 21600, end: 21600, kind: "instant" }],
    ["15 min fcst", { start: 900, end: 900, kind: "instant" }],
    ["0-6 hour acc fcst", { start: 0, end: 21600, kind: "acc" }],
    ["0-1 day acc fcst", { start: 0, end: 86400, kind: "acc" }],
    ["18-24 hour ave fcst", { start: 64800, end: 86400, kind: "ave" }],
    ["6 hour acc fcst", undefined],
    ["0-6 hour fcst", undefined],
    ["Jan 2024 ave", undefined],
  ])("reads the step %s", (text, step) => {
    expect(parseNcepStep(text)).toEqual(step);
  });

  it("tells accumulations apart by their hours", () => {
    const names = (forecast: string) =>
      ncepVariables(parseNcepIndex(`1:0:d=2024010100:APCP:surface:${forecast}:`, "x")[0]!).map(
        (v) => v.definition.name,
      );
    expect(names("0-6 hour acc fcst")).toEqual(["tp", "tp06"]);
    expect(names("6-12 hour acc fcst")).toEqual(["tp06"]);
    expect(names("0-1 day acc fcst")).toEqual(["tp"]);
    expect(names("6-9 hour acc fcst")).toEqual([]);
    expect(names("6-7 hour acc fcst")).toEqual(["tp01"]);
  });

  it.each([
    ["<html>", /line 1/, "does not begin with a message number"],
    ["1:0:d=2024010100:TMP:surface:anl:\n2:x:d=2024010100:TMP:surface:anl:", /line 2/, "offset"],
    ["1:0:d=2024013200:TMP:surface:anl:", /line 1/, "no such date"],
    ["1:10:d=2024010100:TMP:surface:anl:\n2:5:d=2024010100:TMP:surface:anl:", /line 2/, "backwards"],
    ["1:10:d=2024010100:TMP:surface:anl:\n2:10:d=2024010100:TMP:surface:anl:", /line 2/, "same offset"],
    ["1:0:d=2024010100:TMP:surface", /line 1/, "missing"],
    ["", /x.idx/, "empty"],
  ])("refuses %j", (text, where, what) => {
    const error = thrown(() => parseNcepIndex(text, "x.idx"));
    expect(isFoehnError(error, "format")).toBe(true);
    expect(error).toMatchObject({ where: expect.stringMatching(where), message: expect.stringContaining(what) });
  });
});

describe("ECMWF's index", () => {
  const line =
    '{"domain": "g", "date": "20240301", "time": "0000", "type": "pf", "stream": "enfo", "step": "0", "levelist": "500", ' +
    '"levtype": "pl", "number": "7", "param": "gh", "_offset": 5, "_length": 609046}';

  it("gives keys as text and ranges as numbers", () => {
    const [entry] = parseEcmwfIndex(`${line}\n`, "x.index");
    expect(entry).toMatchObject({
      offset: 5,
      length: 609046,
      param: "gh",
      levelist: 500,
      number: 7,
      step: "0",
      type: "pf",
    });
    expect(entry!.keys.stream).toBe("enfo");
  });

  it.each([
    ["{", "not JSON"],
    ["[1]", "not a JSON object"],
    ['{"param":"t","levtype":"pl","step":"0","_offset":-1,"_length":5}', "not byte counts"],
    ['{"param":"t","levtype":"pl","step":"0","_offset":1,"_length":0}', "not byte counts"],
    ['{"param":"t","levtype":"pl","_offset":1,"_length":1}', "missing"],
    ['{"param":"t","levtype":"pl","step":"0","levelist":"x","_offset":1,"_length":1}', "not a number"],
  ])("refuses %j", (text, what) => {
    const error = thrown(() => parseEcmwfIndex(`${line}\n${text}`, "x.index"));
    expect(isFoehnError(error, "format")).toBe(true);
    expect(error).toMatchObject({ where: "x.index, line 2", message: expect.stringContaining(what) });
  });
});

describe("any text", () => {
  const idxLine = fc
    .tuple(
      fc.nat(),
      fc.nat(),
      fc.string(),
      fc.string(),
      fc.constantFrom("anl", "6 hour fcst", "0-6 hour acc fcst", ":"),
    )
    .map(([n, at, a, b, step]) => `${n}:${at}:d=2024010100:${a}:${b}:${step}:`);
  const mixed = fc.array(fc.oneof(fc.string(), idxLine, fc.json()), { maxLength: 6 }).map((lines) => lines.join("\n"));

  it("is parsed or refused with a place, and ranges never overlap", () => {
    fc.assert(
      fc.property(mixed, (text) => {
        for (const parse of [parseNcepIndex, parseEcmwfIndex]) {
          let entries: readonly { readonly offset: number; readonly length: number | undefined }[];
          try {
            entries = parse(text, "any");
          } catch (error) {
            if (!isFoehnError(error, "format") || !error.where?.startsWith("any")) throw error;
            continue;
          }
          for (const entry of entries) {
            expect(entry.offset).toBeGreaterThanOrEqual(0);
            if (entry.length !== undefined) expect(entry.length).toBeGreaterThan(0);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("written as an index is read back", () => {
    const part = fc.string({ minLength: 1 }).filter((s) => !/[:\r\n]/.test(s) && s.trim() !== "");
    const list = fc.array(fc.tuple(fc.integer({ min: 1, max: 1e9 }), part, part), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(list, (rows) => {
        let offset = 0;
        const expected = rows.map(([length, parameter, level], i): Partial<NcepEntry> => {
          const entry = { message: i + 1, offset, parameter, level, length: i + 1 < rows.length ? length : undefined };
          offset += length;
          return entry;
        });
        const text = expected.map((e) => `${e.message}:${e.offset}:d=2024010100:${e.parameter}:${e.level}:anl:`);
        expect(parseNcepIndex(text.join("\n"), "x")).toMatchObject(expected);
      }),
      { numRuns: 100 },
    );
  });
});

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
