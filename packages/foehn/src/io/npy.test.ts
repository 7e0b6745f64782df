import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { fromFloat16, toFloat16 } from "./float16.js";
import { golden } from "./golden.test-support.js";
import { NpyReader, writeNpy } from "./npy.js";
import { pythonLacks, runPython } from "./python.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-npy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const known = JSON.parse(readFileSync(golden("io", "npy.json"), "utf8")) as {
  readonly arrays: Readonly<Record<string, readonly (number | null)[]>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly singles: readonly number[];
  readonly halves: readonly number[];
};

describe("NumPy's arrays", () => {
  it("are read as NumPy means them, one reader for files of every size", () => {
    const reader = new NpyReader();
    for (const [name, values] of [...Object.entries(known.arrays), ...Object.entries(known.arrays).reverse()]) {
      const array = reader.read(golden("io", `${name}.npy`));
      expect(array.shape, name).toEqual(known.shapes[name]);
      expect([...array.values], name).toEqual(values.map((v) => v ?? Number.NaN));
    }
  });

  it("are refused with the reason", () => {
    const reader = new NpyReader();
    const read = (name: string) => () => reader.read(golden("io", name));
    expect(read("fortran.npy")).toThrow(/Fortran order/);
    expect(read("c8.npy")).toThrow(/type <c8 cannot be read/);
    expect(read("npy.json")).toThrow(/not a .npy file/);
    expect(read("nothing.npy")).toThrow(/cannot open .*nothing.npy: ENOENT/);
    const cut = join(folder, "cut.npy");
    writeFileSync(cut, readFileSync(golden("io", "f4.npy")));
    truncateSync(cut, 200);
    expect(() => reader.read(cut)).toThrow(/needs 240 bytes for its shape \(3, 4, 5\), the file has 72/);
    truncateSync(cut, 30);
    expect(() => reader.read(cut)).toThrow(/ends inside its header/);
  });

  it("come back as they were written, and NumPy reads them", async (context) => {
    const values = Float32Array.of(1, Number.NaN, -3.5, 65504, 1e-3, 0);
    for (const type of ["float32", "float16"] as const) {
      const path = join(folder, `${type}.npy`);
      await writeNpy(path, values, [2, 3], type);
      const { shape, values: back } = new NpyReader().read(path);
      expect(shape).toEqual([2, 3]);
      const expected = type === "float32" ? values : fromFloat16(toFloat16(values));
      expect([...back]).toEqual([...expected]);
      const lacks = pythonLacks("numpy");
      if (lacks) return context.skip(lacks);
      const script =
        "import numpy, sys, json; a = numpy.load(sys.argv[1]); print(json.dumps([str(a.dtype), a.shape, [repr(float(v)) for v in a.ravel()]]))";
      const [dtype, size, text] = runPython(script, path) as [string, number[], string[]];
      expect([dtype, size]).toEqual([type, [2, 3]]);
      expect(text.map((v) => Number(v === "nan" ? Number.NaN : v))).toEqual([...expected]);
    }
  });
});

describe("half precision", () => {
  it("is rounded as NumPy does", () => {
    expect([...toFloat16(Float32Array.from(known.singles))]).toEqual(known.halves);
    expect([...toFloat16(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY))]).toEqual([0x7e00, 0x7c00]);
  });

  it("holds each of its numbers exactly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
        const [value] = fromFloat16(Uint16Array.of(bits));
        if (!Number.isNaN(value)) expect(toFloat16(Float32Array.of(value!))[0]).toBe(bits);
        else expect(toFloat16(Float32Array.of(value!))[0]! & 0x7fff).toBe(0x7e00);
      }),
    );
  });
});
