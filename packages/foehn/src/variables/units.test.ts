import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conversion, convert, normaliseUnits, parseUnit, sameUnits, standardGravity, tryParseUnit } from "./units.js";

describe("normaliseUnits", () => {
  it.each([
    ["m s**-1", "m s-1"],
    ["m s-1", "m s-1"],
    ["m/s", "m s-1"],
    ["m/s/s", "m s-2"],
    ["m**2 s**-2", "m2 s-2"],
    ["m^2 s^-2", "m2 s-2"],
    ["kg m**-2", "kg m-2"],
    ["kg/m2", "kg m-2"],
    ["K m**2 kg**-1 s**-1", "K m2 kg-1 s-1"],
    ["(0 - 1)", "1"],
    ["~", "1"],
    ["", "1"],
    ["percent", "%"],
    ["millibars", "hPa"],
    ["Kelvin", "K"],
    ["m of water equivalent", "m"],
    ["Degree true", "degree"],
    ["m.s-1", "m s-1"],
    ["gpm", "gpm"],
    ["(Code table 4.202)", "1"],
    ["something odd (really)", "something odd (really)"],
  ])("%s → %s", (text, normal) => {
    expect(normaliseUnits(text)).toBe(normal);
    expect(normaliseUnits(normal)).toBe(normal);
  });
});

describe("conversion", () => {
  it.each([
    [0, "degC", "K", 273.15],
    [300, "K", "degC", 26.85],
    [212, "degF", "degC", 100],
    [1013.25, "hPa", "Pa", 101325],
    [1, "bar", "mbar", 1000],
    [0.005, "m", "mm", 5],
    [5, "kg m-2", "mm", 5],
    [5, "mm", "kg m**-2", 5],
    [5, "m of water equivalent", "kg m-2", 5000],
    [1, "kg m-2 s-1", "mm h-1", 3600],
    [5500, "gpm", "m2 s-2", 5500 * standardGravity],
    [53936.575, "m**2 s**-2", "gpm", 5500],
    [550, "gpdam", "gpm", 5500],
    [50, "%", "1", 0.5],
    [36, "km/h", "m s-1", 10],
    [1, "knots", "m s-1", 0.5144444444444445],
    [1, "g kg-1", "kg kg-1", 0.001],
    [180, "degree", "rad", Math.PI],
  ])("%d %s → %s is %d", (value, from, to, result) => {
    expect(convert(Float64Array.of(value), from, to)[0]).toBeCloseTo(result, 9);
  });

  it("refuses different quantities and shows both", () => {
    expect(() => conversion("K", "Pa")).toThrow('cannot convert "K" to "Pa"');
    expect(() => conversion("m", "gpm")).toThrow("measure different things");
    expect(() => conversion("kg", "m3")).toThrow("measure different things");
    expect(() => parseUnit("bananas")).toThrow('unknown unit "bananas"');
  });

  it("keeps NaN, the type, and the array itself when nothing changes", () => {
    const values = Float32Array.of(1, Number.NaN, 3);
    expect(convert(values, "m s**-1", "m/s")).toBe(values);
    expect(convert(values, "K", "degC")).toBeInstanceOf(Float32Array);
    expect(convert(values, "hPa", "Pa")).toEqual(Float32Array.of(100, Number.NaN, 300));
    expect(values[0]).toBe(1);
  });

  it("is undone by the opposite conversion", () => {
    const groups = [
      ["K", "degC", "degF"],
      ["Pa", "hPa", "bar", "kPa"],
      ["m", "mm", "km", "kg m-2"],
      ["m2 s-2", "gpm", "gpdam", "J kg-1"],
      ["m s-1", "km h-1", "kt"],
      ["1", "%", "ppm"],
    ];
    const pair = fc
      .constantFrom(...groups)
      .chain((group) => fc.tuple(fc.constantFrom(...group), fc.constantFrom(...group)));
    fc.assert(
      fc.property(pair, fc.double({ min: -1e5, max: 1e5, noNaN: true }), ([from, to], value) => {
        const there = convert(Float64Array.of(value), from, to);
        expect(convert(there, to, from)[0]).toBeCloseTo(value, 6);
      }),
    );
  });
});

describe("sameUnits", () => {
  it("sees through spellings, not through scales", () => {
    expect(sameUnits("m s**-1", "m/s")).toBe(true);
    expect(sameUnits("hPa", "millibars")).toBe(true);
    expect(sameUnits("m2 s-2", "J kg-1")).toBe(true);
    expect(sameUnits("hPa", "Pa")).toBe(false);
    expect(sameUnits("K", "degC")).toBe(false);
    expect(sameUnits("bananas", "bananas ")).toBe(true);
    expect(sameUnits("bananas", "K")).toBe(false);
  });

  it("treats a difference of degrees as kelvins inside a product", () => {
    expect(tryParseUnit("degC m-1")?.offset).toBe(0);
    expect(sameUnits("degC m-1", "K m-1")).toBe(true);
  });
});
