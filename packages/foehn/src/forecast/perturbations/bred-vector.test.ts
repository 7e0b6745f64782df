import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { areaWeights } from "../../grid/geometry.js";
import { latLonGrid } from "../../grid/grid.js";
import type { TimeLoop, TimeLoopStep } from "../time-loop.js";
import { type BredVectorOptions, BredVectors } from "./bred-vector.js";
import { gaussianField } from "./gaussian.js";
import type { PerturbationContext } from "./perturbation.js";

const grid = latLonGrid([60, 30, -30, -60], [0, 90, 180, 270]);
const size = 16;
const hour = 3600;
const stds = [2, 100];

/** The pattern that grows: a wave in the first channel, twice as strong (in standard deviations) in the second. */
const pattern = Float32Array.from({ length: 2 * size }, (_, i) => {
  const wave = Math.cos(((i % 4) * Math.PI) / 2) + 0.3 * Math.floor((i % size) / 4);
  return i < size ? stds[0]! * wave : 2 * stds[1]! * wave;
});
const normal = pattern.map((value, i) => value / stds[i < size ? 0 : 1]! ** 2);
const length = pattern.reduce((sum, value, i) => sum + value * normal[i]!, 0);

/** A linear model, (rows, 2, 4, 4) → same: `decay` of everything, and the pattern grows by 3. It adds `constant` and counts its steps. */
class Growing implements TimeLoop<undefined> {
  readonly inChannelNames = ["t2m", "z500"];
  readonly outChannelNames = ["extra", "t2m", "z500"];
  readonly grid = grid;
  readonly historyTimeStep = hour;
  readonly timeStep = hour;
  readonly starts: number[] = [];
  readonly sizes: number[] = [];

  constructor(
    readonly nHistoryLevels = 1,
    readonly decay = 0.5,
  ) {}

  async *run(time: number | readonly number[], x: Tensor | undefined): AsyncGenerator<TimeLoopStep<undefined>> {
    this.starts.push(...[time].flat());
    this.sizes.push(x!.size(0));
    const rows = x!.size(0);
    // The newest state and half of the change since the one before, where there is one.
    const newest = x!.select(1, this.nHistoryLevels - 1);
    let state = newest.reshape([rows, 2 * size]);
    const step = (now: number) => {
      const [a, b] = [torch.fromTypedArray(normal, [2 * size, 1]), torch.fromTypedArray(pattern, [1, 2 * size])];
      const along = state.matmul(a).div(length);
      state = state
        .mul(this.decay)
        .add(along.mul(3 - this.decay).matmul(b))
        .add(7);
      return now + hour;
    };
    for (let now = [time].flat()[0]!; ; now = step(now)) {
      const extra = torch.zeros([rows, 1, 4, 4]);
      const output = torch.cat([extra, state.reshape([rows, 2, 4, 4])], { dim: 1 });
      yield { time: now, times: [now], output, restart: undefined } as TimeLoopStep<undefined>;
    }
  }
}

const numbers = (x: Tensor): number[] => Array.from(x.contiguous().toTypedArray(), Number);
const states = (rows: number, levels = 1) => torch.full([rows, levels, 2, 4, 4], 250);
const base = { seed: 1, amplitude: 0.05, seeding: gaussianField(), cycles: 12 } satisfies BredVectorOptions;
const contextOf = (loop: TimeLoop): PerturbationContext => ({ loop, channelStds: stds });

/** What was added to row r, newest state. */
const added = (y: Tensor, r: number) => numbers(y.select(0, r).select(0, y.size(1) - 1)).map((value) => value - 250);

function rms(values: readonly number[]): number {
  const weights = areaWeights(grid);
  const sum = values.reduce(
    (s, value, i) => s + weights[Math.floor((i % size) / 4)]! * (value / stds[i < size ? 0 : 1]!) ** 2,
    0,
  );
  return Math.sqrt(sum / (2 * size));
}

function likeness(values: readonly number[]): number {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((s, value, i) => s + (value * b[i]!) / stds[i < size ? 0 : 1]! ** 2, 0);
  return dot(values, pattern) / Math.sqrt(dot(values, values) * dot(pattern, pattern));
}

describe("bred vectors", () => {
  it("become what grows in the model, at the size that was asked for", async () => {
    const y = await new BredVectors(base).perturb(
      states(2),
      [
        { time: 0, member: 0 },
        { time: 0, member: 4 },
      ],
      contextOf(new Growing()),
    );
    expect(added(y, 0).every((value) => value === 0)).toBe(true);
    expect(Math.abs(likeness(added(y, 1)))).toBeGreaterThan(0.999);
    expect(rms(added(y, 1))).toBeCloseTo(0.05, 4);
    const unbred = await new BredVectors({ ...base, cycles: 1 }).perturb(
      states(1),
      [{ time: 0, member: 4 }],
      contextOf(new Growing()),
    );
    expect(Math.abs(likeness(added(unbred, 0)))).toBeLessThan(0.98);
  });

  it("are the same whatever else is in the batch, and leave the input alone", async () => {
    const x = states(3);
    const rows = [
      { time: 0, member: 1 },
      { time: 0, member: 2 },
      { time: 3600, member: 1 },
    ];
    const together = await new BredVectors({ ...base, cycles: 2 }).perturb(x, rows, contextOf(new Growing()));
    for (const [r, row] of rows.entries()) {
      const alone = await new BredVectors({ ...base, cycles: 2 }).perturb(states(1), [row], contextOf(new Growing()));
      expect(numbers(alone.select(0, 0))).toEqual(numbers(together.select(0, r)));
    }
    expect(numbers(x)).toEqual(numbers(states(3)));
    expect(added(together, 0)).not.toEqual(added(together, 1));
    expect(added(together, 0)).not.toEqual(added(together, 2));
  });

  it("come in pairs around the analysis when centred, wherever the pair's members run", async () => {
    const centred = { ...base, cycles: 3, centred: true };
    const rows = [1, 2, 3].map((member) => ({ time: 0, member }));
    const y = await new BredVectors(centred).perturb(states(3), rows, contextOf(new Growing()));
    const [first, second, third] = [0, 1, 2].map((r) => added(y, r));
    for (const [i, value] of first!.entries()) expect(second![i]).toBeCloseTo(-value, 3);
    expect(third).not.toEqual(first);
    const other = await new BredVectors(centred).perturb(states(1), [rows[1]!], contextOf(new Growing()));
    expect(added(other, 0)).toEqual(second);
  });

  it("can breed around the analyses before the initial time", async () => {
    const loop = new Growing();
    const read: number[] = [];
    const context = {
      ...contextOf(loop),
      readState: async (time: number) => {
        read.push(time);
        return states(1);
      },
    };
    const options = { ...base, cycles: 4, around: "analyses" } as const;
    await new BredVectors(options).perturb(states(1), [{ time: 10 * hour, member: 1 }], context);
    expect(read).toEqual([6, 7, 8, 9].map((t) => t * hour));
    expect(loop.starts).toEqual(read);
    await expect(
      new BredVectors(options).perturb(states(1), [{ time: 0, member: 1 }], contextOf(loop)),
    ).rejects.toThrow(/source/);
  });

  it("keep to the chosen channels", async () => {
    const y = await new BredVectors({ ...base, channels: ["t2m"] }).perturb(
      states(1),
      [{ time: 0, member: 1 }],
      contextOf(new Growing()),
    );
    expect(
      added(y, 0)
        .slice(size)
        .every((value) => value === 0),
    ).toBe(true);
    expect(Math.abs(likeness([...added(y, 0).slice(0, size), ...new Array(size).fill(0)]))).toBeGreaterThan(0.4);
    // The size counts the chosen channels.
    expect(rms(added(y, 0)) * Math.sqrt(2)).toBeCloseTo(0.05, 4);
  });

  it("perturb the whole history of a model with one", async () => {
    const y = await new BredVectors({ ...base, cycles: 3 }).perturb(
      states(1, 2),
      [{ time: 0, member: 1 }],
      contextOf(new Growing(2)),
    );
    const [older, newest] = [0, 1].map((level) => numbers(y.select(1, level)).map((value) => value - 250));
    // The state before is that of the cycle before: smaller by the growth of one step, and not the same.
    expect(rms(older!)).toBeGreaterThan(0);
    expect(rms(older!)).toBeLessThan(rms(newest!));
  });

  it("give each hemisphere its own size on request", async () => {
    const y = await new BredVectors({ ...base, norm: "hemispheric" }).perturb(
      states(1),
      [{ time: 0, member: 1 }],
      contextOf(new Growing()),
    );
    const values = added(y, 0);
    const weights = areaWeights(grid);
    for (const rows of [
      [0, 1],
      [2, 3],
    ]) {
      let [sum, weight] = [0, 0];
      for (const [i, value] of values.entries()) {
        const row = Math.floor((i % size) / 4);
        if (!rows.includes(row)) continue;
        sum += weights[row]! * (value / stds[i < size ? 0 : 1]!) ** 2;
        weight += weights[row]!;
      }
      expect(Math.sqrt(sum / weight)).toBeCloseTo(0.05, 4);
    }
  });

  it("say so when the model damps everything away", async () => {
    const still = new Growing(1, 0);
    const nothing = { ...base, channels: ["t2m"], cycles: 300 };
    pattern.fill(0);
    await expect(
      new BredVectors(nothing).perturb(states(1), [{ time: 0, member: 1 }], contextOf(still)),
    ).rejects.toThrow(/size 0/);
  });
});
