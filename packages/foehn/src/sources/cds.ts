// ERA5 from the Climate Data Store as a source: the fields of a day (or of one time) come with at most one request for each of ERA5's two
// data sets, and stay in the data cache. Requests and jobs are in cds-client.ts, names of variables in cds-variables.ts.
// Data: Hersbach et al. 2023, https://doi.org/10.24381/cds.adbb2d47 and https://doi.org/10.24381/cds.bd0915c6, licence CC-BY.

import { DataError, UsageError } from "../core/errors.js";
import { formatTime, formatTimeShort } from "../core/time.js";
import { describeGrid, type Grid, regularGrid, sameGrid } from "../grid/grid.js";
import { openGrib } from "../io/grib/read.js";
import { CdsClient, type CdsClientOptions, type CdsRequest } from "./cds-client.js";
import { type Era5Dataset, type Era5Variable, era5Variables } from "./cds-variables.js";
import { DataCache } from "./data-cache.js";
import { definitionOf } from "./grib-source.js";
import { describeTimes, listShort, resolveTime, resolveVariable } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";
import { parseSourceSpec, parseTimes } from "./source-spec.js";

const hour = 3600;
const day = 24 * hour;
const spacing = 0.25;

/** Options of `cdsSource`. */
export interface CdsOptions extends CdsClientOptions {
  /**
   * Times that will be read (epoch seconds, whole hours): those of a day are asked for together. Default: every hour since 1940, up to
   * six days ago, each asked for alone.
   */
  readonly times?: readonly number[] | undefined;
  /** North, west, south, east in degrees, multiples of 0.25; default the whole Earth from 0° E. */
  readonly area?: readonly [north: number, west: number, south: number, east: number] | undefined;
  readonly cache?: DataCache | undefined;
}

/**
 * Opens `cds:era5` or `cds:era5,times=2018-01-01/to/2018-01-31T18/by/6h,area=N/W/S/E`.
 * @throws UsageError for a wrong text
 */
export async function openCds(spec: string, options: CdsOptions = {}): Promise<Source> {
  const given = parseSourceSpec(spec, ["", "times", "area"]);
  const dataset = given.get("") ?? "era5";
  if (dataset !== "era5") {
    throw new UsageError(`there is no client for "${dataset}"`, { where: spec, hint: "write cds:era5" });
  }
  const times = given.get("times");
  const area = given.get("area");
  return cdsSource({
    ...options,
    times: times === undefined ? options.times : parseTimes(times),
    area: area === undefined ? options.area : parseArea(area, spec),
  });
}

function parseArea(text: string, spec: string): [number, number, number, number] {
  const numbers = text.split("/").map(Number);
  if (numbers.length !== 4 || numbers.some((n) => !Number.isFinite(n))) {
    throw new UsageError(`area=${text} is not four numbers`, { where: spec, hint: "write area=north/west/south/east" });
  }
  return numbers as [number, number, number, number];
}

/**
 * ERA5 on its grid of 0.25°. Nothing is asked of the store before the first `read`; an account is needed then
 * (`CDSAPI_KEY` or `~/.cdsapirc`). `tp06` is the sum of six hourly accumulations.
 * @throws UsageError for times that are no whole hours or before 1940, or an area off the grid
 */
export function cdsSource(options: CdsOptions = {}): Source {
  const { times = everyHour(), area } = options;
  const odd = times.find((time) => time % hour !== 0 || time < Date.UTC(1940, 0, 1) / 1000);
  if (odd !== undefined) {
    throw new UsageError(`ERA5 has no field at ${formatTime(odd)}`, {
      where: "cds:era5",
      hint: "it is hourly, from 1940 on",
    });
  }
  const grid = area === undefined ? regularGrid(globe) : areaGrid(area);
  const cache = options.cache ?? new DataCache();
  const client = new CdsClient(options);
  const known = era5Variables();
  const variables = [...[...known.values()].map(({ definition }) => definition), tp06].map(variableInfo);
  const label = "ERA5 from the Climate Data Store";
  const where: CdsRequest = area === undefined ? {} : { area };
  const coming = new Map<string, Promise<Map<string, Float32Array>>>();

  /** The fields of several variables and times of one day: at most two requests. */
  const fetchFields = async (names: readonly string[], chunk: readonly number[], time: number) => {
    const fields = new Map<string, Float32Array>();
    await Promise.all(
      [
        ...requestsFor(
          names.map((name) => known.get(name)!),
          chunk,
          where,
        ),
      ].map(async ([dataset, request]) => {
        const path = await client.retrieve(dataset, request, cache, `${dataset}.grib`);
        const own = names.filter((name) => known.get(name)!.dataset === dataset);
        for (const [name, values] of readFields(path, own, time, grid)) fields.set(name, values);
      }),
    );
    return fields;
  };

  /** Two readers of the same at the same time wait for one request. */
  const fetchOnce = (names: readonly string[], chunk: readonly number[], time: number) => {
    const key = JSON.stringify([names, chunk, time]);
    const found = coming.get(key) ?? fetchFields(names, chunk, time).finally(() => coming.delete(key));
    coming.set(key, found);
    return found;
  };

  const sumOfSixHours = async (time: number): Promise<Float32Array> => {
    const hours = Array.from({ length: 6 }, (_, i) => time - (5 - i) * hour);
    const parts: Float32Array[] = [];
    // The first hours may belong to the day before.
    for (const at of hours) {
      const chunk = hours.filter((h) => Math.floor(h / day) === Math.floor(at / day));
      parts.push((await fetchOnce(["tp"], chunk, at)).get("tp")!);
    }
    return parts[0]!.map((_, k) => parts.reduce((sum, part) => sum + part[k]!, 0));
  };

  return {
    description: `${label}: ${describeTimes(times)}; ${describeGrid(grid)}`,
    variables,
    grid,
    times,
    async read({ time, variables: asked }: FieldRequest): Promise<Field[]> {
      const found = asked.map((name) => resolveVariable(name, variables, label));
      resolveTime(time, times, label);
      const chunk = options.times ? times.filter((t) => Math.floor(t / day) === Math.floor(time / day)) : [time];
      const names = [...new Set(found.map(({ info }) => info.name))].filter((name) => name !== tp06.name).sort();
      const fields = names.length === 0 ? new Map<string, Float32Array>() : await fetchOnce(names, chunk, time);
      const rain = found.some(({ info }) => info.name === tp06.name) ? await sumOfSixHours(time) : undefined;
      return found.map(({ info, factor }, i) => {
        const values = info.name === tp06.name ? rain! : fields.get(info.name)!;
        // A copy for each: `coming` may have given the same array to another reader.
        return { variable: asked[i]!, time, values: values.map((x) => x * factor) };
      });
    },
    async close(): Promise<void> {
      coming.clear();
    },
  };
}

const globe = { lat0: 90, dlat: spacing, ny: 721, lon0: 0, dlon: spacing, nx: 1440 };

/** Not a variable of ERA5, but of many models. */
const tp06 = { name: "tp06", units: "m", longName: "Total precipitation over the past 6 hours", invariant: false };

function variableInfo(definition: {
  name: string;
  units: string;
  longName: string;
  standardName?: string;
  invariant: boolean;
}): VariableInfo {
  const { name, units, longName, standardName, invariant } = definition;
  return {
    ...{ name, units, longName },
    ...(standardName === undefined ? {} : { standardName }),
    ...(invariant ? { invariant } : {}),
  };
}

/** From 1940 up to six days ago: later days are not there yet. */
function everyHour(now = Date.now()): number[] {
  const first = Date.UTC(1940, 0, 1) / 1000;
  const last = Math.floor((now / 1000 - 6 * day) / day) * day + 23 * hour;
  return Array.from({ length: (last - first) / hour + 1 }, (_, i) => first + i * hour);
}

function areaGrid(area: readonly [number, number, number, number]): Grid {
  const [north, west, south, east] = area;
  const onGrid = area.every((degrees) => Number.isInteger(degrees / spacing));
  if (!onGrid || north > 90 || south < -90 || north <= south || east <= west || east - west >= 360) {
    throw new UsageError(`the area ${area.join("/")} is not one of ERA5's grid`, {
      where: "cds:era5",
      hint: "give north/west/south/east in degrees, multiples of 0.25, with west smaller than east",
    });
  }
  const [ny, nx] = [(north - south) / spacing + 1, (east - west) / spacing + 1];
  const lon0 = ((((west + 180) % 360) + 360) % 360) - 180;
  return regularGrid({ lat0: north, dlat: spacing, ny, lon0, dlon: spacing, nx });
}

/**
 * The requests that bring variables at times of one day: one for each data set. On pressure levels the store gives every variable on
 * every level of a request, which may be more than was asked.
 */
export function requestsFor(
  variables: readonly Era5Variable[],
  times: readonly number[],
  more: CdsRequest = {},
): Map<Era5Dataset, CdsRequest> {
  const stamp = formatTime(times[0]!);
  const requests = new Map<Era5Dataset, CdsRequest>();
  for (const dataset of new Set(variables.map((variable) => variable.dataset))) {
    const own = variables.filter((variable) => variable.dataset === dataset);
    const levels = [...new Set(own.flatMap(({ definition }) => definition.level ?? []))].sort((a, b) => a - b);
    requests.set(dataset, {
      product_type: ["reanalysis"],
      variable: [...new Set(own.map(({ cdsName }) => cdsName))].sort(),
      ...(levels.length === 0 ? {} : { pressure_level: levels.map(String) }),
      year: [stamp.slice(0, 4)],
      month: [stamp.slice(5, 7)],
      day: [stamp.slice(8, 10)],
      time: times.map((time) => formatTime(time).slice(11, 16)),
      data_format: "grib",
      download_format: "unarchived",
      ...more,
    });
  }
  return requests;
}

/**
 * The fields of one time out of a file, on the source's grid.
 * @throws DataError that names every field that the file lacks
 */
function readFields(path: string, names: readonly string[], time: number, grid: Grid): Map<string, Float32Array> {
  using file = openGrib(path);
  const fields = new Map<string, Float32Array>();
  for (const message of file.messages) {
    const name = message.validTime === time ? definitionOf(message)?.name : undefined;
    if (name === undefined || !names.includes(name) || fields.has(name)) continue;
    fields.set(name, onGrid(file.readValues(message), file.gridOf(message), grid, path));
  }
  const missing = names.filter((name) => !fields.has(name));
  if (missing.length === 0) return fields;
  throw new DataError(`the answer of the Climate Data Store lacks ${listShort(missing)} at ${formatTimeShort(time)}`, {
    where: path,
    hint: "the data may not be published yet (ERA5 comes some five days late); remove the file to ask again",
  });
}

/** Values on the source's grid: a file that goes round the Earth may begin at another meridian. */
function onGrid(values: Float32Array, has: Grid, grid: Grid, path: string): Float32Array {
  if (sameGrid(has, grid)) return values;
  const [ny, nx] = grid.shape;
  const turn = Math.round((grid.longitudes[0]! - has.longitudes[0]!) / spacing);
  const turned = Float64Array.from(has.longitudes, (lon) => lon + turn * spacing);
  const round = has.shape[1] === nx && nx * spacing === 360;
  if (!round || !sameGrid({ ...has, longitudes: turned }, grid)) {
    throw new DataError(`the file's grid is ${describeGrid(has)}, not ${describeGrid(grid)}`, { where: path });
  }
  const out = new Float32Array(values.length);
  const shift = ((turn % nx) + nx) % nx;
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) out[j * nx + i] = values[j * nx + ((i + shift) % nx)]!;
  }
  return out;
}
