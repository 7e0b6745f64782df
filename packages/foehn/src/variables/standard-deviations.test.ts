import { describe, expect, it } from "vitest";
import { channelSet, channelSetNames } from "./channel-sets.js";
import { typicalStandardDeviation } from "./standard-deviations.js";

describe("typical standard deviations", () => {
  it("knows every channel of every channel set, humidity included", () => {
    for (const set of channelSetNames()) {
      for (const name of channelSet(set)) expect(typicalStandardDeviation(name), name).toBeGreaterThan(0);
    }
  });

  it("takes aliases and interpolates in the logarithm of pressure", () => {
    expect(typicalStandardDeviation("2t")).toBe(21.2);
    expect(typicalStandardDeviation("specific_humidity_500")).toBe(1.08e-3);
    const middle = Math.sqrt(500 * 600);
    expect(typicalStandardDeviation(`z${middle.toFixed(3)}`)).toBeCloseTo((3360 + 2700) / 2, 1);
    expect(typicalStandardDeviation("t1050")).toBe(17);
    expect(typicalStandardDeviation("gh500")).toBeCloseTo(3360 / 9.80665, 9);
  });

  it("does not invent one", () => {
    expect(typicalStandardDeviation("tp")).toBeUndefined();
    expect(typicalStandardDeviation("nonsense")).toBeUndefined();
  });
});
