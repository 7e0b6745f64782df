import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { datasetRoot, defaultRunsDir, environmentValue, environmentValues } from "./environment.js";

describe("environment variables", () => {
  it("take py4cast's names beside ours, and ours win", () => {
    const old = { PY4CAST_TITAN_PATH: "/scratch/Titan", PY4CAST_ROOTDIR: "/scratch/py4cast" };
    expect(datasetRoot("titan", old)).toBe("/scratch/Titan");
    expect(environmentValue("FOEHN_TITAN_PATH", old)?.from).toBe("PY4CAST_TITAN_PATH");
    expect(datasetRoot("titan", { ...old, FOEHN_TITAN_PATH: "/data/titan" })).toBe("/data/titan");
    expect(defaultRunsDir(old)).toBe("/scratch/py4cast/runs");
    expect(environmentValues(old).map((v) => v.name)).toEqual(["FOEHN_ROOTDIR", "FOEHN_TITAN_PATH"]);
  });

  it("fall back to the working directory; empty means not set", () => {
    expect(defaultRunsDir({ FOEHN_ROOTDIR: "" })).toBe("runs");
  });

  it("understand the home folder and relative paths", () => {
    expect(datasetRoot("smeagol", { PY4CAST_SMEAGOL_PATH: "~/smeagol" })).toBe(join(homedir(), "smeagol"));
    expect(datasetRoot("titan", { FOEHN_TITAN_PATH: "titan" })).toBe(join(process.cwd(), "titan"));
    expect(datasetRoot("titan", {})).toBeUndefined();
  });
});
