// Finds out what the dimensions of a CF file mean: latitude, longitude, time, lead time, pressure, ensemble member.
// By the attributes that the CF conventions §4 name, then by the names that files use in practice. Values are read here; fields are not.

import { DataError, FormatError } from "../core/errors.js";
import { parseCfTime } from "../core/time.js";
import { type LabelledArray, textAttribute, toFloat64 } from "../io/labelled-arrays.js";
import { unpackFloat64 } from "../io/netcdf/unpack.js";
import { conversion, tryParseUnit } from "../variables/units.js";

/** A coordinate along one dimension. */
export type Axis =
  | { readonly kind: "latitude" | "longitude"; readonly values: Float64Array }
  /** Epoch seconds. */
  | { readonly kind: "time"; readonly values: Float64Array; readonly note?: string; readonly isOfEveryYear?: boolean }
  /** Seconds after the reference time. */
  | { readonly kind: "lead"; readonly values: Float64Array }
  /** Pressure in hPa. */
  | { readonly kind: "pressure"; readonly values: Float64Array }
  /** Any other vertical coordinate, in its own units. */
  | { readonly kind: "level"; readonly values: Float64Array }
  | { readonly kind: "member"; readonly values: Float64Array }
  | { readonly kind: "other"; readonly values: Float64Array };

/** The year that axes of bare months (1 … 12) and days (1 … 366) without a year are dated in: a leap year. */
export const yearOfBareMonths = 2000;

const latitudeUnits = /^degrees?_?(north|n)$/i;
const longitudeUnits = /^degrees?_?(east|e)$/i;

/** What a coordinate variable stands for, by its attributes and then its name. */
export function axisKind(array: LabelledArray): Axis["kind"] {
  const units = textAttribute(array, "units") ?? "";
  const standard = textAttribute(array, "standard_name") ?? "";
  const axis = (textAttribute(array, "axis") ?? "").toUpperCase();
  const name = baseName(array.name).toLowerCase();
  if (standard === "latitude" || latitudeUnits.test(units)) return "latitude";
  if (standard === "longitude" || longitudeUnits.test(units)) return "longitude";
  if (standard === "forecast_period" || /^(step|lead|lead_time|leadtime|prediction_timedelta|fhour)$/.test(name)) {
    return "lead";
  }
  if (/\bsince\b/i.test(units) || standard === "time" || axis === "T" || /^day as %Y%m%d/.test(units)) return "time";
  if (/^(time|valid_time|month|months|initial_time|init_time)$/.test(name)) return "time";
  // Climatologies have days of the year, and perhaps hours of the day (WeatherBench's have both): a time, and what comes after it.
  if (baseName(array.dimensions[0] ?? "").toLowerCase() === name) {
    if (isDayOfYear(name)) return "time";
    if (name === "hour") return "lead";
  }
  if (/^(realization|number|ensemble|member|ens)$/.test(name) || standard === "realization") return "member";
  if (/^(lat|latitude|lats)$/.test(name)) return "latitude";
  if (/^(lon|longitude|lons|long)$/.test(name)) return "longitude";
  const pressureName = /^(plev|lev|level|levels|pressure|pressure_level|isobaric\w*|p)$/.test(name);
  const isPressure = isPressureUnit(units) || standard === "air_pressure";
  if (isPressure || (pressureName && (units === "" || units === "1") && axis !== "X" && axis !== "Y"))
    return "pressure";
  const vertical = axis === "Z" || textAttribute(array, "positive") !== undefined || pressureName;
  return vertical || /^(depth|height|hybrid|altitude|model_level|soil_layer)$/.test(name) ? "level" : "other";
}

const isDayOfYear = (name: string): boolean => /^(dayofyear|day_of_year|doy)$/.test(name);

function isPressureUnit(units: string): boolean {
  const parsed = units.trim() === "" ? undefined : tryParseUnit(units);
  return parsed !== undefined && parsed.dimension[0] === 1 && parsed.dimension[1] === -1 && parsed.dimension[2] === -2;
}

/** Reads a coordinate variable and brings it into this library's units. */
export async function readAxis(array: LabelledArray, where: string): Promise<Axis> {
  const kind = axisKind(array);
  if (array.type === "string" || array.type === "char" || array.type === "other") {
    return { kind: "other", values: Float64Array.from({ length: array.shape[0] ?? 1 }, (_, i) => i) };
  }
  const stored = await array.read();
  const values = kind === "time" ? toFloat64(stored) : unpackFloat64(array, stored);
  const units = textAttribute(array, "units") ?? "";
  const place = `${where}, variable ${array.name}`;
  switch (kind) {
    case "time":
      return timeAxis(array, values, units, place);
    case "lead":
      return { kind, values: values.map((v) => Math.round(v * leadScale(array, units, place))) };
    case "pressure":
      return { kind, values: hectopascals(values, units) };
    default:
      if (values.some(Number.isNaN) && (kind === "latitude" || kind === "longitude")) {
        throw new FormatError(`the ${kind} axis has missing values`, { where: place });
      }
      return { kind, values };
  }
}

function timeAxis(array: LabelledArray, values: Float64Array, units: string, where: string): Axis {
  if (/^day as %Y%m%d/.test(units)) {
    return { kind: "time", values: values.map((v) => absoluteDay(v)) };
  }
  const months = /^months?$/.test(baseName(array.name).toLowerCase()) && (units === "" || /^(1|months?)$/.test(units));
  if (months && values.every((v) => Number.isInteger(v) && v >= 1 && v <= 12)) {
    return {
      kind: "time",
      values: values.map((v) => Date.UTC(yearOfBareMonths, v - 1, 1) / 1000),
      note: `months without a year, dated ${yearOfBareMonths}`,
    };
  }
  if (
    isDayOfYear(baseName(array.name).toLowerCase()) &&
    values.every((v) => Number.isInteger(v) && v >= 1 && v <= 366)
  ) {
    return {
      kind: "time",
      values: values.map((v) => Date.UTC(yearOfBareMonths, 0, v) / 1000),
      note: `days of the year, dated ${yearOfBareMonths}`,
      isOfEveryYear: true,
    };
  }
  if (!/\bsince\b/i.test(units)) {
    throw new DataError(`the time axis has the units "${units}", which do not say since when`, {
      where,
      hint: 'CF wants e.g. units = "hours since 1970-01-01"; set it with ncatted or xarray and try again',
    });
  }
  const decode = parseCfTime(units, textAttribute(array, "calendar"));
  return { kind: "time", values: values.map((v) => Math.round(decode(v))) };
}

/** `20190301.25` is 2019-03-01 06:00. */
function absoluteDay(value: number): number {
  const day = Math.floor(value);
  const start = Date.UTC(Math.floor(day / 10000), (Math.floor(day / 100) % 100) - 1, day % 100) / 1000;
  return start + Math.round((value - day) * 86400);
}

function leadScale(array: LabelledArray, units: string, where: string): number {
  if (baseName(array.name).toLowerCase() === "hour" && (units === "" || units === "1")) return 3600;
  const unit = tryParseUnit(units === "nanoseconds" ? "1" : units);
  if (units === "nanoseconds") return 1e-9;
  if (unit?.dimension[2] !== 1) {
    throw new DataError(`the lead time has the units "${units}"`, {
      where,
      hint: 'expected "hours", "days" or "seconds"',
    });
  }
  return unit.scale;
}

/** Without units, numbers up to 1100 are hPa and larger ones Pa: no field lies at 1100 Pa and another at 110 000 hPa. */
function hectopascals(values: Float64Array, units: string): Float64Array {
  const factor = isPressureUnit(units) ? conversion(units, "hPa").factor : Math.max(...values) > 1100 ? 0.01 : 1;
  return values.map((v) => Number((v * factor).toPrecision(7)));
}

/** The name without the group path. */
export function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
