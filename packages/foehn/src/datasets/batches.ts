// Batches of a dataset in an order that depends on (seed, epoch) only, so that a run can stop and go on exactly where it was.
// While the caller works on one batch the next ones are read, in threads where the dataset has them.

import { UsageError } from "../core/errors.js";
import type { Dataset, ItemBatch, LoadedBatch } from "./dataset.js";
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

/**
 * The batches of one epoch. The caller owns each batch: free it with `disposeBatch`, or take it inside a scope. Leaving the loop early
 * is fine; the dataset's reading threads end when it is closed.
 */
export async function* batches(dataset: Dataset, options: BatchOptions): AsyncGenerator<ItemBatch> {
  const { batchSize, shuffleSeed, epoch, startAt = 0 } = options;
  const count = numBatches(dataset, options);
  const order = sampleOrder(dataset.length, shuffleSeed, epoch);
  const load = (k: number): Promise<LoadedBatch> => {
    const samples = order.slice(k * batchSize, (k + 1) * batchSize);
    const loading = dataset.load
      ? dataset.load(samples, { isShuffled: shuffleSeed !== undefined })
      : loadItems(dataset, samples);
    loading.catch(() => {}); // shows when the batch is due
    return loading;
  };
  // Tensors are made when a batch is due: before, they would belong to whatever scope is open then.
  const ahead: Promise<LoadedBatch>[] = [];
  const depth = Math.max(1, dataset.loadAhead ?? 1);
  let next = startAt;
  try {
    for (let k = startAt; k < count; k++) {
      // Everything from here to the batch keeps the caller waiting, reading ahead in the main thread included.
      const askedAt = performance.now();
      if (next === k) ahead.push(load(next++));
      const loaded = await ahead.shift()!;
      const batch = await loaded.toBatch();
      while (next < count && next <= k + depth) ahead.push(load(next++));
      yield { ...batch, waitSeconds: (performance.now() - askedAt) / 1000 };
    }
  } finally {
    for (const loading of ahead) loading.then((loaded) => loaded.release()).catch(() => {});
  }
}

/** For datasets that give single samples only: nothing is read ahead, because samples are tensors. */
async function loadItems(dataset: Dataset, samples: readonly number[]): Promise<LoadedBatch> {
  return {
    async toBatch() {
      const items = await Promise.all(samples.map((i) => dataset.item(i)));
      const batch = collate(items);
      for (const item of items) disposeItem(item);
      return batch;
    },
    release() {},
  };
}
