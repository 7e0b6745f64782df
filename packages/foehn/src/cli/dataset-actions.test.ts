// The verbs of foehn dataset on a dataset by name.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runHere } from "./process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-dataset-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("foehn dataset", () => {
  it("inspect NAME shows features, roles and samples", async () => {
    const { status, stdout } = await runHere("dataset", "inspect", "dummy", "--json");
    expect(status).toBe(0);
    const value = JSON.parse(stdout);
    expect(value.shape).toEqual([64, 64]);
    expect(value.splits.train.samples).toBe(10);
    expect(value.forcings).toEqual(["input_00", "input_01"]);
    const text = await runHere("dataset", "inspect", "dummy");
    expect(text.stdout).toMatch(/input_output_00 │ prognostic │/);
    expect(text.stdout).toMatch(/^valid {2}10 samples/m);
    // The word is data as well; alone it means them.
    expect((await runHere("dataset", "inspect", "synthetic")).stdout).toContain("variables  3");
  });

  it("stats writes what it prints", async () => {
    const file = join(folder, "stats.json");
    const { status, stdout } = await runHere("dataset", "stats", "dummy", "-o", file, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(JSON.parse(stdout));
    expect(JSON.parse(stdout).difference_statistics.input_00.std).toBe(1.42);
  });

  it("check ends with 0 for good data and 1 for others", async () => {
    expect((await runHere("dataset", "check", "dummy", "-q")).stdout).toBe("36 times of dummy: nothing is wrong\n");
    const bad = await runHere("dataset", "check", "dummy", "--sigmas", "2.5", "--max", "2", "-q");
    expect(bad.status).toBe(1);
    expect(bad.stdout.split("\n")).toHaveLength(4);
    expect(bad.stdout).toMatch(/^outlier: train 2020-01-01 00:00 input_output_00: \d+ values more than 2.5/);
    expect(bad.stderr).toMatch(/^error: \d+ problems in 36 times \(outlier\)/);
  });

  it("plot draws a sample", async () => {
    const file = join(folder, "sample.svg");
    const args = [
      "dataset",
      "plot",
      "dummy",
      "--sample",
      "3",
      "--variables",
      "input_output_01,input_00",
      "-o",
      file,
      "-q",
    ];
    expect(await runHere(...args)).toMatchObject({ status: 0, stdout: `wrote ${file}\n` });
    const svg = readFileSync(file, "utf8");
    for (const text of ["input_output_01, prognostic", "input_00, forcing", "target 01-01 05:00"])
      expect(svg).toContain(text);
    const wrong = await runHere("dataset", "plot", "dummy", "--variables", "input_0", "-q");
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('Did you mean "input_00"')]);
  });

  it("convert makes data for gridded, and speedtest reads them", async () => {
    const out = join(folder, "fields");
    expect((await runHere("dataset", "convert", "dummy", out, "--half", "-q")).status).toBe(0);
    expect(existsSync(join(out, "2020-01-01_00h00", "input_00.npy"))).toBe(true);
    const speed = await runHere("dataset", "speedtest", "gridded", "--data", out, "--batches", "3", "-q", "--json");
    expect(JSON.parse(speed.stdout)).toMatchObject({ samples: 3, batch_size: 1 });
    const again = await runHere("dataset", "convert", "dummy", out, "-q");
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining("exists already")]);
  });
});
