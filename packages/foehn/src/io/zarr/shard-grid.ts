// Where a chunk lies in the shards of an array: arithmetic on chunk indices, no files.

/** A chunk as a part of a shard. */
export interface ShardSlot {
  /** Index of the shard. */
  readonly shard: readonly number[];
  /** Row-major place of the chunk among all chunks of a shard, and their number. */
  readonly slot: number;
  readonly slots: number;
  /** The same among those that lie inside the array. */
  readonly rank: number;
  readonly count: number;
}

/** @param index of the chunk; shapes in elements */
export function shardSlot(
  index: readonly number[],
  shape: readonly number[],
  chunkShape: readonly number[],
  shardShape: readonly number[],
): ShardSlot {
  const ratio = shardShape.map((size, axis) => size / chunkShape[axis]!);
  const shard = index.map((place, axis) => Math.floor(place / ratio[axis]!));
  const inside = index.map((place, axis) => place - shard[axis]! * ratio[axis]!);
  const extent = ratio.map((size, axis) =>
    Math.min(size, Math.ceil(shape[axis]! / chunkShape[axis]!) - shard[axis]! * size),
  );
  const rowMajor = (sizes: readonly number[]) => inside.reduce((place, i, axis) => place * sizes[axis]! + i, 0);
  const product = (sizes: readonly number[]) => sizes.reduce((n, size) => n * size, 1);
  return { shard, slot: rowMajor(ratio), slots: product(ratio), rank: rowMajor(extent), count: product(extent) };
}
