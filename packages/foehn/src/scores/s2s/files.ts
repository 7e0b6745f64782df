// The two files of sub-seasonal terciles, NetCDF-4: edges by ISO week and lead, and probabilities by initial time and lead with the names of
// the S2S AI challenge (forecast_time, lead_time, latitude, longitude, category).

import { DataError, FormatError } from "../../core/errors.js";
import type { OutputVariable } from "../../forecast/outputs/output.js";
import { type Grid, latLonGrid, sameGrid } from "../../grid/grid.js";
import { toFloat64 } from "../../io/labelled-arrays.js";
import { type NetcdfFile, openNetcdf } from "../../io/netcdf/read.js";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import { categories } from "./terciles.js";

/** What both kinds of files have. */
export interface TercileFile {
  readonly variables: readonly OutputVariable[];
  readonly grid: Grid;
  /** ISO weeks, or initial times in epoch seconds. */
  readonly rows: readonly number[];
  /** Seconds. */
  readonly leads: readonly number[];
  /** Fields of a variable, row and lead: two edges, or three probabilities. */
  read(variable: string, row: number, lead: number): Promise<Float32Array[]>;
}

const kinds = {
  edges: { first: "category_edge", row: "week", size: 2, title: "Tercile edges by ISO week of the initial time" },
  probabilities: { first: "category", row: "forecast_time", size: 3, title: "Probabilities of terciles" },
} as const;

/** Which file it is. */
export type TercileKind = keyof typeof kinds;

/** @returns the absolute path @throws UsageError when the file exists; StorageError */
export async function writeTercileFile(
  path: string,
  kind: TercileKind,
  contents: TercileFile,
  options: {
    readonly overwrite?: boolean | undefined;
    readonly history?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<string> {
  const { first, row, size, title } = kinds[kind];
  const { grid, leads, rows, variables } = contents;
  const attributes = { title, Conventions: "CF-1.10", history: options.history ?? "foehn s2s" };
  const writer = await NetcdfWriter.create(path, { attributes, overwrite: options.overwrite === true });
  try {
    const axis = (name: string, values: Float64Array, about: Record<string, string>) =>
      writer.writeArray(
        { name, dimensions: [name], shape: [values.length], dataType: "float64", attributes: about },
        values,
      );
    if (kind === "edges") await axis(first, Float64Array.of(1 / 3, 2 / 3), { long_name: "quantile" });
    else await writer.writeNames(first, [...categories], { attributes: { long_name: "category" } });
    if (kind === "edges") await axis(row, Float64Array.from(rows), { long_name: "ISO week of the initial time" });
    else
      await axis(row, Float64Array.from(rows), {
        standard_name: "forecast_reference_time",
        units: "seconds since 1970-01-01 00:00:00",
        calendar: "standard",
      });
    // "d" and not "days": readers then keep a number.
    await axis(
      "lead_time",
      Float64Array.from(leads, (lead) => lead / 86_400),
      { long_name: "begin of the two weeks", units: "d" },
    );
    await axis("latitude", grid.latitudes, { standard_name: "latitude", units: "degrees_north" });
    await axis("longitude", grid.longitudes, { standard_name: "longitude", units: "degrees_east" });
    const [ny, nx] = grid.shape;
    for (const { name, units, longName } of variables) {
      await writer.declare({
        name,
        dimensions: [first, row, "lead_time", "latitude", "longitude"],
        shape: [size, rows.length, leads.length, ny, nx],
        chunkShape: [1, 1, 1, ny, nx],
        dataType: "float32",
        attributes: { units: kind === "edges" ? units : "1", long_name: longName },
      });
      for (const [r, one] of rows.entries()) {
        for (const [l, lead] of leads.entries()) {
          options.signal?.throwIfAborted();
          const fields = await contents.read(name, one, lead);
          for (const [k, field] of fields.entries()) await writer.writeChunk(name, [k, r, l, 0, 0], field);
        }
      }
    }
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** An open tercile file. */
export interface OpenTercileFile extends TercileFile, Disposable {}

/**
 * Opens a file, or the files that the shards of a job wrote, as one.
 * @throws FormatError when one is another kind of file; DataError when they do not go together
 */
export async function openTercileFiles(paths: string | readonly string[], kind: TercileKind): Promise<OpenTercileFile> {
  const names = typeof paths === "string" ? [paths] : paths;
  const files: OpenTercileFile[] = [];
  const close = () => {
    for (const file of files) file[Symbol.dispose]();
  };
  try {
    for (const path of names) {
      const file = await openOne(path, kind);
      files.push(file);
      const differs = difference(files[0]!, file);
      if (differs)
        throw new DataError(`${path} has other ${differs} than ${names[0]}`, { hint: "give the shards of one job" });
      const twice = file.rows.find((row) => files.slice(0, -1).some(({ rows }) => rows.includes(row)));
      if (twice === undefined) continue;
      throw new DataError(`${path} has the ${kinds[kind].row} ${twice} of another file once more`);
    }
  } catch (error) {
    close();
    throw error;
  }
  const holder = new Map(files.flatMap((file) => file.rows.map((row) => [row, file] as const)));
  return {
    ...files[0]!,
    rows: [...holder.keys()].sort((a, b) => a - b),
    read: (variable, row, lead) => (holder.get(row) ?? files[0]!).read(variable, row, lead),
    [Symbol.dispose]: close,
  };
}

function difference(a: TercileFile, b: TercileFile): string | undefined {
  const names = ({ variables }: TercileFile) => variables.map(({ name }) => name).join();
  if (!sameGrid(a.grid, b.grid)) return "grid points";
  if (names(a) !== names(b)) return "variables";
  return a.leads.join() === b.leads.join() ? undefined : "lead times";
}

async function openOne(path: string, kind: TercileKind): Promise<OpenTercileFile> {
  const { first, row } = kinds[kind];
  const file: NetcdfFile = await openNetcdf(path);
  const array = (name: string) => {
    const found = file.variables.find((variable) => variable.name === name);
    if (found) return found;
    file.close();
    throw new FormatError(`it has no variable "${name}"`, {
      where: path,
      hint: `give what foehn s2s ${kind === "edges" ? "edges" : "apply"} wrote`,
    });
  };
  array(first);
  const numbers = (name: string) => Array.from(toFloat64(array(name).read()));
  const [rows, leads] = [numbers(row), numbers("lead_time").map((days) => days * 86_400)];
  const grid = latLonGrid(numbers("latitude"), numbers("longitude"));
  const [ny, nx] = grid.shape;
  const size = kinds[kind].size;
  return {
    variables: file.variables
      .filter((variable) => variable.shape.length === 5)
      .map(({ name, attributes }) => ({
        name,
        units: String(attributes.units ?? "1"),
        longName: String(attributes.long_name ?? name),
      })),
    grid,
    rows,
    leads,
    async read(variable, one, lead) {
      const [r, l] = [rows.indexOf(one), leads.indexOf(lead)];
      if (r < 0 || l < 0) {
        throw new FormatError(`there is nothing for ${row} ${one} and lead ${lead / 86_400} d`, { where: path });
      }
      return Array.from({ length: size }, (_, k) =>
        Float32Array.from(toFloat64(array(variable).read([k, r, l, 0, 0], [1, 1, 1, ny, nx]))),
      );
    },
    [Symbol.dispose]: () => file.close(),
  };
}
