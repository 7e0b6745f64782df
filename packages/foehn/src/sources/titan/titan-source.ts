// A source over Titan in its published layouts: one GRIB file per kind of level, grid and hour, or .npy files that py4cast prepared
// of them. Which of both, where, and on which part of which grid is said by a plain setup, so that reading threads can open the
// same source. Parameters and grids: parameters.ts. Configuration files: datasets/titan.ts.
//
//   grib            <root>/grib/2023-01-31_05h00/PAAROME_1S100_ECH0_2M.grib        whole grids, north to south
//   npy             <folder>/2023-01-31_05h00/aro_t2m_2m.npy                       the part itself, south to north
//   npy_parameters  <root>/npy/2023-01-31_05h00/aro_t2m.npy                        whole grids, north to south, levels first

import { existsSync } from "node:fs";
import { join } from "node:path";
import { DataError, FormatError } from "../../core/errors.js";
import { formatTimeShort } from "../../core/time.js";
import { describeGrid, type Grid, latLonGrid, sameGrid } from "../../grid/grid.js";
import { type Resampler, resampler } from "../../grid/resample.js";
import { type GribFile, type GribMessage, openGrib } from "../../io/grib/read.js";
import { NpyReader } from "../../io/npy.js";
import { describeTimes, resolveTime, resolveVariable } from "../resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "../source.js";
import { type TitanGridName, type TitanParameter, titanFeature, titanGrid, titanParameters } from "./parameters.js";

/** How the data lie on disk. */
export type TitanFormat = "grib" | "npy" | "npy_parameters";

/** A parameter on one level. */
export interface TitanField {
  readonly parameter: string;
  readonly level: number;
}

/** Everything that a Titan source is made of; plain data. */
export interface TitanSetup {
  readonly format: TitanFormat;
  /** Folder of the hourly folders. */
  readonly folder: string;
  readonly grid: TitanGridName;
  /** Rows from the north and columns from the west, ends not included; the whole grid when left out. */
  readonly window?:
    | { readonly rows: readonly [number, number]; readonly columns: readonly [number, number] }
    | undefined;
  readonly fields: readonly TitanField[];
  /** Files that may hold the height of the ground; the first that is there is used. */
  readonly terrain: readonly string[];
  /** Times that have all files, ascending. */
  readonly times: readonly number[];
}

/** Name of the folder of an hour: `2023-01-31_05h00`. */
export function titanFolder(time: number): string {
  const text = new Date(time * 1000).toISOString();
  return `${text.slice(0, 10)}_${text.slice(11, 13)}h${text.slice(14, 16)}`;
}

/** The time of such a folder; undefined for another name. */
export function titanFolderTime(name: string): number | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2})_(\d{2})h(\d{2})$/.exec(name);
  const time = parts ? Date.parse(`${parts[1]}T${parts[2]}:${parts[3]}:00Z`) / 1000 : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** Name of the file that holds a field in an hour's folder. */
export function titanFile(format: TitanFormat, { parameter, level }: TitanField): string {
  const known = titanParameters.get(parameter)!;
  if (format === "grib") return known.file;
  if (format === "npy_parameters") return `${parameter}.npy`;
  // py4cast counts everything that is neither on the ground nor at a height as on a pressure level, mean sea level included.
  const isHeight = known.typeOfLevel === "surface" || known.typeOfLevel === "heightAboveGround";
  return `${parameter}_${level}${isHeight ? "m" : "hpa"}.npy`;
}

/** Name of the height of the ground, as py4cast calls it. */
const terrainName = "geopotential";

/** GRIB files whose index stays in memory: those of a few hours. */
const openFiles = 24;

/** Opens Titan. @throws DataError for fields or windows that the grid does not have */
export function openTitanSource(setup: TitanSetup): Source {
  return new TitanSource(setup);
}

class TitanSource implements Source {
  readonly description: string;
  readonly variables: readonly VariableInfo[];
  readonly grid: Grid;
  readonly times: readonly number[];
  readonly fillsArrays = true;
  readonly #setup: TitanSetup;
  readonly #fields = new Map<string, TitanField>();
  readonly #terrain: string | undefined;
  readonly #whole: Grid;
  readonly #npy = new NpyReader();
  readonly #grib = new Map<string, GribFile>();
  readonly #resamplers = new Map<string, Resampler>();

  constructor(setup: TitanSetup) {
    this.#setup = setup;
    this.#whole = titanGrid(setup.grid);
    this.grid = cut(this.#whole, setup);
    this.times = setup.times;
    this.#terrain = setup.terrain.find((path) => existsSync(path));
    const variables: VariableInfo[] = setup.fields.map((field) => {
      const parameter = titanParameters.get(field.parameter)!;
      const name = titanFeature(parameter, field.level);
      this.#fields.set(name, field);
      const unit = parameter.typeOfLevel === "isobaricInhPa" ? "hPa" : "m";
      const level = field.level === 0 ? "" : ` at ${field.level} ${unit}`;
      return { name, units: parameter.units, longName: `${parameter.longName}${level}` };
    });
    if (this.#terrain !== undefined) {
      variables.push({ name: terrainName, units: "m", longName: "height of the ground", invariant: true });
    }
    this.variables = variables;
    this.description = `Titan ${setup.format} ${setup.folder}: ${setup.fields.length} fields; ${describeTimes(setup.times)}; ${describeGrid(this.grid)}`;
  }

  async read({ time, variables, into }: FieldRequest): Promise<Field[]> {
    const found = variables.map((variable) => resolveVariable(variable, this.variables, this.description).info.name);
    if (found.some((name) => name !== terrainName)) resolveTime(time, this.times, this.description);
    const points = this.grid.shape[0] * this.grid.shape[1];
    return found.map((name, i) => {
      const values = into?.[i] ?? new Float32Array(points);
      if (name === terrainName) this.#readTerrain(values);
      else this.#readField(time, this.#fields.get(name)!, values);
      return { variable: variables[i]!, time, values };
    });
  }

  #readField(time: number, field: TitanField, out: Float32Array): void {
    const { folder, format } = this.#setup;
    const path = join(folder, titanFolder(time), titanFile(format, field));
    if (format === "grib") this.#readGrib(path, field, out);
    else this.#readNpy(path, field, out);
  }

  #readNpy(path: string, field: TitanField, out: Float32Array): void {
    const { format } = this.#setup;
    const { shape, values } = this.#npy.read(path);
    const [ny, nx] = format === "npy" ? this.grid.shape : this.#whole.shape;
    const levels = shape.length === 3 ? shape[0]! : 1;
    const [rows, columns] = shape.slice(-2);
    if ((shape.length !== 2 && shape.length !== 3) || rows !== ny || columns !== nx) {
      throw new FormatError(`the array is ${shape.join("×")}, the grid ${ny}×${nx}`, {
        where: path,
        hint: "was it made for another grid or another part of it?",
      });
    }
    let start = 0;
    if (levels > 1) {
      const at = titanParameters.get(field.parameter)!.levels.indexOf(field.level);
      if (levels !== titanParameters.get(field.parameter)!.levels.length || at < 0) {
        throw new FormatError(`the array has ${levels} levels, ${field.parameter} has another number`, { where: path });
      }
      start = at * ny * nx;
    }
    if (format === "npy") {
      for (let i = 0; i < ny; i++) out.set(values.subarray(i * nx, (i + 1) * nx), (ny - 1 - i) * nx);
    } else this.#cutInto(values.subarray(start, start + ny * nx), out);
  }

  #readGrib(path: string, field: TitanField, out: Float32Array): void {
    const parameter = titanParameters.get(field.parameter)!;
    const file = this.#open(path);
    const message = file.messages.find((m) => isField(m, parameter, field.level));
    if (!message) {
      const there = [...new Set(file.messages.map((m) => `${m.shortName} ${m.level}`))].slice(0, 12).join(", ");
      throw new DataError(`there is no ${titanFeature(parameter, field.level)}`, {
        where: path,
        hint: `the file has: ${there}`,
      });
    }
    this.#toPart(file.readValues(message), file.gridOf(message), out);
  }

  #readTerrain(out: Float32Array): void {
    const file = this.#open(this.#terrain!);
    const message = file.messages.find((m) => /^(h|orog|z|gh|dist)$/.test(m.shortName)) ?? file.messages[0];
    if (!message) throw new DataError("the file has no field", { where: this.#terrain! });
    this.#toPart(file.readValues(message), file.gridOf(message), out);
  }

  /** From the grid of a file to the part of ours: cut where it is ours, interpolated where it is another. */
  #toPart(values: Float32Array, grid: Grid, out: Float32Array): void {
    if (sameGrid(grid, this.#whole)) this.#cutInto(values, out);
    else if (sameGrid(grid, this.grid)) out.set(values);
    else {
      const key = describeGrid(grid);
      const own = this.#resamplers.get(key) ?? resampler(grid, this.grid);
      this.#resamplers.set(key, own);
      out.set(own.apply(values));
    }
  }

  #cutInto(values: Float32Array, out: Float32Array): void {
    const { rows, columns } = windowOf(this.#setup, this.#whole);
    const nx = columns[1] - columns[0];
    for (let i = rows[0]; i < rows[1]; i++) {
      const row = i * this.#whole.shape[1];
      out.set(values.subarray(row + columns[0], row + columns[1]), (i - rows[0]) * nx);
    }
  }

  #open(path: string): GribFile {
    const known = this.#grib.get(path);
    if (known) return known;
    const file = openGrib(path);
    this.#grib.set(path, file);
    for (const [oldest, other] of this.#grib) {
      if (this.#grib.size <= openFiles) break;
      other.close();
      this.#grib.delete(oldest);
    }
    return file;
  }

  async close(): Promise<void> {
    for (const file of this.#grib.values()) file.close();
    this.#grib.clear();
  }
}

function isField(message: GribMessage, parameter: TitanParameter, level: number): boolean {
  if (!parameter.shortNames.includes(message.shortName)) return false;
  // A file holds one kind of level, which some GRIB tables name otherwise; pressure levels must agree.
  return parameter.typeOfLevel !== "isobaricInhPa" || message.level === level;
}

function windowOf(setup: TitanSetup, whole: Grid) {
  return setup.window ?? { rows: [0, whole.shape[0]] as const, columns: [0, whole.shape[1]] as const };
}

function cut(whole: Grid, setup: TitanSetup): Grid {
  const { rows, columns } = windowOf(setup, whole);
  const [ny, nx] = whole.shape;
  if (
    !(
      0 <= rows[0] &&
      rows[0] < rows[1] &&
      rows[1] <= ny &&
      0 <= columns[0] &&
      columns[0] < columns[1] &&
      columns[1] <= nx
    )
  ) {
    throw new DataError(
      `rows ${rows.join(" to ")} and columns ${columns.join(" to ")} are not a part of ${setup.grid}, which has ${ny}×${nx} points`,
    );
  }
  return latLonGrid(whole.latitudes.slice(...rows), whole.longitudes.slice(...columns));
}

/** A sentence about the hours whose folder lacks files; undefined when there are none. */
export function describeIncomplete(
  incomplete: readonly { readonly time: number; readonly missing: readonly string[] }[],
): string | undefined {
  if (incomplete.length === 0) return undefined;
  const shown = incomplete
    .slice(0, 5)
    .map(
      ({ time, missing }) =>
        `${formatTimeShort(time)} (${missing.slice(0, 3).join(", ")}${missing.length > 3 ? ", …" : ""})`,
    );
  const more = incomplete.length > 5 ? ` and ${incomplete.length - 5} more` : "";
  return `${incomplete.length} hour${incomplete.length === 1 ? "" : "s"} left out because files are missing: ${shown.join(", ")}${more}`;
}
