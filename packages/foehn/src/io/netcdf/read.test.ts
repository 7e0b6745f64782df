import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import h5wasm from "h5wasm/node";
import { afterAll, describe, expect, it } from "vitest";
import { golden, testData } from "../golden.test-support.js";
import { toFloat64 } from "../labelled-arrays.js";
import { blockOf, runsOf } from "./blocks.js";
import { type NetcdfFile, openNetcdf } from "./read.js";
import { unpackFloat32, unpackFloat64 } from "./unpack.js";

interface Expected {
  dimensions: Record<string, [size: number, unlimited: boolean]>;
  attributes: Record<string, unknown>;
  variables: Record<
    string,
    { type: string; dimensions: string[]; attributes: Record<string, unknown>; values: (number | null)[] }
  >;
}

const expected = JSON.parse(readFileSync(golden("io/netcdf.json"), "utf8")) as Record<string, Expected>;
const folder = mkdtempSync(join(tmpdir(), "foehn-netcdf-"));
afterAll(() => rmSync(folder, { recursive: true }));

const open = (name: string): Promise<NetcdfFile> => openNetcdf(golden("io", name));
const numbers = (file: NetcdfFile) => file.variables.filter((v) => v.type !== "char" && v.type !== "string");

describe.each(Object.entries(expected))("%s, against netCDF4-python", (name, wanted) => {
  it("has the same dimensions, attributes, types and names", async () => {
    using file = await open(name);
    const dimensions = Object.fromEntries(file.dimensions.map((d) => [d.name, [d.size, d.unlimited]]));
    expect(dimensions).toEqual(wanted.dimensions);
    expect(file.attributes).toEqual(wanted.attributes);
    expect(file.variables.map((v) => v.name).sort()).toEqual(Object.keys(wanted.variables).sort());
    for (const v of file.variables) {
      const { type, dimensions: names, attributes } = wanted.variables[v.name]!;
      expect([v.name, v.type, v.dimensions]).toEqual([v.name, type === "|S1" ? "char" : type.replace(">", ""), names]);
      expect(v.attributes).toEqual(attributes);
    }
  });

  it("has the same values after unpacking", async () => {
    using file = await open(name);
    for (const v of numbers(file)) {
      const values = unpackFloat64(v, v.read());
      for (const [i, value] of wanted.variables[v.name]!.values.entries()) {
        if (value === null) expect(values[i], `${v.name}[${i}]`).toBeNaN();
        else expect(values[i], `${v.name}[${i}]`).toBeCloseTo(value, 9);
      }
      expect(values).toHaveLength(wanted.variables[v.name]!.values.length);
    }
  });

  it("gives any block as the same part of the whole", async () => {
    using file = await open(name);
    const block = fc.constantFrom(...numbers(file)).chain((v) =>
      fc.record({
        v: fc.constant(v),
        ranges: fc.tuple(
          ...v.shape.map((n) => fc.tuple(fc.nat(n), fc.nat(n)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)])),
        ),
      }),
    );
    fc.assert(
      fc.property(block, ({ v, ranges }) => {
        const start = ranges.map(([a]) => a!);
        const count = ranges.map(([a, b]) => b! - a!);
        const whole = toFloat64(v.read());
        const wantedValues = [...places(v.shape, start, count)].map((i) => whole[i]);
        expect(Array.from(toFloat64(v.read(start, count)))).toEqual(wantedValues);
      }),
      { numRuns: 150 },
    );
  });
});

/** Flat positions of a block, the slow and obvious way. */
function* places(
  shape: readonly number[],
  start: readonly number[],
  count: readonly number[],
  axis = 0,
  base = 0,
): Generator<number> {
  if (axis === shape.length) {
    yield base;
    return;
  }
  for (let i = 0; i < count[axis]!; i++)
    yield* places(shape, start, count, axis + 1, base * shape[axis]! + start[axis]! + i);
}

describe("runs of a block", () => {
  it("cover exactly the elements of the block, in order, in as few runs as possible at the end", () => {
    const shapes = fc
      .array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 })
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.tuple(
            ...shape.map((n) =>
              fc.nat(n - 1).chain((from) => fc.tuple(fc.constant(from), fc.integer({ min: 0, max: n - from }))),
            ),
          ),
        ),
      );
    fc.assert(
      fc.property(shapes, ([shape, ranges]) => {
        const start = ranges.map((r) => r[0]!);
        const count = ranges.map((r) => r[1]!);
        const runs = [...runsOf(shape, blockOf("x", shape, start, count))];
        const covered = runs.flatMap(([offset, length]) => Array.from({ length }, (_, i) => offset + i));
        expect(covered).toEqual([...places(shape, start, count)]);
      }),
    );
    expect([...runsOf([4, 3, 5], blockOf("x", [4, 3, 5], [1, 0, 0], [2, 3, 5]))]).toEqual([[15, 30]]);
  });

  it("refuses a block outside the array", () => {
    for (const [start, count] of [
      [
        [0, 3],
        [1, 3],
      ],
      [[0], [1]],
      [
        [-1, 0],
        [1, 1],
      ],
      [
        [0.5, 0],
        [1, 1],
      ],
    ] as const) {
      expect(() => blockOf("x", [2, 5], start, count)).toThrow('lies outside "x" of shape [2,5]');
    }
  });
});

describe("text and special values", () => {
  it("reads characters as texts, and refuses numbers as text and text as numbers", async () => {
    for (const name of ["classic.nc", "netcdf4.nc"]) {
      using file = await open(name);
      const station = file.variables.find((v) => v.name === "station")!;
      expect(station.readText()).toEqual(["Genf", "Bern"]);
      expect(() => file.variables.find((v) => v.name === "lat")!.readText()).toThrow(/holds numbers/);
    }
    using file = await open("netcdf4.nc");
    expect(() => file.variables.find((v) => v.name === "station")!.read()).toThrow('"station" does not hold numbers');
  });

  it("unpacks in double precision before rounding to single", async () => {
    using file = await open("classic.nc");
    const packed = file.variables.find((v) => v.name === "t2m")!;
    const single = unpackFloat32(packed, packed.read());
    const double = unpackFloat64(packed, packed.read());
    expect(single).toEqual(Float32Array.from(double));
    expect(single.some(Number.isNaN)).toBe(true);
  });

  it("ignores a fill value that is NaN or of another type than the data", () => {
    const array = {
      name: "z",
      type: "int16",
      dimensions: ["x"],
      shape: [3],
      attributes: { _FillValue: Number.NaN, scale_factor: 2 },
    } as const;
    const read = () => Int16Array.of(1, -32767, 0);
    expect(unpackFloat32({ ...array, read }, read())).toEqual(Float32Array.of(2, -65534, 0));
  });

  it("takes signed storage of 1, 2 and 4 bytes for unsigned where the file says so", () => {
    for (const [type, stored, largest] of [
      ["int8", Int8Array.of(1, -2, -1), 2 ** 8],
      ["int16", Int16Array.of(1, -2, -1), 2 ** 16],
      ["int32", Int32Array.of(1, -2, -1), 2 ** 32],
    ] as const) {
      const attributes = { _Unsigned: "true", _FillValue: -1 };
      const array = { name: "z", type, dimensions: ["x"], shape: [3], attributes, read: () => stored };
      expect(unpackFloat64(array, stored)).toEqual(Float64Array.of(1, largest - 2, Number.NaN));
    }
  });
});

describe("damaged files", () => {
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const bytesOf = (name: string) => readFileSync(golden("io", name));

  it.each(["classic.nc", "offset64.nc", "cdf5.nc", "netcdf4.nc", "one-record-variable.nc"])(
    "%s cut anywhere is said to be cut short, or not to be NetCDF",
    async (name) => {
      const whole = bytesOf(name);
      const cuts = new Set([
        1,
        3,
        4,
        7,
        8,
        20,
        whole.length - 5, // the last three bytes may be padding

        ...Array.from({ length: 30 }, (_, i) => Math.floor((whole.length * (i + 1)) / 31)),
      ]);
      for (const cut of cuts) {
        const path = file("cut.nc", whole.subarray(0, cut));
        await expect(openNetcdf(path), `${cut} of ${whole.length} bytes`).rejects.toThrow(
          expect.objectContaining({ code: "format", message: expect.stringMatching(/cut short|not a NetCDF file/) }),
        );
      }
    },
  );

  it("says that an empty file is empty and a foreign one is foreign", async () => {
    await expect(openNetcdf(file("empty.nc", new Uint8Array(0)))).rejects.toThrow("the file is empty");
    await expect(openNetcdf(golden("io/packing.grib"))).rejects.toThrow(/this is not a NetCDF file/);
    await expect(openNetcdf(join(folder, "none.nc"))).rejects.toThrow(expect.objectContaining({ code: "storage" }));
  });

  it("does not go round in groups that contain themselves", async () => {
    await h5wasm.ready;
    const write = (name: string, fill: (file: InstanceType<typeof h5wasm.File>) => void): string => {
      const file = new h5wasm.File(join(folder, name), "w");
      file.create_dataset({ name: "a", data: Float32Array.of(1, 2) });
      file.create_group("g");
      fill(file);
      file.close();
      return join(folder, name);
    };
    const soft = write("soft-circle.h5", (file) => file.create_soft_link("/", "g/up"));
    using file = await openNetcdf(soft);
    expect(file.variables.map((v) => v.name)).toEqual(["a"]);
    const hard = write("hard-circle.h5", (made) => made.create_hard_link("/", "g/up"));
    await expect(openNetcdf(hard)).rejects.toThrow(/more than 16 deep: one contains itself/);
  });

  it("survives wrong bytes in a classic header with a Foehn error or a result", async () => {
    const whole = bytesOf("classic.nc");
    let refused = 0;
    for (let i = 4; i < 1200; i += 7) {
      const bad = Buffer.from(whole);
      bad[i]! ^= 0xff;
      try {
        using opened = await openNetcdf(file("fuzz.nc", bad));
        for (const v of opened.variables) v.read();
      } catch (error) {
        expect(error, `byte ${i}`).toHaveProperty("exitCode");
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(30);
  });

  it("leaves no file descriptor open, also after errors", async () => {
    const cut = file("fd.nc", bytesOf("netcdf4.nc").subarray(0, 5000));
    (await open("netcdf4.nc")).close();
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 5; i++) {
      const opened = await open("netcdf4.nc");
      opened.close();
      opened.close();
      await expect(openNetcdf(cut)).rejects.toThrow();
      (await open("classic.nc")).close();
    }
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});

const interim = testData("eraint_uvz.nc");
describe.skipIf(interim === undefined)("ERA-Interim, 64-bit offset", () => {
  it("has the values that xarray gives", async () => {
    using file = await openNetcdf(interim!);
    expect(file.format).toBe("64-bit offset");
    const z = file.variables.find((v) => v.name === "z")!;
    expect(z.shape).toEqual([2, 3, 241, 480]);
    const july500 = unpackFloat64(z, z.read([1, 1, 0, 0], [1, 1, 241, 480]));
    // xarray 2023.01: d.z.sel(level=500)[1][0, 0] and [100, 7]
    expect(july500[0]).toBeCloseTo(53382.360945797474, 6);
    expect(july500[100 * 480 + 7]).toBeCloseTo(57596.603048892146, 6);
  });
});
