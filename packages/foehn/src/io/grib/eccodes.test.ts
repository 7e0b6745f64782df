import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { golden } from "../golden.test-support.js";
import { eccodesLibrary, GribHandle, liveHandles } from "./eccodes.js";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe("the ecCodes library", () => {
  it("is found and has a version", () => {
    expect(eccodesLibrary().version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("says how to install it when it is not there", async () => {
    vi.stubEnv("FOEHN_ECCODES", "/nowhere/libeccodes.so");
    vi.resetModules();
    const fresh = await import("./eccodes.js");
    expect(() => fresh.eccodesLibrary()).toThrow(
      expect.objectContaining({
        code: "config",
        where: expect.stringContaining("/nowhere/libeccodes.so"),
        hint: expect.stringMatching(/apt install libeccodes0[\s\S]*brew install eccodes[\s\S]*FOEHN_ECCODES/),
      }),
    );
  });
});

describe("a handle", () => {
  const message = readFileSync(golden("io/reduced.grib"));

  it("counts as live until it is freed, once", () => {
    const handle = new GribHandle(message, "here");
    expect(liveHandles()).toBe(1);
    expect([handle.string("shortName"), handle.long("edition")]).toEqual(["2t", 1]);
    handle[Symbol.dispose]();
    handle[Symbol.dispose]();
    expect(liveHandles()).toBe(0);
    expect(() => handle.long("edition")).toThrow("used after it was freed");
  });

  it("names the key and the place of what it cannot give", () => {
    using handle = new GribHandle(message, "x.grib, message 3 at byte 99");
    expect(handle.tryLong("noSuchKey")).toBeUndefined();
    expect(() => handle.double("noSuchKey")).toThrow(
      expect.objectContaining({
        code: "format",
        message: expect.stringMatching(/"noSuchKey": Key\/value not found/),
        where: "x.grib, message 3 at byte 99",
      }),
    );
  });
});
