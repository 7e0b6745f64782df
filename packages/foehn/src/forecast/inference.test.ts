import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import type { DatasetInfo } from "../datasets/dataset.js";
import { modelFeatures, prognosticFeatures } from "../datasets/features.js";
import { dateFeatures, noForcing } from "../datasets/forcings.js";
import { createNetwork } from "../models/registry.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import { numInputFeatures } from "../training/step.js";
import { createStrategy } from "../training/strategies/registry.js";
import { Inference, type InferenceState } from "./inference.js";
import { readHistory, stateReader } from "./initial-state.js";
import { every, grid, inventedInfo, inventedSource, points, start, step } from "./invented.test-support.js";
import { PersistenceLoop } from "./persistence-loop.js";
import type { TimeLoop } from "./time-loop.js";

interface Setup {
  readonly strategy?: string;
  readonly strategySettings?: Record<string, unknown>;
  readonly settings?: Record<string, unknown>;
  readonly numInputSteps?: number;
  readonly numInterSteps?: number;
  readonly source?: Source;
  readonly borderSource?: Source;
  readonly maskAsInput?: boolean;
  readonly precision?: "fp32" | "bf16-mixed";
}

function makeLoop(model: string, info: DatasetInfo, setup: Setup = {}): Inference {
  const { strategy = "diff_ar", strategySettings, numInputSteps = 1, numInterSteps = 1, precision = "fp32" } = setup;
  const features = modelFeatures(info);
  const first_forcing = numInputSteps * features.prognostic.length + features.statics.length;
  const settings = setup.settings ?? (/^adds_(first_)?forcing/.test(model) ? { first_forcing } : {});
  const description = { strategy: createStrategy(strategy, strategySettings), features, numInputSteps };
  const hasMask = setup.maskAsInput ?? false;
  const inputs = numInputFeatures({ ...description, hasMask });
  const network = createNetwork(model, inputs, info.features.length, settings, info.grid.shape);
  const parts = { network, info, strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput: hasMask };
  return new Inference(parts, { precision, forcingSource: setup.source, borderSource: setup.borderSource });
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

/** Physical fields of `rains` after some steps from the initial ones. */
function rained(initial: Float32Array, steps: number): Float32Array {
  const [t2m, msl] = [initial.slice(0, points), initial.slice(points)];
  return Float32Array.from([
    ...t2m.map((value) => value + 10 * steps),
    ...msl.map((value) => value + 2 * 800 * steps),
    // tp follows from the pressure before the step.
    ...msl.map((value) => 0.002 + 0.004 * ((value - 1e5) / 800 + 2 * (steps - 1))),
  ]);
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
    await expect(loop.run(start, torch.zeros([1, 2, 4, 6])).next()).rejects.toThrow(/the model takes/);
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

  it("starts from prognostic variables alone and gives diagnostic ones as the network does", async () => {
    const info = inventedInfo(noForcing, ["t2m", "msl", "tp"]);
    const source = inventedSource(every(2)); // without tp
    for (const numInputSteps of [1, 2]) {
      const settings = { newest_msl: 2 * numInputSteps - 1 };
      using loop = makeLoop("rains", info, { numInputSteps, settings });
      expect(loop.inChannelNames).toEqual(["t2m", "msl"]);
      expect(loop.outChannelNames).toEqual(["t2m", "msl", "tp"]);
      const x = await readHistory(stateReader(source, prognosticFeatures(info), grid), start + step, loop);
      const initial = await truth(source, start + step);
      let saved: InferenceState | undefined;
      let steps = 0;
      for await (const item of loop.run(start + step, x)) {
        const values = item.output.toTypedArray() as Float32Array;
        expect(item.output.shape).toEqual([1, 3, 4, 6]);
        if (steps === 0) expect(values).toEqual(Float32Array.from([...initial, ...new Array(points).fill(Number.NaN)]));
        else expectClose(values, rained(initial, steps));
        if (steps === 1) saved = item.restart;
        if (steps++ === 3) break;
      }
      const again = loop.run(0, undefined, saved);
      expectClose((await again.next()).value!.output.toTypedArray() as Float32Array, rained(initial, 1));
      expectClose((await again.next()).value!.output.toTypedArray() as Float32Array, rained(initial, 2));
    }
    using wrong = makeLoop("rains", info);
    await expect(wrong.run(start, torch.zeros([1, 1, 3, 4, 6])).next()).rejects.toThrow(/takes \(batch, 1, 2, 4, 6\)/);
  });

  it("needs no initial state where the strategy takes none: downscaling corrects the forcing", async () => {
    const info = { ...inventedInfo({ ...noForcing, variables: ["msl_large", "gfs_t2m"] }, ["t2m"]) };
    const coarse = {
      msl_large: { mean: 1e5, std: 500, min: 0, max: 0 },
      gfs_t2m: { mean: 270, std: 5, min: 0, max: 0 },
    };
    const withStats = { ...info, stats: { ...info.stats, ...coarse } };
    const times = every(4);
    const source = arraySource({
      grid,
      times,
      fields: new Map([
        [
          "gfs_t2m",
          Float32Array.from({ length: times.length * points }, (_, i) => 265 + (i % 7) + Math.floor(i / points)),
        ],
        ["msl_large", new Float32Array(times.length * points).fill(1e5)],
      ]),
    });
    using loop = makeLoop("adds_one", withStats, { strategy: "downscaling_only", source });
    expect(loop.inChannelNames).toEqual([]);
    const x = await readHistory(stateReader(source, [], grid), start, loop);
    const items = [];
    for await (const { time, output } of loop.run(start, x)) {
      items.push({ time, values: output.toTypedArray() as Float32Array });
      if (items.length === 4) break;
    }
    expect(items[0]!.values).toEqual(new Float32Array(points).fill(Number.NaN));
    for (const [k, item] of items.entries()) {
      if (k === 0) continue;
      const [field] = await source.read({ time: start + k * step, variables: ["gfs_t2m"] });
      // The forcing's own normalisation, one standard deviation more, in the units of t2m.
      expectClose(
        item.values,
        field!.values.map((value) => 280 + 10 * ((value - 270) / 5 + 1)),
      );
    }
    expect(() => loop.requireData([start], 4)).toThrow(/msl_large, gfs_t2m are read .* lack 2019-03-02T00:00:00Z/);
  });

  it("interpolates a coarser border in time, and border and forcing within a step of several calls", async () => {
    const info = inventedInfo({ ...noForcing, date: true }, ["t2m"], 1);
    const t2m = Float32Array.from({ length: 2 * points }, (_, i) => 280 + (i % points) + (i < points ? 0 : 12));
    // Every 12 h, while the model steps 6 h.
    const fields = new Map([["t2m", t2m]]);
    const borderSource = arraySource({ grid, times: [start, start + 2 * step], fields });
    const onBorder = (values: Float32Array) => values.filter((_, i) => info.statics.borderMask[i] === 1);
    using loop = makeLoop("adds_one", info, { strategy: "scaled_ar", borderSource });
    expect(loop.notes).toEqual(["border data every 12h: interpolated linearly in time to the model's 6h"]);
    loop.requireData([start], 2);
    expect(() => loop.requireData([start, start + step], 2)).toThrow(/the border data lack 2019-03-01T18:00:00Z$/);
    const items = await run(loop, borderSource, info, start, 2);
    for (const [i, item] of items.entries()) {
      expectClose(
        onBorder(item.values),
        onBorder(t2m.slice(0, points)).map((value) => value + 6 * i),
      );
    }
    // The network sees the forcing and the border halfway before those of the end.
    const seen = async (strategySettings: Record<string, unknown>) => {
      const setup = { strategy: "scaled_ar", strategySettings, numInterSteps: 2, borderSource } as const;
      using substeps = makeLoop("adds_first_forcing", info, setup);
      const [, last] = await run(substeps, borderSource, info, start, 1);
      return last!.values;
    };
    const [f0, f1] = [dateFeatures(start)[0], dateFeatures(start + step)[0]];
    const inside = (first: number) => 10 * (0.25 * (first + f1) + 2 * 0.5);
    const expected = (first: number) =>
      Float32Array.from(
        t2m.slice(0, points),
        (value, i) => value + (info.statics.borderMask[i] === 1 ? 6 : inside(first)),
      );
    expectClose(await seen({}), expected((f0 + f1) / 2));
    expectClose(await seen({ compat: "py4cast" }), expected(f1));
  });

  it("needs the border alone, of every prognostic variable, without holes in time or space", async () => {
    const info = inventedInfo(noForcing, ["t2m", "msl", "tp"], 1);
    const state = inventedSource(every(5));
    const times = [0, 1, 2, 4].map((i) => start + i * step);
    const frame = (value: number) =>
      Float32Array.from({ length: 4 * points }, (_, i) => (info.statics.borderMask[i % points] ? value : Number.NaN));
    const fields = new Map([
      ["t2m", frame(250)],
      ["msl", frame(9e4)],
    ]);
    const borderSource = arraySource({ grid, times, fields });
    using loop = makeLoop("rains", info, { strategy: "scaled_ar", borderSource });
    const x = await readHistory(stateReader(state, prognosticFeatures(info), grid), start, loop);
    const stream = loop.run(start, x);
    await stream.next();
    const values = (await stream.next()).value!.output.toTypedArray() as Float32Array;
    for (let n = 0; n < points; n++) {
      const known = info.statics.borderMask[n] === 1;
      expect(Math.abs(values[n]! - 250) < 1e-3).toBe(known);
      expect(Math.abs(values[points + n]! - 9e4) < 0.1).toBe(known);
      expect(Number.isFinite(values[2 * points + n])).toBe(true);
    }
    // 18 h is missing among times that are 6 h apart: nobody knows what happened there.
    expect(() => loop.requireData([start], 4)).toThrow(/lack 2019-03-01T18:00:00Z$/);
    const setup = { strategy: "scaled_ar" } as const;
    const only = (name: string, field = fields.get(name)!) =>
      arraySource({ grid, times, fields: new Map([[name, field]]) });
    expect(() => makeLoop("rains", info, { ...setup, borderSource: only("t2m") })).toThrow(/no variable "msl"/);
    fields.get("msl")![0] = Number.NaN;
    using holed = makeLoop("rains", info, {
      ...setup,
      borderSource: arraySource({
        grid,
        times: times.slice(0, 1),
        fields: new Map([...fields].map(([name, field]) => [name, field.slice(0, points)])),
      }),
    });
    const broken = holed.run(start - step, x);
    await broken.next();
    await expect(broken.next()).rejects.toThrow(/border of "msl" at 2019-03-01T00:00:00Z has 1 missing values/);
    expect(() => makeLoop("rains", info, { borderSource })).toThrow(
      /no use for them: its strategy diff_ar forces none/,
    );
    const borderless = inventedInfo(noForcing, ["t2m", "msl", "tp"]);
    expect(() => makeLoop("rains", borderless, { ...setup, borderSource })).toThrow(/border_size 0/);
    using free = makeLoop("rains", info, setup);
    expect(free.notes).toEqual([expect.stringMatching(/known border of 1 cells; without border data/)]);
  });

  it("tells the network where the initial state has gaps, and that later states have none", async () => {
    const info = inventedInfo(noForcing, ["t2m", "msl"]);
    const holed = inventedSource(every(2));
    const source: Source = {
      ...holed,
      read: async (request) =>
        (await holed.read(request)).map((field) => {
          if (field.variable === "msl" || request.time !== start) return field;
          return { ...field, values: field.values.map((value, n) => (n < 5 ? Number.NaN : value)) };
        }),
    };
    const first_forcing = 2 * 2 + info.statics.names.length; // the mask comes last; there are no forcings
    const setup = { maskAsInput: true, numInputSteps: 2, settings: { first_forcing } } as const;
    using loop = makeLoop("adds_first_forcing", info, setup);
    const items = await run(loop, source, info, start + step, 3);
    const initial = await truth(holed, start + step);
    // One gap in the older state of the first step; nothing is missing afterwards.
    const expected = (steps: number) =>
      initial.map((value, i) => value + (steps - Number(i % points < 5)) * (i < points ? 10 : 800));
    for (const steps of [1, 2, 3]) expectClose(items[steps]!.values, expected(steps));
    // A restart taken at once still knows of the gap.
    const x = await readHistory(stateReader(source, info.features, grid), start + step, loop);
    const again = loop.run(0, undefined, (await loop.run(start + step, x).next()).value!.restart);
    await again.next();
    expectClose((await again.next()).value!.output.toTypedArray() as Float32Array, expected(1));
    using strict = makeLoop("adds_first_forcing", info, { numInputSteps: 2, settings: { first_forcing } });
    await expect(run(strict, source, info, start + step, 1)).rejects.toThrow(/"t2m" at .* has 5 missing values/);
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
      let saved: InferenceState | undefined;
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

  it("runs members and dates as rows of one batch, each bit for bit as alone, also from a restart", async () => {
    const info = inventedInfo({ ...noForcing, date: true, insolation: true }, ["t2m", "msl"], 1);
    const times = every(12);
    const source = inventedSource(times);
    const requested: number[] = [];
    const borderSource: Source = {
      ...source,
      read: (request) => {
        requested.push(request.time);
        return source.read(request);
      },
    };
    // Two dates of which the second starts where the first has come to after two steps, and two members of each.
    const starts = [start + step, start + step, start + 3 * step, start + 3 * step];
    for (const model of ["adds_first_forcing", "adds_forcing_on_nodes"]) {
      const setup = { strategy: "scaled_ar", numInputSteps: 2, numInterSteps: 2, borderSource } as const;
      using loop = makeLoop(model, info, setup);
      const reader = stateReader(source, info.features, grid);
      const xs: Tensor[] = [];
      for (const [row, time] of starts.entries()) xs.push((await readHistory(reader, time, loop)).add(row));
      const x = torch.cat(xs);
      requested.length = 0;
      const together: { times: readonly number[]; output: Tensor }[] = [];
      let saved: InferenceState | undefined;
      for await (const item of loop.run(starts, x)) {
        together.push(item);
        if (together.length === 2) saved = item.restart;
        if (together.length === 4) break;
      }
      // In each step once for each distinct time, not for each row.
      expect(requested.length).toBe(3 * 2);
      const bits = (tensor: Tensor) => new Uint8Array((tensor.toTypedArray() as Float32Array).buffer.slice(0));
      for (const [row, from] of starts.entries()) {
        let i = 0;
        for await (const item of loop.run(from, xs[row]!)) {
          expect(together[i]!.times[row]).toBe(item.time);
          expect(bits(together[i]!.output.narrow(0, row, 1).contiguous())).toEqual(bits(item.output));
          if (++i === 4) break;
        }
      }
      let i = 1;
      for await (const item of loop.run(0, undefined, saved)) {
        expect(item.times).toEqual(starts.map((time) => time + i * step));
        expect(bits(item.output)).toEqual(bits(together[i]!.output));
        if (++i === 4) break;
      }
      await expect(loop.run([start], x).next()).rejects.toThrow(/1 initial times were given for 4 rows/);
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
