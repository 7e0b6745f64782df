// Batches of a dataset in an order that depends on (seed, epoch) only, so that a run can stop and go on exactly where it was.
// While the caller works on one batch the fields of the next are read.

import { UsageError } from "../core/errors.js";
import type { Dataset, ItemBatch } from "./dataset.js";
import { collate, disposeItem } from "./item.js";
import { createRandom, permutation } from "./random.js";

/** Options of `batches`. */
export interface BatchOptions {
  readonly batchSize: number;
  /** Shuffles; without it samples come in order. */
  readonly shuffleSeed?: number | undefined;
  /** Which pass over the data this is, from 0; changes the shuffle. Default 0. */
  readonly epoch?: number | undefined;
  /** At most this many batches of the epoch (those before `startAt` count). */
  readonly limit?: number | undefined;
  /** First batch to give: the number of batches that were already used. Default 0. */
  readonly startAt?: number | undefined;
  /** Leaves out a last batch that is not full. Default false. */
  readonly dropLast?: boolean | undefined;
}

/** Number of batches in an epoch, `limit` and `dropLast` considered, `startAt` not. */
export function numBatches(dataset: Dataset, options: BatchOptions): number {
  const { batchSize, limit, dropLast } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new UsageError(`the batch size must be at least 1, got ${batchSize}`);
  const full = dataset.length / batchSize;
  return Math.min(dropLast ? Math.floor(full) : Math.ceil(full), limit ?? Number.POSITIVE_INFINITY);
}

/** The samples of an epoch in the order in which `batches` gives them. */
export function sampleOrder(length: number, shuffleSeed: number | undefined, epoch = 0): number[] {
  if (shuffleSeed === undefined) return Array.from({ length }, (_, i) => i);
  return permutation(length, createRandom(shuffleSeed, epoch));
}

/** The batches of one epoch. The caller owns each batch: free it with `disposeBatch`, or take it inside a scope. */
export async function* batches(dataset: Dataset, options: BatchOptions): AsyncGenerator<ItemBatch> {
  const { batchSize, shuffleSeed, epoch, startAt = 0 } = options;
  const count = numBatches(dataset, options);
  const order = sampleOrder(dataset.length, shuffleSeed, epoch);
  const samples = (k: number) => order.slice(k * batchSize, (k + 1) * batchSize);
  for (let k = startAt; k < count; k++) {
    const items = await Promise.all(samples(k).map((i) => dataset.item(i)));
    const batch = collate(items);
    for (const item of items) disposeItem(item);
    // Only fields are read ahead, no tensors: those would belong to whatever scope is open then. A failure shows when the
    // sample itself is asked for.
    if (k + 1 < count) for (const i of samples(k + 1)) dataset.prefetch?.(i).catch(() => {});
    yield batch;
  }
}
