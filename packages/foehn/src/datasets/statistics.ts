// Statistics of fields in float64: one pass, mergeable, blind to NaN. Used for the standardisation of features and for the
// one-step differences that the diff strategies and the losses are scaled with.
// Within a field: two passes (exact); between fields: Chan, Golub & LeVeque (1979), pairwise update of mean and M2.

import type { FeatureStats } from "./dataset.js";

/** Mean, variance and range of values that arrive field by field. */
export class RunningStats {
  count = 0;
  mean = 0;
  /** Sum of squared deviations from the mean. */
  m2 = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;

  /** Adds the values `values[offset], values[offset + stride], …`; NaN is skipped. Returns how many were NaN. */
  add(values: Float32Array | Float64Array, stride = 1, offset = 0): number {
    let count = 0;
    let sum = 0;
    let missing = 0;
    for (let n = offset; n < values.length; n += stride) {
      const value = values[n]!;
      if (Number.isNaN(value)) {
        missing++;
        continue;
      }
      count++;
      sum += value;
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
    }
    if (count === 0) return missing;
    const mean = sum / count;
    let m2 = 0;
    for (let n = offset; n < values.length; n += stride) {
      const value = values[n]!;
      if (!Number.isNaN(value)) m2 += (value - mean) ** 2;
    }
    this.#merge(count, mean, m2);
    return missing;
  }

  /** What it has seen, as five numbers; `restore` takes them back. */
  get state(): readonly [number, number, number, number, number] {
    return [this.count, this.mean, this.m2, this.min, this.max];
  }

  restore(state: ArrayLike<number>): void {
    [this.count, this.mean, this.m2, this.min, this.max] = Array.from(state) as [
      number,
      number,
      number,
      number,
      number,
    ];
  }

  /** Adds everything that `other` has seen. */
  merge(other: RunningStats): void {
    if (other.count === 0) return;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    this.#merge(other.count, other.mean, other.m2);
  }

  #merge(count: number, mean: number, m2: number): void {
    const total = this.count + count;
    const delta = mean - this.mean;
    this.m2 += m2 + (delta * delta * this.count * count) / total;
    this.mean += (delta * count) / total;
    this.count = total;
  }

  /** True when all values seen are the same (or none was seen). */
  get isConstant(): boolean {
    return this.count === 0 || this.min === this.max;
  }

  /**
   * Population statistics, each divided by `scale` after `shift` was taken off. A constant gets standard deviation 1, so that
   * dividing by it is harmless.
   */
  result(shift = 0, scale = 1): FeatureStats {
    if (this.count === 0) return { mean: 0, std: 1, min: 0, max: 0 };
    const std = this.isConstant ? scale : Math.sqrt(this.m2 / this.count);
    return {
      mean: (this.mean - shift) / scale,
      std: std / scale,
      min: (this.min - shift) / scale,
      max: (this.max - shift) / scale,
    };
  }
}

/** Sum of fields in float64, for the time mean of each grid point and feature; NaN is left out point by point. */
export class FieldMean {
  readonly #sum: Float64Array;
  readonly #count: Float64Array;

  constructor(size: number) {
    this.#sum = new Float64Array(size);
    this.#count = new Float64Array(size);
  }

  /** Sums and counts, which may be read and filled. */
  get state(): readonly [sum: Float64Array, count: Float64Array] {
    return [this.#sum, this.#count];
  }

  add(values: Float32Array): void {
    for (let n = 0; n < values.length; n++) {
      const value = values[n]!;
      if (Number.isNaN(value)) continue;
      this.#sum[n]! += value;
      this.#count[n]!++;
    }
  }

  /** The mean of entries `offset, offset + stride, …`; NaN where nothing was ever there. */
  result(stride = 1, offset = 0): Float32Array {
    const out = new Float32Array(this.#sum.length / stride);
    for (let n = 0; n < out.length; n++) {
      const at = n * stride + offset;
      out[n] = this.#sum[at]! / this.#count[at]!;
    }
    return out;
  }
}

/** `(x − mean) / std`, into a new array. */
export function normalise(values: Float32Array, stats: FeatureStats): Float32Array {
  const { mean, std } = stats;
  return values.map((x) => (x - mean) / std);
}

/** `x · std + mean`, into a new array: the inverse of `normalise`. */
export function denormalise(values: Float32Array, stats: FeatureStats): Float32Array {
  const { mean, std } = stats;
  return values.map((x) => x * std + mean);
}
