import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareRuns } from "./run-comparison.js";
import { readRunState, writeRunStatus } from "./run-status.js";
import { findRuns, resolveRun, summariseRun } from "./run-summary.js";
import { tinyData } from "./tiny-data.test.fixture.js";
import { train } from "./train.js";

const directory = mkdtempSync(join(tmpdir(), "foehn-runs-"));
afterAll(() => rmSync(directory, { recursive: true }));

const runs: string[] = [];
beforeAll(async () => {
  const base = {
    ...{ model: "halfunet", dataset: "tiny", batch_size: 2, num_pred_steps_val_test: 2 },
    ...{ precision: "fp32" as const, threads: 1, epochs: 2 },
  };
  for (const [i, options] of [
    { runs_dir: directory, model_settings: { num_filters: 4 } },
    { runs_dir: join(directory, "campaign"), model_settings: { num_filters: 2 }, lr: 3e-3 },
  ].entries()) {
    const result = await train({ ...base, ...options }, { dataset: tinyData(), now: () => 1_700_000_000 + i });
    runs.push(result.runDir);
    result.network.dispose();
  }
}, 60_000);

describe("summaries of runs", () => {
  it("find runs in campaigns too, the newest first, and say how they stand", () => {
    const { runs: found, damaged } = findRuns(directory);
    expect(damaged).toEqual([]);
    expect(found.map((run) => run.path)).toEqual([runs[1], runs[0]]);
    expect(found[0]).toMatchObject({
      campaign: "campaign",
      dataset: "tiny",
      model: "halfunet",
      strategy: "diff_ar",
      epochs: 2,
      epochsWanted: 2,
      steps: 12,
      state: "finished",
      tests: [],
    });
    expect(found[0]!.best!.value).toBeGreaterThan(0);
    expect(found[0]!.size).toBeGreaterThan(1000);
  });

  it("name what is damaged or half-written, and list the others", () => {
    const broken = join(directory, "broken");
    cpSync(runs[0]!, broken, { recursive: true });
    writeFileSync(join(broken, "config.json"), '{"dataset": "tiny", "mod');
    const partial = join(directory, "partial");
    mkdirSync(partial);
    writeFileSync(join(partial, "config.json"), readFileSync(join(runs[0]!, "config.json")));
    writeFileSync(join(partial, "metrics.jsonl"), "");
    mkdirSync(join(directory, "notes"));
    const { runs: found, damaged } = findRuns(directory);
    expect(found).toHaveLength(2);
    expect(damaged).toEqual([
      { path: broken, problem: "config.json is damaged" },
      { path: partial, problem: "provenance.json is missing" },
    ]);
    for (const folder of [broken, partial]) rmSync(folder, { recursive: true });
  });

  it("know a run by its folder, its name or a part of it", () => {
    const id = summariseRun(runs[1]!).id;
    expect(resolveRun(runs[1]!, "elsewhere")).toBe(runs[1]);
    expect(resolveRun(id, directory)).toBe(runs[1]);
    expect(resolveRun(id.slice(-4), directory)).toBe(runs[1]);
    expect(() => resolveRun("tiny-halfunet", directory)).toThrow(/means 2 runs/);
    expect(() => resolveRun("nothing", directory)).toThrow(/there is no run "nothing"/);
    expect(() => resolveRun(tmpdir(), directory)).toThrow(/is not a run folder/);
  });

  it("take a run whose process is gone for interrupted, and one on another machine at its word", () => {
    const folder = mkdtempSync(join(directory, "status-"));
    expect(readRunState(folder)).toBeUndefined();
    writeRunStatus(folder, 2);
    expect(readRunState(folder)).toBe("running");
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    const status = { state: "running", reason: null, pid: gone, host: hostname(), updated: "2020-01-01T00:00:00Z" };
    const write = (value: unknown) => writeFileSync(join(folder, "status.json"), JSON.stringify(value));
    write(status);
    expect(readRunState(folder)).toBe("interrupted");
    write({ ...status, host: `not-${hostname()}` });
    expect(readRunState(folder)).toBe("running");
    write({ ...status, state: "sleeping" });
    expect(readRunState(folder)).toBeUndefined();
    for (const [reason, state] of [
      ["early-stopping", "finished"],
      ["interrupted", "interrupted"],
      ["failed", "failed"],
    ] as const) {
      writeRunStatus(folder, 2, reason);
      expect(readRunState(folder)).toBe(state);
    }
  });
});

describe("compareRuns", () => {
  it("tells the options that differ and the ratios of validation scores where there is no test", () => {
    const comparison = compareRuns(runs.map((run) => summariseRun(run)));
    expect(comparison.differences).toEqual({ lr: [1e-3, 3e-3], "model_settings.num_filters": [4, 2] });
    expect(comparison.from).toEqual([
      expect.stringMatching(/^validation, epoch \d/),
      expect.stringMatching(/^validation, epoch \d/),
    ]);
    expect(comparison.units).toEqual({ t2m: "K", z500: "K" });
    expect(comparison.scores.map((row) => `${row.variable} ${row.lead_hours}`)).toEqual([
      "t2m 1",
      "t2m 2",
      "t2m 3",
      "z500 1",
      "z500 2",
      "z500 3",
    ]);
    for (const { values, ratios } of comparison.scores) {
      expect(ratios[0]).toBe(1);
      expect(ratios[1]).toBeCloseTo(values[1]! / values[0]!, 12);
    }
    expect(() =>
      compareRuns(
        runs.map((run) => summariseRun(run)),
        "mae",
      ),
    ).toThrow(/there is no mae of/);
  });

  it("compares tests where all have one, by lead hours, with gaps where one has no such lead", () => {
    const scores = (leads: number[], values: (number | null)[]) => ({
      ...{ variables: ["t2m"], lead_hours: leads, n_dates: 3, checkpoint: "best", loss: 1, units: { t2m: "K" } },
      model: { rmse: { t2m: values }, mae: { t2m: values } },
    });
    const write = (run: string, content: unknown) => {
      mkdirSync(join(run, "test-001"));
      writeFileSync(join(run, "test-001", "scores.json"), JSON.stringify(content));
    };
    write(runs[0]!, scores([1, 2, 3], [1, 2, null]));
    write(runs[1]!, scores([2, 3, 4], [3, 4, 5]));
    const { scores: rows, from } = compareRuns(
      runs.map((run) => summariseRun(run)),
      "mae",
    );
    expect(from).toEqual(["test-001", "test-001"]);
    expect(rows).toEqual([
      { variable: "t2m", lead_hours: 1, values: [1, null], ratios: [1, null] },
      { variable: "t2m", lead_hours: 2, values: [2, 3], ratios: [1, 1.5] },
      { variable: "t2m", lead_hours: 3, values: [null, 4], ratios: [null, null] },
      { variable: "t2m", lead_hours: 4, values: [null, 5], ratios: [null, null] },
    ]);
  });
});
