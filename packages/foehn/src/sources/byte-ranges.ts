// Planning of range requests: neighbours are fetched together, and only so many requests run at a time.

/** Bytes `[start, end)`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Several ranges as one request. */
export interface RangeGroup<R extends ByteRange> extends ByteRange {
  readonly parts: readonly R[];
}

/**
 * Ranges that lie close together become one: up to `gap` bytes between them are fetched in vain, since a request costs about as much
 * as that many bytes. No group is larger than `most` unless a single range is.
 */
export function mergeRanges<R extends ByteRange>(ranges: readonly R[], gap = 1 << 17, most = 1 << 25): RangeGroup<R>[] {
  const groups: { start: number; end: number; parts: R[] }[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = groups.at(-1);
    if (last && range.start - last.end <= gap && Math.max(last.end, range.end) - last.start <= most) {
      last.end = Math.max(last.end, range.end);
      last.parts.push(range);
    } else {
      groups.push({ start: range.start, end: range.end, parts: [range] });
    }
  }
  return groups;
}

/** Lets at most `count` tasks run at a time; the others wait in the order they came. */
export class Limit {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(readonly count: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      // The place goes to the next one in line, if there is one.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
