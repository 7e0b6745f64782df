// foehn test, runs and the figures of runs, as a user types them: two small trainings, and everything that is done with them.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runHere } from "../process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-runs-cli-"));
const at = (name: string): string => join(folder, name);
const runsDir = at("runs");
const ids: string[] = [];
const pathOf = (i: number) => join(runsDir, ids[i]!);

beforeAll(async () => {
  writeFileSync(at("dataset.yaml"), "basin: {ny: 16, nx: 16, days: 6, spin_up_days: 0}\n");
  for (const [name, filters, more] of [
    ["small", 2, []],
    ["large", 4, ["--test-after-fit", "--observers", "all", "--plot-every", "1"]],
  ] as const) {
    const { status, stdout, stderr } = await runHere(
      ...[
        "train",
        "--dataset",
        "synthetic",
        "--dataset-conf",
        at("dataset.yaml"),
        "--batch-size",
        "4",
        "--epochs",
        "1",
      ],
      ...["--limit-train-batches", "3", "--num-pred-steps-val-test", "2", "--model-settings", `num_filters=${filters}`],
      ...["--runs-dir", runsDir, "--run-name", name, "--threads", "1", "--json", ...more],
    );
    expect(status, stderr).toBe(0);
    ids.push((JSON.parse(stdout) as { run: string }).run.split("/").at(-1)!);
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ok = async (...argv: string[]): Promise<string> => {
  const { status, stdout, stderr } = await runHere(...argv);
  expect(status, stderr).toBe(0);
  return stdout;
};

describe("foehn test", () => {
  it("prints the scores beside persistence and writes scores and figures", async () => {
    const text = await ok("test", pathOf(0), "--observers", "state_error,spectra", "--threads", "1", "--quiet");
    expect(text).toMatch(/variable +lead +RMSE +persistence/);
    expect(text).toMatch(/h \(m\) +\+1 h/);
    const written = readdirSync(join(pathOf(0), "test-001"));
    expect(written).toEqual(expect.arrayContaining(["scores.json", "spectra.png", "state_error_rmse.png"]));
    expect(written).not.toContain("score_card.png");
  }, 60_000);

  it("draws only, when asked, and predicts as many steps as asked", async () => {
    const argv = ["--only-plots", "--observers", "spatial_error", "--num-pred-steps", "3", "--limit-batches", "1"];
    const result = JSON.parse(await ok("test", pathOf(0), ...argv, "--threads", "1", "--json"));
    expect(result.model).toBeUndefined();
    expect(readdirSync(result.path, { recursive: true }).sort()).toEqual([
      "spatial_error",
      ...[1, 2, 3].map((lead) => join("spatial_error", `lead_0${lead}.png`)),
    ]);
    rmSync(result.path, { recursive: true });
  }, 60_000);

  it("refuses an unknown observer before it reads anything", async () => {
    const { status, stderr } = await runHere("test", pathOf(0), "--observers", "spectre");
    expect(status).toBe(2);
    expect(stderr).toMatch(/unknown observer "spectre"\n hint: Did you mean "spectra"\?/);
  });

  it("is part of a training that asks for it", () => {
    expect(existsSync(join(pathOf(1), "test-001", "scores.json"))).toBe(true);
    expect(existsSync(join(pathOf(1), "figures/val/epoch-0001/spatial_error/lead_02.png"))).toBe(true);
  });
});

describe("foehn runs", () => {
  it("lists the runs, and names a damaged folder without failing", async () => {
    const broken = join(runsDir, "broken");
    const { mkdirSync } = await import("node:fs");
    mkdirSync(broken);
    writeFileSync(join(broken, "config.json"), "{");
    writeFileSync(join(broken, "metrics.jsonl"), "");
    const { status, stdout, stderr } = await runHere("runs", "list", "--runs-dir", runsDir, "--sort", "name");
    expect(status).toBe(0);
    expect(stderr).toMatch(/^warning: .*broken is left out: config\.json is damaged\n$/);
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      expect.stringMatching(/^run +dataset +model +strategy +epochs +best loss +state +size +age$/),
      expect.stringMatching(new RegExp(`^${ids[0]} +synthetic +halfunet +diff_ar +1/1 +[\\d.]+ +finished`)),
      expect.stringMatching(new RegExp(`^${ids[1]} `)),
    ]);
    const listed = JSON.parse((await runHere("runs", "list", "--runs-dir", runsDir, "--json")).stdout);
    expect(listed.runs).toHaveLength(2);
    expect(listed.damaged).toHaveLength(1);
    rmSync(broken, { recursive: true });
    expect(await ok("runs", "list", "--runs-dir", at("none"))).toMatch(/there are no runs/);
  });

  it("shows options, provenance, scores and figures", async () => {
    const text = await ok("runs", "show", "large", "--runs-dir", runsDir);
    expect(text).toMatch(/state +finished/);
    expect(text).toMatch(/tests +test-001/);
    expect(text).toMatch(/num_filters/);
    expect(text).toMatch(/libtorch_version/);
    expect(text).toMatch(/RMSE \(test-001\)/);
    const shown = JSON.parse(await ok("runs", "show", "large", "--runs-dir", runsDir, "--json"));
    expect(shown).toMatchObject({ id: ids[1], epochs: 1, epochs_wanted: 1, scores: { kind: "test" } });
    expect(shown.figures.some((file: string) => file.endsWith("score_card.png"))).toBe(true);
  });

  it("compares two", async () => {
    const text = await ok("runs", "compare", "small", "large", "--runs-dir", runsDir, "--metric", "mae");
    expect(text).toMatch(/model_settings\.num_filters +2 +4/);
    expect(text).toMatch(/MAE +lead +A +B +B\/A/);
    expect(text).toMatch(/h \(m\) +\+1 h +[\d.]+ +[\d.]+ +\d\.\d{3}/);
    const { status, stderr } = await runHere("runs", "compare", "small", "--runs-dir", runsDir);
    expect(status).toBe(2);
    expect(stderr).toMatch(/a comparison needs two runs/);
    const missing = await runHere("runs", "compare", "small", "smal1", "--runs-dir", runsDir);
    expect(missing.status).toBe(2);
    expect(missing.stderr).toMatch(/there is no run "smal1"/);
  });
});

describe("foehn plot of runs", () => {
  it("draws the scores of several in one figure", async () => {
    await ok(
      "plot",
      "scores",
      pathOf(0),
      join(pathOf(1), "test-001"),
      "--names",
      "small,large",
      "-o",
      at("scores.svg"),
    );
    const svg = readFileSync(at("scores.svg"), "utf8");
    for (const word of ["small", "large", "persistence"]) expect(svg).toContain(`>${word}<`);
    const { status, stderr } = await runHere("plot", "scores", pathOf(0), pathOf(1), "--card", "-o", at("x.png"));
    expect(status).toBe(2);
    expect(stderr).toMatch(/--card draws the scores of one model/);
    const names = await runHere("plot", "scores", pathOf(0), pathOf(1), "--names", "one", "-o", at("x.png"));
    expect(names.stderr).toMatch(/--names: expected 2 names, got 1/);
  });

  it("puts a run on one page", async () => {
    await ok("plot", "run", pathOf(1));
    const html = readFileSync(join(pathOf(1), "report.html"), "utf8");
    for (const words of [
      "Power spectra",
      "Where errors gather",
      "Forecast and truth: h",
      "Animation: u",
      "Score card",
    ]) {
      expect(html).toContain(words);
    }
    expect(html).toContain("data:image/gif;base64,");
  });

  it("shows several forecasts beside each other and the truth", async () => {
    const data = "synthetic:ny=16,nx=16,days=6,spin_up_days=0";
    for (const i of [0, 1]) {
      const argv = ["--data", data, "--start", "2020-01-05T00", "-n", "2", "-o", at(`f${i}.nc`), "--threads", "1"];
      await ok("forecast", join(pathOf(i), "package"), ...argv, "--quiet");
    }
    await ok("plot", "gif", at("f0.nc"), at("f1.nc"), "--truth", data, "--variable", "u", "-o", at("both.gif"));
    const gif = readFileSync(at("both.gif"));
    expect(gif.subarray(0, 6).toString()).toBe("GIF89a");
    expect(gif.readUInt16LE(6)).toBeGreaterThan(700); // three columns wide
  }, 60_000);
});
