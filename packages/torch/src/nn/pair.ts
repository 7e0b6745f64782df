// Sizes of two-dimensional layers: one number for both axes, or [height, width].

/** A size along height and width: one number for both, or a pair. */
export type Size2 = number | readonly [number, number];

/** [height, width]. */
export function toPair(size: Size2): readonly [number, number] {
  return typeof size === "number" ? [size, size] : [size[0], size[1]];
}
