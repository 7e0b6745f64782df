// A source over earth2mip's HDF5 layout (hdf5-layout.ts). One time step is read as hyperslabs of the year's file, which stays on disk:
// a file of 200 GB costs no more memory than a field. Channels come in the order asked, and one that is not there is an error.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError, FormatError } from "../core/errors.js";
import { formatDuration } from "../core/time.js";
import { describeGrid, normaliseAxes, reorderField } from "../grid/grid.js";
import { continuousLongitudes } from "../io/longitudes.js";
import type { NetcdfFile, NetcdfVariable } from "../io/netcdf/read.js";
import { NpyReader } from "../io/npy.js";
import { lookupVariable } from "../variables/catalogue.js";
import { describeYears, noSuchYear, readHdf5Layout, startOfYear, yearFiles } from "./hdf5-layout.js";
import { listShort, resolveTime, resolveVariable } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

/** Files that stay open at the same time: dates of a training set hop between years. */
const maxOpenFiles = 8;

/** A source over the layout, with the mean state that lies beside it. */
export interface Hdf5Source extends Source {
  /**
   * The time means of `stats/time_means.npy`, one field per variable, in the order asked, on the grid of the source.
   * @throws DataError when there is no such file or variable, FormatError when its shape does not fit
   */
  timeMeans(variables: readonly string[]): Promise<Float32Array[]>;
}

/**
 * Opens a folder of the layout.
 * @throws ConfigError or FormatError for a description or file that is wrong, DataError when there is no file of a year
 */
export async function hdf5Source(root: string): Promise<Hdf5Source> {
  const layout = readHdf5Layout(root);
  const { channel, lat, lon } = layout.coords;
  const channels = channel.map(String);
  const axes = normaliseAxes(lat, continuousLongitudes(lon));
  const raw = { channels: channels.length, ny: lat.length, nx: lon.length };
  const paths = yearFiles(root);
  const years = [...paths.keys()];
  const files = new YearFiles(paths, layout.h5_path, raw);
  const step = layout.dhours * 3600;
  const times: number[] = [];
  const shortYears: number[] = [];
  try {
    for (const year of years) {
      const count = await files.use(year, (array) => array.shape[0]!);
      const room = Math.ceil((startOfYear(year + 1) - startOfYear(year)) / step);
      if (count > room) {
        throw new FormatError(`the file has ${count} times, but ${year} has room for ${room} of ${layout.dhours} h`, {
          where: paths.get(year),
          hint: "check `dhours` in data.json",
        });
      }
      if (isLeapYear(year) && count * step === 365 * 86_400) shortYears.push(year);
      for (let k = 0; k < count; k++) times.push(startOfYear(year) + k * step);
    }
  } catch (error) {
    files.close();
    throw error;
  }
  const units = (layout.attrs.units ?? {}) as Readonly<Record<string, unknown>>;
  const variables = channels.map((name): VariableInfo => {
    const known = lookupVariable(name);
    const own = units[name];
    return {
      name,
      units: typeof own === "string" ? own : (known?.units ?? "1"),
      longName: known?.longName ?? name,
      ...(known?.standardName === undefined ? {} : { standardName: known.standardName }),
    };
  });
  const note =
    shortYears.length > 0 ? ` (leap years without 31 December: ${listShort(shortYears.map(String), 6)})` : "";
  const described = years.length === 0 ? "no years" : `${describeYears(years)} by ${formatDuration(step)}`;
  const description = `HDF5 ${root}: ${listShort(channels, 8)}; ${described}${note}; ${describeGrid(axes.grid)}`;
  const indices = (wanted: readonly string[]) =>
    wanted.map((name) => {
      const { info, factor } = resolveVariable(name, variables, description);
      return { at: channels.indexOf(info.name), factor };
    });

  return {
    description,
    variables,
    grid: axes.grid,
    times,
    fillsArrays: true,
    async read({ time, variables: wanted, into }: FieldRequest): Promise<Field[]> {
      const found = indices(wanted);
      const year = new Date(time * 1000).getUTCFullYear();
      if (!paths.has(year)) throw noSuchYear(year, years, root);
      resolveTime(time, times, description);
      const k = Math.round((time - startOfYear(year)) / step);
      const wantedChannels = new Set(found.map((f) => f.at));
      const fields = await files.use(year, (array) => readChannels(array, k, raw, wantedChannels));
      return found.map(({ at, factor }, i) => {
        const ordered = reorderField(fields.get(at)!, raw.nx, axes);
        const out = into?.[i] ?? new Float32Array(ordered.length);
        if (factor === 1) out.set(ordered);
        else for (let n = 0; n < out.length; n++) out[n] = ordered[n]! * factor;
        return { variable: wanted[i]!, time, values: out };
      });
    },
    async timeMeans(wanted) {
      const path = join(root, "stats", "time_means.npy");
      if (!(await stat(path).catch(() => undefined))?.isFile()) {
        throw new DataError("there are no time means", {
          where: path,
          hint: "compute them, or copy the file from the producer",
        });
      }
      const { values, shape } = new NpyReader().read(path);
      const expected = [1, raw.channels, raw.ny, raw.nx];
      if (shape.join() !== expected.join()) {
        throw new FormatError(
          `the time means have the shape (${shape.join(", ")}), expected (${expected.join(", ")})`,
          {
            where: path,
          },
        );
      }
      const points = raw.ny * raw.nx;
      return indices(wanted).map(({ at, factor }) => {
        const field = values.slice(at * points, (at + 1) * points).map((x) => x * factor);
        return reorderField(field, raw.nx, axes);
      });
    },
    async close() {
      files.close();
    },
  };
}

interface RawShape {
  readonly channels: number;
  readonly ny: number;
  readonly nx: number;
}

/**
 * The fields of some channels at time `k`, as they lie in the file. Channels that share a chunk of the file are read together, since
 * HDF5 decodes a chunk as a whole; neighbours are read together in any case.
 */
function readChannels(
  array: NetcdfVariable,
  k: number,
  raw: RawShape,
  wanted: ReadonlySet<number>,
): Map<number, Float32Array> {
  const together = array.chunkShape?.[1] ?? 1;
  const sorted = [...wanted].sort((a, b) => a - b);
  const points = raw.ny * raw.nx;
  const fields = new Map<number, Float32Array>();
  for (let i = 0; i < sorted.length; ) {
    const first = sorted[i]!;
    let last = first;
    while (
      i < sorted.length &&
      (sorted[i]! <= last + 1 || Math.floor(sorted[i]! / together) === Math.floor(last / together))
    ) {
      last = sorted[i++]!;
    }
    const block = array.read([k, first, 0, 0], [1, last - first + 1, raw.ny, raw.nx]);
    for (const c of sorted.filter((c) => c >= first && c <= last)) {
      const part = block.subarray((c - first) * points, (c - first + 1) * points);
      fields.set(
        c,
        part instanceof Float32Array ? part : Float32Array.from(part as ArrayLike<number | bigint>, Number),
      );
    }
  }
  return fields;
}

/** The files of the years, opened when they are first read; the one unused for longest closes when too many are open. */
class YearFiles {
  readonly #open = new Map<number, { readonly file: NetcdfFile; readonly array: NetcdfVariable }>();
  #closed = false;

  constructor(
    readonly paths: ReadonlyMap<number, string>,
    readonly dataset: string,
    readonly raw: RawShape,
  ) {}

  /** Runs `fn` with the dataset of a year. It is synchronous, so that no other reader can close the file meanwhile. */
  async use<T>(year: number, fn: (array: NetcdfVariable) => T): Promise<T> {
    if (!this.#open.has(year)) {
      const path = this.paths.get(year)!;
      const { openHdf5 } = await import("../io/netcdf/hdf5-read.js");
      const file = await openHdf5(path);
      try {
        this.#keep(year, { file, array: this.#check(file, path) });
      } catch (error) {
        file.close();
        throw error;
      }
    }
    const known = this.#open.get(year)!;
    this.#open.delete(year);
    this.#open.set(year, known);
    return fn(known.array);
  }

  #keep(year: number, opened: { readonly file: NetcdfFile; readonly array: NetcdfVariable }): void {
    if (this.#closed) throw new DataError("the source is closed");
    // Two readers may have opened the same file at once.
    this.#open.get(year)?.file.close();
    for (const [oldest, { file }] of this.#open) {
      if (this.#open.size < maxOpenFiles) break;
      file.close();
      this.#open.delete(oldest);
    }
    this.#open.set(year, opened);
  }

  #check(file: NetcdfFile, path: string): NetcdfVariable {
    const name = this.dataset.replace(/^\//, "");
    const array = file.variables.find((v) => v.name === name);
    if (!array) {
      throw new FormatError(`the file has no dataset "${name}"`, {
        where: path,
        hint: `it has ${listShort(file.variables.map((v) => v.name)) || "none"}; data.json names it in h5_path`,
      });
    }
    const { channels, ny, nx } = this.raw;
    const [, c, y, x] = array.shape;
    if (array.shape.length !== 4 || c !== channels || y !== ny || x !== nx) {
      throw new FormatError(
        `"${name}" has the shape (${array.shape.join(", ")}), but data.json describes (time, ${channels}, ${ny}, ${nx})`,
        { where: path },
      );
    }
    return array;
  }

  close(): void {
    this.#closed = true;
    for (const { file } of this.#open.values()) file.close();
    this.#open.clear();
  }
}

function isLeapYear(year: number): boolean {
  return startOfYear(year + 1) - startOfYear(year) > 365 * 86_400;
}
