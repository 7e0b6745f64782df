import { describe, expect, it } from "vitest";
import { philox, randomStream } from "./philox.js";

describe("philox", () => {
  // Known answers of Random123's kat_vectors.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"],
    ],
    [
      [-1, -1, -1, -1],
      [-1, -1],
      ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
    ],
  ] as const)("gives the published words for %j", (counter, key, expected) => {
    const words = [...philox(counter, key)].map((word) => word.toString(16).padStart(8, "0"));
    expect(words).toEqual(expected);
  });
});

describe("randomStream", () => {
  const base = { seed: 1, time: 1_551_398_400, member: 3, name: "t2m" };

  it("begins again at every call, and a longer draw begins like a shorter one", () => {
    const stream = randomStream(base);
    expect([...stream.normals(9).slice(0, 5)]).toEqual([...stream.normals(5)]);
    expect([...randomStream(base).uniforms(3)]).toEqual([...stream.uniforms(7).slice(0, 3)]);
  });

  it("differs when anything of its key differs", () => {
    const others = [
      { seed: 2 },
      { seed: 1 + 2 ** 32 },
      { time: base.time + 3600 },
      { time: base.time + 2 ** 33 },
      { member: 4 },
      { name: "t2n" },
    ];
    const first = [base, ...others.map((other) => ({ ...base, ...other }))].map(
      (key) => randomStream(key).normals(1)[0],
    );
    expect(new Set(first).size).toBe(first.length);
  });

  it("is standard normal: moments of 40 000 numbers within four standard errors", () => {
    const values = randomStream(base).normals(40_000);
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(40_000));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / 40_000));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / 40_000));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / 40_000));
  });

  it("has no relation between members, channels or dates", () => {
    const a = randomStream(base).normals(10_000);
    for (const other of [{ member: 4 }, { name: "z500" }, { time: base.time + 21_600 }]) {
      const b = randomStream({ ...base, ...other }).normals(10_000);
      const correlation = a.reduce((sum, value, i) => sum + value * b[i]!, 0) / a.length;
      expect(Math.abs(correlation)).toBeLessThan(0.04);
    }
  });
});
