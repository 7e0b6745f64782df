// Forecasts in processes of their own that are killed at random points, several at once, and begun again with the same command: what comes
// out is the store of a run that nobody disturbed, file by file. The points are drawn from a seed. Needs the compiled code.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { persistencePackage } from "../invented.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-resume-"));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const dist = new URL("../../../dist/", import.meta.url);
const isBuilt = existsSync(new URL("forecast/forecast.js", dist));
const dates = 4;
const members = 3;

beforeAll(async () => {
  await persistencePackage(join(folder, "model"));
});

/** A forecast in a process of its own; slow enough to be killed in the middle. */
const script = `
const [dist, folder, output, options] = process.argv.slice(1);
const load = (path) => import(new URL(path, dist));
const { forecast } = await load("forecast/forecast.js");
const { arraySource } = await load("sources/array-source.js");
const { latLonGrid } = await load("grid/grid.js");
const { createPerturbation } = await load("forecast/perturbations/registry.js");
const { withInterrupt } = await load("core/interrupt.js");
const grid = latLonGrid([75, 25, -25, -75], [0, 60, 120, 180, 240, 300]);
const times = Array.from({ length: ${dates} }, (_, i) => 1551398400 + i * 21600);
const t2m = Float32Array.from({ length: times.length * 24 }, (_, i) => 270 + i);
const source = arraySource({ grid, times, fields: new Map([["t2m", t2m], ["msl", t2m.map((v) => 1e5 + v)]]) });
let updates = 0;
const progress = { start() {}, note() {}, finish() {}, update() {
  // As long as a step of a model.
  if (++updates % 4 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
} };
try {
  const result = await withInterrupt((signal) => forecast({
    package: folder + "/model", source, dates: times, steps: 12, members: ${members}, precision: "fp32", output, signal, progress,
    perturbation: createPerturbation("gaussian", { seed: 3 }), history: "test", resume: true, ...JSON.parse(options),
  }));
  console.log(JSON.stringify(result.path ?? null));
} catch (error) {
  console.error(error.message, error.hint ?? "");
  process.exit(error.exitCode ?? 1);
}`;

interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(output: string, options: object): { readonly child: ChildProcess; readonly ended: Promise<Ending> } {
  const argv = ["--input-type=module", "-e", script, dist.href, folder, output, JSON.stringify(options)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const text = { stdout: "", stderr: "" };
  child.stdout!.on("data", (data) => (text.stdout += data));
  child.stderr!.on("data", (data) => (text.stderr += data));
  const ended = new Promise<Ending>((resolve) => {
    child.on("close", (code) => {
      children.delete(child);
      resolve({ code, ...text });
    });
  });
  return { child, ended };
}

const journal = (output: string): string[] => {
  const path = join(folder, `.${output.split("/").at(-1)}.work`, "units");
  return existsSync(path) ? readdirSync(path).filter((name) => /^\d+$/.test(name)) : [];
};

/** Waits until the journal has some more units, then a little, or until the process ends. */
async function waitForUnits(
  output: string,
  count: number,
  milliseconds: number,
  ended: Promise<Ending>,
): Promise<void> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const wanted = journal(output).length + count;
  while (!isOver && journal(output).length < wanted) await new Promise((resolve) => setTimeout(resolve, 2));
  if (!isOver) await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function contents(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const texts = files.map((entry) => {
    const file = join(entry.parentPath, entry.name);
    const text = readFileSync(file, "latin1");
    return [file.slice(path.length), entry.name === "zarr.json" ? text.replace(/"history":.*/, "") : text] as const;
  });
  return Object.fromEntries(texts);
}

/** Numbers from 0 to 1, the same in every run (mulberry32). */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const shards = { ensemble: 2, lead: 4 };

describe.skipIf(!isBuilt)("a forecast that is killed", () => {
  let whole: Record<string, string> = {};
  beforeAll(async () => {
    const output = join(folder, "whole.zarr");
    const { code, stderr } = await start(output, { shards }).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    whole = contents(output);
  });

  it("goes on with the same command, to the same store", async () => {
    const next = random(20190301);
    const output = join(folder, "killed.zarr");
    for (let kills = 0; kills < 2; kills++) {
      const { child, ended } = start(output, { shards, batchSize: 1 + Math.floor(3 * next()) });
      await waitForUnits(output, Math.floor(3 * next()), 120 * next(), ended);
      child.kill("SIGKILL");
      await ended;
      // Whatever the moment: what has its final name is whole.
      if (existsSync(output)) expect(contents(output)).toEqual(whole);
    }
    const last = await start(output, { shards }).ended;
    expect(last).toMatchObject({ code: 0, stdout: `${JSON.stringify(output)}\n` });
    expect(contents(output)).toEqual(whole);
    expect(readdirSync(folder).filter((name) => name.startsWith(".killed"))).toEqual([]);
  });

  it("in two shards at once, both killed, ends as the same store", async () => {
    const next = random(7);
    const output = join(folder, "shards.zarr");
    const both = () => [0, 1].map((shard) => start(output, { shards, shard, nShards: 2 }));
    const first = both();
    for (const { child, ended } of first) {
      await waitForUnits(output, 1, 60 * next(), ended);
      child.kill("SIGKILL");
    }
    await Promise.all(first.map(({ ended }) => ended));
    const endings = await Promise.all(both().map(({ ended }) => ended));
    expect(endings.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    expect(contents(output)).toEqual(whole);
  });

  it("twice at once, doing the same units, harms nothing", async () => {
    const output = join(folder, "twice.zarr");
    const endings = await Promise.all([0, 1].map((i) => start(output, { shards, batchSize: i + 1 }).ended));
    expect(endings.map(({ code, stdout, stderr }) => [code, stdout, stderr])).toEqual(
      Array(2).fill([0, `${JSON.stringify(output)}\n`, ""]),
    );
    expect(contents(output)).toEqual(whole);
    expect(readdirSync(folder).filter((name) => name.startsWith(".twice"))).toEqual([]);
  });

  it("keeps what is finished on Ctrl-C and says so", async () => {
    const output = join(folder, "stopped.nc");
    const { child, ended } = start(output, {});
    await waitForUnits(output, 2, 5, ended);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted.*the same command goes on/);
    expect(journal(output).length).toBeGreaterThanOrEqual(2);
    expect(await start(output, {}).ended).toMatchObject({ code: 0, stdout: `${JSON.stringify(output)}\n` });
  });
});
