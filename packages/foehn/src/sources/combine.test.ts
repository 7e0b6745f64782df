import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { formatError, NetworkError } from "../core/errors.js";
import type { Logger } from "../core/log.js";
import { latLonGrid } from "../grid/grid.js";
import { golden } from "../io/golden.test-support.js";
import { standardGravity } from "../variables/units.js";
import { adaptSource } from "./adapted-source.js";
import { arraySource } from "./array-source.js";
import { combine, fallback } from "./combine.js";
import { openSource } from "./open.js";
import type { Source } from "./source.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-combine-"));
afterAll(() => rmSync(folder, { recursive: true }));
const grid = latLonGrid([2, 1, 0], [0, 1, 2, 3]);
const coarse = latLonGrid([2, 0], [0, 2]);
const hours = (...list: number[]) => list.map((h) => h * 3600);
/** Fields whose value is `base` + hour everywhere. */
const constant = (
  base: number,
  times: number[],
  names: string[],
  options: { units?: Record<string, string>; grid?: typeof grid } = {},
): Source => {
  const { grid: on = grid, units = {} } = options;
  const points = on.shape[0] * on.shape[1];
  const values = () =>
    Float32Array.from({ length: points * times.length }, (_, i) => base + times[Math.floor(i / points)]! / 3600);
  return arraySource({
    grid: on,
    times,
    fields: new Map(names.map((n) => [n, values()])),
    units,
    description: `source ${base}`,
  });
};
const failing = (source: Source, error: () => Error): Source => ({
  ...source,
  read: () => Promise.reject(error()),
});
const recorder = () => {
  const lines: string[] = [];
  const log: Logger = { debug() {}, error() {}, warn: (m) => void lines.push(m), info: (m) => void lines.push(m) };
  return { lines, log };
};
const first = async (source: Source, time: number, ...variables: string[]) =>
  (await source.read({ time, variables })).map((f) => f.values[0]);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );

describe("combine", () => {
  it("takes each field from the first source that has it, in the order asked", async () => {
    const joined = combine([
      constant(100, hours(0, 6), ["t2m"]),
      constant(200, hours(6, 12), ["t2m", "u10m"]),
      constant(300, hours(0, 6, 12), ["u10m", "sp"]),
    ]);
    expect(joined.variables.map((v) => v.name)).toEqual(["t2m", "u10m", "sp"]);
    expect(joined.times).toEqual(hours(0, 6, 12));
    expect(joined.timesOf!("t2m")).toEqual(hours(0, 6, 12));
    expect(await first(joined, 0, "sp", "t2m", "u10m")).toEqual([300, 100, 300]);
    expect(await first(joined, 6 * 3600, "u10m", "2t", "sp")).toEqual([206, 106, 306]);
    expect(await first(joined, 12 * 3600, "t2m")).toEqual([212]);
  });

  it("explains what none has, and does not hide errors", async () => {
    const joined = combine([constant(0, hours(0), ["t2m"]), constant(0, hours(6), ["sp"])]);
    expect(await failure(joined.read({ time: 6 * 3600, variables: ["t2m"] }))).toMatch(
      /no data for 1970-01-01 06:00[\s\S]*one time/,
    );
    expect(await failure(joined.read({ time: 0, variables: ["t2n"] }))).toMatch(
      /no variable "t2n"[\s\S]*Did you mean "t2m"/,
    );
    const broken = combine([
      failing(constant(0, hours(0), ["t2m"]), () => new NetworkError("gone")),
      constant(1, hours(0), ["t2m"]),
    ]);
    expect(await failure(broken.read({ time: 0, variables: ["t2m"] }))).toMatch(/gone/);
  });

  it("converts to the units of the first source, also between geopotential and height", async () => {
    const joined = combine([
      constant(1000, hours(0), ["msl", "z500"], { units: { msl: "hPa" } }),
      constant(100_000, hours(6), ["msl"], { units: { msl: "Pa" } }),
      constant(500, hours(6), ["gh500"], { units: { gh500: "gpm" } }),
    ]);
    expect(await first(joined, 0, "msl")).toEqual([1000]);
    const [msl, z, gh] = await first(joined, 6 * 3600, "msl", "z500", "gh500");
    expect(msl).toBeCloseTo(1000.06, 3);
    expect(z).toBeCloseTo(506 * standardGravity, 1);
    expect(gh).toBeCloseTo(506, 3);
    expect(() =>
      combine([constant(0, hours(0), ["msl"]), constant(0, hours(0), ["msl"], { units: { msl: "K" } })]),
    ).toThrow(/cannot convert "K" to "Pa"/);
  });

  it("needs one grid, or a method", async () => {
    const sources = () => [constant(0, hours(0), ["t2m"], { grid: coarse }), constant(5, hours(0), ["sp"])];
    expect(() => combine(sources())).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("regrid: bilinear") }),
    );
    const joined = combine(sources(), { regrid: "bilinear" });
    const [sp] = await joined.read({ time: 0, variables: ["sp"] });
    expect([...sp!.values]).toEqual([5, 5, 5, 5]);
    const fine = combine(sources(), { regrid: "nearest", grid });
    expect((await fine.read({ time: 0, variables: ["t2m"] }))[0]!.values).toHaveLength(12);
  });
});

describe("fallback", () => {
  it("asks the next one when one fails or lacks a time, and says which served what", async () => {
    const { lines, log } = recorder();
    let down = true;
    const primary = constant(100, hours(0, 6), ["t2m"]);
    const flaky: Source = {
      ...primary,
      read: (request) => (down ? Promise.reject(new NetworkError("server is down")) : primary.read(request)),
    };
    const source = fallback([flaky, constant(200, hours(0, 6, 12), ["t2m", "sp"])], { log });
    expect(await first(source, 0, "t2m", "sp")).toEqual([200, 200]);
    down = false;
    expect(await first(source, 6 * 3600, "t2m")).toEqual([106]);
    expect(await first(source, 12 * 3600, "t2m")).toEqual([212]);
    await source.close();
    expect(lines).toEqual([
      "t2m, sp at 1970-01-01 00:00 from source 200: server is down",
      "t2m at 1970-01-01 12:00 from source 200: an earlier source does not have it",
      "2 fields came from source 200 in place of an earlier source",
    ]);
  });

  it("throws the first error when nobody can serve, and never hides defects or interruptions", async () => {
    const { log } = recorder();
    const bad = (error: Error) => failing(constant(0, hours(0), ["t2m"]), () => error);
    const source = fallback([bad(new NetworkError("first down")), bad(new NetworkError("second down"))], { log });
    expect(await failure(first(source, 0, "t2m"))).toMatch(/first down/);
    const defect = fallback([bad(new TypeError("x is undefined")), constant(0, hours(0), ["t2m"])], { log });
    await expect(first(defect, 0, "t2m")).rejects.toThrow(TypeError);
  });
});

describe("adaptSource", () => {
  it("renames, scales, converts and keeps", async () => {
    const source = adaptSource(
      constant(10, hours(0), ["HGT_500", "TMP", "other", "odd"], { units: { HGT_500: "m", TMP: "degC" } }),
      {
        rename: {
          z500: { from: "HGT_500", scale: 9.80665 },
          t2m: { from: "TMP", units: "K" },
          odd: { scale: 2, offset: 1, units: "Pa" },
        },
        variables: ["t2m", "z500", "odd"],
      },
    );
    expect(source.variables.map((v) => [v.name, v.units])).toEqual([
      ["t2m", "K"],
      ["z500", "m2 s-2"],
      ["odd", "Pa"],
    ]);
    const [z, t, gh, odd] = await first(source, 0, "z500", "2t", "gh500", "odd");
    expect(z).toBeCloseTo(98.0665, 4);
    expect(t).toBeCloseTo(283.15, 4);
    expect(gh).toBeCloseTo(10, 5);
    expect(odd).toBe(21);
    expect(await failure(first(source, 0, "other"))).toMatch(/no variable "other"/);
    expect(() => adaptSource(constant(0, hours(0), ["a"]), { rename: { b: { from: "aa" } } })).toThrow(
      /no variable "aa"/,
    );
    expect(() => adaptSource(constant(0, hours(0), ["t2m"]), { rename: { t2m: { units: "Pa" } } })).toThrow(
      /cannot convert/,
    );
  });
});

describe("source files", () => {
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  };

  it("combine, rename and fall back, with paths that start at the file", async () => {
    mkdirSync(join(folder, "a/data"), { recursive: true });
    cpSync(golden("sources/cds2024.nc"), join(folder, "a/data/cds.nc"));
    cpSync(golden("sources/members.nc"), join(folder, "a/data/members.nc"));
    const members = await openSource(golden("sources/members.nc"), { member: 5 });
    const start = members.times[0]!;
    const path = file(
      "a/sources.yaml",
      `
combine:
  - data: data/cds.nc
    variables: [z500, t850]
    rename:
      t850: { units: degC }
  - fallback:
      - data: nowhere/*.nc
      - data: data/members.nc
        member: 5
        rename: { skt: t2m }
regrid: nearest
`,
    );
    const warn = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    const source = await openSource(path);
    expect(warn.mock.calls.map(String).join()).toMatch(/a source is passed over: nothing matches "nowhere\/\*\.nc"/);
    warn.mockRestore();
    expect(source.variables.map((v) => [v.name, v.units])).toEqual([
      ["z500", "m2 s-2"],
      ["t850", "degC"],
      ["skt", "K"],
    ]);
    const [plain] = await (await openSource(join(folder, "a/data/cds.nc"))).read({ time: start, variables: ["t850"] });
    const [celsius, skt] = await source.read({ time: start, variables: ["t850", "skt"] });
    expect(celsius!.values[0]).toBeCloseTo(plain!.values[0]! - 273.15, 2);
    expect(skt!.values[0]).toBeCloseTo(5000.1, 2);
    await source.close();
  });

  it("take JSON and TOML, and one place alone", async () => {
    const cds = golden("sources/cds2024.nc");
    for (const [name, text] of [
      ["one.json", JSON.stringify({ data: [cds], variables: ["z500"] })],
      ["one.toml", `data = "${cds}"\nvariables = ["z500"]\n`],
    ] as const) {
      const source = await openSource(file(name, text));
      expect(source.variables.map((v) => v.name)).toEqual(["z500"]);
      await source.close();
    }
  });

  it("are refused with place and key", async () => {
    const wrong = async (text: string) => failure(openSource(file("wrong.yaml", text)));
    expect(await wrong("combin: [a.nc]\n")).toMatch(/wrong.yaml:1:1 combin: .*combine/s);
    expect(await wrong("combine:\n  - data: a.nc\n    membr: 3\n")).toMatch(/wrong.yaml:3:5 .*membr.*member/s);
    expect(await wrong("data: a.nc\nfallback: [b.nc]\n")).toMatch(
      /expected one of data, combine and fallback, got data and fallback/,
    );
    expect(await wrong("rename: { a: b }\n")).toMatch(/got none of them/);
    expect(await wrong("data: a.nc\nregrid: nearest\n")).toMatch(/regrid: does not go with data/);
    expect(await wrong("combine: [a.nc]\nregrid: linear\n")).toMatch(/regrid: .*bilinear/);
    expect(await wrong("data: missing.nc\n")).toMatch(/no file or folder "missing.nc"/);
    const good = file("good.yaml", "data: x\n");
    expect(await failure(openSource([good, golden("sources/cds2024.nc")]))).toMatch(
      /good.yaml stands alone[\s\S]*`combine` in a source file/,
    );
  });
});
