// What to call a field of a CF file: the catalogue's name where it knows the variable, the file's name otherwise.

import { type LabelledArray, textAttribute } from "../io/labelled-arrays.js";
import {
  lookupVariable,
  pressureFamilyNames,
  type VariableDefinition,
  variableOnLevel,
} from "../variables/catalogue.js";
import { normaliseUnits, sameUnits, tryParseUnit } from "../variables/units.js";
import { baseName } from "./cf-axes.js";
import type { VariableInfo } from "./source.js";

/** Describes a variable of a file, on a pressure level when it has one. */
export function describeCf(
  array: LabelledArray,
  pressure: number | undefined,
  otherLevel: number | undefined,
): VariableInfo {
  const name = baseName(array.name);
  const rawUnits = textAttribute(array, "units");
  const known = definitionOf(array, name, pressure);
  // CMIP gives geopotential height in plain metres.
  const asMetres = known?.family === "gh" && rawUnits !== undefined && sameUnits(rawUnits, "m");
  const fits = known !== undefined && (rawUnits === undefined || asMetres || sameQuantity(rawUnits, known.units));
  const level = pressure ?? otherLevel;
  const suffix = level === undefined ? "" : pressure === undefined ? `_${level}` : String(level);
  const longName = textAttribute(array, "long_name");
  const standardName = textAttribute(array, "standard_name") ?? (fits ? known.standardName : undefined);
  return {
    name: fits && otherLevel === undefined ? known.name : `${name}${suffix}`,
    units: rawUnits === undefined ? (fits ? known.units : "1") : normaliseUnits(rawUnits),
    longName:
      longName === undefined
        ? fits
          ? known.longName
          : name
        : pressure === undefined
          ? longName
          : `${longName} at ${pressure} hPa`,
    ...(standardName === undefined ? {} : { standardName }),
  };
}

function definitionOf(
  array: LabelledArray,
  name: string,
  pressure: number | undefined,
): VariableDefinition | undefined {
  if (pressure !== undefined) {
    const standard = textAttribute(array, "standard_name");
    return variableOnLevel(name, pressure) ?? byStandardName(standard, pressure);
  }
  const found = lookupVariable(name);
  // `u100` is 100 hPa in channel sets and 100 m in ERA5's NetCDF files, `u10` the other way round: the long name decides.
  const said = /\b(\d+)\s*-?\s*(hPa|m|metres?|meters?)\b/i.exec(textAttribute(array, "long_name") ?? "");
  const member = /^([a-z]+)(\d+)$/.exec(name.toLowerCase());
  if (!said || !member || said[1] !== member[2]) return found;
  if (said[2]!.toLowerCase() === "hpa") return variableOnLevel(member[1]!, Number(member[2])) ?? found;
  return lookupVariable(`${member[1]}${member[2]}m`) ?? found;
}

function byStandardName(standard: string | undefined, pressure: number): VariableDefinition | undefined {
  if (standard === undefined) return undefined;
  for (const family of pressureFamilyNames()) {
    const definition = variableOnLevel(family, pressure);
    if (definition?.standardName === standard) return definition;
  }
  return undefined;
}

/** True when one unit can be converted to the other. Unknown units are given the benefit of the doubt only when equal as text. */
function sameQuantity(a: string, b: string): boolean {
  const left = tryParseUnit(a);
  const right = tryParseUnit(b);
  if (!left || !right) return a.trim() === b.trim();
  return left.dimension.every((power, i) => power === right.dimension[i]);
}
