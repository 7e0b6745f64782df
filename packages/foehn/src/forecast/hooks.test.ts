import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { modelFeatures } from "../datasets/features.js";
import { noForcing } from "../datasets/forcings.js";
import { createNetwork } from "../models/registry.js";
import { numInputFeatures } from "../training/step.js";
import { createStrategy } from "../training/strategies/registry.js";
import { withHooks } from "./hooks.js";
import { Inference, type InferenceState } from "./inference.js";
import { readHistory, stateReader } from "./initial-state.js";
import { every, inventedInfo, inventedSource, start, step } from "./invented.test-support.js";
import { PersistenceLoop } from "./persistence-loop.js";
import type { SourceTerm } from "./source-term.js";
import { adding, initial, items } from "./stepper.test-support.js";

const firsts = (given: readonly { values: number[] }[]): number[] => given.map(({ values }) => values[0]!);

function inference(network: string, numInputSteps: number, source?: SourceTerm, borderSize = 0): Inference {
  const info = inventedInfo({ ...noForcing, date: true }, ["t2m", "msl"], borderSize);
  const features = modelFeatures(info);
  const first_forcing = numInputSteps * features.prognostic.length + features.statics.length;
  const settings = network === "adds_first_forcing" ? { first_forcing } : {};
  const strategy = "diff_ar";
  const inputs = numInputFeatures({ strategy: createStrategy(strategy), features, numInputSteps });
  const made = createNetwork(network, inputs, 2, settings, info.grid.shape);
  return new Inference(
    { network: made, info, strategy, numInputSteps, numInterSteps: 1 },
    { precision: "fp32", source },
  );
}

async function start2(loop: Inference): Promise<torch.Tensor> {
  const info = inventedInfo();
  return readHistory(stateReader(inventedSource(every(3)), info.features, info.grid), start + step, loop);
}

describe("withHooks", () => {
  it("calls the front hook before and the rear hook after each step, and goes on from what they answer", async () => {
    const log: string[] = [];
    const log2 = (what: string) => (x: torch.Tensor, times: readonly number[]) => {
      log.push(`${what} ${times.join("/")}: ${x.toTypedArray()[0]}`);
      return x;
    };
    const hooks = [
      { front: (x: torch.Tensor) => x.mul(2), rear: log2("rear") },
      { front: log2("front"), rear: (x: torch.Tensor) => x.add(0.5) },
    ];
    using loop = withHooks(adding(1, 6), hooks);
    const given = await items(loop, 3, { time: [0, 21600], x: initial(2, 2, 8) });
    expect(firsts(given)).toEqual([8, 8 * 2 + 1.5, (8 * 2 + 1.5) * 2 + 1.5]);
    expect(log).toEqual(["front 0/21600: 16", "rear 21600/43200: 17", "front 21600/43200: 35", "rear 43200/64800: 36"]);
    expect(loop.timeStep).toBe(21600);
  });

  it("leaves what was given out and its restart as they were", async () => {
    using loop = withHooks(adding(1, 6), { front: (x) => x.add(100) });
    const given = await items(loop, 3, { x: initial(1) });
    expect(firsts(given)).toEqual([0, 101, 202]);
    expect(firsts(await items(loop, 2, { restart: given[1]!.restart }))).toEqual([101, 202]);
    using persistence = withHooks(new PersistenceLoop({ ...inventedInfo(), features: [{ name: "t2m" }] }), {
      rear: (x) => x.add(1),
    });
    const x = torch.zeros([1, 1, 1, ...persistence.grid.shape]);
    expect(firsts(await items(persistence, 3, { x }))).toEqual([0, 1, 2]);
  });

  it("reaches the newest state of a network's history, in its units", async () => {
    // The network takes the older of two states as the next: what the hook adds at one step comes out at the second after it.
    const loop = inference("repeats_oldest", 2);
    const x = await start2(loop);
    const plain = await items(loop, 6, { time: start + step, x });
    using hooked = withHooks(loop, { front: (fields, [time]) => (time === start + 2 * step ? fields.add(3) : fields) });
    const given = await items(hooked, 6, { time: start + step, x });
    for (const [i, { values }] of given.entries()) {
      const added = i === 3 || i === 5 ? 3 : 0;
      expect(Math.abs(values[0]! - plain[i]!.values[0]! - added)).toBeLessThan(1e-3);
    }
    // A hook that changes nothing changes no bit.
    using identity = withHooks(loop, { front: (fields) => fields, rear: (fields) => fields });
    expect((await items(identity, 6, { time: start + step, x })).map(({ values }) => values)).toEqual(
      plain.map(({ values }) => values),
    );
  });

  it("keeps the number of live tensors flat, with a source term too", async () => {
    const source: SourceTerm = (fields) => torch.scope(() => fields.mul(1e-9));
    using loop = withHooks(inference("repeats_oldest", 2, source), { front: (x) => x.add(1), rear: (x) => x.sub(1) });
    const live: number[] = [];
    for await (const { output } of loop.run(start + step, await start2(inference("repeats_oldest", 2)))) {
      output.dispose();
      live.push(torch.memoryStats().liveTensors);
      if (live.length === 12) break;
    }
    expect(new Set(live.slice(2)).size).toBe(1);
  });

  it("says what is wrong with an answer, and with a loop that cannot be stepped", async () => {
    using loop = withHooks(adding(1, 6), { front: (x) => x.narrow(1, 0, 1) });
    await expect(items(loop, 2, { x: initial(1) })).rejects.toThrow(/a hook gave fields of shape \(1, 1, 3, 4\)/);
    const { stepper: _, ...whole } = adding(1, 6);
    expect(() => withHooks(whole, {})).toThrow(/cannot be stepped from outside, which hooks need/);
  });
});

describe("a source term", () => {
  const perDay = 1 / 86_400;

  it("is a tendency in physical units per second, seen with the state and time at the start of each step", async () => {
    const seen: number[][] = [];
    const source: SourceTerm = (x, times) => {
      seen.push([...times]);
      expect(x.shape).toEqual([1, 2, 4, 6]);
      // 4 K and 8 Pa a day, and a relaxation of t2m that needs the physical state.
      return torch.scope(() =>
        torch
          .tensor([4 * perDay, 8 * perDay])
          .reshape([1, 2, 1, 1])
          .expand(x.shape)
          .contiguous(),
      );
    };
    using loop = inference("persistence", 1, source);
    const info = inventedInfo();
    const x = await readHistory(stateReader(inventedSource(every(3)), info.features, info.grid), start, loop);
    const given = await items(loop, 5, { time: start, x });
    expect(seen).toEqual([0, 1, 2, 3].map((i) => [start + i * step]));
    const points = given[0]!.values.length / 2;
    for (const [i, { values }] of given.entries()) {
      expect(values[3]! - given[0]!.values[3]!).toBeCloseTo(i, 3);
      expect(values[points + 3]! - given[0]!.values[points + 3]!).toBeCloseTo(2 * i, 1);
    }
  });

  it("adds 0.01 a step: three steps after a restart from the second item of four are 0.03, bit for bit", async () => {
    const info = { ...inventedInfo(noForcing), stats: {} };
    const parts = { network: createNetwork("persistence", 2, 2, {}, info.grid.shape), info, strategy: "diff_ar" };
    const source: SourceTerm = (x) => torch.full(x.shape, 0.01 / step);
    using loop = new Inference({ ...parts, numInputSteps: 1, numInterSteps: 1 }, { precision: "fp32", source });
    const whole = await items(loop, 4, { time: start, x: torch.zeros([1, 1, 2, 4, 6]) });
    const again = await items(loop, 3, { restart: whole[1]!.restart as InferenceState });
    expect(again[2]!.values).toEqual(whole[3]!.values);
    for (const value of again[2]!.values) expect(Math.abs(value - 0.03)).toBeLessThan(1e-8);
    expect(again.map(({ times }) => times)).toEqual([1, 2, 3].map((n) => [start + n * step]));
  });

  it("does not write into what a restart refers to, and restarts bit for bit", async () => {
    // A tendency that depends on state and time.
    const source: SourceTerm = (x, times) =>
      torch.scope(() =>
        torch
          .tensor(times.map((time) => 1e-6 * ((time / 3600) % 24)))
          .reshape([times.length, 1, 1, 1])
          .mul(x),
      );
    for (const numInputSteps of [1, 2]) {
      using loop = inference("adds_first_forcing", numInputSteps, source);
      const x = torch.cat([await start2(loop), (await start2(loop)).add(1)]);
      const times = [start + step, start + 2 * step];
      const whole = await items(loop, 6, { time: times, x });
      const kept = whole[2]!.restart as InferenceState;
      const before = kept.history.map(({ state }) => state.toTypedArray());
      const plain = ({ times, values }: { times: readonly number[]; values: number[] }) => ({ times, values });
      // Twice from the same restart.
      for (let n = 0; n < 2; n++) {
        const again = await items(loop, 4, { restart: kept });
        expect(again.map(plain)).toEqual(whole.slice(2).map(plain));
      }
      expect(kept.history.map(({ state }) => state.toTypedArray())).toEqual(before);
      // Without the source it is another forecast.
      using free = inference("adds_first_forcing", numInputSteps);
      expect((await items(free, 2, { time: times, x }))[1]!.values).not.toEqual(whole[1]!.values);
    }
  });

  it("that is zero changes no bit", async () => {
    using free = inference("adds_first_forcing", 2);
    using zero = inference("adds_first_forcing", 2, (x) => torch.zerosLike(x));
    const x = await start2(free);
    const [a, b] = [await items(free, 4, { time: start + step, x }), await items(zero, 4, { time: start + step, x })];
    expect(b.map(({ values }) => values)).toEqual(a.map(({ values }) => values));
  });

  it("of another shape is refused", async () => {
    using loop = inference("persistence", 2, () => torch.zeros([1, 2]));
    const x = await start2(loop);
    await expect(items(loop, 2, { time: start + step, x })).rejects.toThrow(/source term gave \(1, 2\) for a state of/);
  });
});
