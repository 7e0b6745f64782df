import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { silentProgress } from "../../core/progress.js";
import { syntheticSchema, syntheticSource } from "../../sources/synthetic.js";
import { saveSimulation } from "../demo-data.js";
import { runHere } from "../process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-demo-test-"));
const data = join(folder, "small.nc");
const output = join(folder, "out");

describe("foehn demo", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("goes from a file to a report, and says by its exit status whether the model has skill", async () => {
    const small = syntheticSource(syntheticSchema.parse({ ny: 16, nx: 16, days: 8, spin_up_days: 0 }));
    await saveSimulation(small, data, silentProgress, new AbortController().signal);
    const { status, stdout, stderr } = await runHere(
      ...["demo", "--data", data, "-o", output, "--epochs", "2", "--threads", "1"],
    );
    // Two epochs on a week may or may not beat persistence: both ends are right, a third one is not.
    if (status === 1) expect(stderr).toMatch(/does not beat persistence for [huv] at \+\d+ h/);
    else expect(status).toBe(0);
    expect(stderr).toMatch(/\$ foehn train --dataset gridded --dataset-conf .*dataset\.yaml/);
    expect(stdout).toMatch(/h \(m\) +\+1 h/);
    expect(stdout).toMatch(/Open .*report\.html in a browser/);
    expect(readdirSync(output)).toEqual(
      expect.arrayContaining(["dataset.yaml", "figures", "forecast.nc", "package", "report.html", "runs", "scores.nc"]),
    );
    expect(readdirSync(join(output, "figures"))).toEqual(
      expect.arrayContaining(["training.png", "training.svg", "a-forecast.png", "the-forecast-step-by-step.gif"]),
    );
    const manifest = JSON.parse(readFileSync(join(output, "package", "metadata.json"), "utf8"));
    expect(manifest).toMatchObject({ architecture: "halfunet", in_channels_names: ["h", "u", "v"] });
  }, 120_000);

  it("leaves a folder alone that it did not make", async () => {
    const mine = join(folder, "mine");
    mkdirSync(mine);
    writeFileSync(join(mine, "thesis.txt"), "");
    const { status, stderr } = await runHere("demo", "-o", mine);
    expect(status).toBe(2);
    expect(stderr).toMatch(/was not made by foehn demo/);
    expect(existsSync(join(mine, "thesis.txt"))).toBe(true);
  });
});
