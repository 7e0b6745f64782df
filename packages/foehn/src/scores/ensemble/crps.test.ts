import { describe, expect, it } from "vitest";
import { crps } from "./crps.js";
import { energyScore } from "./energy.js";

describe("CRPS of an ensemble", () => {
  it.each([
    [[1, 2, 3, 4], 2.5, 0.375, 1 / 6],
    [[0, 1], 0.5, 0.25, 0],
    [[-1, 0, 1], 0, 2 / 9, 0],
    [[0, 1, 2, 3, 4], 6, 3.2, 3],
    [[2], 5, 3, Number.NaN],
    [[0, 0, 1], 0, 1 / 9, 0],
  ])("of %j for %d is %d, fair %d", (members, truth, biased, fair) => {
    const close = (value: number, expected: number) =>
      Number.isNaN(expected) ? expect(value).toBeNaN() : expect(value).toBeCloseTo(expected, 14);
    close(crps(members, truth), biased);
    close(crps(members, truth, { fair: true }), fair);
    const shuffled = [...members].reverse();
    expect(crps(shuffled, truth)).toBeCloseTo(biased, 14);
    // One number is a vector of one.
    const vectors = members.map((x) => [x]);
    close(energyScore(vectors, [truth]), biased);
    close(energyScore(vectors, [truth], { fair: true }), fair);
  });

  it("is the integral of the squared difference of distributions", () => {
    const [members, y] = [[0.2, 1.7, 0.9, 2.4, -1.1], 1.3];
    let integral = 0;
    const h = 1e-4;
    for (let x = -3; x < 5; x += h) {
      const share = members.filter((member) => member <= x + h / 2).length / 5;
      integral += h * (share - Number(y <= x + h / 2)) ** 2;
    }
    expect(crps(members, y)).toBeCloseTo(integral, 3);
  });
});
