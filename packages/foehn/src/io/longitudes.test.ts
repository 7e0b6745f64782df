import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { continuousLongitudes } from "./longitudes.js";

describe("continuousLongitudes", () => {
  it.each([
    ["across Greenwich", [350, 355, 0, 5], [-10, -5, 0, 5]],
    ["across the date line", [170, 175, 180, -175], [170, 175, 180, 185]],
    ["western, as GRIB 2 writes it", [300, 310, 320], [-60, -50, -40]],
    ["global from Greenwich", [0, 90, 180, 270], [0, 90, 180, 270]],
    ["global from the date line", [180, 270, 0, 90], [-180, -90, 0, 90]],
    ["two halves", [0, 90, -180, -90], [0, 90, 180, 270]],
    ["eastern first", [5, 0, 355, 350], [5, 0, -5, -10]],
    ["two points across Greenwich", [359, 0], [-1, 0]],
    ["two points, half a turn apart", [0, 180], [0, 180]],
    ["one point", [359], [-1]],
    ["rounded edge", [-180.0000001, -90], [-180.0000001, -90]],
    ["none", [], []],
  ])("%s", (_, raw, wanted) => {
    expect(Array.from(continuousLongitudes(raw))).toEqual(wanted);
  });

  it("undoes any wrapping of any ascending axis, up to whole turns, and is stable", () => {
    const axis = fc.record({
      west: fc.integer({ min: -180, max: 179 }),
      steps: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 36 }),
      turns: fc.integer({ min: -2, max: 2 }),
    });
    fc.assert(
      fc.property(axis, ({ west, steps, turns }) => {
        const straight = [west];
        for (const step of steps) straight.push(straight.at(-1)! + step);
        const wrapped = straight.map((lon) => ((lon % 360) + 360) % 360);
        expect(Array.from(continuousLongitudes(wrapped))).toEqual(straight);
        expect(Array.from(continuousLongitudes(straight.map((lon) => lon + 360 * turns)))).toEqual(straight);
      }),
    );
  });
});
