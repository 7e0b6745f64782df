// Which field of an ECMWF file is which variable of the catalogue. ECMWF's short names are the catalogue's, so that little is left to
// say here: level types, soil layers, and geopotential height as geopotential. Short names are compared whole, never by their beginning.
// Parameters: https://codes.ecmwf.int/grib/param-db

import type { GribMessage } from "../../io/grib/read.js";
import {
  lookupParameter,
  singleLevelVariables,
  type VariableDefinition,
  variableOnLevel,
} from "../../variables/catalogue.js";
import { conversion, sameUnits, tryParseUnit } from "../../variables/units.js";
import type { EcmwfEntry } from "./ecmwf-index.js";
import { pressureOf } from "./ncep-parameters.js";

const singles = new Map(singleLevelVariables().map((definition) => [definition.shortName, definition]));

/** Short names on pressure levels; the catalogue's families. `gh` is given as geopotential. */
const families = new Map([
  ["gh", "z"],
  ...["z", "t", "u", "v", "w", "q", "r", "vo", "d", "pv", "o3", "clwc", "ciwc", "crwc", "cswc", "cc"].map(
    (name) => [name, name] as const,
  ),
]);

/** Soil layers come as one parameter with a layer number. */
const soil = new Map([
  ["sot", "stl"],
  ["vsw", "swvl"],
]);

/** The variable of a soil layer; undefined for a parameter that the catalogue does not have on layers. */
export function soilVariable(shortName: string, layer: number | undefined): VariableDefinition | undefined {
  const family = soil.get(shortName);
  return family === undefined ? undefined : singles.get(`${family}${layer}`);
}

/** The variable that a line of the index gives; undefined for a field that the catalogue does not know. */
export function ecmwfVariable(entry: EcmwfEntry): VariableDefinition | undefined {
  if (entry.levtype === "pl") {
    const family = families.get(entry.param);
    return family === undefined || entry.levelist === undefined ? undefined : variableOnLevel(family, entry.levelist);
  }
  if (entry.levtype === "sol") return soilVariable(entry.param, entry.levelist);
  return entry.levtype === "sfc" && entry.levelist === undefined ? singles.get(entry.param) : undefined;
}

/**
 * How the message's values become the catalogue's units: value × factor + offset. The message says its units itself, since ECMWF
 * has published some fields in more than one (precipitation in m and in kg m-2).
 */
export function ecmwfConversion(
  message: GribMessage,
  definition: VariableDefinition,
): { factor: number; offset: number } {
  // An ecCodes that does not know the parameter does not know its units either.
  const unknown = message.shortName === "unknown" || !tryParseUnit(message.units);
  if (unknown || sameUnits(message.units, definition.units)) return { factor: 1, offset: 0 };
  return conversion(message.units, definition.units);
}

/** What the message says otherwise than the index; undefined when it is the field that the index promised. */
export function ecmwfDifference(
  entry: EcmwfEntry,
  definition: VariableDefinition,
  message: GribMessage,
): string | undefined {
  // An ecCodes that is older than the parameter calls it unknown; level, time and member are checked all the same.
  if (message.shortName !== entry.param && message.shortName !== "unknown") {
    const known = lookupParameter(message.paramId);
    if (known?.name !== definition.name) return `parameter ${message.shortName}, not ${entry.param}`;
  }
  const pressure = pressureOf(message);
  if (definition.level !== undefined && pressure !== definition.level) {
    return `level ${message.typeOfLevel} ${message.level}, not ${definition.level} hPa`;
  }
  if (definition.level === undefined && pressure !== undefined) return `level ${pressure} hPa, not a single level`;
  if (message.typeOfLevel === "soilLayer" && message.level !== entry.levelist) {
    return `soil layer ${message.level}, not ${entry.levelist}`;
  }
  // Not every file says the member in every message.
  if (entry.number !== undefined && message.number !== undefined && message.number !== entry.number) {
    return `ensemble member ${message.number}, not ${entry.number}`;
  }
  return undefined;
}
