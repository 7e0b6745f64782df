import { describe, expect, it } from "vitest";
import { regularGrid } from "../grid/grid.js";
import { buildStatics } from "./statics.js";

const grid = regularGrid({ lat0: 45, dlat: 45, ny: 3, lon0: 0, dlon: 90, nx: 3 });
const feature = (statics: ReturnType<typeof buildStatics>, name: string) => {
  const f = statics.names.indexOf(name);
  return Array.from(statics.fields).filter((_, k) => k % statics.names.length === f);
};

describe("buildStatics", () => {
  it("has x, y and the border mask, scaled to 0 to 1", () => {
    const statics = buildStatics(grid, { borderSize: 1 });
    expect(statics.names).toEqual(["x", "y", "border_mask"]);
    expect(feature(statics, "x")).toEqual([0, 0.5, 1, 0, 0.5, 1, 0, 0.5, 1]);
    expect(feature(statics, "y")).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0, 0, 0]);
    expect(feature(statics, "border_mask")).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1]);
    expect([...statics.borderMask]).toEqual(feature(statics, "border_mask"));
    expect([...statics.interiorMask]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  });

  it("orders terrain before the border mask and other fields after it", () => {
    const ramp = Float32Array.from({ length: 9 }, (_, n) => 100 + 10 * n);
    const statics = buildStatics(grid, { latitude: true, longitude: true }, [
      { name: "lsm", values: ramp },
      { name: "geopotential", values: ramp },
    ]);
    expect(statics.names).toEqual([
      "x",
      "y",
      "geopotential",
      "border_mask",
      "lsm",
      "latitude",
      "sin_longitude",
      "cos_longitude",
    ]);
    expect(feature(statics, "geopotential")).toEqual(Array.from({ length: 9 }, (_, n) => Math.fround(n / 8)));
    expect(feature(statics, "latitude").filter((_, n) => n % 3 === 0)).toEqual([0.75, 0.5, 0.25]);
    expect(feature(statics, "sin_longitude")).toEqual([0.5, 1, 0.5, 0.5, 1, 0.5, 0.5, 1, 0.5]);
  });

  it("survives constant fields and refuses missing ones", () => {
    const constant = (value: number) => new Float32Array(9).fill(value);
    const statics = buildStatics(grid, {}, [
      { name: "z", values: constant(-5) },
      { name: "lsm", values: constant(0) },
    ]);
    expect(feature(statics, "z")).toEqual(Array(9).fill(1));
    expect(feature(statics, "lsm")).toEqual(Array(9).fill(0));
    expect(() => buildStatics(grid, {}, [{ name: "lsm", values: constant(Number.NaN) }])).toThrow(/"lsm" has missing/);
    expect(() => buildStatics(grid, {}, [{ name: "lsm", values: new Float32Array(4) }])).toThrow(
      /4 values, the grid 9/,
    );
    expect(() => buildStatics(grid, {}, [{ name: "x", values: constant(0) }])).toThrow(/comes twice/);
    expect(() => buildStatics(grid, { borderSize: 2 })).toThrow(/no interior/);
  });

  it("works on a single point", () => {
    const point = regularGrid({ lat0: 1, dlat: 1, ny: 1, lon0: 0, dlon: 1, nx: 1 });
    expect([...buildStatics(point).fields]).toEqual([0, 0, 0]);
  });
});
