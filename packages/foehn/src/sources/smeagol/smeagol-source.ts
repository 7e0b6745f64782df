// A source over Smeagol: ensemble forecasts in NetCDF, one file per run, member and variable, on a Lambert grid.
//
//   <root>/nc/<domain>/<model>_<geometry>/20220806H06/mb_003_TEMPERATURE.nc   dimensions step, level, X, Y
//   <root>/nc/<domain>/<model>_<geometry>/20220806H06/mb_003_surface.nc       all variables without levels
//   <root>/nc/<domain>/<model>_<geometry>/constant/Mesh_and_SurfGeo.nc        lat, lon, x, y, SURFGEOPOTENTIEL, LandSeaMask
//
// One valid time has a value in each run and member, so that a field is asked for with `run`. The layout is that of py4cast's
// `datasets/smeagol.py`. Not here: which samples there are (datasets/smeagol.ts).

import { join } from "node:path";
import { DataError, FormatError } from "../../core/errors.js";
import { formatTimeShort } from "../../core/time.js";
import { describeGrid, type Grid, latLonGrid } from "../../grid/grid.js";
import type { LabelledArray } from "../../io/labelled-arrays.js";
import { textAttribute, toFloat64 } from "../../io/labelled-arrays.js";
import { type NetcdfFile, openNetcdf } from "../../io/netcdf/read.js";
import { unpackFloat32 } from "../../io/netcdf/unpack.js";
import { normaliseUnits } from "../../variables/units.js";
import { resolveVariable } from "../resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "../source.js";

/** One feature: a variable of the files at one level. */
export interface SmeagolField {
  readonly feature: string;
  /** As the files call it: `TEMPERATURE`, `CLSTEMPERATURE`. */
  readonly variable: string;
  /** Left out for variables without levels, which share the file `surface`. */
  readonly level?: number | undefined;
  /** `france/arome_franmgsp32`. */
  readonly model: string;
}

/** Everything that the source is made of; plain data. */
export interface SmeagolSetup {
  /** The folder `nc`. */
  readonly folder: string;
  /** The model whose grid it is: `france/arome_franmgsp32`. */
  readonly model: string;
  /** First and last index along X, then along Y; lasts not included; the whole grid when left out. */
  readonly window?: readonly [number, number, number, number] | undefined;
  readonly fields: readonly SmeagolField[];
  /** Valid times of all runs, ascending. */
  readonly times: readonly number[];
  /** A run to look at for units. */
  readonly firstRun?: string | undefined;
}

/** A run and a member: `20220806H06/mb_003`. */
export function smeagolRun(date: number, member: number): string {
  const text = new Date(date * 1000).toISOString();
  const folder = `${text.slice(0, 4)}${text.slice(5, 7)}${text.slice(8, 10)}H${text.slice(11, 13)}`;
  return `${folder}/mb_${String(member).padStart(3, "0")}`;
}

/** The start of a run, epoch seconds. */
function runDate(run: string): number {
  const [, year, month, day, hour] = /^(\d{4})(\d{2})(\d{2})H(\d{2})\//.exec(run) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour)) / 1000;
}

/** The file of a field in a run, from the folder `nc`. */
export function smeagolFile(field: SmeagolField, run: string): string {
  return join(field.model, `${run}_${field.level === undefined ? "surface" : field.variable}.nc`);
}

/** Where the rows and columns of a field lie in the files. */
interface Layout {
  readonly grid: Grid;
  /** Window along X and Y. */
  readonly x: readonly [start: number, count: number];
  readonly y: readonly [start: number, count: number];
  /** X counts columns (from west to east), Y rows; otherwise the other way round. */
  readonly xIsColumn: boolean;
  readonly flipRows: boolean;
  readonly flipColumns: boolean;
  /** Projected coordinates of columns and rows, metres; rows from north to south. */
  readonly projected: { readonly x: Float64Array; readonly y: Float64Array };
}

/** A Smeagol source, and the projected coordinates of its grid. */
export interface SmeagolSource extends Source {
  readonly projected: Layout["projected"];
}

const constants: Readonly<Record<string, readonly [variable: string, units: string, longName: string]>> = {
  geopotential: ["SURFGEOPOTENTIEL", "m2 s-2", "geopotential of the ground"],
  LandSeaMask: ["LandSeaMask", "1", "land and sea"],
};

const openFiles = 16;

/** Opens Smeagol. @throws StorageError or FormatError when the file of constants cannot be read */
export async function openSmeagolSource(setup: SmeagolSetup): Promise<SmeagolSource> {
  const path = join(setup.folder, setup.model, "constant", "Mesh_and_SurfGeo.nc");
  const file = await openNetcdf(path);
  try {
    const layout = layoutOf(file, setup, path);
    const statics = new Map<string, Float32Array>();
    for (const [name, [variable]] of Object.entries(constants)) {
      const array = file.variables.find((v) => v.name === variable);
      if (array) statics.set(name, arrange(array, blockOf(array, layout, path), layout));
    }
    const files = new NetcdfFiles();
    const units = await unitsOf(setup, files);
    return smeagolSource(setup, layout, statics, units, files);
  } finally {
    file.close();
  }
}

function smeagolSource(
  setup: SmeagolSetup,
  layout: Layout,
  statics: ReadonlyMap<string, Float32Array>,
  units: ReadonlyMap<string, string>,
  files: NetcdfFiles,
): SmeagolSource {
  const { grid } = layout;
  const variables: VariableInfo[] = [
    ...setup.fields.map(({ feature, variable, level }) => ({
      name: feature,
      units: units.get(feature) ?? "1",
      longName: level === undefined ? variable : `${variable} at ${level}`,
    })),
    ...[...statics.keys()].map((name) => ({
      name,
      units: constants[name]![1],
      longName: constants[name]![2],
      invariant: true,
    })),
  ];
  const byFeature = new Map(setup.fields.map((field) => [field.feature, field]));
  const description = `Smeagol ${join(setup.folder, setup.model)}: ${setup.fields.length} fields; about ${describeGrid(grid)}`;
  return {
    description,
    variables,
    grid,
    times: setup.times,
    projected: layout.projected,
    async read({ time, variables: wanted, run }: FieldRequest): Promise<Field[]> {
      const names = wanted.map((name) => resolveVariable(name, variables, description).info.name);
      const fields: Field[] = [];
      for (const [i, name] of names.entries()) {
        const field = byFeature.get(name);
        if (field && run === undefined) {
          throw new DataError(`"${name}" at ${formatTimeShort(time)} has a value in several forecasts`, {
            where: description,
            hint: "name the run, such as 20220806H06/mb_000",
          });
        }
        const values = field ? await readField(files, setup, layout, field, run!, time) : statics.get(name)!.slice();
        fields.push({ variable: wanted[i]!, time, values });
      }
      return fields;
    },
    async close(): Promise<void> {
      files.close();
    },
  };
}

async function readField(
  files: NetcdfFiles,
  setup: SmeagolSetup,
  layout: Layout,
  field: SmeagolField,
  run: string,
  time: number,
): Promise<Float32Array> {
  const path = join(setup.folder, smeagolFile(field, run));
  const file = await files.open(path);
  const array = variableOf(file, field.variable, path);
  const term = (time - runDate(run)) / 3600;
  const block = blockOf(array, layout, path);
  for (const [d, dimension] of array.dimensions.entries()) {
    const kind = dimension.toLowerCase();
    if (kind === "step" || kind === "level") {
      const wanted = kind === "step" ? term : field.level!;
      block.start[d] = positionOf(file, dimension, wanted, array.shape[d]!, path);
    }
  }
  return arrange(array, block, layout);
}

/** The index at which the coordinate of a dimension has a value. */
function positionOf(file: NetcdfFile, dimension: string, wanted: number, size: number, path: string): number {
  const coordinate = file.variables.find((v) => v.name === dimension);
  if (!coordinate) throw new FormatError(`the dimension "${dimension}" has no coordinate`, { where: path });
  const values = toFloat64(coordinate.read());
  const at = values.findIndex((value) => Math.abs(value - wanted) < 1e-4);
  if (at >= 0 && at < size) return at;
  const what = dimension.toLowerCase() === "step" ? `lead time ${wanted} h` : `level ${wanted}`;
  throw new DataError(`there is no ${what}`, {
    where: path,
    hint: `the file has ${values.length}: ${[...values].slice(0, 12).join(", ")}${values.length > 12 ? ", …" : ""}`,
  });
}

function variableOf(file: NetcdfFile, name: string, path: string): NetcdfFile["variables"][number] {
  const found = file.variables.find((v) => v.name === name);
  if (found) return found;
  throw new DataError(`there is no variable "${name}"`, {
    where: path,
    hint: `it has ${file.variables.map((v) => v.name).join(", ")}`,
  });
}

/** The window of a field in an array: dimensions other than X and Y at 0. */
function blockOf(array: LabelledArray, layout: Pick<Layout, "x" | "y">, path: string) {
  const start = array.dimensions.map(() => 0);
  const count = array.dimensions.map(() => 1);
  for (const [name, [from, size]] of [
    ["x", layout.x],
    ["y", layout.y],
  ] as const) {
    const d = array.dimensions.findIndex((dimension) => dimension.toLowerCase() === name);
    if (d < 0) {
      throw new FormatError(
        `${array.name} has dimensions (${array.dimensions.join(", ")}), expected X and Y among them`,
        {
          where: path,
        },
      );
    }
    if (from + size > array.shape[d]!) {
      throw new DataError(
        `the part ${from} to ${from + size} along ${name.toUpperCase()} is not in an array of ${array.shape[d]}`,
        { where: path },
      );
    }
    start[d] = from;
    count[d] = size;
  }
  return { start, count };
}

/** Reads a block and brings it to rows from north to south, columns from west to east. */
function arrange(
  array: NetcdfFile["variables"][number],
  { start, count }: { readonly start: number[]; readonly count: number[] },
  layout: Pick<Layout, "x" | "y" | "xIsColumn" | "flipRows" | "flipColumns">,
): Float32Array {
  const values = unpackFloat32(array, array.read(start, count));
  const names = array.dimensions.map((d) => d.toLowerCase());
  const xIsFirst = names.indexOf("x") < names.indexOf("y");
  const [nx, ny] = [layout.x[1], layout.y[1]];
  const [rows, columns] = layout.xIsColumn ? [ny, nx] : [nx, ny];
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const row = layout.flipRows ? rows - 1 - i : i;
    for (let j = 0; j < columns; j++) {
      const column = layout.flipColumns ? columns - 1 - j : j;
      const [x, y] = layout.xIsColumn ? [column, row] : [row, column];
      out[i * columns + j] = values[xIsFirst ? x * ny + y : y * nx + x]!;
    }
  }
  return out;
}

/**
 * Which way X and Y run, seen in the coordinates themselves. A grid here has one latitude per row and one longitude per column; those of
 * a Lambert grid are taken along its middle.
 */
function layoutOf(file: NetcdfFile, setup: SmeagolSetup, path: string): Layout {
  const lat = variableOf(file, "lat", path);
  const names = lat.dimensions.map((d) => d.toLowerCase());
  const sizeOf = (name: string) => lat.shape[names.indexOf(name)] ?? 0;
  const [x0, x1, y0, y1] = setup.window ?? [0, sizeOf("x"), 0, sizeOf("y")];
  const window = { x: [x0, x1 - x0] as const, y: [y0, y1 - y0] as const };
  const [nx, ny] = [x1 - x0, y1 - y0];
  const asStored = { ...window, xIsColumn: true, flipRows: false, flipColumns: false };
  // By [y][x]: which of the two runs along a row is seen from these very values, below.
  const read = (name: string) => {
    const array = variableOf(file, name, path);
    return arrange(array, blockOf(array, window, path), asStored);
  };
  const latitudes = read("lat");
  const longitudes = read("lon");
  const change = (values: Float32Array, along: "x" | "y") =>
    along === "x"
      ? values[(ny >> 1) * nx + nx - 1]! - values[(ny >> 1) * nx]!
      : values[(ny - 1) * nx + (nx >> 1)]! - values[nx >> 1]!;
  const xIsColumn = Math.abs(change(longitudes, "x")) >= Math.abs(change(longitudes, "y"));
  const [rowAxis, columnAxis] = xIsColumn ? (["y", "x"] as const) : (["x", "y"] as const);
  const flipRows = change(latitudes, rowAxis) > 0;
  const flipColumns = change(longitudes, columnAxis) < 0;
  const along = (values: Float32Array, axis: "x" | "y", flip: boolean): Float64Array => {
    const line =
      axis === "x"
        ? Float64Array.from({ length: nx }, (_, i) => values[(ny >> 1) * nx + i]!)
        : Float64Array.from({ length: ny }, (_, i) => values[i * nx + (nx >> 1)]!);
    return flip ? line.reverse() : line;
  };
  const projectedAxis = (axis: "x" | "y", flip: boolean): Float64Array => {
    const array = file.variables.find((v) => v.name === axis && v.shape.length === 1);
    const [from, size] = window[axis];
    const all = array ? toFloat64(array.read()) : Float64Array.from({ length: from + size }, (_, i) => i);
    const part = all.slice(from, from + size);
    return flip ? part.reverse() : part;
  };
  return {
    ...window,
    grid: latLonGrid(along(latitudes, rowAxis, flipRows), along(longitudes, columnAxis, flipColumns)),
    xIsColumn,
    flipRows,
    flipColumns,
    projected: { x: projectedAxis(columnAxis, flipColumns), y: projectedAxis(rowAxis, flipRows) },
  };
}

async function unitsOf(setup: SmeagolSetup, files: NetcdfFiles): Promise<Map<string, string>> {
  const units = new Map<string, string>();
  if (setup.firstRun === undefined) return units;
  for (const field of setup.fields) {
    const path = join(setup.folder, smeagolFile(field, setup.firstRun));
    const text = textAttribute(variableOf(await files.open(path), field.variable, path), "units");
    if (text !== undefined) units.set(field.feature, normaliseUnits(text));
  }
  return units;
}

/** Files stay open for the next fields, the least recently used closes first. */
class NetcdfFiles {
  readonly #open = new Map<string, Promise<NetcdfFile>>();

  async open(path: string): Promise<NetcdfFile> {
    const known = this.#open.get(path);
    this.#open.delete(path);
    const file = known ?? openNetcdf(path);
    this.#open.set(path, file);
    file.catch(() => this.#open.delete(path));
    for (const [oldest, other] of this.#open) {
      if (this.#open.size <= openFiles) break;
      this.#open.delete(oldest);
      void other.then((f) => f.close());
    }
    return file;
  }

  close(): void {
    for (const file of this.#open.values()) file.then((f) => f.close()).catch(() => {});
    this.#open.clear();
  }
}
