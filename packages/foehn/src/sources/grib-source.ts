// A source over one or many GRIB files. Every field is named by the catalogue (`2t` → `t2m`, `z` at 500 hPa → `z500`), found by its
// valid time, and decoded when it is asked for. All fields must lie on one grid. Decoding is in io/grib/.

import { DataError } from "../core/errors.js";
import { formatTimeShort } from "../core/time.js";
import { type AnyGrid, describeAnyGrid, sameAnyGrid } from "../grid/any-grid.js";
import { type GribFile, type GribMessage, openGrib } from "../io/grib/read.js";
import { lookupParameter, lookupVariable, type VariableDefinition, variableOnLevel } from "../variables/catalogue.js";
import { sameUnits } from "../variables/units.js";
import { soilVariable } from "./grib-index/ecmwf-parameters.js";
import { type FieldSeries, indexedSource } from "./indexed-source.js";
import { requireLatLon } from "./regrid-source.js";
import { listShort, noRun } from "./resolve.js";
import type { Source, VariableInfo } from "./source.js";

/** Which fields of the files to take. */
export interface GribSourceOptions {
  /** Ensemble member; needed when the files hold several. */
  readonly member?: number;
  /** Initial time (epoch seconds) of the only forecast to take; fields that never change count for every one. */
  readonly run?: number;
  /** Keeps only fields for which this is true. */
  readonly select?: (message: GribMessage) => boolean;
}

interface Entry {
  readonly file: GribFile;
  readonly message: GribMessage;
}

/**
 * Opens GRIB files as one source.
 * @throws DataError when the fields lie on several grids or not on latitudes and longitudes, when two fields claim the same variable
 * and time, or when nothing is left
 */
export function gribSource(paths: readonly string[], options: GribSourceOptions = {}): Source {
  return requireLatLon(nativeGribSource(paths, options));
}

/** The same on whatever grid the files have; for `onLatLon`. @throws as `gribSource`, but for the kind of the grid */
export function nativeGribSource(paths: readonly string[], options: GribSourceOptions = {}): Source<AnyGrid> {
  const files = paths.map(openGrib);
  const label = paths.length === 1 ? paths[0]! : `${paths[0]} and ${paths.length - 1} more`;
  const found = files
    .flatMap((file) => file.messages.map((message): Entry => ({ file, message })))
    .filter(({ message }) => (options.select?.(message) ?? true) && memberFits(message, options.member));
  const entries = options.run === undefined ? found : ofRun(found, options.run, label);
  if (entries.length === 0) {
    throw new DataError("no GRIB field is left after the selection", {
      where: label,
      hint: options.member === undefined ? "check `select`" : `members there are: ${listShort(membersOf(files))}`,
    });
  }
  const grid = onlyGrid(entries);
  return indexedSource({
    label: `GRIB ${label}`,
    grid,
    series: collect(entries),
    read: ({ file, message }) => file.readValues(message),
    close: () => {
      for (const file of files) file.close();
    },
  });
}

function memberFits(message: GribMessage, member: number | undefined): boolean {
  return member === undefined || message.number === undefined || message.number === member;
}

/** The fields of one forecast, and those that never change, whatever date they carry. @throws DataError when it is not there */
function ofRun(entries: readonly Entry[], run: number, label: string): readonly Entry[] {
  const runs = [...new Set(entries.map(({ message }) => message.dataTime))].sort((a, b) => a - b);
  if (runs.length > 0 && !runs.includes(run)) throw noRun(run, runs, label);
  return entries.filter(({ message }) => message.dataTime === run || definitionOf(message)?.invariant);
}

function membersOf(files: readonly GribFile[]): string[] {
  const numbers = files.flatMap((file) => file.messages.flatMap((m) => m.number ?? []));
  return [...new Set(numbers)].sort((a, b) => a - b).map(String);
}

/** Pressure in hPa of a field on a pressure level; undefined elsewhere. */
function pressureLevel(message: GribMessage): number | undefined {
  if (message.typeOfLevel === "isobaricInhPa") return message.level;
  if (message.typeOfLevel === "isobaricInPa") return message.level / 100;
  return undefined;
}

/** Level kinds that need no level in the name: one such field per parameter. */
const plainLevels = new Set([
  "surface",
  "meanSea",
  "entireAtmosphere",
  "atmosphere",
  "atmosphereSingleLayer",
  "nominalTop",
  "unknown",
  "depthBelowLandLayer",
  "depthBelowLand",
  "heightAboveGround",
  "iceLayerOnWater",
]);

/** The catalogue's definition for a field, when it has one. */
export function definitionOf(message: GribMessage): VariableDefinition | undefined {
  const level = pressureLevel(message);
  if (level !== undefined) {
    return lookupParameter(message.paramId, level) ?? variableOnLevel(message.shortName, level);
  }
  if (message.typeOfLevel === "soilLayer") return soilVariable(message.shortName, message.level);
  // `t` at 100 m above ground is not a variable of the catalogue: single-level ids and short names fix their own level. Geopotential has
  // one id everywhere; what is not on the ground is not `z`.
  if (message.paramId === geopotential && !isGround(message)) return undefined;
  return lookupParameter(message.paramId) ?? (plainLevels.has(message.typeOfLevel) ? byShortName(message) : undefined);
}

const geopotential = 129;

/** ECMWF keeps the geopotential of the ground on the first model level, too. */
function isGround({ typeOfLevel, level }: GribMessage): boolean {
  return typeOfLevel === "surface" || typeOfLevel === "unknown" || (typeOfLevel === "hybrid" && level === 1);
}

function byShortName(message: GribMessage): VariableDefinition | undefined {
  const found = lookupVariable(message.shortName);
  return found?.level === undefined ? found : undefined;
}

/** The feature name of a field: the catalogue's, else the short name with the level where one is needed. */
export function featureName(message: GribMessage): string {
  const known = definitionOf(message);
  if (known) return known.name;
  const pressure = pressureLevel(message);
  if (pressure !== undefined) return `${message.shortName}${pressure}`;
  if (message.level === 0) return message.shortName;
  if (message.typeOfLevel === "heightAboveGround") {
    return /\d/.test(message.shortName) ? message.shortName : `${message.shortName}${message.level}m`;
  }
  if (message.typeOfLevel === "hybrid") return `${message.shortName}${message.level}k`;
  return plainLevels.has(message.typeOfLevel) ? message.shortName : `${message.shortName}_${message.level}`;
}

function collect(entries: readonly Entry[]): Map<string, FieldSeries<Entry>> {
  const all = new Map<string, FieldSeries<Entry>>();
  for (const entry of entries) {
    const { message } = entry;
    const name = featureName(message);
    let series = all.get(name);
    if (!series) {
      const known = definitionOf(message);
      const info: VariableInfo = {
        name,
        units: message.units,
        longName: known?.longName ?? message.name,
        ...(known?.standardName === undefined ? {} : { standardName: known.standardName }),
      };
      series = { info, byTime: new Map() };
      all.set(name, series);
    }
    if (!sameUnits(series.info.units, message.units)) {
      throw new DataError(`variable ${name} comes in two units, "${series.info.units}" and "${message.units}"`, {
        where: placeOf(entry),
        hint: "open the files apart, or take one kind with `select`",
      });
    }
    const other = series.byTime.get(message.validTime);
    if (other) throw duplicate(name, other, entry);
    series.byTime.set(message.validTime, entry);
  }
  return all;
}

function placeOf({ file, message }: Entry): string {
  return `${file.path}, message ${message.index + 1}`;
}

function duplicate(name: string, first: Entry, second: Entry): DataError {
  const a = first.message;
  const b = second.message;
  const difference =
    a.number !== b.number
      ? {
          text: `ensemble members ${a.number ?? "none"} and ${b.number ?? "none"}`,
          hint: "choose one with the option `member` (--data-member)",
        }
      : a.dataTime !== b.dataTime
        ? {
            text: `forecasts started ${formatTimeShort(a.dataTime)} and ${formatTimeShort(b.dataTime)}`,
            hint: "choose one with the option `run` (--data-run), its initial time, or open its file alone",
          }
        : a.stepRange !== b.stepRange
          ? { text: `steps ${a.stepRange} and ${b.stepRange}`, hint: "keep one kind with the option `select`" }
          : a.typeOfLevel !== b.typeOfLevel || a.level !== b.level
            ? {
                text: `levels ${a.typeOfLevel} ${a.level} and ${b.typeOfLevel} ${b.level}`,
                hint: "keep one with `select`",
              }
            : { text: "the same field twice", hint: "the same file may match twice, or files overlap" };
  return new DataError(`two fields give ${name} at ${formatTimeShort(a.validTime)}: ${difference.text}`, {
    where: `${placeOf(first)}; ${placeOf(second)}`,
    hint: difference.hint,
  });
}

/** The one grid of all fields. */
function onlyGrid(entries: readonly Entry[]): AnyGrid {
  const distinct: { grid: AnyGrid; first: Entry; count: number }[] = [];
  const seen = new Map<GribFile, Map<string, (typeof distinct)[number]>>();
  for (const entry of entries) {
    const { file, message } = entry;
    const keys = seen.get(file) ?? new Map<string, (typeof distinct)[number]>();
    seen.set(file, keys);
    let known = keys.get(message.gridKey);
    if (!known) {
      const grid = file.anyGridOf(message);
      known = distinct.find((d) => sameAnyGrid(d.grid, grid));
      if (!known) {
        known = { grid, first: entry, count: 0 };
        distinct.push(known);
      }
      keys.set(message.gridKey, known);
    }
    known.count++;
  }
  if (distinct.length > 1) {
    const list = distinct.map(
      (d) => `${describeAnyGrid(d.grid)} (${d.count} fields, first ${featureName(d.first.message)})`,
    );
    throw new DataError(`the fields lie on ${distinct.length} grids: ${list.join("; ")}`, {
      where: placeOf(distinct[1]!.first),
      hint: "open the files of one grid, or interpolate them to a common grid",
    });
  }
  return distinct[0]!.grid;
}
