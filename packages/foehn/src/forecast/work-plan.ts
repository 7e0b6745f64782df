// How a forecast of many dates and members is divided: into units, which one process writes from beginning to end and which a resume
// finds finished or not, and into the rows of each call of the model. Neither changes what comes out. Not here: running it (rollout.ts).

import { UsageError } from "../core/errors.js";

/** Sizes of a unit: neighbouring dates × neighbouring members. */
export interface WorkBlock {
  readonly dates: number;
  readonly members: number;
}

/** A block of forecasts, the last ones being smaller where the numbers do not divide. */
export interface WorkUnit {
  /** Place in the list of all units: by date, then by member. */
  readonly index: number;
  /** First and past the last, in the header's `initialTimes`. */
  readonly dates: readonly [from: number, to: number];
  readonly members: readonly [from: number, to: number];
}

/** One forecast: a row of the model's batch. */
export interface WorkRow {
  readonly initialIndex: number;
  readonly memberIndex: number;
}

/** All units of `dates` × `members` forecasts. */
export function workUnits(dates: number, members: number, block: WorkBlock): WorkUnit[] {
  const units: WorkUnit[] = [];
  for (let d = 0; d < dates; d += block.dates) {
    for (let m = 0; m < members; m += block.members) {
      units.push({
        index: units.length,
        dates: [d, Math.min(d + block.dates, dates)],
        members: [m, Math.min(m + block.members, members)],
      });
    }
  }
  return units;
}

/** The forecasts of a unit: by date, then by member. */
export function unitRows({ dates, members }: WorkUnit): WorkRow[] {
  const rows: WorkRow[] = [];
  for (let initialIndex = dates[0]; initialIndex < dates[1]; initialIndex++) {
    for (let memberIndex = members[0]; memberIndex < members[1]; memberIndex++)
      rows.push({ initialIndex, memberIndex });
  }
  return rows;
}

/**
 * The units of process `shard` of `nShards`: neighbours, none twice, none left out, whatever the numbers.
 * @throws UsageError for a shard that does not exist
 */
export function shardOf<T>(units: readonly T[], shard = 0, nShards = 1): readonly T[] {
  if (!Number.isInteger(nShards) || nShards < 1 || !Number.isInteger(shard) || shard < 0 || shard >= nShards) {
    throw new UsageError(`there is no shard ${shard} of ${nShards}`, {
      hint: "shards are counted from 0: the last of 4 is --shard 3 --n-shards 4",
    });
  }
  const bound = (i: number): number => Math.floor((i * units.length) / nShards);
  return units.slice(bound(shard), bound(shard + 1));
}

/** The smallest block of which all of these are parts. */
export function commonBlock(blocks: readonly WorkBlock[]): WorkBlock {
  return {
    dates: blocks.reduce((n, block) => leastCommonMultiple(n, block.dates), 1),
    members: blocks.reduce((n, block) => leastCommonMultiple(n, block.members), 1),
  };
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a / divisor(a, b)) * b;
}

/** A list in pieces of `size`, the last one shorter. */
export function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Numbers, as `workUnits` counts them, of the blocks that a unit of whole blocks covers. */
export function blocksIn(unit: WorkUnit, members: number, block: WorkBlock): number[] {
  const perDate = Math.ceil(members / block.members);
  const blocks: number[] = [];
  for (let d = unit.dates[0]; d < unit.dates[1]; d += block.dates) {
    for (let m = unit.members[0]; m < unit.members[1]; m += block.members) {
      blocks.push(Math.floor(d / block.dates) * perDate + Math.floor(m / block.members));
    }
  }
  return blocks;
}
