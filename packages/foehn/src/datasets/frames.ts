// Frames: all features at one time, read from a source, cropped, checked for missing values, interleaved (features last) and
// normalised. Recent frames stay in memory up to a limit, so that small data are read once and large data are streamed.

import { DataError } from "../core/errors.js";
import { formatTimeShort } from "../core/time.js";
import { type Crop, cropField } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";
import type { Source } from "../sources/source.js";
import type { FeatureStats, OnNan } from "./dataset.js";
import { computeForcings, type ForcingSpec } from "./forcings.js";

/** What a frame consists of. */
export interface FramePlan {
  readonly source: Source;
  /** Part of the source's grid; all of it when left out. */
  readonly crop?: Crop | undefined;
  readonly grid: Grid;
  /** Features of the state. */
  readonly features: readonly string[];
  readonly forcing: ForcingSpec;
  readonly onNan: OnNan;
  /** Bytes of frames to keep. */
  readonly memoryLimit: number;
}

/** One time, normalised. With `onNan: "mask"` missing values are still NaN here. */
export interface Frame {
  /** (H, W, F) */
  readonly state: Float32Array;
  /** (H, W, F_forcing) */
  readonly forcing: Float32Array;
}

/** Where a value is missing. */
export interface MissingField {
  readonly variable: string;
  readonly time: number;
  readonly count: number;
}

/** Reads frames and keeps the most recent ones. */
export class FrameStore {
  /** Names of the read features, state first, forcings after: the order in `raw`. */
  readonly names: readonly string[];
  readonly #plan: FramePlan;
  // Raw frames of the survey wait here until they are wanted normalised; both together stay within the capacity.
  readonly #raw = new Map<number, Promise<Float32Array>>();
  readonly #frames = new Map<number, Promise<Frame>>();
  #stats: Readonly<Record<string, FeatureStats>> | undefined;
  readonly #capacity: number;

  constructor(plan: FramePlan) {
    this.#plan = plan;
    this.names = [...plan.features, ...plan.forcing.variables];
    const [ny, nx] = plan.grid.shape;
    const computed = (plan.forcing.date ? 4 : 0) + (plan.forcing.insolation ? 1 : 0);
    const bytes = ny * nx * (this.names.length + computed) * 4;
    this.#capacity = Math.max(1, Math.floor(plan.memoryLimit / bytes));
  }

  /** Gives the statistics to normalise with; `frame` needs them, `raw` does not. */
  useStats(stats: Readonly<Record<string, FeatureStats>>): void {
    this.#stats = stats;
  }

  /** The read features at a time as the source has them, (H, W, names), NaN where missing. */
  raw(time: number): Promise<Float32Array> {
    return this.#raw.get(time) ?? this.#keep(this.#raw, time, this.#read(time));
  }

  /**
   * The normalised frame of a time.
   * @throws DataError naming the variables and the time when values are missing and `onNan` is "fail"
   */
  frame(time: number): Promise<Frame> {
    const known = this.#frames.get(time);
    if (known) {
      // Most recently used goes last.
      this.#frames.delete(time);
      this.#frames.set(time, known);
      return known;
    }
    const raw = this.#raw.get(time) ?? this.#read(time);
    this.#raw.delete(time);
    return this.#keep(
      this.#frames,
      time,
      raw.then((values) => this.#normalise(time, values)),
    );
  }

  async #read(time: number): Promise<Float32Array> {
    const { source, crop, grid } = this.#plan;
    const fields = await source.read({ time, variables: this.names });
    const points = grid.shape[0] * grid.shape[1];
    const width = this.names.length;
    const out = new Float32Array(points * width);
    for (const [f, field] of fields.entries()) {
      const values = crop ? cropField(field.values, crop) : field.values;
      for (let n = 0; n < points; n++) {
        const value = values[n]!;
        // Infinite values are as unusable as missing ones.
        out[n * width + f] = Number.isFinite(value) ? value : Number.NaN;
      }
    }
    return out;
  }

  #normalise(time: number, raw: Float32Array): Frame {
    const { features, forcing, grid, onNan } = this.#plan;
    if (onNan === "fail") {
      const missing = findMissing(raw, this.names, time);
      if (missing.length > 0) throw missingError(missing);
    }
    const stats = this.#stats;
    if (!stats) throw new Error("frames are normalised before their statistics are known");
    const width = this.names.length;
    const points = raw.length / width;
    const state = new Float32Array(points * features.length);
    const read = new Map<string, Float32Array>();
    for (const [f, name] of this.names.entries()) {
      const { mean, std } = stats[name]!;
      const isState = f < features.length;
      const target = isState ? state : new Float32Array(points);
      const stride = isState ? features.length : 1;
      const offset = isState ? f : 0;
      for (let n = 0; n < points; n++) target[n * stride + offset] = (raw[n * width + f]! - mean) / std;
      if (!isState) read.set(name, target);
    }
    return { state, forcing: computeForcings(forcing, grid, time, read) };
  }

  #keep<T>(map: Map<number, Promise<T>>, time: number, value: Promise<T>): Promise<T> {
    map.set(time, value);
    // A failed reading is not an answer to keep.
    value.catch(() => {
      if (map.get(time) === value) map.delete(time);
    });
    for (const store of [this.#raw, this.#frames]) {
      for (const oldest of store.keys()) {
        if (this.#raw.size + this.#frames.size <= this.#capacity) break;
        if (oldest !== time) store.delete(oldest);
      }
    }
    return value;
  }
}

/** The features of a raw frame that have missing values. */
export function findMissing(raw: Float32Array, names: readonly string[], time: number): MissingField[] {
  const counts = new Map<number, number>();
  for (let k = 0; k < raw.length; k++) {
    if (Number.isNaN(raw[k])) counts.set(k % names.length, (counts.get(k % names.length) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => a[0] - b[0]).map(([f, count]) => ({ variable: names[f]!, time, count }));
}

/** The error for missing values, with the first few places. */
export function missingError(missing: readonly MissingField[]): DataError {
  const shown = missing
    .slice(0, 5)
    .map((m) => `${m.variable} at ${formatTimeShort(m.time)} (${m.count} point${m.count === 1 ? "" : "s"})`);
  return new DataError(`missing values (NaN) in ${shown.join(", ")}${missing.length > 5 ? " and more" : ""}`, {
    hint: "leave those times or variables out, or train with `on_nan: mask` (--on-nan mask), which ignores missing points in the loss",
  });
}
