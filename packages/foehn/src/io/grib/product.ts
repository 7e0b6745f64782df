// What a GRIB field is: parameter, level, step, ensemble member and times, read from the product sections by ecCodes.
// Descriptions are shared between fields whose product sections differ in the date only: a month of hourly fields asks ecCodes once.

import { FormatError } from "../../core/errors.js";
import { lookupFamily, lookupParameter } from "../../variables/catalogue.js";
import { normaliseUnits } from "../../variables/units.js";
import type { ByteReader } from "../byte-reader.js";
import { GribHandle } from "./eccodes.js";
import { type FieldLocation, headerMessage, sectionBytes, whereOf } from "./scan.js";

/** The date-independent part of a field's description. */
export interface Product {
  readonly paramId: number;
  /** GRIB 2's own name for the parameter, `discipline.category.number`; undefined in edition 1. It does not depend on ecCodes' tables. */
  readonly parameterCode?: string;
  /** ECMWF short name (`2t`), or `unknown`. */
  readonly shortName: string;
  readonly name: string;
  /** CF spelling. */
  readonly units: string;
  /** ecCodes' name: `surface`, `isobaricInhPa`, `heightAboveGround`… */
  readonly typeOfLevel: string;
  readonly level: number;
  /** ecCodes' text: `6`, `0-6`. */
  readonly stepRange: string;
  /** ecCodes' text: `instant`, `accum`, `avg`, `max`… */
  readonly stepType: string;
  /** Valid time minus data time, seconds. */
  readonly stepSeconds: number;
  /** Length of the interval that the value covers, seconds; 0 for an instant. */
  readonly intervalSeconds: number;
  /** Ensemble member; undefined for a deterministic field. */
  readonly number?: number;
}

/** Shared descriptions of one file. */
export type ProductCache = Map<string, Product>;

/** Reference time of a field, epoch seconds. */
export function dataTimeOf(file: ByteReader, location: FieldLocation): number {
  const s = sectionBytes(file, location, 1);
  const [year, month, day, hour, minute, second] =
    location.edition === 1
      ? [(s[24]! - 1) * 100 + s[12]!, s[13]!, s[14]!, s[15]!, s[16]!, 0]
      : [s.readUInt16BE(12), s[14]!, s[15]!, s[16]!, s[17]!, s[18]!];
  if (month > 12 || day > 31 || hour > 24 || minute > 59 || second > 60) {
    throw new FormatError(`impossible date ${year}-${month}-${day} ${hour}:${minute} in a GRIB message`, {
      where: whereOf(file.path, location),
    });
  }
  // Monthly means carry day 0, climatologies month 0: they stand for the first.
  return Date.UTC(year, Math.max(month, 1) - 1, Math.max(day, 1), hour, minute, second) / 1000;
}

/** Describes a field, through the cache. */
export function productOf(file: ByteReader, location: FieldLocation, cache: ProductCache): Product {
  const key = productKey(file, location);
  const known = cache.get(key);
  if (known) return known;
  const where = whereOf(file.path, location);
  using handle = new GribHandle(headerMessage(file, location), where);
  const product = describe(handle, where);
  // A step of n months has a different length at each date.
  const unit = handle.tryLong("indicatorOfUnitOfTimeRange") ?? 1;
  if (unit < 3 || unit > 7) cache.set(key, product);
  return product;
}

/** The product sections with the reference date blanked. */
function productKey(file: ByteReader, location: FieldLocation): string {
  const one = Buffer.from(sectionBytes(file, location, 1));
  if (location.edition === 1) {
    one.fill(0, 12, 17);
    one[24] = 0;
    return one.toString("latin1");
  }
  one.fill(0, 12, 19);
  const discipline = file.bytes(location.offset, 8)[6]!;
  const rest = [2, 4].map((n) => sectionBytes(file, location, n).toString("latin1"));
  return [discipline, one.toString("latin1"), ...rest].join("|");
}

function describe(handle: GribHandle, where: string): Product {
  const paramId = handle.tryLong("paramId") ?? 0;
  const typeOfLevel = handle.tryString("typeOfLevel") ?? "unknown";
  const level = handle.tryLong("level") ?? 0;
  const dataTime = timeFrom(handle, "dataDate", "dataTime");
  const validTime = timeFrom(handle, "validityDate", "validityTime") ?? dataTime;
  if (dataTime === undefined || validTime === undefined)
    throw new FormatError("the GRIB message has no date", { where });
  const startStep = handle.tryLong("startStep") ?? 0;
  const endStep = handle.tryLong("endStep") ?? startStep;
  const stepSeconds = validTime - dataTime;
  // Steps are in `stepUnits`; their share of the whole step gives seconds without knowing the unit.
  const intervalSeconds = endStep > 0 ? Math.round((stepSeconds * (endStep - startStep)) / endStep) : 0;
  // Deterministic fields of ECMWF's archive carry member 0 of an ensemble of 0.
  const ensembleSize = handle.tryLong("numberOfForecastsInEnsemble");
  const member = ensembleSize === 0 ? undefined : handle.tryLong("number");
  const category = handle.tryLong("parameterCategory");
  const code = [handle.tryLong("discipline"), category, handle.tryLong("parameterNumber")].join(".");
  return {
    ...parameterOf(handle, paramId, typeOfLevel),
    ...(category === undefined ? {} : { parameterCode: code }),
    typeOfLevel,
    level,
    stepRange: handle.tryString("stepRange") ?? String(endStep),
    stepType: handle.tryString("stepType") ?? "instant",
    stepSeconds,
    intervalSeconds,
    ...(member === undefined ? {} : { number: member }),
  };
}

/** Loading ecCodes' tables of names costs some 25 ms each, so that the catalogue is asked first: the parameter id decides all of them. */
function parameterOf(handle: GribHandle, paramId: number, typeOfLevel: string) {
  const known = typeOfLevel.startsWith("isobaric") ? lookupFamily(paramId) : lookupParameter(paramId);
  if (known) return { paramId, shortName: known.shortName, name: known.longName, units: known.units };
  return {
    paramId,
    shortName: handle.tryString("shortName") ?? "unknown",
    name: handle.tryString("name") ?? "unknown",
    units: normaliseUnits(handle.tryString("units") ?? "1"),
  };
}

function timeFrom(handle: GribHandle, dateKey: string, timeKey: string): number | undefined {
  const date = handle.tryLong(dateKey);
  const time = handle.tryLong(timeKey);
  if (date === undefined || time === undefined) return undefined;
  const month = Math.max(1, Math.floor(date / 100) % 100);
  const day = Math.max(1, date % 100);
  return Date.UTC(Math.floor(date / 10000), month - 1, day, Math.floor(time / 100), time % 100) / 1000;
}
