import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { networks } from "../models/registry.js";
import { version } from "./main.js";
import { foehn, runHere, runProcess } from "./process.test-support.js";
import { verbs } from "./verbs.js";

describe("the command line", () => {
  it("prints its version and its help", async () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(version()).toBe(manifest.version);
    expect(await runHere("--version")).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: "" });
    const help = await runHere("--help");
    expect(help.status).toBe(0);
    for (const verb of verbs)
      expect(help.stdout).toMatch(new RegExp(`^  ${verb.name} +${verb.summary.slice(0, 20)}`, "m"));
    expect(help.stdout).toContain("130 interrupted");
    expect((await runHere()).stdout).toBe(help.stdout);
  });

  it.each(verbs.map((verb) => verb.name))("explains %s, with an example or a list of parts", async (name) => {
    const { status, stdout, stderr } = await runHere(name, "--help");
    expect(status).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toContain(`Usage: foehn ${name}`);
    expect(stdout).toMatch(/Examples?:|Commands:|Looks at:/);
    expect(stdout).toContain("--json");
  });

  it.each([
    [["tran"], 'error: unknown command "tran"\n hint: Did you mean "train"?\n'],
    [["xyz"], 'error: unknown command "xyz"\n hint: foehn --help shows what there is\n'],
    [["train", "--epoks", "3"], 'error: unknown option "--epoks"\n hint: Did you mean "--epochs"?\n'],
    [["train", "--epochs", "ten"], 'error: --epochs: expected a whole number of at least 1, got "ten"\n'],
    [["train", "--epochs", "0"], 'error: --epochs: expected a whole number of at least 1, got "0"\n'],
    [["train", "--epochs", "1.5"], 'error: --epochs: expected a whole number of at least 1, got "1.5"\n'],
    [["train", "--lr", "0"], 'error: --lr: expected a number above 0, got "0"\n'],
    [["train", "--betas", "0.9"], 'error: --betas: expected 2 numbers separated by commas, got "0.9"\n'],
    [["train", "--model-settings", "x"], 'error: --model-settings: expected key=value, got "x"\n'],
    [
      ["train", "--strategy", "diffar"],
      'error: training options strategy: unknown strategy, got "diffar". Did you mean "diff_ar"? Known strategies: scaled_ar, diff_ar, downscaling_only.\n',
    ],
    [
      ["train", "--device", "gpu"],
      'error: --device: expected auto, cpu, cuda or cuda:N, got "gpu"\n hint: Did you mean "cuda"?\n',
    ],
    [
      ["forecast", "p", "--data", "d", "-n", "ten", "-o", "x.nc"],
      'error: --steps: expected a number of steps from 1 or a lead time like "10d", got "ten"\n',
    ],
    [
      ["forecast", "p", "--data", "d", "-n", "4", "-o", "x.nc", "--start", "2019-02-30"],
      'error: --start: "2019-02-30" has day 30, but that month has 28 days\n',
    ],
    [
      ["score", "p", "--data", "d", "-n", "4", "--start", "2019-02-01", "--dates", "2019-02-01/2019-02-02"],
      'error: option "--start <time>" cannot be used with option "--dates <times>"\n hint: foehn score --help shows what there is\n',
    ],
    [
      ["forecast", "p"],
      'error: required option "-d, --data <path>" not specified\n hint: foehn forecast --help shows what there is\n',
    ],
    [
      ["package", "show"],
      'error: missing required argument "package"\n hint: foehn package --help shows what there is\n',
    ],
    [
      ["model", "show", "halfunt"],
      `error: unknown model "halfunt"\n hint: Did you mean "halfunet"? Known models: ${networks
        .list()
        .map((network) => network.modelName)
        .join(", ")}.\n`,
    ],
    [
      ["train", "--resume", "runs/x", "--lr", "3"],
      "error: --lr cannot change when a run goes on\n hint: only --epochs and the flags of the machine (--device, --threads, --num-workers, …) may; start a new run, with --load-weights if you want its weights\n",
    ],
    [["plot", "gif", "x.nc", "-o", "x.png"], 'error: --output: expected a name ending in .gif, got "x.png"\n'],
  ])("refuses %j with exit status 2", async (argv, message) => {
    expect(await runHere(...argv)).toEqual({ status: 2, stdout: "", stderr: message });
  });

  it("prints errors as JSON with --json, and where they come from with --debug", async () => {
    const json = await runHere("train", "--epochs", "ten", "--json");
    expect(JSON.parse(json.stderr)).toEqual({
      error: { code: "usage", message: '--epochs: expected a whole number of at least 1, got "ten"' },
    });
    const debug = await runHere("train", "--epochs", "ten", "--debug");
    expect(debug.stderr).toMatch(/UsageError: --epochs[^\n]*\n\s+at /);
  });

  it("takes global options before and after the verb", async () => {
    const after = await runHere("dataset", "list", "--json");
    const before = await runHere("--json", "dataset", "list");
    expect(before).toEqual(after);
    expect(JSON.parse(after.stdout)).toContainEqual({ name: "dummy", summary: expect.any(String) });
  });
});

describe("listings", () => {
  it("show the networks and their settings", async () => {
    const list = JSON.parse((await runHere("model", "list", "--json")).stdout) as { name: string }[];
    expect(list.map((n) => n.name)).toEqual(expect.arrayContaining(["halfunet", "persistence"]));
    const shown = await runHere("model", "show", "half-unet");
    expect(shown.stdout).toMatch(/num_filters +64 +\S/);
    const schema = JSON.parse((await runHere("model", "show", "halfunet", "--schema", "--json")).stdout) as object;
    expect(schema).toMatchObject({ type: "object", properties: { num_filters: {} } });
  });

  it("show the datasets", async () => {
    expect((await runHere("dataset", "list")).stdout).toMatch(/^gridded +any GRIB/m);
  });
});

describe("foehn doctor", () => {
  it("says what there is, for people and for machines", async () => {
    const { status, stdout } = await runProcess(["doctor", "--json"]);
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as Record<string, { ok: boolean; found: string; version?: string }>;
    expect(Object.keys(found)).toEqual([
      "node",
      "libtorch",
      "processor",
      "cuda",
      "ecCodes",
      "NetCDF-4",
      "memory",
      "disk",
      "FOEHN_CACHE", // set by test/cache-folder.ts
    ]);
    expect(found.node).toMatchObject({ ok: true, version: process.versions.node });
    expect(found.libtorch).toMatchObject({
      ok: true,
      libtorch: expect.stringMatching(/^\d+\.\d+/),
      threads: expect.any(Number),
    });
    expect(found["NetCDF-4"]).toMatchObject({ ok: true, version: expect.stringMatching(/^\d/) });
    for (const [name, finding] of Object.entries(found))
      expect(finding.found, name).not.toMatch(/undefined|NaN|\[object/);
  });
});

describe("the installed command", () => {
  it("has the exit statuses that scripts rely on", async () => {
    expect((await runProcess(["--version"])).status).toBe(0);
    expect((await runProcess(["dataset", "inspect", "no-such-file.grib"])).status).toBe(1);
    expect((await runProcess(["tran"])).status).toBe(2);
  });

  it("answers --version at once", () => {
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      expect(spawnSync(process.execPath, [foehn, "--version"]).status).toBe(0);
      return performance.now() - started;
    }).sort((a, b) => a - b);
    process.stdout.write(
      `foehn --version: ${times[0]!.toFixed(0)} ms (best of 5), median ${times[2]!.toFixed(0)} ms\n`,
    );
    expect(times[0]).toBeLessThan(400); // 150 ms on an idle machine; tests run beside other work
  });

  it("ends quietly when nobody reads on", () => {
    const result = spawnSync("/bin/sh", ["-c", `"${process.execPath}" "${foehn}" train --help | head -1; echo`], {
      encoding: "utf8",
    });
    expect(result.stdout).toMatch(/^Usage: foehn train/);
    expect(result.stderr).toBe("");
  });

  it("hands over long results in full through a pipe", () => {
    const command = `"${process.execPath}" "${foehn}" model show halfunet --schema --json; "${process.execPath}" "${foehn}" train --help`;
    const piped = spawnSync("/bin/sh", ["-c", `{ ${command}; } | cat`], { encoding: "utf8" }).stdout;
    expect(piped).toContain("num_filters");
    expect(piped).toMatch(/as if nothing had happened\.\s*$/);
  });

  it("stops at Ctrl-C with status 130 and a state to go on from", async () => {
    const cwd = mkdtempSync(join(tmpdir(), "foehn-cli-"));
    const small = [
      "--dataset",
      "dummy",
      "--model-settings",
      "num_filters=4",
      "--limit-train-batches",
      "2",
      "--limit-val-batches",
      "1",
    ];
    let sent = false;
    const stopped = await runProcess(["train", ...small, "--epochs", "5000", "--early-stopping-patience", "100000"], {
      cwd,
      onStderr: (text, kill) => {
        if (sent || !/epoch 2 /.test(text)) return;
        sent = true;
        kill("SIGINT");
      },
    });
    expect(stopped.stderr).toMatch(/error: training was interrupted at step \d+/);
    expect(stopped.status).toBe(130);
    const run = join("runs", readdirSync(join(cwd, "runs"))[0]!);
    expect(stopped.stderr).toContain(`foehn train --resume ${join(cwd, run)}`);
    const epochs = readFileSync(join(cwd, run, "metrics.jsonl"), "utf8").split('"kind":"epoch"').length - 1;
    const resumed = await runProcess(["train", "--resume", run, "--epochs", String(epochs + 1), "--json"], { cwd });
    expect(resumed.status).toBe(0);
    const result = JSON.parse(resumed.stdout) as { run: string; package: string; epochs: number };
    expect(result).toMatchObject({ run: join(cwd, run), package: join(cwd, run, "package"), epochs: epochs + 1 });
    expect(readdirSync(result.package)).toContain("metadata.json");
    for (const line of resumed.stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("event");
  });
});
