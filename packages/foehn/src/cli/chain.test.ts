// The verbs one after the other on a small basin: what one writes, the next reads.

import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { runHere } from "./process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-chain-"));
const at = (name: string): string => join(folder, name);
const data = "synthetic:ny=16,nx=16,days=6,spin_up_days=0";
let run = "";

/** Runs a command that must succeed. @returns its JSON result */
async function json<T>(...argv: string[]): Promise<T> {
  const { status, stdout, stderr } = await runHere(...argv, "--json");
  expect(stderr.replace(/^\{"event".*\n/gm, "")).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout) as T;
}

describe("the verbs, one after the other", () => {
  beforeAll(async () => {
    writeFileSync(at("dataset.yaml"), "basin: {ny: 16, nx: 16, days: 6, spin_up_days: 0}\n");
    writeFileSync(at("run.toml"), "batch_size = 4\nepochs = 9\n[model_settings]\nnum_filters = 4\n");
    const trained = await json<{ run: string; package: string; epochs: number }>(
      ...["train", "--dataset", "synthetic", "--dataset-conf", at("dataset.yaml"), "--config", at("run.toml")],
      ...["--epochs", "2", "--limit-train-batches", "3", "--num-pred-steps-val-test", "2"],
      ...["--runs-dir", at("runs"), "--output", at("model")],
    );
    expect(trained).toMatchObject({ package: at("model"), epochs: 2 }); // the flag is stronger than the file
    run = trained.run;
  }, 60_000);

  it("train writes a run with metrics, TensorBoard events and checkpoints, and a package that verifies", async () => {
    expect(readdirSync(run)).toEqual(
      expect.arrayContaining(["checkpoints", "config.json", "metrics.jsonl", "tensorboard"]),
    );
    expect(JSON.parse(readFileSync(join(run, "config.json"), "utf8"))).toMatchObject({ batch_size: 4, epochs: 2 });
    expect((await json<{ verified: string[] }>("package", "verify", at("model"))).verified).toContain(
      "weights.safetensors",
    );
    expect(await json("package", "show", at("model"))).toMatchObject({
      architecture: "halfunet",
      in_channels_names: ["h", "u", "v"],
    });
    const again = await runHere("train", "--dataset", "dummy", "--output", at("model"));
    expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining("exists already") });
  });

  it("package make makes another from the run", async () => {
    await json(
      "package",
      "make",
      run,
      "-o",
      at("other"),
      "--name",
      "other",
      "--package-version",
      "2.0.0",
      "--checkpoint",
      "last",
    );
    expect(await json("package", "show", at("other"))).toMatchObject({ name: "other", version: "2.0.0" });
  });

  it("forecast writes what dataset inspect and plot read", async () => {
    const common = ["forecast", at("model"), "--data", data, "--start", "2020-01-05", "-n", "6h", "-o", at("f.nc")];
    const made = await json<{ path: string; steps: number; initial_times: string[] }>(...common);
    expect(made).toMatchObject({ path: at("f.nc"), steps: 6, initial_times: ["2020-01-05T00:00:00.000Z"] });
    expect(await runHere(...common)).toMatchObject({ status: 2, stderr: expect.stringContaining("--overwrite") });
    const inside = await json<object>("dataset", "inspect", at("f.nc"), "--values");
    expect(inside).toMatchObject({
      shape: [16, 16],
      times: { count: 7, first: "2020-01-05T00:00:00Z", steps: [{ step: "1h", count: 6 }] },
    });

    await json("plot", "map", at("f.nc"), "--variable", "h", "--lead", "3h", "--truth", data, "-o", at("map.svg"));
    expect(readFileSync(at("map.svg"), "utf8")).toMatch(/^<svg[\s\S]*Truth/);
    const wrong = await runHere("plot", "map", at("f.nc"), "--lead", "30m", "-o", at("no.png"));
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining("it has 0s, 1h, 2h") });
    await json("plot", "gif", at("f.nc"), "--variable", "u", "-o", at("f.gif"));
    expect(readFileSync(at("f.gif")).subarray(0, 6).toString()).toBe("GIF89a");
  });

  it("score writes what plot and report read, from the file and from the JSON alike", async () => {
    const dates = ["--dates", "2020-01-05/2020-01-05T06"];
    const scores = await json<{ lead_hours: number[] }>(
      ...["score", at("model"), "--data", data, "-n", "3", "-o", at("scores.nc"), ...dates],
    );
    expect(scores.lead_hours).toEqual([1, 2, 3]);
    writeFileSync(at("scores.json"), JSON.stringify(scores));
    await json("plot", "scores", at("scores.nc"), "-o", at("from-nc.svg"));
    await json("plot", "scores", at("scores.json"), "-o", at("from-json.svg"));
    expect(readFileSync(at("from-nc.svg"), "utf8")).toBe(readFileSync(at("from-json.svg"), "utf8"));
    await json("plot", "scores", at("scores.nc"), "--card", "--metric", "mae", "-o", at("card"));
    expect([at("card.png"), at("card.svg")].every((file) => existsSync(file))).toBe(true);
    const wrong = await runHere("plot", "scores", at("scores.nc"), "--variables", "uu", "-o", at("no.svg"));
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean "u"?') });

    await json("plot", "report", run, "--scores", at("scores.nc"), "-o", at("report.html"));
    const html = readFileSync(at("report.html"), "utf8");
    expect(html).toContain("halfunet on synthetic");
    expect(html.match(/<img /g)).toHaveLength(4); // training, RMSE, ACC, score card
    expect(html).toContain("persistence");
    expect(html).not.toMatch(/undefined|\[object Object\]|NaN</);
  });

  it("plot training draws the run", async () => {
    await json("plot", "training", run, "-o", at("training.png"));
    expect(readFileSync(at("training.png")).subarray(1, 4).toString()).toBe("PNG");
    expect(await runHere("plot", "training", folder, "-o", at("no.png"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("is not a run folder"),
    });
  });
});
