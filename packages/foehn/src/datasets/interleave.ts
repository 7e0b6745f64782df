// From one array per feature to features last, normalised on the way. Goes through the points in blocks that stay in the
// processor's cache: feature by feature over the whole grid would fetch every line of the target once per feature.

import type { FeatureStats } from "./dataset.js";

const block = 512;

/** Where the features go, and how their values are changed. */
export interface InterleaveOptions {
  /** Features per point in the target; by default the number of fields. */
  readonly width?: number;
  /** Distance of two points in each field. Default 1. */
  readonly stride?: number;
  /** `(x − mean) / std` by field; values stay as they are without it. */
  readonly stats?: readonly Pick<FeatureStats, "mean" | "std">[];
}

/**
 * Writes `fields[f][n · stride]` to `target[n · width + f]` for every point `n`. What is not finite becomes NaN: infinite values are as
 * unusable as missing ones.
 * @returns true when a value is missing
 */
export function interleave(
  fields: readonly Float32Array[],
  target: Float32Array,
  options: InterleaveOptions = {},
): boolean {
  const { width = fields.length, stride = 1, stats } = options;
  const points = target.length / width;
  let missing = false;
  for (let from = 0; from < points; from += block) {
    const to = Math.min(points, from + block);
    for (let f = 0; f < fields.length; f++) {
      const field = fields[f]!;
      const mean = stats ? stats[f]!.mean : 0;
      const std = stats ? stats[f]!.std : 1;
      // Finite values leave this at 0, everything else makes it NaN.
      let check = 0;
      let at = from * width + f;
      if (stride === 1) {
        for (let n = from; n < to; n++, at += width) {
          const value = field[n]!;
          check += value - value;
          target[at] = (value - mean) / std;
        }
      } else {
        for (let n = from; n < to; n++, at += width) {
          const value = field[n * stride]!;
          check += value - value;
          target[at] = (value - mean) / std;
        }
      }
      if (check !== 0) {
        missing = true;
        for (let n = from; n < to; n++) {
          if (!Number.isFinite(field[n * stride]!)) target[n * width + f] = Number.NaN;
        }
      }
    }
  }
  return missing;
}
