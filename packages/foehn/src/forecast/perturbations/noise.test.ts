import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { latLonGrid } from "../../grid/grid.js";
import { PersistenceLoop } from "../persistence-loop.js";
import { channelStds, type PerturbationContext } from "./perturbation.js";
import { randomStream } from "./philox.js";
import { createPerturbation } from "./registry.js";

const grid = latLonGrid([60, 20, -20, -60], [0, 90, 180, 270]);
const feature = (name: string) => ({ name, units: "1", longName: name, role: "prognostic" as const, weight: 1 });
const loop = new PersistenceLoop({ features: ["t2m", "q500"].map(feature), grid, stepSeconds: 21_600 });
const context: PerturbationContext = { loop, channelStds: channelStds(loop.inChannelNames, { stats: {} }, false) };
const t0 = Date.UTC(2019, 2, 1) / 1000;
const row = (member: number, time = t0) => ({ member, time });

/** (rows, 2 states, 2 channels, 4, 4): t2m 280, q500 0.0001. */
function states(rows: number): Tensor {
  return torch.cat([torch.full([rows, 2, 1, 4, 4], 280), torch.full([rows, 2, 1, 4, 4], 1e-4)], { dim: 2 });
}

const values = (x: Tensor): number[] => Array.from(x.contiguous().toTypedArray(), Number);

describe("gaussian noise", () => {
  it("leaves the control and the input alone, and gives all states of a history the same field", async () => {
    const x = states(2);
    const y = await createPerturbation("gaussian", { amplitude: 0.1 }).perturb(x, [row(0), row(1)], context);
    expect(values(y.select(0, 0))).toEqual(values(x.select(0, 0)));
    expect(values(x)).toEqual(values(states(2)));
    expect(values(y.select(0, 1).select(0, 0))).toEqual(values(y.select(0, 1).select(0, 1)));
    const normals = randomStream({ seed: 1, time: t0, member: 1, name: "t2m" }).normals(16);
    const t2m = values(y.select(0, 1).select(0, 1).select(0, 0));
    for (const [i, value] of t2m.entries()) expect(value).toBeCloseTo(280 + 0.1 * 21.2 * normals[i]!, 3);
  });

  it("depends on seed, time and member, not on the grouping of rows", async () => {
    const perturbation = createPerturbation("gaussian", { seed: 7 });
    const rows = [row(0), row(1), row(2), row(1, t0 + 21_600), row(2, t0 + 21_600)];
    const together = await perturbation.perturb(states(5), rows, context);
    for (const order of [[4, 2], [1], [3, 0, 2]]) {
      const some = await perturbation.perturb(
        states(order.length),
        order.map((r) => rows[r]!),
        context,
      );
      for (const [i, r] of order.entries()) expect(values(some.select(0, i))).toEqual(values(together.select(0, r)));
    }
    const all = Array.from({ length: 5 }, (_, r) => values(together.select(0, r)).join());
    expect(new Set(all).size).toBe(5);
    const other = await createPerturbation("gaussian", { seed: 8 }).perturb(states(1), [row(1)], context);
    expect(values(other)).not.toEqual(values(together.select(0, 1)));
  });

  it("keeps to the chosen channels", async () => {
    const x = states(1);
    const y = await createPerturbation("gaussian", { channels: ["q500"] }).perturb(x, [row(3)], context);
    expect(values(y.select(2, 0))).toEqual(values(x.select(2, 0)));
    expect(values(y.select(2, 1))).not.toEqual(values(x.select(2, 1)));
  });

  it("perturbs humidity and keeps it from becoming negative", async () => {
    const y = await createPerturbation("gaussian", { amplitude: 1 }).perturb(states(1), [row(1)], context);
    const q = values(y.select(2, 1));
    expect(Math.min(...q)).toBe(0);
    expect(Math.max(...q)).toBeGreaterThan(5e-4);
  });

  it("names channels that it cannot scale or does not know", async () => {
    const unknown = { ...context, channelStds: [1, Number.NaN] };
    const gaussian = createPerturbation("gaussian");
    await expect(gaussian.perturb(states(1), [row(1)], unknown)).rejects.toThrow(/how much q500 varies/);
    const typo = createPerturbation("gaussian", { channels: ["t2n"] });
    await expect(typo.perturb(states(1), [row(1)], context)).rejects.toMatchObject({ hint: 'Did you mean "t2m"?' });
    expect(() => createPerturbation("gausian")).toThrow(/no perturbation "gausian"/);
  });
});

describe("none", () => {
  it("copies", async () => {
    const x = states(2);
    const y = await createPerturbation("none").perturb(x, [row(0), row(1)], context);
    x.zero_();
    expect(values(y)).toEqual(values(states(2)));
  });
});
