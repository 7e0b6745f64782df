// A source over an index of fields: for each variable, where the field of each time is. GRIB, NetCDF and Zarr sources build such an
// index and leave the look-ups, the errors and the order of the answer to this file.

import { DataError } from "../core/errors.js";
import { type AnyGrid, describeAnyGrid } from "../grid/any-grid.js";
import { lookupVariable } from "../variables/catalogue.js";
import { describeTimes, listShort, resolveTime, resolveVariable, scaled } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

/** The fields of a variable by valid time; a field without a time has the key NaN. A Map is one. */
export interface FieldTimes<E> {
  readonly size: number;
  has(time: number): boolean;
  /** @param run which forecast, where several give a field for one time. @throws DataError when it must be named, or is not there */
  get(time: number, run?: string): E | undefined;
  keys(): Iterable<number>;
  values(): Iterator<E>;
  /** The times in order, where they are at hand: series on the same axes give the same array. */
  readonly ascending?: readonly number[];
}

/** All fields of one variable; `E` is whatever finds a field again. */
export interface FieldSeries<E, T extends FieldTimes<E> = Map<number, E>> {
  readonly info: VariableInfo;
  readonly byTime: T;
}

/** What an indexed source is made of. */
export interface FieldIndex<E> {
  /** Format and file, for descriptions and errors: `GRIB data.grib`. */
  readonly label: string;
  readonly grid: AnyGrid;
  readonly series: ReadonlyMap<string, FieldSeries<E, FieldTimes<E>>>;
  /** Variables of the files that are not fields, and why. */
  readonly skipped?: ReadonlyMap<string, string>;
  /** Decodes a field: row-major (lat, lon), north to south, west to east. */
  readonly read: (entry: E) => Float32Array | Promise<Float32Array>;
  /** True when fields are best read at the same time: what waits is a network, not this thread. */
  readonly concurrent?: boolean;
  /** Decodes several fields at once, in place of `read`: neighbours in a remote file come with one request. */
  readonly readMany?: (entries: readonly E[]) => Promise<readonly Float32Array[]>;
  readonly close: () => void | Promise<void>;
}

/** Makes a source of an index, on whatever grid that has: see `onLatLon`. */
export function indexedSource<E>(index: FieldIndex<E>): Source<AnyGrid> {
  const { label, grid, series } = index;
  const variables = [...series.values()].map(withInvariance);
  const ownTimes = new Map<string, readonly number[]>();
  const timesOf = (name: string): readonly number[] => {
    let times = ownTimes.get(name);
    if (!times) {
      const { byTime } = series.get(name)!;
      times = byTime.ascending ?? [...byTime.keys()].filter(Number.isFinite).sort((a, b) => a - b);
      ownTimes.set(name, times);
    }
    return times;
  };
  const changing = variables.filter((v) => !v.invariant);
  const times = union((changing.length > 0 ? changing : variables).map((v) => timesOf(v.name)));
  const names = listShort(
    variables.map((v) => v.name),
    8,
  );
  return {
    description: `${label}: ${names}; ${describeTimes(times)}; ${describeAnyGrid(grid)}`,
    variables,
    grid,
    times,
    timesOf(variable) {
      const { info } = resolveVariable(variable, variables, label);
      return info.invariant ? times : timesOf(info.name);
    },
    async read(request: FieldRequest): Promise<Field[]> {
      // All names first: a request fails before any decoding.
      const found = request.variables.map((variable) => {
        const reason = index.skipped?.get(variable);
        if (reason !== undefined && !series.has(variable)) {
          throw new DataError(`"${variable}" cannot be read as fields: ${reason}`, { where: label });
        }
        const { info, factor } = resolveVariable(variable, variables, label);
        const { byTime } = series.get(info.name)!;
        const entry = info.invariant ? byTime.values().next().value : byTime.get(request.time, request.run);
        if (entry === undefined) resolveTime(request.time, timesOf(info.name), `${label}, variable ${info.name}`);
        return { variable, factor, entry: entry! };
      });
      const decode = async ({ variable, factor, entry }: (typeof found)[number]): Promise<Field> => ({
        variable,
        time: request.time,
        values: scaled(await index.read(entry), factor),
      });
      if (index.readMany) {
        const values = await index.readMany(found.map(({ entry }) => entry));
        return found.map(({ variable, factor }, i) => ({
          variable,
          time: request.time,
          values: scaled(values[i]!, factor),
        }));
      }
      if (index.concurrent) return Promise.all(found.map(decode));
      const fields: Field[] = [];
      for (const each of found) fields.push(await decode(each));
      return fields;
    },
    async close(): Promise<void> {
      await index.close();
    },
  };
}

/** A variable without a time, or one that the catalogue calls invariant and that comes once, can be read at any time. */
function withInvariance<E>({ info, byTime }: FieldSeries<E, FieldTimes<E>>): VariableInfo {
  const timeless = byTime.has(Number.NaN);
  const invariant = timeless || (byTime.size === 1 && (lookupVariable(info.name)?.invariant ?? false));
  return invariant ? { ...info, invariant } : info;
}

/** All times of several series, in order. Most sources have one axis for all: then it is that. */
function union(lists: readonly (readonly number[])[]): readonly number[] {
  const distinct = [...new Set(lists)];
  if (distinct.length === 1) return distinct[0]!;
  const all = new Set<number>();
  for (const list of distinct) for (const time of list) all.add(time);
  return [...all].sort((a, b) => a - b);
}
