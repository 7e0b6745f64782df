// Forecasts on the disk, by initial time, member and lead: what `foehn forecast` and `foehn ensemble` write, Earth2Studio's Zarr
// (ensemble, time, lead_time, …) and earth2mip's ensemble files with one group per window. Several files are one set of forecasts.
// Not here: fields by valid time alone, which any source gives (cf-source.ts).

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { DataError, FormatError, UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { formatDuration, formatTime, parseCfTime } from "../core/time.js";
import { describeAnyGrid, sameAnyGrid } from "../grid/any-grid.js";
import { type Grid, normaliseAxes, reorderField } from "../grid/grid.js";
import { type PointsGrid, pointsGrid } from "../grid/points-grid.js";
import { type AttributeValue, type LabelledArray, textAttribute } from "../io/labelled-arrays.js";
import { unpackFloat32 } from "../io/netcdf/unpack.js";
import { type Axis, axisKind, baseName, readAxis } from "./cf-axes.js";
import { describeCf } from "./cf-names.js";
import { expandGlob, isGlob } from "./glob.js";
import { listShort } from "./resolve.js";
import { isZarrFolder } from "./sniff.js";
import type { VariableInfo } from "./source.js";

/** Forecasts of one domain, on latitudes and longitudes or at points. */
export interface ForecastStore<G extends Grid | PointsGrid = Grid> {
  readonly description: string;
  /** Name of the domain; undefined for files without domains. */
  readonly domain: string | undefined;
  readonly grid: G;
  readonly variables: readonly VariableInfo[];
  /** Epoch seconds UTC, ascending. */
  readonly initialTimes: readonly number[];
  /** Seconds, ascending; those that all forecasts have. */
  readonly leadTimes: readonly number[];
  /** Members that every initial time has; 1 where there is no ensemble axis. */
  readonly members: number;
  /** One field: (ny, nx), or (points). @throws DataError for a variable, time, lead or member that is not there */
  read(variable: string, initialTime: number, leadTime: number, member: number): Promise<Float32Array>;
}

/** Open forecasts. */
export interface ForecastStores extends AsyncDisposable {
  readonly domains: readonly ForecastStore[];
  /** Domains of points. */
  readonly points: readonly ForecastStore<PointsGrid>[];
}

/** One array of one file. */
interface Piece {
  readonly array: LabelledArray;
  readonly info: VariableInfo;
  readonly grid: Grid | PointsGrid;
  /** Values as stored → the grid's order. */
  readonly arrange: (values: Float32Array) => Float32Array;
  readonly initialTimes: readonly number[];
  readonly leadTimes: readonly number[];
  readonly members: number;
  /** Dimension of each; -1 where there is none. */
  readonly at: { readonly initial: number; readonly lead: number; readonly member: number };
}

interface OpenFile {
  readonly path: string;
  readonly arrays: readonly LabelledArray[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  close(): void;
}

/**
 * Opens forecasts.
 * @param paths Zarr stores and NetCDF files, folders of them, or globs; members of the same initial time in several files add up, in
 * the order of the names
 * @throws DataError when there are none, or they do not fit together; FormatError for files that cannot be read
 */
export async function openForecasts(paths: string | readonly string[], cwd = process.cwd()): Promise<ForecastStores> {
  const names = [paths].flat().flatMap((path) => found(path, cwd));
  const files: OpenFile[] = [];
  const close = async () => {
    for (const file of files) file.close();
  };
  try {
    for (const name of names) files.push(await openFile(name));
    const byDomain = new Map<string, Piece[]>();
    for (const file of files) {
      for (const { domain, pieces } of await piecesOf(file)) {
        byDomain.set(domain, [...(byDomain.get(domain) ?? []), ...pieces]);
      }
    }
    if (byDomain.size === 0) {
      throw new DataError("there are no forecasts: no variable has a time or lead axis, latitude and longitude", {
        where: names.slice(0, 3).join(", "),
        hint: "give what foehn forecast or foehn ensemble wrote",
      });
    }
    const label = names.length === 1 ? names[0]! : `${names[0]} and ${names.length - 1} more`;
    const stores = [...byDomain].map(([domain, pieces]) => storeOf(domain === "" ? undefined : domain, pieces, label));
    const isOfPoints = (store: ForecastStore<Grid | PointsGrid>) => store.grid.kind === "points";
    return {
      domains: stores.filter((store) => !isOfPoints(store)) as ForecastStore[],
      points: stores.filter(isOfPoints) as ForecastStore<PointsGrid>[],
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function found(path: string, cwd: string): string[] {
  const full = resolve(cwd, path);
  if (!existsSync(full)) {
    const matches = isGlob(path) ? expandGlob(full) : [];
    if (matches.length > 0) return matches;
    throw new DataError(`there are no forecasts at "${path}"`, {
      hint: "check the name; quote patterns for the shell",
    });
  }
  if (!statSync(full).isDirectory() || isZarrFolder(full)) return [full];
  // A folder of forecasts, or of folders as `foehn ensemble --job` makes them. Work that is not finished is in .tmp.
  const inside = readdirSync(full)
    .filter((name) => !name.endsWith(".tmp") && !name.startsWith("."))
    .sort();
  const files = inside.map((name) => join(full, name)).filter((p) => /\.nc4?$/.test(p) || isZarrFolder(p));
  const deeper = inside
    .map((name) => join(full, name))
    .filter((p) => statSync(p).isDirectory() && !isZarrFolder(p))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => /\.nc4?$/.test(name) || /\.zarr$/.test(name))
        .sort()
        .map((name) => join(folder, name)),
    );
  if (files.length + deeper.length > 0) return [...files, ...deeper];
  throw new DataError(`the folder "${path}" holds no .nc or .zarr`, { where: full });
}

async function openFile(path: string): Promise<OpenFile> {
  if (statSync(path).isDirectory()) {
    const [{ openZarr }, { labelledArrays }] = await Promise.all([
      import("../io/zarr/read.js"),
      import("./zarr-source.js"),
    ]);
    const group = await openZarr(path);
    return { path, arrays: labelledArrays(group), attributes: {}, close: () => {} };
  }
  const { openNetcdf } = await import("../io/netcdf/read.js");
  const file = await openNetcdf(path);
  return { path, arrays: file.variables, attributes: file.attributes, close: () => file.close() };
}

/** The fields of a file, by the group they are in. */
async function piecesOf(file: OpenFile): Promise<{ domain: string; pieces: Piece[] }[]> {
  const named = new Map(file.arrays.map((array) => [array.name, array]));
  const axes = new Map<string, Promise<Axis>>();
  const axisOf = (array: LabelledArray): Promise<Axis> => {
    const known = axes.get(array.name) ?? readAxis(array, file.path);
    axes.set(array.name, known);
    return known;
  };
  const groups = new Map<string, Piece[]>();
  for (const array of file.arrays) {
    const group = array.name.slice(0, Math.max(0, array.name.lastIndexOf("/")));
    // A dimension's coordinate is in the variable's group or above it.
    const coordinate = (dimension: string) => {
      const name = baseName(dimension);
      const candidates = [dimension, `${group}/${name}`, name].map((key) => named.get(key));
      return candidates.find((one) => one?.shape.length === 1);
    };
    const own = array.dimensions.map(coordinate);
    const kinds = own.map((one, d) => {
      if (one) return axisKind(one);
      return /^(ensemble|member|realization|number)$/.test(baseName(array.dimensions[d]!)) ? "member" : "other";
    });
    const at = (kind: Axis["kind"]) => kinds.indexOf(kind);
    const [row, column, time, lead, member] = [at("latitude"), at("longitude"), at("time"), at("lead"), at("member")];
    const rank = array.shape.length;
    if (time < 0 && lead < 0) continue;
    const isField = rank >= 3 && row === rank - 2 && column === rank - 1;
    const places = isField ? undefined : placesAlong(file, array);
    if (!isField && (places === undefined || row >= 0 || column >= 0)) continue;
    if (kinds.some((kind, d) => kind === "other" && array.shape[d] !== 1 && !(places && d === rank - 1))) continue;
    const times = time < 0 ? undefined : (await axisOf(own[time]!)).values;
    const leads = lead < 0 ? undefined : (await axisOf(own[lead]!)).values;
    const reference = await referenceTime(file, named, axisOf, own[time]);
    const [initialTimes, leadTimes] =
      leads === undefined
        ? [[reference ?? times![0]!], Array.from(times!, (t) => t - (reference ?? times![0]!))]
        : [times === undefined ? [reference ?? 0] : Array.from(times), Array.from(leads)];
    if (leads !== undefined && times === undefined && reference === undefined) {
      throw new FormatError(`"${array.name}" has lead times and nothing that says from when`, { where: file.path });
    }
    const [lat, lon] = await Promise.all((places ?? [own[row]!, own[column]!]).map(axisOf));
    const axes = places ? undefined : normaliseAxes(lat!.values, lon!.values);
    groups.set(group, [
      ...(groups.get(group) ?? []),
      {
        array,
        info: describeCf(array, undefined, undefined),
        grid: axes?.grid ?? pointsGrid(lat!.values, lon!.values),
        arrange: (values) => (axes ? reorderField(values, array.shape[rank - 1]!, axes) : values),
        initialTimes,
        leadTimes,
        members: member < 0 ? 1 : array.shape[member]!,
        at: { initial: leads === undefined ? -1 : time, lead: leads === undefined ? time : lead, member },
      },
    ]);
  }
  return [...groups].map(([domain, pieces]) => ({ domain, pieces }));
}

/** Latitudes and longitudes of the points that an array's last dimension counts: lists along it, in the same group. */
function placesAlong({ arrays }: OpenFile, array: LabelledArray): [LabelledArray, LabelledArray] | undefined {
  const group = (one: LabelledArray) => one.name.slice(0, Math.max(0, one.name.lastIndexOf("/")));
  const along = arrays.filter(
    (one) =>
      one.shape.length === 1 &&
      group(one) === group(array) &&
      baseName(one.dimensions[0]!) === baseName(array.dimensions.at(-1) ?? "") &&
      baseName(one.name) !== baseName(one.dimensions[0]!),
  );
  const [latitude, longitude] = (["latitude", "longitude"] as const).map((kind) =>
    along.find((one) => axisKind(one) === kind),
  );
  return latitude && longitude && [latitude, longitude];
}

/** The initial time that a file with one time axis says: as CF has it, or as earth2mip counts its hours. */
async function referenceTime(
  file: OpenFile,
  named: ReadonlyMap<string, LabelledArray>,
  axisOf: (array: LabelledArray) => Promise<Axis>,
  time: LabelledArray | undefined,
): Promise<number | undefined> {
  const scalar = named.get("forecast_reference_time");
  if (scalar?.shape.length === 0) return (await axisOf(scalar)).values[0];
  if (time === undefined || file.attributes.weather_event === undefined) return undefined;
  return Math.round(parseCfTime(textAttribute(time, "units") ?? "", textAttribute(time, "calendar"))(0));
}

function storeOf(
  domain: string | undefined,
  pieces: readonly Piece[],
  label: string,
): ForecastStore<Grid | PointsGrid> {
  const { grid } = pieces[0]!;
  const variables = new Map<string, VariableInfo>();
  /** By variable and initial time: where each member is. */
  const places = new Map<string, { readonly piece: Piece; readonly initial: number; readonly member: number }[]>();
  const key = (variable: string, time: number) => `${variable} ${time}`;
  for (const piece of pieces) {
    if (!sameAnyGrid(grid, piece.grid)) {
      throw new DataError(
        `the forecasts lie on several grids: ${describeAnyGrid(grid)} and ${describeAnyGrid(piece.grid)}`,
        { where: label },
      );
    }
    variables.set(piece.info.name, variables.get(piece.info.name) ?? piece.info);
    for (const [initial, time] of piece.initialTimes.entries()) {
      const list = places.get(key(piece.info.name, time)) ?? [];
      for (let member = 0; member < piece.members; member++) list.push({ piece, initial, member });
      places.set(key(piece.info.name, time), list);
    }
  }
  const initialTimes = [...new Set(pieces.flatMap((piece) => piece.initialTimes))].sort((a, b) => a - b);
  const leadTimes = pieces[0]!.leadTimes.filter((lead) => pieces.every((piece) => piece.leadTimes.includes(lead)));
  const counts = [...variables.keys()].flatMap((name) =>
    initialTimes.map((time) => places.get(key(name, time))?.length ?? 0),
  );
  return {
    description: `${label}${domain === undefined ? "" : `, domain ${domain}`}`,
    domain,
    grid,
    variables: [...variables.values()],
    initialTimes,
    leadTimes: [...leadTimes].sort((a, b) => a - b),
    members: Math.min(...counts),
    async read(variable, initialTime, leadTime, member) {
      const place = places.get(key(variable, initialTime))?.[member];
      const lead = place?.piece.leadTimes.indexOf(leadTime) ?? -1;
      if (place === undefined || lead < 0) throw notThere();
      const { piece, initial } = place;
      const { array } = piece;
      const spatial = array.shape.length - piece.grid.shape.length;
      const start = array.shape.map(() => 0);
      if (piece.at.initial >= 0) start[piece.at.initial] = initial;
      if (piece.at.lead >= 0) start[piece.at.lead] = lead;
      if (piece.at.member >= 0) start[piece.at.member] = place.member;
      const count = array.shape.map((size, d) => (d >= spatial ? size : 1));
      return piece.arrange(unpackFloat32(array, await array.read(start, count)));

      function notThere(): DataError {
        const known = [...variables.keys()];
        if (!known.includes(variable)) {
          return new DataError(`the forecasts have no "${variable}"`, {
            where: label,
            hint: didYouMean(variable, known) || `they have ${listShort(known)}`,
          });
        }
        return new DataError(
          `there is no forecast of "${variable}" from ${formatTime(initialTime)} at +${formatDuration(leadTime)}, member ${member}`,
          { where: label },
        );
      }
    },
  };
}

/** The only domain, or the one that is named. @throws UsageError */
export function chooseDomain({ domains, points }: ForecastStores, name: string | undefined): ForecastStore {
  if (domains.length === 0 && points.length > 0) {
    throw new UsageError("the forecasts are of points, not of fields", { hint: "score-ensemble scores points" });
  }
  const names = domains.map(({ domain }) => domain ?? "");
  if (name === undefined && domains.length === 1) return domains[0]!;
  const chosen = domains.find(({ domain }) => domain === name);
  if (chosen) return chosen;
  throw new UsageError(
    name === undefined ? "the forecasts have several domains" : `the forecasts have no domain "${name}"`,
    {
      hint: (name && didYouMean(name, names)) || `choose one of ${names.join(", ")}`,
    },
  );
}
