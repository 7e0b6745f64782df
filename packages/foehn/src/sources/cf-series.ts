// All fields of one variable in CF files: which block of which array holds the field of a time, and of a forecast. Positions are
// computed when they are asked for: an archive has more fields than should be listed.

import { DataError } from "../core/errors.js";
import { formatTimeShort, parseTime } from "../core/time.js";
import type { AnyGrid } from "../grid/any-grid.js";
import type { LabelledArray } from "../io/labelled-arrays.js";
import { sameUnits } from "../variables/units.js";
import type { FieldTimes } from "./indexed-source.js";
import { listShort, noRun } from "./resolve.js";
import type { VariableInfo } from "./source.js";
import type { TimeTable } from "./time-table.js";

/** What all fields of one array share. */
export interface Place {
  readonly array: LabelledArray;
  readonly count: readonly number[];
  readonly grid: AnyGrid;
  /** Rows and columns as stored → the grid's order. */
  readonly arrange: (values: Float32Array) => Float32Array;
  readonly rawShape: readonly [ny: number, nx: number];
  /** The longitude dimension comes before the latitude dimension. */
  readonly transposed: boolean;
}

/** Where a field is: a block of one array. */
export interface Entry {
  readonly place: Place;
  readonly start: readonly number[];
}

/** One level of an array, at all its times. */
export interface Segment extends Entry {
  readonly table: TimeTable | undefined;
  /** Position of the time and lead-time dimensions; negative for none. */
  readonly timeAxis: number;
  readonly leadAxis: number;
  readonly file: string;
}

/** The fields of a variable, of one or many files. */
export class CfSeries implements FieldTimes<Entry> {
  readonly #segments: Segment[] = [];
  /** The segments of each time, where there are several segments. */
  #byTime: Map<number, Segment[]> | undefined;
  #timeless: Segment | undefined;
  #ascending: readonly number[] | undefined;

  /** @param chosen initial time of the only forecast that counts */
  constructor(
    readonly info: VariableInfo,
    readonly chosen: number | undefined,
  ) {}

  /** @throws DataError when the units differ from what is there, or when a field is there already */
  add(segment: Segment, info: VariableInfo): void {
    if (!sameUnits(this.info.units, info.units)) {
      throw new DataError(`variable ${info.name} comes in two units, "${this.info.units}" and "${info.units}"`, {
        where: segment.file,
        hint: "open the files apart",
      });
    }
    if (!segment.table) {
      // Every monthly file may repeat a field that does not change.
      this.#timeless ??= segment;
      return;
    }
    this.#ascending = undefined;
    this.#segments.push(segment);
    if (this.#segments.length === 1) return;
    if (!this.#byTime) {
      const first = this.#segments[0]!;
      this.#byTime = new Map(this.#timesOf(first).map((time) => [time, [first]]));
    }
    for (const time of this.#timesOf(segment)) {
      const there = this.#byTime.get(time);
      const twice = there?.find((other) => !differByRun(other, segment, time));
      if (twice) throw duplicate(this.info.name, time, twice, segment);
      if (there) there.push(segment);
      else this.#byTime.set(time, [segment]);
    }
  }

  #timesOf({ table }: Segment): readonly number[] {
    if (!table?.runs || this.chosen === undefined) return table!.times;
    return table.times.filter((time) => table.find(time, this.chosen) !== undefined);
  }

  get ascending(): readonly number[] {
    this.#ascending ??= this.#byTime
      ? [...this.#byTime.keys()].sort((a, b) => a - b)
      : this.#segments.length === 1
        ? this.#timesOf(this.#segments[0]!)
        : [];
    return this.#ascending;
  }

  get size(): number {
    return this.ascending.length + (this.#timeless ? 1 : 0);
  }

  has(time: number): boolean {
    return Number.isNaN(time) ? this.#timeless !== undefined : this.#at(time).length > 0;
  }

  *keys(): Generator<number> {
    if (this.#timeless) yield Number.NaN;
    yield* this.ascending;
  }

  *values(): Generator<Entry> {
    if (this.#timeless) yield this.#timeless;
    for (const time of this.ascending) yield this.get(time)!;
  }

  get(time: number, run?: string): Entry | undefined {
    if (Number.isNaN(time)) return this.#timeless;
    const segments = this.#at(time);
    const start = run === undefined ? this.chosen : parseTime(run);
    const found = segments.flatMap((segment): [Segment, number | undefined][] => {
      if (!segment.table!.runs) return [[segment, undefined]];
      const runs = segment.table!.runsAt(time);
      return runs.filter((r) => start === undefined || r === start).map((r) => [segment, r]);
    });
    if (found.length > 1) {
      const runs = found.map(([, r]) => formatTimeShort(r!));
      throw new DataError(`${found.length} forecasts give ${this.info.name} at ${formatTimeShort(time)}`, {
        where: found[0]![0].file,
        hint: `choose one with \`run\` (--data-run), its initial time: ${listShort(runs, 6)}`,
      });
    }
    if (found.length === 0) {
      const runs = segments.flatMap((s) => s.table!.runsAt(time));
      if (start !== undefined && runs.length > 0) throw noRun(start, runs, segments[0]!.file);
      return undefined;
    }
    const [segment, from] = found[0]!;
    const [t, lead] = segment.table!.find(time, from)!;
    const block = [...segment.start];
    if (segment.timeAxis >= 0) block[segment.timeAxis] = t;
    if (segment.leadAxis >= 0) block[segment.leadAxis] = lead;
    return { place: segment.place, start: block };
  }

  #at(time: number): readonly Segment[] {
    if (this.#byTime) return this.#byTime.get(time) ?? [];
    return this.#segments.filter((s) => s.table!.find(time) !== undefined || s.table!.runsAt(time).length > 0);
  }
}

/** Two forecasts for the same time are told apart by their initial times. */
function differByRun(a: Segment, b: Segment, time: number): boolean {
  const [left, right] = [a.table!.runsAt(time), b.table!.runsAt(time)];
  return left.length > 0 && right.length > 0 && !left.some((run) => right.includes(run));
}

function duplicate(name: string, time: number, first: Segment, second: Segment): DataError {
  return new DataError(`two fields give ${name} at ${formatTimeShort(time)}`, {
    where: `${first.file}, variable ${first.place.array.name}; ${second.file}, variable ${second.place.array.name}`,
    hint: "files overlap, or several forecasts verify at one time: open them apart",
  });
}
