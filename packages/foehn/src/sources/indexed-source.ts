// A source over an index of fields: for each variable, where the field of each time is. GRIB, NetCDF and Zarr sources build such an
// index and leave the look-ups, the errors and the order of the answer to this file.

import { DataError } from "../core/errors.js";
import { describeGrid, type Grid } from "../grid/grid.js";
import { lookupVariable } from "../variables/catalogue.js";
import { describeTimes, listShort, resolveTime, resolveVariable, scaled } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

/** All fields of one variable; `E` is whatever finds a field again. */
export interface FieldSeries<E> {
  readonly info: VariableInfo;
  /** By valid time; a field without a time has the key NaN. */
  readonly byTime: Map<number, E>;
}

/** What an indexed source is made of. */
export interface FieldIndex<E> {
  /** Format and file, for descriptions and errors: `GRIB data.grib`. */
  readonly label: string;
  readonly grid: Grid;
  readonly series: ReadonlyMap<string, FieldSeries<E>>;
  /** Variables of the files that are not fields, and why. */
  readonly skipped?: ReadonlyMap<string, string>;
  /** Decodes a field: row-major (lat, lon), north to south, west to east. */
  readonly read: (entry: E) => Float32Array | Promise<Float32Array>;
  readonly close: () => void | Promise<void>;
}

/** Makes a source of an index. */
export function indexedSource<E>(index: FieldIndex<E>): Source {
  const { label, grid, series } = index;
  const variables = [...series.values()].map(withInvariance);
  const ownTimes = new Map<string, number[]>();
  const timesOf = (name: string): number[] => {
    let times = ownTimes.get(name);
    if (!times) {
      times = [...series.get(name)!.byTime.keys()].filter(Number.isFinite).sort((a, b) => a - b);
      ownTimes.set(name, times);
    }
    return times;
  };
  const changing = variables.filter((v) => !v.invariant);
  const times = [...new Set((changing.length > 0 ? changing : variables).flatMap((v) => timesOf(v.name)))].sort(
    (a, b) => a - b,
  );
  const names = listShort(
    variables.map((v) => v.name),
    8,
  );
  return {
    description: `${label}: ${names}; ${describeTimes(times)}; ${describeGrid(grid)}`,
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
        const entry = info.invariant ? byTime.values().next().value : byTime.get(request.time);
        if (entry === undefined) resolveTime(request.time, timesOf(info.name), `${label}, variable ${info.name}`);
        return { variable, factor, entry: entry! };
      });
      const fields: Field[] = [];
      for (const { variable, factor, entry } of found) {
        fields.push({ variable, time: request.time, values: scaled(await index.read(entry), factor) });
      }
      return fields;
    },
    async close(): Promise<void> {
      await index.close();
    },
  };
}

/** A variable without a time, or one that the catalogue calls invariant and that comes once, can be read at any time. */
function withInvariance<E>({ info, byTime }: FieldSeries<E>): VariableInfo {
  const timeless = byTime.has(Number.NaN);
  const invariant = timeless || (byTime.size === 1 && (lookupVariable(info.name)?.invariant ?? false));
  return invariant ? { ...info, invariant } : info;
}
