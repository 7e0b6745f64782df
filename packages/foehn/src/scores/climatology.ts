// The climatology that anomalies are taken from: the package's own, or time-mean fields from a file: earth2mip's `time_means.npy`
// (one field per channel, in the model's order), or NetCDF, Zarr and GRIB with one field of each variable.

import { DataError, UsageError } from "../core/errors.js";
import { stateReader, type WantedVariable } from "../forecast/initial-state.js";
import { describeGrid, type Grid } from "../grid/grid.js";
import { NpyReader } from "../io/npy.js";
import { openSource } from "../sources/open.js";
import type { RegridSpec } from "../sources/regrid-source.js";
import { resolveVariable } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";

/** Where it goes. */
export interface ClimatologyOptions {
  readonly cwd?: string | undefined;
  /** Brings the fields to the model's grid. */
  readonly regrid?: RegridSpec | undefined;
}

/**
 * Time-mean fields by variable, on the model's grid and in its units. Variables that the file lacks are left out.
 * @throws DataError when the file has none of the variables, several fields of one, or another grid; FormatError; UsageError
 */
export async function readClimatology(
  path: string,
  variables: readonly WantedVariable[],
  grid: Grid,
  options: ClimatologyOptions = {},
): Promise<Record<string, Float32Array>> {
  if (path.endsWith(".npy")) return fromNpy(path, variables, grid);
  const { cwd, regrid } = options;
  const source = await openSource(path, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(regrid === undefined ? {} : { regrid: { to: grid, ...regrid } }),
  });
  try {
    const present = variables.filter(({ name }) => has(source, name));
    if (present.length === 0) {
      throw new DataError("the climatology has none of the model's variables", {
        where: source.description,
        hint: `the model has ${variables.map((v) => v.name).join(", ")}`,
      });
    }
    const fields: Record<string, Float32Array> = {};
    for (const variable of present) {
      const times = source.timesOf?.(variable.name) ?? source.times;
      const changes = source.variables.find((v) => v.name === variable.name)?.invariant !== true && times.length > 1;
      if (changes) {
        throw new DataError(`the climatology has ${times.length} fields of "${variable.name}"`, {
          where: source.description,
          hint: "give one time-mean field of each variable",
        });
      }
      const [field] = await stateReader(source, [variable], grid).read(times[0] ?? 0, { allowMissing: true });
      fields[variable.name] = field!;
    }
    return fields;
  } finally {
    await source.close();
  }
}

function has(source: Source, name: string): boolean {
  try {
    resolveVariable(name, source.variables);
    return true;
  } catch {
    return false;
  }
}

function fromNpy(path: string, variables: readonly WantedVariable[], grid: Grid): Record<string, Float32Array> {
  const { shape, values } = new NpyReader().read(path);
  const [ny, nx] = grid.shape;
  const [channels = 0, rows = 0, columns = 0] = shape.slice(-3);
  const leading = shape.slice(0, -3);
  if (shape.length < 3 || leading.some((size) => size !== 1) || channels !== variables.length) {
    throw new DataError(
      `the climatology has the shape (${shape.join(", ")}), the model ${variables.length} variables`,
      {
        where: path,
        hint: "expected (1, channels, lat, lon) or (channels, lat, lon), in the order of the model's variables",
      },
    );
  }
  // ERA5's files have the south pole that many models drop; as in earth2mip it is the last row.
  const extra = rows === ny + 1 && columns === nx;
  if (!extra && (rows !== ny || columns !== nx)) {
    throw new UsageError(`the climatology has ${rows}×${columns} points, the model's grid ${describeGrid(grid)}`, {
      where: path,
      hint: "a .npy file says nothing of its grid: give NetCDF or Zarr to have it regridded",
    });
  }
  return Object.fromEntries(
    variables.map(({ name }, c) => {
      const start = c * rows * columns;
      return [name, values.slice(start, start + ny * nx)];
    }),
  );
}
