// Frames: all features at one time, read from a source, cropped, checked for missing values, interleaved (features last) and
// normalised, straight into the memory of the sample that wants them. Recent ones may stay in memory up to a limit, so that small
// data are read once and large data are streamed. Runs in the main thread and in worker threads alike, and makes no tensors.

import { DataError } from "../core/errors.js";
import { formatTimeShort } from "../core/time.js";
import { type Crop, cropField } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";
import type { Source } from "../sources/source.js";
import type { FeatureStats, OnNan } from "./dataset.js";
import { type ForcingSpec, fillComputedForcings, forcingNames } from "./forcings.js";
import { interleave } from "./interleave.js";

/** What a frame consists of; can be sent to a worker thread. */
export interface FrameLayout {
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

/** A layout, and where its fields come from. */
export interface FramePlan extends FrameLayout {
  readonly source: Source;
}

/** A valid time, with the forecast run where a source has several values for one valid time. */
export interface FrameKey {
  readonly time: number;
  readonly run?: string | undefined;
}

/** The parts of a frame: state `(H, W, F)` and forcing `(H, W, F_forcing)`. */
export type FramePart = "state" | "forcing";

/** Where a value is missing. */
export interface MissingField {
  readonly variable: string;
  readonly time: number;
  readonly count: number;
}

const keyText = ({ time, run }: FrameKey): string => (run === undefined ? `${time}` : `${time} ${run}`);

/** Reads frames and keeps the most recent ones. */
export class FrameStore {
  /** Names of the read features, state first, forcings after: the order in `raw`. */
  readonly names: readonly string[];
  /** Features per point of each part. */
  readonly width: Readonly<Record<FramePart, number>>;
  readonly #plan: FramePlan;
  /** Points of a field. */
  readonly points: number;
  // Raw frames of the survey (`raw …`) wait here until they are wanted normalised (`state …`, `forcing …`).
  readonly #kept = new Map<string, { readonly values: Promise<Float32Array>; readonly bytes: number }>();
  #keptBytes = 0;
  #stats: Readonly<Record<string, FeatureStats>> | undefined;
  readonly #scratch: Float32Array[][] = [];

  constructor(plan: FramePlan) {
    this.#plan = plan;
    this.names = [...plan.features, ...plan.forcing.variables];
    this.width = { state: plan.features.length, forcing: forcingNames(plan.forcing).length };
    this.points = plan.grid.shape[0] * plan.grid.shape[1];
  }

  /** Gives the statistics to normalise with; `fill` needs them, `raw` does not. */
  useStats(stats: Readonly<Record<string, FeatureStats>>): void {
    this.#stats = stats;
  }

  /** Bytes of one whole frame in memory. */
  get frameBytes(): number {
    return 4 * this.points * (this.width.state + this.width.forcing);
  }

  /** The read features at a time as the source has them, (H, W, names), NaN where missing. */
  raw(key: FrameKey): Promise<Float32Array> {
    const name = `raw ${keyText(key)}`;
    return this.#lookUp(name) ?? this.#keep(name, this.names.length, this.#readRaw(key));
  }

  async #readRaw(key: FrameKey): Promise<Float32Array> {
    const out = new Float32Array(this.points * this.names.length);
    await this.#withFields(key, this.names, (fields) => interleave(fields, out));
    return out;
  }

  /**
   * Writes one part of a frame, normalised, into `target`: (H, W, features). With `onNan: "mask"` missing values are NaN there.
   * @param options.width only so many of the first features; default all
   * @param options.keep the part stays in memory for another use. A frame that is in memory is used either way
   * @throws DataError naming the variables and the time when values are missing and `onNan` is "fail"
   */
  async fill(
    part: FramePart,
    key: FrameKey,
    target: Float32Array,
    options: { readonly width?: number; readonly keep?: boolean } = {},
  ): Promise<void> {
    const full = this.width[part];
    const { width = full, keep = true } = options;
    const name = `${part} ${keyText(key)}`;
    const raw = this.#lookUp(`raw ${keyText(key)}`);
    let known = this.#lookUp(name);
    if (!known && (keep || raw)) {
      const whole = new Float32Array(this.points * full);
      known = this.#keep(name, full, this.#make(part, key, whole, full, raw));
    }
    if (!known) {
      await this.#make(part, key, target, width, undefined);
      return;
    }
    const values = await known;
    this.#dropRaw(key);
    if (width === full) target.set(values);
    else {
      for (let n = 0; n < this.points; n++) {
        for (let f = 0; f < width; f++) target[n * width + f] = values[n * full + f]!;
      }
    }
  }

  async #make(
    part: FramePart,
    key: FrameKey,
    target: Float32Array,
    width: number,
    raw: Promise<Float32Array> | undefined,
  ): Promise<Float32Array> {
    const known = this.#stats;
    if (!known) throw new Error("frames are normalised before their statistics are known");
    const { features, forcing, grid, onNan } = this.#plan;
    const names = part === "state" ? features.slice(0, width) : forcing.variables;
    const stats = names.map((name) => known[name]!);
    const write = (fields: readonly Float32Array[], stride: number): void => {
      const missing = interleave(fields, target, { width, stride, stats });
      if (missing && onNan === "fail") throw missingError(findMissing(target, names, key.time, width));
    };
    if (raw) {
      const values = await raw;
      const offset = part === "state" ? 0 : features.length;
      const fields = names.map((_, f) => values.subarray(offset + f));
      write(fields, this.names.length);
    } else if (names.length > 0) {
      await this.#withFields(key, names, (fields) => write(fields, 1));
    }
    if (part === "forcing") fillComputedForcings(forcing, grid, key.time, target);
    return target;
  }

  /** Reads fields and hands them over for the duration of `use`; sources that can fill the arrays of the time before. */
  async #withFields(
    key: FrameKey,
    variables: readonly string[],
    use: (fields: readonly Float32Array[]) => void,
  ): Promise<void> {
    const { source, crop } = this.#plan;
    const points = source.grid.shape[0] * source.grid.shape[1];
    const into = source.fillsArrays ? (this.#scratch.pop() ?? []) : undefined;
    if (into) while (into.length < variables.length) into.push(new Float32Array(points));
    const read = await source.read({ ...key, variables, ...(into ? { into } : {}) });
    use(read.map(({ values }) => (crop ? cropField(values, crop) : values)));
    if (into) this.#scratch.push(into);
  }

  /** Forgets what it keeps. */
  clear(): void {
    this.#kept.clear();
    this.#keptBytes = 0;
  }

  #lookUp(name: string): Promise<Float32Array> | undefined {
    const found = this.#kept.get(name);
    if (!found) return undefined;
    // Most recently used goes last.
    this.#kept.delete(name);
    this.#kept.set(name, found);
    return found.values;
  }

  #keep(name: string, width: number, values: Promise<Float32Array>): Promise<Float32Array> {
    const bytes = 4 * this.points * width;
    this.#kept.set(name, { values, bytes });
    this.#keptBytes += bytes;
    // A failed reading is not an answer to keep.
    values.catch(() => {
      if (this.#kept.get(name)?.values === values) this.#drop(name);
    });
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= this.#plan.memoryLimit) break;
      if (oldest !== name) this.#drop(oldest);
    }
    return values;
  }

  #drop(name: string): void {
    this.#keptBytes -= this.#kept.get(name)?.bytes ?? 0;
    this.#kept.delete(name);
  }

  /** A raw frame of which every part is kept has done its duty. */
  #dropRaw(key: FrameKey): void {
    const text = keyText(key);
    const parts = (["state", "forcing"] as const).filter((part) => this.width[part] > 0);
    if (parts.every((part) => this.#kept.has(`${part} ${text}`))) this.#drop(`raw ${text}`);
  }
}

/** The features of a frame that have missing values; `width` features per point, of which the first have names. */
export function findMissing(
  frame: Float32Array,
  names: readonly string[],
  time: number,
  width = names.length,
): MissingField[] {
  const counts = new Float64Array(names.length);
  for (let n = 0; n < frame.length; n += width) {
    for (let f = 0; f < names.length; f++) if (Number.isNaN(frame[n + f])) counts[f]!++;
  }
  return names.flatMap((variable, f) => (counts[f]! > 0 ? [{ variable, time, count: counts[f]! }] : []));
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
