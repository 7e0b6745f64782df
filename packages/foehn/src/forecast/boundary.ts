// What lies outside of a limited area: the prognostic fields on its border at every valid time, from a larger model's forecast
// or an analysis. Where those data come less often than the model steps, they are interpolated linearly between two of their
// times. Only the frame is looked at: data that have values there alone (lateral boundary files) will do.

import { DataError } from "../core/errors.js";
import { formatDuration, formatTime } from "../core/time.js";
import type { FeatureInfo } from "../datasets/dataset.js";
import type { Grid } from "../grid/grid.js";
import { describeTimes, usualStep } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";
import { hasTime, type StateReader, stateReader } from "./initial-state.js";

/** What a boundary is made of. */
export interface BoundaryInput {
  readonly source: Source;
  /** The model's prognostic features: the source must have all of them. */
  readonly features: readonly FeatureInfo[];
  readonly grid: Grid;
  /** (H, W): 1 on the frame. */
  readonly mask: Float32Array;
  /** Seconds between two steps of the model. */
  readonly stepSeconds: number;
}

/** Fields on the border of a limited area. */
export class Boundary {
  /** A line for people where times are interpolated. */
  readonly note: string | undefined;
  readonly #input: BoundaryInput;
  readonly #reader: StateReader;
  /** Seconds that may lie between two times to interpolate between. */
  readonly #spacing: number;
  readonly #read = new Map<number, Promise<Float32Array[]>>();

  /** @throws DataError for missing variables, units that do not fit, or another grid */
  constructor(input: BoundaryInput) {
    const { source, features, grid, stepSeconds } = input;
    this.#input = input;
    this.#reader = stateReader(source, features, grid);
    this.#spacing = usualStep(source.times) ?? 0;
    this.note =
      this.#spacing > stepSeconds
        ? `border data every ${formatDuration(this.#spacing)}: interpolated linearly in time to the model's ${formatDuration(stepSeconds)}`
        : undefined;
  }

  /** @throws DataError naming the times for which there are neither fields nor two to interpolate between */
  requireTimes(wanted: readonly number[]): void {
    const lacking = [...new Set(wanted)].filter((time) => this.#around(time) === undefined).sort((a, b) => a - b);
    if (lacking.length === 0) return;
    const shown = lacking.slice(0, 5).map(formatTime).join(", ");
    const { source } = this.#input;
    throw new DataError(
      `the border data lack ${shown}${lacking.length > 5 ? ` and ${lacking.length - 5} more times` : ""}`,
      {
        where: source.description,
        hint: `they have ${describeTimes(source.times)}; every step of the forecast needs its border: give data that cover it, or ask for fewer steps`,
      },
    );
  }

  /**
   * Fields of the features at each of some times; 0 inside, where nobody looks. Times are read once.
   * @throws DataError for missing times or values
   */
  async fields(times: readonly number[]): Promise<Float32Array[][]> {
    this.requireTimes(times);
    const around = times.map((time) => this.#around(time)!);
    const fields = await Promise.all(around.flat().map((time) => this.#at(time)));
    const kept = new Set(around.flat());
    for (const time of this.#read.keys()) if (!kept.has(time)) this.#read.delete(time);
    return times.map((time, i) => {
      const [before, after] = around[i]!;
      const [a, b] = [fields[2 * i]!, fields[2 * i + 1]!];
      if (before === after) return a;
      const part = (time - before) / (after - before);
      return a.map((field, f) => field.map((value, n) => value + part * (b[f]![n]! - value)));
    });
  }

  #at(time: number): Promise<Float32Array[]> {
    let read = this.#read.get(time);
    if (!read) {
      read = this.#reader.read(time, { allowMissing: true }).then((fields) => this.#frameOnly(fields, time));
      this.#read.set(time, read);
      // A failed reading is not an answer to keep.
      read.catch(() => this.#read.delete(time));
    }
    return read;
  }

  /** The two times to interpolate between; the same one twice where the data have it. */
  #around(time: number): readonly [number, number] | undefined {
    const { times } = this.#input.source;
    if (hasTime(times, time)) return [time, time];
    const before = times.findLast((t) => t < time);
    const after = times.find((t) => t > time);
    // Across a hole in the data nobody knows what happened.
    if (before === undefined || after === undefined || after - before > this.#spacing) return undefined;
    return [before, after];
  }

  #frameOnly(fields: readonly Float32Array[], time: number): Float32Array[] {
    const { mask, features, source } = this.#input;
    return fields.map((field, f) => {
      let missing = 0;
      const framed = field.map((value, n) => {
        if (mask[n] === 0) return 0;
        missing += Number(!Number.isFinite(value));
        return value;
      });
      if (missing === 0) return framed;
      throw new DataError(`the border of "${features[f]!.name}" at ${formatTime(time)} has ${missing} missing values`, {
        where: source.description,
      });
    });
  }
}
