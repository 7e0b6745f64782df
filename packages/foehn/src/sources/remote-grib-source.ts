// A source over GRIB files on a web server or in a bucket. Where an index lies beside a file (`.idx` or `.index`) it says what is inside;
// otherwise the headers are read once and kept. Variables have the catalogue's names and units. Fetching and checking of fields is in
// remote-grib.ts.

import { DataError } from "../core/errors.js";
import { formatTimeShort, parseTime } from "../core/time.js";
import { type AnyGrid, describeAnyGrid, sameAnyGrid } from "../grid/any-grid.js";
import { type GribMessage, openGribBytes } from "../io/grib/read.js";
import { publicUrl } from "../io/remote/public-url.js";
import { type VariableDefinition, variableOnLevel } from "../variables/catalogue.js";
import { conversion, sameUnits, tryParseUnit } from "../variables/units.js";
import { Limit } from "./byte-ranges.js";
import { parseEcmwfIndex } from "./grib-index/ecmwf-index.js";
import { ecmwfConversion, ecmwfDifference, ecmwfVariable } from "./grib-index/ecmwf-parameters.js";
import { type ScannedField, scanHeaders } from "./grib-index/header-scan.js";
import { parseNcepIndex, parseNcepStep } from "./grib-index/ncep-index.js";
import { ncepVariables } from "./grib-index/ncep-parameters.js";
import { definitionOf, featureName } from "./grib-source.js";
import { type FieldSeries, indexedSource } from "./indexed-source.js";
import { onLatLon, type SourceRegrid } from "./regrid-source.js";
import { RemoteGrib, type RemoteOptions, type WantedField } from "./remote-grib.js";
import { listShort, noRun } from "./resolve.js";
import type { Source, VariableInfo } from "./source.js";

/** Options of `remoteGribSource`. */
export interface RemoteGribOptions extends RemoteOptions {
  /** Ensemble member, for files that hold several. */
  readonly member?: number | undefined;
  /** Initial time (epoch seconds) of the only forecast to take. */
  readonly run?: number | undefined;
  /** Regrids every field; files on other grids than latitudes and longitudes need it. */
  readonly regrid?: SourceRegrid | undefined;
}

/** A field that can be fetched. */
interface Entry {
  readonly file: RemoteGrib;
  readonly want: WantedField;
  readonly convert: (message: GribMessage) => { readonly factor: number; readonly offset: number };
}

/** Which of several fields of a variable it is. */
interface Which {
  /** Initial and valid time, epoch seconds. */
  readonly run: number;
  readonly time: number;
  readonly member: number | undefined;
}

/** What a file holds. */
interface Found extends Which {
  readonly info: VariableInfo;
  readonly entry: Entry;
}

/**
 * Opens remote GRIB files as one source.
 * @param urls `https://…`, `s3://…`, or whatever `openObjectStore` takes
 * @throws DataError for a file that is not there, fields on several grids, or two fields for one variable and time; NetworkError;
 * FormatError for an index or header that cannot be read
 */
export async function remoteGribSource(urls: readonly string[], options: RemoteGribOptions = {}): Promise<Source> {
  const remote = { ...options, limit: options.limit ?? new Limit(8) };
  const files = urls.map((url) => new RemoteGrib(url, remote));
  const label = `GRIB ${publicUrl(urls[0]!)}${urls.length > 1 ? ` and ${urls.length - 1} more` : ""}`;
  const found = (await Promise.all(files.map(fieldsOf))).flat();
  const runs = [...new Set(found.map(({ run }) => run))].sort((a, b) => a - b);
  if (options.run !== undefined && !runs.includes(options.run)) throw noRun(options.run, runs, label);
  const own = found.filter(
    ({ member, run }) =>
      (options.member === undefined || member === undefined || member === options.member) &&
      (options.run === undefined || run === options.run),
  );
  if (own.length === 0) {
    const members = [...new Set(found.flatMap(({ member }) => member ?? []))].sort((a, b) => a - b);
    throw new DataError("no GRIB field is left after the selection", {
      where: label,
      hint: members.length > 0 ? `members there are: ${listShort(members.map(String))}` : "the files hold no fields",
    });
  }
  const series = collect(own, label);
  const grid = await gridOf(own);
  const source = indexedSource({
    label,
    grid,
    series,
    read: async (entry) => (await readMany([entry], grid))[0]!,
    readMany: (entries) => readMany(entries, grid),
    close: () => {},
  });
  return onLatLon(source, options.regrid);
}

/** The fields of several files; those of one file together. */
async function readMany(entries: readonly Entry[], grid: AnyGrid): Promise<Float32Array[]> {
  const out = new Map<Entry, Float32Array>();
  await Promise.all(
    [...new Set(entries.map(({ file }) => file))].map(async (file) => {
      const own = [...new Set(entries.filter((entry) => entry.file === file))];
      const fields = await file.read(own.map(({ want }) => want));
      for (const [i, field] of fields.entries()) {
        const entry = own[i]!;
        if (!sameAnyGrid(field.grid, grid)) throw otherGrid(entry, field.grid, grid);
        const { factor, offset } = entry.convert(field.message);
        out.set(entry, factor === 1 && offset === 0 ? field.values : field.values.map((x) => x * factor + offset));
      }
    }),
  );
  return entries.map((entry) => out.get(entry)!);
}

async function fieldsOf(file: RemoteGrib): Promise<Found[]> {
  if ((await file.info()) === undefined) {
    throw new DataError("there is no such file", { where: publicUrl(file.url), hint: "check the address" });
  }
  const ncep = await file.sidecar(
    withPath(file.url, (path) => `${path}.idx`),
    (text, where) => {
      // Two lines with the same words are the same field: accumulations over the first hours come twice.
      const seen = new Set<string>();
      return parseNcepIndex(text, where).flatMap((entry) => {
        const words = [entry.dataTime, entry.parameter, entry.level, entry.forecast, ...entry.extra].join(":");
        if (seen.has(words)) return [];
        seen.add(words);
        const step = parseNcepStep(entry.forecast);
        return ncepVariables(entry).map(({ definition, factor, offset, differs }): Found => {
          const which = { run: entry.dataTime, time: entry.dataTime + step!.end, member: undefined };
          const convert = () => ({ factor, offset });
          const want = { offset: entry.offset, length: entry.length, field: entry.field };
          return made(file, definition, which, want, convert, differs);
        });
      });
    },
  );
  // An index of members (`ENS=+1`) or of fields that nobody here knows by those words: the headers know more.
  if (ncep && ncep.length > 0) return ncep;
  const ecmwf = /\.grib2?$/.test(new URL(file.url, "file:///").pathname)
    ? await file.sidecar(
        withPath(file.url, (path) => path.replace(/\.grib2?$/, ".index")),
        (text, where) => {
          return parseEcmwfIndex(text, where).flatMap((entry): Found[] => {
            const definition = ecmwfVariable(entry);
            const { date, time: hhmm = "0000" } = entry.keys;
            const step = Number(entry.step.split("-").at(-1)) * 3600;
            if (!definition || date === undefined || Number.isNaN(step)) return [];
            const run = parseTime(`${date}T${hhmm.padStart(4, "0")}`);
            const want = { offset: entry.offset, length: entry.length, field: 1 };
            const differs = (message: GribMessage) => ecmwfDifference(entry, definition, message);
            const convert = (message: GribMessage) => ecmwfConversion(message, definition);
            return [made(file, definition, { run, time: run + step, member: entry.number }, want, convert, differs)];
          });
        },
      )
    : undefined;
  return ecmwf && ecmwf.length > 0 ? ecmwf : scanned(file);
}

/** The address with another path; a query (a signature) stays. */
function withPath(address: string, change: (path: string) => string): string {
  if (!/^https?:/i.test(address)) return change(address);
  const url = new URL(address);
  url.pathname = change(url.pathname);
  return url.href;
}

function made(
  file: RemoteGrib,
  definition: Pick<VariableDefinition, "name" | "units" | "longName" | "standardName">,
  which: Which,
  place: Pick<WantedField, "offset" | "length" | "field">,
  convert: Entry["convert"],
  differs: WantedField["differs"],
): Found {
  const { name, units, longName, standardName } = definition;
  const info = { name, units, longName, ...(standardName === undefined ? {} : { standardName }) };
  const { time } = which;
  const label = `${name} of ${formatTimeShort(time)}`;
  const want: WantedField = {
    ...place,
    label,
    differs: (message) =>
      differs(message) ?? (message.validTime === time ? undefined : `the time ${formatTimeShort(message.validTime)}`),
  };
  return { ...which, info, entry: { file, want, convert } };
}

/** The fields by their headers. */
async function scanned(file: RemoteGrib): Promise<Found[]> {
  const fields = await file.derived("headers", scanFile(file), pack, unpack);
  const headers = openGribBytes(Buffer.concat(fields.map((field) => field.header)), publicUrl(file.url));
  return headers.messages.map((message, i): Found => {
    const { offset, length, field } = fields[i]!;
    const definition = asGeopotential(definitionOf(message));
    const differs = (other: GribMessage): string | undefined =>
      other.paramId === message.paramId && other.level === message.level && other.number === message.number
        ? undefined
        : `${other.shortName} ${other.typeOfLevel} ${other.level}`;
    const place = { offset, length, field };
    const which = { run: message.dataTime, time: message.validTime, member: message.number };
    if (definition && convertible(message.units, definition.units)) {
      const convert = () => conversionOf(message.units, definition.units);
      return made(file, definition, which, place, convert, differs);
    }
    const plain = { name: featureName(message), units: message.units, longName: message.name };
    return made(file, plain, which, place, () => ({ factor: 1, offset: 0 }), differs);
  });
}

/** Heights are given as geopotential, as from an index. */
function asGeopotential(definition: VariableDefinition | undefined): VariableDefinition | undefined {
  return definition?.family === "gh" ? variableOnLevel("z", definition.level!) : definition;
}

function convertible(from: string, to: string): boolean {
  return sameUnits(from, to) || (tryParseUnit(from) !== undefined && tryConversion(from, to));
}

function tryConversion(from: string, to: string): boolean {
  try {
    conversion(from, to);
    return true;
  } catch {
    return false;
  }
}

function conversionOf(from: string, to: string): { factor: number; offset: number } {
  return sameUnits(from, to) ? { factor: 1, offset: 0 } : conversion(from, to);
}

function scanFile(file: RemoteGrib): () => Promise<ScannedField[]> {
  return async () => {
    const size = (await file.info())?.size;
    if (size === undefined) {
      throw new DataError("the server does not say how long the file is, and there is no index beside it", {
        where: publicUrl(file.url),
        hint: "download the file and open it from the disk",
      });
    }
    return scanHeaders((start, end) => file.bytes(start, end), size, publicUrl(file.url));
  };
}

function pack(fields: readonly ScannedField[]): Uint8Array {
  const rows = fields.map(({ offset, length, field, header }) => ({
    offset,
    length,
    field,
    header: Buffer.from(header).toString("base64"),
  }));
  return Buffer.from(JSON.stringify(rows));
}

function unpack(bytes: Uint8Array): ScannedField[] {
  const rows = JSON.parse(Buffer.from(bytes).toString("utf8")) as (Omit<ScannedField, "header"> & { header: string })[];
  return rows.map((row) => ({ ...row, header: Buffer.from(row.header, "base64") }));
}

function collect(found: readonly Found[], label: string): Map<string, FieldSeries<Entry>> {
  const all = new Map<string, FieldSeries<Entry>>();
  const taken = new Map<Entry, Which>();
  for (const { info, entry, ...which } of found) {
    const series = all.get(info.name) ?? { info, byTime: new Map<number, Entry>() };
    all.set(info.name, series);
    const other = series.byTime.get(which.time);
    if (!other) {
      series.byTime.set(which.time, entry);
      taken.set(entry, which);
      continue;
    }
    // Some files say the same twice.
    const { offset, field } = other.want;
    if (other.file === entry.file && offset === entry.want.offset && field === entry.want.field) continue;
    const { run, member } = taken.get(other)!;
    const [what, hint] =
      member !== which.member
        ? [
            `: ensemble members ${member ?? "none"} and ${which.member ?? "none"}`,
            "choose one with the option `member` (--data-member)",
          ]
        : run !== which.run
          ? [
              `: forecasts started ${formatTimeShort(run)} and ${formatTimeShort(which.run)}`,
              "choose one with the option `run` (--data-run), its initial time",
            ]
          : ["", "open the files apart"];
    throw new DataError(`two fields give ${info.name} at ${formatTimeShort(which.time)}${what}`, {
      where: label,
      hint,
    });
  }
  return all;
}

/** The grid, from the smallest message. */
async function gridOf(found: readonly Found[]): Promise<AnyGrid> {
  const size = ({ entry }: Found) => entry.want.length ?? Number.POSITIVE_INFINITY;
  const { entry } = [...found].sort((a, b) => size(a) - size(b))[0]!;
  return entry.file.grid(entry.want);
}

function otherGrid(entry: Entry, has: AnyGrid, expected: AnyGrid): DataError {
  return new DataError(
    `${entry.want.label} lies on another grid: ${describeAnyGrid(has)}, not ${describeAnyGrid(expected)}`,
    {
      where: publicUrl(entry.file.url),
      hint: "open the files of one grid",
    },
  );
}
