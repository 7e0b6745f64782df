import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { noForcing } from "../datasets/forcings.js";
import { createNetwork } from "../models/registry.js";
import { withHooks } from "./hooks.js";
import { Inference } from "./inference.js";
import { readHistory, stateReader } from "./initial-state.js";
import { interleave } from "./interleave.js";
import { every, inventedInfo, inventedSource, start, step } from "./invented.test-support.js";
import { adding, hour, initial, items } from "./stepper.test-support.js";

const firsts = (given: readonly { values: number[] }[]): number[] => given.map(({ values }) => values[0]!);

describe("interleave", () => {
  it("starts long steps from what long steps gave: 0, 1, 2, 3, 100, 101, …", async () => {
    using loop = interleave([adding(1, 6), adding(100, 24)]);
    const given = await items(loop, 9, { x: initial(1) });
    expect(firsts(given)).toEqual([0, 1, 2, 3, 100, 101, 102, 103, 200]);
    expect(given.map(({ times }) => times[0]! / hour)).toEqual([0, 6, 12, 18, 24, 30, 36, 42, 48]);
    expect(loop.timeStep).toBe(6 * hour);
    expect(loop.notes).toEqual(["steps of 1d, 6h interleaved"]);
  });

  it("takes the order 3 | 6, 9 | 12, 15 | 18, 21 | 24 of Pangu, and 24, 6, 3, 1 h together", async () => {
    const calls: string[] = [];
    const part = (amount: number, hours: number) =>
      adding(amount, hours, { onStep: (from) => calls.push(`${from / hour}+${hours}`) });
    using three = interleave([part(1, 3), part(100, 24), part(10, 6)]);
    const given = await items(three, 10, { x: initial(1) });
    expect(calls).toEqual(["0+3", "0+6", "6+3", "6+6", "12+3", "12+6", "18+3", "0+24", "24+3"]);
    expect(firsts(given)).toEqual([0, 1, 10, 11, 20, 21, 30, 31, 100, 101]);
    using four = interleave([adding(1, 1), adding(1000, 24), adding(10, 3), adding(100, 6)]);
    const [at23, at24, at28] = [23, 24, 28].map((lead) => lead);
    const values = firsts(await items(four, 29, { x: initial(1) }));
    expect([values[at23!], values[at24!], values[at28!]]).toEqual([300 + 10 + 2, 1000, 1000 + 10 + 1]);
  });

  it("goes on from any restart bit for bit, members and dates as rows", async () => {
    using loop = interleave([adding(0.1, 6), adding(0.7, 24), adding(0.3, 3)]);
    const times = [0, 0, 12 * hour];
    const whole = await items(loop, 20, { time: times, x: initial(3) });
    for (const at of [0, 1, 7, 8, 13]) {
      const again = await items(loop, 20 - at, { restart: whole[at]!.restart });
      expect(again.map(({ times, values }) => ({ times, values }))).toEqual(
        whole.slice(at).map(({ times, values }) => ({ times, values })),
      );
    }
    expect(whole[3]!.times).toEqual(times.map((time) => time + 9 * hour));
  });

  it("uses what hooks answer in every step, also the long ones", async () => {
    const seen: number[] = [];
    const hooks = {
      front: (x: torch.Tensor, [time]: readonly number[]) => {
        seen.push(time! / hour);
        return x.add(1000);
      },
    };
    using loop = withHooks(interleave([adding(1, 6), adding(100, 24)]), hooks);
    const given = await items(loop, 6, { x: initial(1) });
    expect(seen).toEqual([0, 6, 12, 0, 24]);
    expect(firsts(given)).toEqual([0, 1001, 2002, 3003, 1100, 2101]);
    using rear = withHooks(interleave([adding(1, 6), adding(100, 24)]), { rear: (x) => x.mul(2) });
    expect(firsts(await items(rear, 6, { x: initial(1) }))).toEqual([0, 2, 6, 14, 200, 402]);
  });

  it("keeps the chain of a network of its own: the same bits as the long loop alone", async () => {
    const long = { ...inventedInfo(noForcing), stepSeconds: 4 * step };
    const short = inventedInfo(noForcing);
    const loops = [long, short].map((info) => {
      const network = createNetwork("shifts_east", 2, 2, {}, info.grid.shape);
      const parts = { network, info, strategy: "diff_ar", numInputSteps: 1, numInterSteps: 1 };
      return new Inference(parts, { precision: "fp32" });
    });
    const source = inventedSource(every(1));
    const x = await readHistory(stateReader(source, short.features, short.grid), start, loops[0]!);
    const alone = await items(loops[0]!, 3, { time: start, x });
    using loop = interleave(loops);
    const given = await items(loop, 9, { time: start, x });
    expect(given[4]!.values).toEqual(alone[1]!.values);
    expect(given[8]!.values).toEqual(alone[2]!.values);
    expect(given[4]!.values).not.toEqual(given[3]!.values);
  });

  it("frees its parts and keeps the number of live tensors flat", async () => {
    let freed = 0;
    const onDispose = () => freed++;
    const loop = interleave([adding(1, 6, { onDispose }), adding(100, 24, { onDispose })]);
    const live: number[] = [];
    for await (const { output } of loop.run(0, initial(1))) {
      output.dispose();
      live.push(torch.memoryStats().liveTensors);
      if (live.length === 20) break;
    }
    expect(new Set(live.slice(4).filter((_, i) => i % 4 === 0)).size).toBe(1);
    loop[Symbol.dispose]();
    expect(freed).toBe(2);
  });

  it("refuses loops that do not go together, saying how", () => {
    expect(() => interleave([adding(1, 6), adding(1, 9)])).toThrow(/step of 9h is not several of 6h/);
    expect(() => interleave([adding(1, 6), adding(1, 6)])).toThrow(/step of 6h is not several of 6h/);
    expect(() => interleave([adding(1, 6), adding(1, 24, { names: ["a", "c"] })])).toThrow(/other channels/);
    expect(() => interleave([])).toThrow(/no loops/);
    const { stepper: _, ...whole } = adding(1, 6);
    expect(() => interleave([whole, adding(1, 24)])).toThrow(/cannot be stepped from outside/);
  });
});
