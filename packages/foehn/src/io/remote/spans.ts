// Which bytes of a file are there and which are not. Spans are [start, end), sorted and apart.

/** From the first byte to the one behind the last. */
export type Span = readonly [start: number, end: number];

/** Bytes that are still to come. */
export interface Gap {
  readonly start: number;
  readonly end: number;
}

/** The spans with one more; those that touch become one. */
export function merged(spans: readonly Span[], added: Span): Span[] {
  let [start, end] = added;
  const rest: Span[] = [];
  for (const span of spans) {
    if (span[1] < start || span[0] > end) rest.push(span);
    else [start, end] = [Math.min(start, span[0]), Math.max(end, span[1])];
  }
  rest.push([start, end]);
  return rest.sort((a, b) => a[0] - b[0]);
}

/** What lacks of `size` bytes, in pieces of at most `step`. */
export function gapsIn(spans: readonly Span[], size: number, step: number): Gap[] {
  const gaps: Gap[] = [];
  let at = 0;
  for (const [start, end] of [...spans, [size, size] as const]) {
    for (; at < start; at = Math.min(start, at + step)) gaps.push({ start: at, end: Math.min(start, at + step) });
    at = Math.max(at, end);
  }
  return gaps;
}
