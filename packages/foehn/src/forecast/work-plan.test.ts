// Every forecast is made exactly once, whatever the numbers.

import { describe, expect, it } from "vitest";
import { commonBlock, inGroups, shardOf, unitRows, workUnits } from "./work-plan.js";

const keysOf = (units: ReturnType<typeof workUnits>) =>
  units.flatMap((unit) => unitRows(unit).map((row) => `${row.initialIndex}:${row.memberIndex}`));

describe("work plan", () => {
  it("makes every forecast once, for any numbers of dates, members, blocks and shards", () => {
    for (const dates of [1, 2, 7]) {
      for (const members of [1, 5, 16]) {
        const all = Array.from({ length: dates * members }, (_, i) => `${Math.floor(i / members)}:${i % members}`);
        for (const block of [
          { dates: 1, members: 1 },
          { dates: 2, members: 3 },
          { dates: 100, members: 100 },
        ]) {
          const units = workUnits(dates, members, block);
          expect(keysOf(units).sort()).toEqual([...all].sort());
          for (const nShards of [1, 3, 8]) {
            const shards = Array.from({ length: nShards }, (_, shard) => shardOf(units, shard, nShards));
            expect(shards.flat()).toEqual(units);
            const sizes = shards.map((shard) => shard.length);
            expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          }
        }
      }
    }
  });

  it("refuses a shard that does not exist", () => {
    expect(() => shardOf([1, 2], 2, 2)).toThrow(/no shard 2 of 2/);
    expect(() => shardOf([1, 2], -1, 2)).toThrow(/no shard -1 of 2/);
    expect(() => shardOf([1, 2], 0, 0)).toThrow(/no shard 0 of 0/);
  });

  it("joins the blocks of several outputs", () => {
    expect(commonBlock([])).toEqual({ dates: 1, members: 1 });
    expect(
      commonBlock([
        { dates: 2, members: 4 },
        { dates: 3, members: 6 },
      ]),
    ).toEqual({ dates: 6, members: 12 });
    expect(inGroups([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  });
});
