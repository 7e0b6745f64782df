import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "./suggest.js";

describe("nearest names", () => {
  const names = ["t2m", "d2m", "u10", "v10", "msl", "z500", "temperature"];

  it("finds typing errors: a wrong, missing, extra or swapped letter, another case", () => {
    expect(nearest("t3m", names)).toContain("t2m");
    expect(nearest("z50", names)).toEqual(["z500"]);
    expect(nearest("mls", names)[0]).toBe("msl");
    expect(nearest("T2M", names)[0]).toBe("t2m");
    expect(nearest("temprature", names)).toEqual(["temperature"]);
    expect(nearest("temp", names)).toEqual(["temperature"]);
  });

  it("finds nothing where nothing is near, and never more than asked", () => {
    expect(nearest("precipitation", names)).toEqual([]);
    expect(didYouMean("precipitation", names)).toBe("");
    expect(nearest("x10", ["a10", "b10", "c10", "d10"], 2)).toEqual(["a10", "b10"]);
  });

  it("makes a question of it", () => {
    expect(didYouMean("z50", names)).toBe('Did you mean "z500"?');
    expect(didYouMean("x2m", names)).toBe('Did you mean "d2m" or "t2m"?');
  });
});
