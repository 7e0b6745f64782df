// Blocks of row-major arrays: checking `start` and `count`, and the runs of consecutive elements that a block is made of.

import { DataError } from "../../core/errors.js";

/** A checked block. */
export interface Block {
  readonly start: readonly number[];
  readonly count: readonly number[];
  /** Number of elements. */
  readonly size: number;
}

/**
 * Fills in and checks a block of an array.
 * @throws DataError when it does not lie inside the shape
 */
export function blockOf(
  name: string,
  shape: readonly number[],
  start: readonly number[] = shape.map(() => 0),
  count: readonly number[] = shape.map((size, i) => size - (start[i] ?? 0)),
): Block {
  const inside =
    start.length === shape.length &&
    count.length === shape.length &&
    shape.every((size, i) => {
      const [from, n] = [start[i]!, count[i]!];
      return Number.isInteger(from) && Number.isInteger(n) && from >= 0 && n >= 0 && from + n <= size;
    });
  if (!inside) {
    throw new DataError(`block [${start}] + [${count}] lies outside "${name}" of shape [${shape}]`);
  }
  return { start, count, size: count.reduce((product, n) => product * n, 1) };
}

/**
 * The runs of consecutive elements of a block, in order: offset in the whole array and length, both in elements.
 * Trailing dimensions that are taken whole are merged into one run.
 */
export function* runsOf(shape: readonly number[], block: Block): Generator<readonly [offset: number, length: number]> {
  if (block.size === 0) return;
  const { start, count } = block;
  // `split`: dimensions from here on form one run.
  let split = shape.length;
  let length = 1;
  while (split > 0) {
    split--;
    length *= count[split]!;
    if (count[split] !== shape[split]) break;
  }
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  const index = start.slice(0, split);
  const base = start.slice(split).reduce((sum, from, i) => sum + from * strides[split + i]!, 0);
  for (;;) {
    yield [index.reduce((sum, at, i) => sum + at * strides[i]!, base), length];
    let axis = split - 1;
    while (axis >= 0 && index[axis] === start[axis]! + count[axis]! - 1) {
      index[axis] = start[axis]!;
      axis--;
    }
    if (axis < 0) return;
    index[axis]!++;
  }
}
