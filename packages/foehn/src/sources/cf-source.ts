// A source over arrays with CF coordinates (NetCDF and Zarr): finds latitude, longitude, time, level and member of each variable, names
// its fields, and reads one field as one block. Curvilinear and unstructured grids are refused with their name.

import { DataError } from "../core/errors.js";
import { type AnyGrid, describeAnyGrid, sameAnyGrid } from "../grid/any-grid.js";
import { type NormalisedAxes, normaliseAxes, reorderField } from "../grid/grid.js";
import { curvilinearGrid, type ProjectedGrid } from "../grid/projected-grid.js";
import { type LabelledArray, textAttribute } from "../io/labelled-arrays.js";
import { continuousLongitudes } from "../io/longitudes.js";
import { unpackFloat32 } from "../io/netcdf/unpack.js";
import { type Axis, axisKind, baseName, readAxis } from "./cf-axes.js";
import { describeCf } from "./cf-names.js";
import { CfSeries, type Entry, type Place } from "./cf-series.js";
import { indexedSource } from "./indexed-source.js";
import { onLatLon, type SourceRegrid } from "./regrid-source.js";
import { listShort, noRun } from "./resolve.js";
import type { Source, VariableInfo } from "./source.js";
import { type TimeTable, timeTable } from "./time-table.js";

/** A file or store of labelled arrays. */
export interface CfFile {
  readonly path: string;
  readonly variables: readonly LabelledArray[];
  readonly close: () => void;
}

/** Which part of the files to take. */
export interface CfSourceOptions {
  /** Ensemble member, as the member coordinate counts; needed when the files hold several. */
  readonly member?: number;
  /** Initial time (epoch seconds) of the only forecast to take, for files that hold several. */
  readonly run?: number;
  /** True when reading waits for a network: the fields of a request are then read at the same time. */
  readonly concurrent?: boolean;
  /** Regrids every field; curvilinear files need it. */
  readonly regrid?: SourceRegrid | undefined;
}

/**
 * Makes one source of files.
 * @throws DataError when no variable has latitude and longitude, grids differ, or two files give the same field
 */
export async function cfSource(
  format: string,
  files: readonly CfFile[],
  options: CfSourceOptions = {},
): Promise<Source> {
  const label = `${format} ${files[0]!.path}${files.length > 1 ? ` and ${files.length - 1} more` : ""}`;
  const series = new Map<string, CfSeries>();
  const runs = new Set<number>();
  const skipped = new Map<string, string>();
  const notes = new Set<string>();
  let common: { grid: AnyGrid; from: string } | undefined;
  let isOfEveryYear = false;
  for (const file of files) {
    const axes = new AxisTable(file);
    for (const array of file.variables) {
      if (axes.isCoordinate(array)) continue;
      const fields = await fieldsOf(array, axes, options);
      if (typeof fields === "string") {
        skipped.set(baseName(array.name), fields);
        continue;
      }
      for (const run of fields.table?.runs ?? []) runs.add(run);
      if (options.run !== undefined && fields.table?.runs && !fields.table.runs.includes(options.run)) continue;
      const from = `${file.path}, variable ${array.name}`;
      common ??= { grid: fields.place.grid, from };
      if (!sameAnyGrid(common.grid, fields.place.grid)) {
        throw new DataError(
          `the fields lie on several grids: ${describeAnyGrid(common.grid)} (${common.from}) and ${describeAnyGrid(fields.place.grid)}`,
          { where: from, hint: "open the files of one grid, or interpolate them to a common grid" },
        );
      }
      for (const { info, start } of fields.list) {
        const known = series.get(info.name) ?? new CfSeries(info, options.run);
        series.set(info.name, known);
        known.add({ ...fields, start, file: file.path }, info);
      }
    }
    for (const note of axes.notes) notes.add(note);
    isOfEveryYear ||= axes.isOfEveryYear;
  }
  if (options.run !== undefined && !runs.has(options.run)) throw noRun(options.run, [...runs], label);
  if (!common) throw nothingFound(label, skipped);
  const source = indexedSource({
    label: notes.size > 0 ? `${label} (${[...notes].join("; ")})` : label,
    grid: common.grid,
    series: new Map([...series].map(([name, byTime]) => [name, { info: byTime.info, byTime }])),
    skipped,
    read: readField,
    concurrent: options.concurrent ?? false,
    close: () => {
      for (const file of files) file.close();
    },
  });
  return onLatLon(isOfEveryYear ? { ...source, isOfEveryYear } : source, options.regrid);
}

async function readField({ place, start }: Entry): Promise<Float32Array> {
  const { array, count, arrange, rawShape, transposed } = place;
  let values = unpackFloat32(array, await array.read(start, count));
  const [ny, nx] = rawShape;
  if (transposed) {
    const columns = values;
    values = new Float32Array(ny * nx);
    for (let i = 0; i < ny; i++) for (let j = 0; j < nx; j++) values[i * nx + j] = columns[j * ny + i]!;
  }
  return arrange(values);
}

/** The coordinates of one file, each read once. */
class AxisTable {
  readonly #axes = new Map<string, Promise<Axis>>();
  readonly #named = new Map<string, LabelledArray>();
  readonly #grids = new Map<string, NormalisedAxes>();
  readonly #curvilinear = new Map<string, ProjectedGrid>();
  readonly #tables = new Map<string, TimeTable>();
  readonly #auxiliary = new Set<string>();
  readonly notes = new Set<string>();
  isOfEveryYear = false;

  constructor(readonly file: CfFile) {
    for (const array of file.variables) {
      this.#named.set(array.name, array);
      for (const attribute of ["coordinates", "bounds", "grid_mapping", "ancillary_variables"]) {
        for (const name of (textAttribute(array, attribute) ?? "").split(/\s+/)) this.#auxiliary.add(name);
      }
    }
  }

  /** Coordinate variables, bounds and the like are not fields. */
  isCoordinate(array: LabelledArray): boolean {
    return (
      (array.dimensions.length === 1 && array.dimensions[0] === array.name) || this.#auxiliary.has(baseName(array.name))
    );
  }

  /** The axis of a dimension, or undefined when no coordinate variable describes it. */
  async ofDimension(dimension: string): Promise<Axis | undefined> {
    const array = this.#named.get(dimension) ?? this.#auxiliaryOf(dimension);
    if (array?.shape.length !== 1) return undefined;
    return this.#read(array);
  }

  /** A one-dimensional auxiliary coordinate stands in for a dimension without a coordinate of its own name (`x` with `lon(x)`). */
  #auxiliaryOf(dimension: string): LabelledArray | undefined {
    const along = this.file.variables.filter((a) => a.dimensions.length === 1 && a.dimensions[0] === dimension);
    return along.find((a) => axisKind(a) !== "other") ?? undefined;
  }

  /** Scalar coordinates of a variable: named in its `coordinates` attribute. */
  async scalars(array: LabelledArray): Promise<Axis[]> {
    const names = (textAttribute(array, "coordinates") ?? "").split(/\s+/);
    const found = names.map((name) => this.#named.get(name)).filter((a) => a !== undefined && a.shape.length === 0);
    return Promise.all(found.map((a) => this.#read(a!)));
  }

  async #read(array: LabelledArray): Promise<Axis> {
    const known = this.#axes.get(array.name) ?? readAxis(array, this.file.path);
    this.#axes.set(array.name, known);
    const axis = await known;
    if (axis.kind === "time" && axis.note) this.notes.add(axis.note);
    if (axis.kind === "time" && axis.isOfEveryYear) this.isOfEveryYear = true;
    return axis;
  }

  /** The times along a pair of dimensions, shared by all variables on them. */
  table(key: string, base: ArrayLike<number>, leads: ArrayLike<number> | undefined): TimeTable {
    const known = this.#tables.get(key) ?? timeTable(base, leads, this.file.path);
    this.#tables.set(key, known);
    return known;
  }

  /** The grid of a pair of dimensions, shared by all variables on it. */
  grid(key: string, latitudes: Float64Array, longitudes: Float64Array): Pick<Place, "grid" | "arrange"> {
    const axes = this.#grids.get(key) ?? normaliseAxes(latitudes, continuousLongitudes(longitudes));
    this.#grids.set(key, axes);
    return { grid: axes.grid, arrange: (values) => reorderField(values, longitudes.length, axes) };
  }

  /** Where an array has the rows and columns of latitudes and longitudes of two dimensions. */
  async curvilinear(
    array: LabelledArray,
  ): Promise<{ readonly dimensions: [row: number, column: number]; readonly grid: ProjectedGrid } | undefined> {
    const flat = (kind: Axis["kind"]) =>
      this.file.variables.find(
        (a) => a.shape.length === 2 && axisKind(a) === kind && a.dimensions.every((d) => array.dimensions.includes(d)),
      );
    const [latitudes, longitudes] = [flat("latitude"), flat("longitude")];
    if (!latitudes || latitudes === array || latitudes.dimensions.join() !== longitudes?.dimensions.join()) {
      return undefined;
    }
    const key = latitudes.dimensions.join(" ");
    let grid = this.#curvilinear.get(key);
    if (!grid) {
      const [lat, lon] = await Promise.all([this.#read(latitudes), this.#read(longitudes)]);
      grid = curvilinearGrid([latitudes.shape[0]!, latitudes.shape[1]!], lat.values, lon.values);
      this.#curvilinear.set(key, grid);
    }
    const [row, column] = latitudes.dimensions.map((name) => array.dimensions.indexOf(name));
    return { dimensions: [row!, column!], grid };
  }
}

/** The fields of an array: one series for each level. */
interface Fields {
  readonly place: Place;
  /** Undefined for fields without a time. */
  readonly table: TimeTable | undefined;
  readonly timeAxis: number;
  readonly leadAxis: number;
  readonly list: { readonly info: VariableInfo; readonly start: readonly number[] }[];
}

/** All fields of an array, or the reason why it has none. */
async function fieldsOf(array: LabelledArray, table: AxisTable, options: CfSourceOptions): Promise<Fields | string> {
  if (array.type === "string" || array.type === "char" || array.type === "other") return "it does not hold numbers";
  const axes = await Promise.all(array.dimensions.map((d) => table.ofDimension(d)));
  const at = (kind: Axis["kind"]) => axes.findIndex((a) => a?.kind === kind);
  let [row, column] = [at("latitude"), at("longitude")];
  const curvilinear = row < 0 || column < 0 ? await table.curvilinear(array) : undefined;
  if (curvilinear) [row, column] = curvilinear.dimensions;
  if (row < 0 || column < 0)
    return `its dimensions (${array.dimensions.join(", ")}) have no latitude and longitude axis`;
  const [time, lead, pressure, level, member] = [at("time"), at("lead"), at("pressure"), at("level"), at("member")];
  const start = array.shape.map(() => 0);
  if (member >= 0 && array.shape[member]! > 1) {
    const values = axes[member]!.values;
    const chosen = options.member === undefined ? -1 : values.indexOf(options.member);
    if (chosen < 0) {
      const list = listShort(Array.from(values, String), 12);
      throw new DataError(`variable "${array.name}" has ${values.length} ensemble members`, {
        where: table.file.path,
        hint: `choose one with the option \`member\` (--data-member): ${list}`,
      });
    }
    start[member] = chosen;
  }
  const understood = new Set([row, column, time, lead, pressure, level, member]);
  for (const [i, size] of array.shape.entries()) {
    if (!understood.has(i) && size !== 1) return `its dimension "${array.dimensions[i]}" of ${size} is not understood`;
  }
  const scalars = await table.scalars(array);
  const scalar = (kind: Axis["kind"]) => scalars.find((a) => a.kind === kind)?.values[0];
  const place: Place = {
    array,
    count: array.shape.map((size, i) => (i === row || i === column ? size : 1)),
    ...(curvilinear
      ? { grid: curvilinear.grid, arrange: (values: Float32Array) => values }
      : table.grid(`${array.dimensions[row]} ${array.dimensions[column]}`, axes[row]!.values, axes[column]!.values)),
    rawShape: [array.shape[row]!, array.shape[column]!],
    transposed: column < row,
  };
  const list: { info: VariableInfo; start: number[] }[] = [];
  const along = (axis: number) => Array.from({ length: axis < 0 ? 1 : array.shape[axis]! }, (_, i) => i);
  const pressureOf = (p: number) => (pressure < 0 ? scalar("pressure") : axes[pressure]!.values[p]);
  const levelOf = (l: number) => (level < 0 || array.shape[level]! < 2 ? undefined : axes[level]!.values[l]);
  for (const p of along(pressure)) {
    for (const l of along(level)) {
      const block = [...start];
      if (pressure >= 0) block[pressure] = p;
      if (level >= 0) block[level] = l;
      list.push({ info: describeCf(array, pressureOf(p), levelOf(l)), start: block });
    }
  }
  const one = scalar("time");
  const base = time >= 0 ? axes[time]!.values : one === undefined ? undefined : [one];
  const names = `${time < 0 ? one : array.dimensions[time]} ${lead < 0 ? "" : array.dimensions[lead]}`;
  const leads = lead < 0 ? undefined : axes[lead]!.values;
  return {
    place,
    table: base && table.table(names, base, leads),
    timeAxis: time,
    leadAxis: lead,
    list,
  };
}

function nothingFound(label: string, skipped: ReadonlyMap<string, string>): DataError {
  const reasons = [...skipped].slice(0, 6).map(([name, reason]) => `${name}: ${reason}`);
  return new DataError("no variable has a latitude and a longitude axis", {
    where: label,
    hint: reasons.length > 0 ? reasons.join("; ") : "the file has no variables",
  });
}
