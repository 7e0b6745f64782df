// The climatology that anomalies are taken from: the package's own, or a file: earth2mip's `time_means.npy` (one field per channel, in the
// model's order); or NetCDF, Zarr and GRIB with one time-mean field of each variable, or with one for each day of the year (and hour of the
// day), as WeatherBench's are: dimensions `dayofyear` and `hour`.

import { DataError, UsageError } from "../core/errors.js";
import { formatTime } from "../core/time.js";
import { hasTime, stateReader, type WantedVariable } from "../forecast/initial-state.js";
import { describeGrid, type Grid } from "../grid/grid.js";
import { NpyReader } from "../io/npy.js";
import { openSource } from "../sources/open.js";
import type { RegridSpec } from "../sources/regrid-source.js";
import { resolveVariable } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";

/** Fields that anomalies are taken from, on the model's grid and in its units. */
export interface Climatology extends AsyncDisposable {
  /** Variables that it has; the others have no ACC. */
  readonly variables: ReadonlySet<string>;
  /** The field of each of them at a valid time (epoch seconds). @throws DataError as `requireTimes` */
  at(time: number): Promise<Readonly<Record<string, Float32Array>>>;
  /** @throws DataError when it has nothing for the day or hour of one of these times */
  requireTimes(times: Iterable<number>): void;
}

/** Where it goes. */
export interface ClimatologyOptions {
  readonly cwd?: string | undefined;
  /** Brings the fields to the model's grid. */
  readonly regrid?: RegridSpec | undefined;
}

/** The same fields at every time. */
export function timeMeans(fields: Readonly<Record<string, Float32Array>>): Climatology {
  return {
    variables: new Set(Object.keys(fields)),
    at: async () => fields,
    requireTimes: () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * Opens a climatology. Variables that the file lacks are left out.
 * @throws DataError when the file has none of the variables, several fields of one that are not by day of year, or another grid;
 * FormatError; UsageError
 */
export async function readClimatology(
  path: string,
  variables: readonly WantedVariable[],
  grid: Grid,
  options: ClimatologyOptions = {},
): Promise<Climatology> {
  if (path.endsWith(".npy")) return timeMeans(fromNpy(path, variables, grid));
  const { cwd, regrid } = options;
  const source = await openSource(path, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(regrid === undefined ? {} : { regrid: { to: grid, ...regrid } }),
  });
  let isKept = false;
  try {
    const present = variables.filter(({ name }) => has(source, name));
    if (present.length === 0) {
      throw new DataError("the climatology has none of the model's variables", {
        where: source.description,
        hint: `the model has ${variables.map((v) => v.name).join(", ")}`,
      });
    }
    isKept = source.isOfEveryYear === true;
    return isKept ? byDayOfYear(source, present, grid) : timeMeans(await meansOf(source, present, grid));
  } finally {
    if (!isKept) await source.close();
  }
}

async function meansOf(
  source: Source,
  variables: readonly WantedVariable[],
  grid: Grid,
): Promise<Record<string, Float32Array>> {
  const fields: Record<string, Float32Array> = {};
  for (const variable of variables) {
    const times = source.timesOf?.(variable.name) ?? source.times;
    const changes = source.variables.find((v) => v.name === variable.name)?.invariant !== true && times.length > 1;
    if (changes) {
      throw new DataError(`the climatology has ${times.length} fields of "${variable.name}"`, {
        where: source.description,
        hint: "give one time-mean field of each variable, or fields by day of year: dimensions dayofyear and, if wanted, hour",
      });
    }
    const [field] = await stateReader(source, [variable], grid).read(times[0] ?? 0, { allowMissing: true });
    fields[variable.name] = field!;
  }
  return fields;
}

const day = 86_400;

function byDayOfYear(source: Source, variables: readonly WantedVariable[], grid: Grid): Climatology {
  const reader = stateReader(source, variables, grid);
  // Without hours the fields are of whole days.
  const isDaily = source.times.every((time) => time % day === 0);
  const hasLeapDay = source.times.some((time) => time >= Date.UTC(2000, 11, 31) / 1000);
  const placeOf = (time: number): number => {
    const begin = Date.UTC(new Date(time * 1000).getUTCFullYear(), 0, 1) / 1000;
    // Days are counted as pandas does, so that after February they differ between leap years and others; the 366th may be lacking.
    const dayOfYear = Math.min(Math.floor((time - begin) / day), hasLeapDay ? 365 : 364);
    const place = Date.UTC(2000, 0, 1) / 1000 + dayOfYear * day + (isDaily ? 0 : (time - begin) % day);
    if (hasTime(source.times, place)) return place;
    throw new DataError(`the climatology has nothing for ${formatTime(time)}, day ${dayOfYear + 1} of the year`, {
      where: source.description,
      hint: isDaily
        ? "give one of all days of the year"
        : `choose dates and a step whose valid times fall on its hours: ${hoursOf(source.times).join(", ")} UTC`,
    });
  };
  return {
    variables: new Set(variables.map(({ name }) => name)),
    async at(time) {
      const fields = await reader.read(placeOf(time), { allowMissing: true });
      return Object.fromEntries(variables.map(({ name }, v) => [name, fields[v]!]));
    },
    requireTimes: (times) => {
      for (const time of times) placeOf(time);
    },
    [Symbol.asyncDispose]: () => source.close(),
  };
}

const hoursOf = (times: readonly number[]): number[] =>
  [...new Set(times.map((time) => (time % day) / 3600))].sort((a, b) => a - b);

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
