import * as torch from "@foehn/torch";
import { expect, it } from "vitest";
import { latLonGrid } from "../grid/grid.js";
import { cosZenithField } from "../variables/solar.js";
import { withCosZenith } from "./cos-zenith.js";

const grid = latLonGrid([60, 0], [0, 90, 180]);
const [noon, step] = [Date.UTC(2018, 5, 1, 12) / 1000, 6 * 3600];

it("appends the zenith angle to any batch and history, each row and level with its own time", () => {
  const seen: torch.Tensor[] = [];
  const forward = withCosZenith(
    (x) => {
      seen.push(x);
      return x;
    },
    grid,
    step,
  );
  const times = [noon, noon + 3600, noon];
  forward(torch.zeros([3, 2, 2, 3]), times);
  expect(seen[0]!.shape).toEqual([3, 3, 2, 3]);
  for (const [row, time] of times.entries()) {
    expect(seen[0]!.select(0, row).select(0, 2).contiguous().toTypedArray()).toEqual(cosZenithField(time, grid));
  }
  forward(torch.ones([3, 2, 4, 2, 3]), times);
  expect(seen[1]!.shape).toEqual([3, 2, 5, 2, 3]);
  for (const [row, time] of times.entries()) {
    for (const level of [0, 1]) {
      const state = seen[1]!.select(0, row).select(0, level);
      expect(state.select(0, 4).contiguous().toTypedArray()).toEqual(cosZenithField(time - (1 - level) * step, grid));
      expect(
        state
          .narrow(0, 0, 4)
          .contiguous()
          .toTypedArray()
          .every((value) => value === 1),
      ).toBe(true);
    }
  }
  expect(() => forward(torch.zeros([2, 2, 2, 3]), times)).toThrow(/\(3, channels, 2, 3\).*the state is \(2, 2, 2, 3\)/);
});
