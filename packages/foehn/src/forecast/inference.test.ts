import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import type { DatasetInfo } from "../datasets/dataset.js";
import { modelFeatures } from "../datasets/features.js";
import { dateFeatures, noForcing } from "../datasets/forcings.js";
import { createNetwork } from "../models/registry.js";
import type { Source } from "../sources/source.js";
import { numInputFeatures } from "../training/step.js";
import { createStrategy } from "../training/strategies/registry.js";
import { Inference, type InferenceRestart } from "./inference.js";
import { readHistory, stateReader } from "./initial-state.js";
import { every, grid, inventedInfo, inventedSource, points, start, step } from "./invented.test-support.js";
import { PersistenceLoop } from "./persistence-loop.js";
import type { TimeLoop } from "./time-loop.js";

interface Setup {
  readonly strategy?: string;
  readonly numInputSteps?: number;
  readonly numInterSteps?: number;
  readonly source?: Source;
  readonly borderSource?: Source;
  readonly precision?: "fp32" | "bf16-mixed";
}

function makeLoop(model: string, info: DatasetInfo, setup: Setup = {}): Inference {
  const { strategy = "diff_ar", numInputSteps = 1, numInterSteps = 1, precision = "fp32" } = setup;
  const features = modelFeatures(info);
  const settings = /^adds_(first_)?forcing/.test(model)
    ? { first_forcing: numInputSteps * features.prognostic.length + features.statics.length }
    : {};
  const inputs = numInputFeatures({ strategy: createStrategy(strategy), features, numInputSteps });
  const network = createNetwork(model, inputs, info.features.length, settings, info.grid.shape);
  return new Inference(
    { network, info, strategy, numInputSteps, numInterSteps },
    { precision, forcingSource: setup.source, borderSource: setup.borderSource },
  );
}

async function run(loop: TimeLoop, source: Source, info: DatasetInfo, from: number, steps: number) {
  const x = await readHistory(stateReader(source, info.features, info.grid), from, loop);
  const items: { time: number; values: Float32Array; shape: number[] }[] = [];
  for await (const { time, output } of loop.run(from, x)) {
    items.push({ time, values: output.toTypedArray() as Float32Array, shape: output.shape });
    output.dispose();
    if (items.length > steps) break;
  }
  x.dispose();
  return items;
}

const truth = async (source: Source, time: number): Promise<Float32Array> => {
  const fields = await source.read({ time, variables: ["t2m", "msl"] });
  return Float32Array.from(fields.flatMap((field) => [...field.values]));
};

function expectClose(actual: Float32Array, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (Math.abs(actual[i]! - expected[i]!) > 2e-6 * Math.abs(expected[i]!)) expect(actual[i]).toBe(expected[i]);
  }
}

describe("Inference", () => {
  it("gives the initial condition first, untouched, then one item a step", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(3));
    using loop = makeLoop("persistence", info);
    const items = await run(loop, source, info, start + step, 3);
    const initial = await truth(source, start + step);
    expect(items.map((item) => item.time)).toEqual([1, 2, 3, 4].map((i) => start + i * step));
    expect(items[0]!.values).toEqual(initial);
    expect(items[0]!.shape).toEqual([1, 2, 4, 6]);
    for (const item of items) expectClose(item.values, initial);
  });

  it("repeats the initial condition bit for bit as PersistenceLoop, also after a restart", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(3));
    using loop = new PersistenceLoop(info);
    const items = await run(loop, source, info, start + step, 2);
    const initial = await truth(source, start + step);
    expect(items.map((item) => item.time)).toEqual([1, 2, 3].map((i) => start + i * step));
    for (const item of items) expect(item.values).toEqual(initial);
    const x = await readHistory(stateReader(source, info.features, info.grid), start, loop);
    const stream = loop.run(start, x);
    await stream.next();
    using saved = (await stream.next()).value!.restart;
    const again = (await loop.run(0, undefined, saved).next()).value!;
    expect(again.time).toBe(start + step);
    expect(again.output.toTypedArray()).toEqual(await truth(source, start));
    await expect(loop.run(start, torch.zeros([1, 2, 4, 6])).next()).rejects.toThrow(/persistence takes/);
  });

  it("gives each step the forcing of its own valid time", async () => {
    const info = inventedInfo({ ...noForcing, date: true });
    const source = inventedSource(every(1));
    using loop = makeLoop("adds_first_forcing", info);
    const items = await run(loop, source, info, start, 5);
    const initial = await truth(source, start);
    let sum = 0;
    for (const item of items.slice(1)) {
      sum += dateFeatures(item.time)[0];
      expectClose(
        item.values,
        initial.map((value, i) => value + sum * (i < points ? 10 : 800)),
      );
    }
  });

  it("reads forcings at the valid time and normalises them with their own statistics", async () => {
    const info = inventedInfo({ ...noForcing, variables: ["tisr"] });
    const withForcing = { ...info, stats: { ...info.stats, tisr: { mean: 100, std: 50, min: 0, max: 0 } } };
    const times = every(4);
    const state = inventedSource(times);
    const values = (time: number) => new Float32Array(points).fill(100 + 50 * ((time - start) / step));
    const source: Source = {
      ...state,
      variables: [...state.variables, { name: "tisr", units: "J m-2", longName: "Incident solar radiation" }],
      read: async ({ time, variables }) =>
        variables[0] === "tisr" ? [{ variable: "tisr", time, values: values(time) }] : state.read({ time, variables }),
    };
    using loop = makeLoop("adds_first_forcing", withForcing, { source });
    const items = await run(loop, source, withForcing, start, 3);
    const initial = await truth(state, start);
    // 1 + 2 + 3 standard deviations after three steps.
    expectClose(
      items[3]!.values,
      initial.map((value, i) => value + 6 * (i < points ? 10 : 800)),
    );
    expect(() => makeLoop("adds_first_forcing", withForcing)).toThrow(/forcings at every valid time: tisr/);
  });

  it("takes a graph network's states to its nodes and brings them back, with history, border and restart", async () => {
    const info = inventedInfo({ ...noForcing, date: true, insolation: true }, ["t2m", "msl"], 1);
    const source = inventedSource(every(6));
    const results = [];
    for (const model of ["adds_first_forcing", "adds_forcing_on_nodes"]) {
      const setup = { strategy: "scaled_ar", numInputSteps: 2, borderSource: source } as const;
      using loop = makeLoop(model, info, setup);
      const items = await run(loop, source, info, start + step, 3);
      expect(items.map((item) => item.shape)).toEqual(Array(4).fill([1, 2, 4, 6]));
      const x = await readHistory(stateReader(source, info.features, grid), start + step, loop);
      const stream = loop.run(start + step, x);
      await stream.next();
      using saved = (await stream.next()).value!.restart;
      const again = loop.run(0, undefined, saved);
      await again.next();
      const { output } = (await again.next()).value!;
      expect(output.toTypedArray()).toEqual(items[2]!.values);
      results.push(items);
    }
    const [onGrid, onNodes] = results;
    for (const [i, item] of onGrid!.entries()) expectClose(onNodes![i]!.values, item.values);
    const known = await truth(source, start + 4 * step);
    const border = info.statics.borderMask;
    const { values } = onNodes![3]!;
    expectClose(
      values.filter((_, i) => border[i % points] === 1),
      known.filter((_, i) => border[i % points] === 1),
    );
    expect(values.some((value, i) => border[i % points] === 0 && Math.abs(value - known[i]!) > 1)).toBe(true);
  });

  it("keeps rows, columns and channels apart", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(1));
    using loop = makeLoop("shifts_east", info);
    const items = await run(loop, source, info, start, 2);
    const initial = await truth(source, start);
    const shifted = initial.map((_, i) => initial[i - (i % 6) + (((i % 6) + 4) % 6)]!);
    expectClose(items[2]!.values, shifted);
  });

  it("feeds the history oldest first and shifts it", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(2));
    using loop = makeLoop("repeats_oldest", info, { numInputSteps: 2 });
    const items = await run(loop, source, info, start + step, 4);
    const [older, newer] = [await truth(source, start), await truth(source, start + step)];
    for (const [i, item] of items.entries()) expectClose(item.values, i % 2 === 0 ? newer : older);
  });

  it("makes every intermediary step of scaled_ar and none of its time", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(1));
    using loop = makeLoop("adds_one", info, { strategy: "scaled_ar", numInterSteps: 3 });
    const items = await run(loop, source, info, start, 2);
    const initial = await truth(source, start);
    expect(items[2]!.time).toBe(start + 2 * step);
    // Six calls of 0.25 (std) + 0.5 (mean) standard deviations.
    expectClose(
      items[2]!.values,
      initial.map((value, i) => value + 4.5 * (i < points ? 10 : 800)),
    );
  });

  it("does not change its state through the output when there is one feature only", async () => {
    const info = inventedInfo(noForcing, ["t2m"]);
    const source = inventedSource(every(1));
    using loop = makeLoop("shifts_east", info);
    const items = await run(loop, source, info, start, 6);
    expectClose(items[6]!.values, items[0]!.values);
  });

  it("stays in float32 state under bf16 and lands near the fp32 forecast", async () => {
    const info = inventedInfo({ ...noForcing, date: true });
    const source = inventedSource(every(1));
    using loop = makeLoop("adds_first_forcing", info, { precision: "bf16-mixed" });
    const items = await run(loop, source, info, start, 2);
    const initial = await truth(source, start);
    const sum = dateFeatures(start + step)[0] + dateFeatures(start + 2 * step)[0];
    for (const [i, value] of items[2]!.values.entries()) {
      expect(Math.abs(value - initial[i]! - sum * (i < points ? 10 : 800))).toBeLessThan(0.1 * (i < points ? 10 : 800));
    }
  });

  it("goes on from a restart bit for bit, however late it is used", async () => {
    const info = inventedInfo({ ...noForcing, date: true, insolation: true });
    const source = inventedSource(every(2));
    using loop = makeLoop("adds_first_forcing", info, { numInputSteps: 2 });
    const x = await readHistory(stateReader(source, info.features, grid), start + step, loop);
    for (const at of [0, 2]) {
      const whole: Uint8Array[] = [];
      let saved: InferenceRestart | undefined;
      const bytes = (tensor: Tensor) => new Uint8Array((tensor.toTypedArray() as Float32Array).buffer);
      for await (const item of loop.run(start + step, x)) {
        if (whole.length === at) saved = item.restart;
        whole.push(bytes(item.output));
        if (whole.length === 6) break;
      }
      const again: Uint8Array[] = [];
      for await (const item of loop.run(0, undefined, saved)) {
        if (again.length === 0) expect(item.time).toBe(start + (1 + at) * step);
        again.push(bytes(item.output));
        if (again.length === 6 - at) break;
      }
      expect(again).toEqual(whole.slice(at));
    }
  });

  it("names inputs that nobody refreshed", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(1));
    using loop = makeLoop("persistence", info);
    // A model that predicts fewer channels than it takes: what TimeLoop allows and a rollout must not.
    Object.defineProperty(loop, "outChannelNames", { value: ["t2m"] });
    await expect(run(loop, source, info, start, 3)).rejects.toThrow(
      /not refreshed: msl \(last set for 2019-03-01T00:00:00Z\)/,
    );
  });

  it("stops when the forecast leaves the finite numbers, naming lead and variables", async () => {
    const info = inventedInfo();
    const source = inventedSource(every(1));
    using loop = makeLoop("explodes", info);
    await expect(run(loop, source, info, start, 9)).rejects.toThrow(
      /no longer finite at \+12h \(2019-03-01T12:00:00Z\): msl/,
    );
  });

  it("refuses a state of another shape", async () => {
    using loop = makeLoop("persistence", inventedInfo());
    const stream = loop.run(start, torch.zeros([1, 1, 3, 4, 6]));
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow(/\(1, 1, 3, 4, 6\).*\(batch, 1, 2, 4, 6\)/);
  });

  it("keeps the number of live tensors flat", async () => {
    const info = inventedInfo({ ...noForcing, date: true });
    const source = inventedSource(every(1));
    using loop = makeLoop("adds_first_forcing", info);
    const x = await readHistory(stateReader(source, info.features, grid), start, loop);
    const live: number[] = [];
    for await (const { output } of loop.run(start, x)) {
      output.dispose();
      live.push(torch.memoryStats().liveTensors);
      if (live.length === 30) break;
    }
    expect(new Set(live.slice(2)).size).toBe(1);
  });
});
