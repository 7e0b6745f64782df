import { describe, expect, it } from "vitest";
import {
  ConfigError,
  DataError,
  errorToJson,
  exitCodeOf,
  FoehnError,
  FormatError,
  formatError,
  InterruptedError,
  isFoehnError,
  ModelError,
  NumericalError,
  StorageError,
  TrustError,
  UsageError,
} from "./errors.js";

describe("errors", () => {
  it("have the exit codes and codes that scripts rely on", () => {
    const table = [
      UsageError,
      ConfigError,
      DataError,
      FormatError,
      ModelError,
      NumericalError,
      StorageError,
      TrustError,
      InterruptedError,
    ].map((Kind) => {
      const err = new Kind("x");
      expect(err.name).toBe(Kind.name);
      return [err.code, exitCodeOf(err)];
    });
    expect(table).toEqual([
      ["usage", 2],
      ["config", 2],
      ["data", 1],
      ["format", 1],
      ["model", 1],
      ["numerical", 1],
      ["storage", 1],
      ["not-trusted", 3],
      ["interrupted", 130],
    ]);
    expect(exitCodeOf(new TypeError("x"))).toBe(1);
  });

  it("print what, where and what to do, and no stack", () => {
    const err = new DataError('no variable "t3m"', { where: "era5.grib", hint: 'there are: t2m\nDid you mean "t2m"?' });
    expect(formatError(err)).toBe(
      'error: no variable "t3m"\n   at: era5.grib\n hint: there are: t2m\n       Did you mean "t2m"?',
    );
  });

  it("print stacks and causes with debug, and ask for --debug otherwise when the error is not ours", () => {
    const inner = new RangeError("inner");
    const err = new FormatError("outer", { cause: inner });
    expect(formatError(err, { debug: true })).toMatch(
      /FormatError: outer\n\s+at [\s\S]*caused by: RangeError: inner\n\s+at /,
    );
    expect(formatError(inner)).toContain("--debug");
    expect(formatError(inner)).not.toMatch(/\n\s+at /);
    expect(formatError("text")).toContain("error: text");
  });

  it("go into JSON", () => {
    expect(errorToJson(new UsageError("bad", { hint: "do" }))).toEqual({
      error: { code: "usage", message: "bad", hint: "do" },
    });
    expect(errorToJson(new TypeError("oops"))).toEqual({ error: { code: "internal", message: "oops" } });
  });

  it("are recognised by code", () => {
    const err: unknown = new DataError("x");
    expect(isFoehnError(err)).toBe(true);
    expect(isFoehnError(err, "data", "format")).toBe(true);
    expect(isFoehnError(err, "config")).toBe(false);
    expect(isFoehnError(new Error("x"))).toBe(false);
    expect(err).toBeInstanceOf(FoehnError);
  });
});
