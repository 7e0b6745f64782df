import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { readMetrics } from "./metrics-log.js";
import { type ErrorObserver, type ObservedBatch, ObserverRegistry, observers } from "./observer.js";
import { tinyData } from "./tiny-data.test.fixture.js";
import { train } from "./train.js";

const directory = mkdtempSync(join(tmpdir(), "foehn-observer-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("the registry of observers", () => {
  const registry = new ObserverRegistry();
  const nothing: ErrorObserver = { update() {}, finish() {} };
  const settings = z.strictObject({ size: z.number().default(3) });
  let given: unknown;
  registry.register({ name: "state_error", summary: "one", create: () => nothing });
  registry.register({
    name: "largest",
    summary: "two",
    settings,
    create: (_pass, checked) => {
      given = checked.size;
      return nothing;
    },
  });

  it("chooses by name, all or none, each once", () => {
    const names = (...asked: string[]) => registry.choose(asked).map((chosen) => chosen.name);
    expect(names("state_error", "largest", "state_error")).toEqual(["state_error", "largest"]);
    expect(names("all")).toEqual(["largest", "state_error"]);
    expect(names("none")).toEqual([]);
  });

  it("refuses an unknown name with the nearest one, and a taken name", () => {
    expect(() => registry.choose(["state_eror"])).toThrow(/unknown observer "state_eror"/);
    expect(() => registry.choose(["all"], { largst: {} })).toThrow(/unknown observer "largst"/);
    expect(() => registry.register({ name: "largest", summary: "three", create: () => nothing })).toThrow(
      /two observers are called "largest"/,
    );
    expect(() => registry.register({ name: "all", summary: "four", create: () => nothing })).toThrow(/every one/);
  });

  it("checks settings against the observer's own schema", async () => {
    const [chosen] = registry.choose(["largest"], { largest: { size: 5 } });
    await chosen!.create({} as never);
    expect(given).toBe(5);
    expect(() => registry.choose(["largest"], { largest: { sise: 5 } })).toThrow(/sise/);
    expect(() => registry.choose(["state_error"], { state_error: { size: 1 } })).toThrow(/it has none/);
  });
});

describe("observers in a training", () => {
  const seen: ObservedBatch[] = [];
  const gradients: boolean[] = [];
  let disposed = 0;
  const handles: number[] = [];
  beforeAll(() => {
    observers.register({
      name: "test_everything",
      summary: "reports one of each",
      create: () => {
        let largest = 0;
        const kept = torch.keep(torch.zeros([4]));
        return {
          update: (observed) => {
            seen.push(observed);
            gradients.push(torch.isGradEnabled() || observed.prediction.tensor.requiresGrad);
            const { prediction, target } = observed;
            largest = Math.max(largest, prediction.tensor.sub(target.tensor).abs().max().item() as number);
          },
          finish: async (report) => {
            report.scalar("largest_error", largest);
            await report.figure("maps/largest.png", () => new Uint8Array([1, 2, 3]));
            await report.figure("broken.png", () => {
              throw new RangeError("no room for labels");
            });
            await report.json("largest.json", { largest });
            handles.push(torch.memoryStats().liveTensors);
          },
          dispose: () => {
            disposed++;
            kept.dispose();
          },
        };
      },
    });
    observers.register({
      name: "test_failing",
      summary: "fails at the second batch",
      everyPass: true,
      create: () => ({
        update: ({ index }) => {
          if (index === 1) throw new TypeError("not my day");
        },
        finish: (report) => report.scalar("never", 1),
      }),
    });
  });
  afterEach(() => {
    seen.length = 0;
    gradients.length = 0;
  });

  const options = {
    model: "halfunet",
    model_settings: { num_filters: 4 },
    dataset: "tiny",
    batch_size: 2,
    num_pred_steps_val_test: 3,
    precision: "fp32" as const,
    threads: 1,
    runs_dir: directory,
  };

  it("see every batch of the passes that draw, report into the run folder and to callbacks", async () => {
    const notes: string[] = [];
    const figures: string[] = [];
    const scalars: Record<string, number>[] = [];
    const result = await train(
      { ...options, epochs: 3, plot_every: 2, observers: ["test_everything"] },
      {
        dataset: tinyData(),
        progress: { start() {}, update() {}, finish() {}, note: (line) => notes.push(line) },
        callbacks: [
          {
            onFigure: ({ tag, path, epoch }) => {
              figures.push(`${epoch} ${tag} ${existsSync(path)}`);
            },
            onScalars: ({ values }) => {
              scalars.push({ ...values });
            },
          },
        ],
      },
    );
    // Epoch 2 by plot_every, epoch 3 because it is the last; two batches of two samples each.
    expect(seen.map(({ index, firstSample, pass }) => [pass.epoch, index, firstSample])).toEqual([
      [2, 0, 0],
      [2, 1, 2],
      [3, 0, 0],
      [3, 1, 2],
    ]);
    expect(seen[0]!.pass).toMatchObject({ phase: "val", leadHours: [1, 2, 3], numSamples: 4, step: 12 });
    expect(gradients).toEqual([false, false, false, false]);
    expect(disposed).toBe(2);
    const root = join(result.runDir, "figures", "val");
    expect(readdirSync(root)).toEqual(["epoch-0002", "epoch-0003"]);
    expect(readdirSync(join(root, "epoch-0003")).sort()).toEqual(["largest.json", "maps"]);
    expect([...readFileSync(join(root, "epoch-0002/maps/largest.png"))]).toEqual([1, 2, 3]);
    expect(figures).toEqual(["2 val/maps/largest true", "3 val/maps/largest true"]);
    expect(notes.filter((line) => line.includes("warning"))).toEqual(
      Array(2).fill("warning: the figure broken.png of test_everything could not be drawn: no room for labels"),
    );
    expect(scalars.map((values) => Object.keys(values))).toEqual([["val_largest_error"], ["val_largest_error"]]);
    const logged = readMetrics(result.metricsPath).filter((record) => record.kind === "scalars");
    expect(logged.map((record) => record.epoch)).toEqual([2, 3]);
    expect(logged[1]!.values.val_largest_error).toBeGreaterThan(0);
    // Nothing of a pass stays alive.
    expect(handles[1]! - handles[0]!).toBeLessThanOrEqual(0);
    result.network.dispose();
  });

  it("that fail are left out with a warning, and the training goes on", async () => {
    const notes: string[] = [];
    const result = await train(
      { ...options, epochs: 1, observers: ["test_failing"] },
      { dataset: tinyData(), progress: { start() {}, update() {}, finish() {}, note: (line) => notes.push(line) } },
    );
    expect(result.history).toHaveLength(1);
    expect(notes).toEqual(["warning: the observer test_failing failed and is left out of this pass: not my day"]);
    expect(existsSync(join(result.runDir, "figures"))).toBe(false);
    result.network.dispose();
  });

  it("with an unknown name stop the training before anything is written", async () => {
    const before = readdirSync(directory).length;
    const failing = train({ ...options, epochs: 1, observers: ["test_everythin"] }, { dataset: tinyData() });
    await expect(failing).rejects.toMatchObject({ code: "usage", hint: expect.stringContaining("test_everything") });
    expect(readdirSync(directory)).toHaveLength(before);
  });
});
