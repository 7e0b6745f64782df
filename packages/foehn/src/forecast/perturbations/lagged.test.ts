import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { latLonGrid } from "../../grid/grid.js";
import { PersistenceLoop } from "../persistence-loop.js";
import { createPerturbation } from "./registry.js";

const hour = 3600;
const grid = latLonGrid([10, 0], [0, 10]);
const features = [{ name: "t2m", units: "K", longName: "2 metre temperature", role: "prognostic" as const, weight: 1 }];
const loop = new PersistenceLoop({ features, grid, stepSeconds: 6 * hour });
const read: number[] = [];
/** The state at a time has that time, in hours, at every point. */
const readState = async (time: number): Promise<Tensor> => {
  read.push(time / hour);
  return torch.full([1, 1, 1, 2, 2], time / hour);
};
const context = { loop, channelStds: [1], readState };

describe("lagged initial states", () => {
  const lagged = createPerturbation("lagged", { lags: [0, -6 * hour, -12 * hour] });

  it("are the analyses of other times, each read once", async () => {
    const x = torch.full([5, 1, 1, 2, 2], -1);
    const rows = [
      { time: 24 * hour, member: 0 },
      { time: 24 * hour, member: 1 },
      { time: 24 * hour, member: 2 },
      { time: 30 * hour, member: 1 },
      { time: 30 * hour, member: 2 },
    ];
    const y = await lagged.perturb(x, rows, context);
    const firsts = rows.map((_, r) => Number(y.select(0, r).contiguous().toTypedArray()[0]));
    expect(firsts).toEqual([-1, 18, 12, 24, 18]);
    expect(read).toEqual([18, 12, 24]);
  });

  it("are refused where they make no sense", async () => {
    expect(() => createPerturbation("lagged")).toThrow(/need the lags/);
    expect(() => createPerturbation("lagged", { lags: [-6 * hour, 0] })).toThrow(
      /lag of member 0, the control, is -6h/,
    );
    const x = torch.zeros([1, 1, 1, 2, 2]);
    await expect(lagged.perturb(x, [{ time: 0, member: 3 }], context)).rejects.toThrow(/3 members, and member 3/);
    await expect(lagged.perturb(x, [{ time: 0, member: 1 }], { loop, channelStds: [1] })).rejects.toThrow(/source/);
  });
});
