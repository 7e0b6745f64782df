// Rows of a batch that share a time: what is read or computed once per distinct time, and handed to every row.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";

/** The distinct times of a batch, and for every row the index of its own. */
export interface DistinctTimes {
  readonly times: readonly number[];
  readonly rows: readonly number[];
}

/** Distinct times in the order in which they first appear. */
export function distinctTimes(times: readonly number[]): DistinctTimes {
  const distinct = [...new Set(times)];
  const index = new Map(distinct.map((time, i) => [time, i]));
  return { times: distinct, rows: times.map((time) => index.get(time)!) };
}

/** (distinct times, …) → (rows, …): a view where all rows share one time, a copy otherwise. */
export function toRows(tensor: Tensor, { times, rows }: DistinctTimes): Tensor {
  if (times.length === 1) return tensor.expand([rows.length, ...tensor.shape.slice(1)]);
  if (times.length === rows.length) return tensor;
  return tensor.indexSelect(0, torch.tensor([...rows], { dtype: "int64", device: tensor.device }));
}
