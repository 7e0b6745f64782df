// The catalogue of physical variables: look a variable up by name, by an alias of ERA5, xarray or CMIP, or by GRIB parameter id.
// Names of features are the catalogue's names: `t2m`, `u10m`, `z500` (pressure families carry their level in hPa).
// Not here: what a variable is for in a dataset (roles.ts) and how its numbers change units (units.ts).

import { didYouMean } from "../core/suggest.js";
import { type DefinitionRow, type LevelType, pressureFamilies, singleLevels, type TimeKind } from "./definitions.js";

/** A physical variable at one place in the vertical. */
export interface VariableDefinition {
  readonly name: string;
  /** CF spelling of what ECMWF's parameter database gives them. */
  /** ECMWF's short name, as GRIB tools print it: `2t` for `t2m`. */
  readonly shortName: string;
  readonly units: string;
  readonly longName: string;
  readonly standardName?: string;
  readonly levelType: LevelType;
  /** Pressure in hPa; only for members of pressure families. */
  readonly level?: number;
  /** Name of the pressure family (`z` of `z500`). */
  readonly family?: string;
  readonly timeKind: TimeKind;
  /** True for fields that do not change with time. */
  readonly invariant: boolean;
  readonly gribParamIds: readonly number[];
  readonly aliases: readonly string[];
}

function definitionOf(row: DefinitionRow): VariableDefinition {
  return {
    name: row.name,
    shortName: row.shortName ?? row.name,
    units: row.units,
    longName: row.longName,
    ...(row.standardName === undefined ? {} : { standardName: row.standardName }),
    levelType: row.levelType,
    timeKind: row.timeKind ?? "instant",
    invariant: row.invariant ?? false,
    gribParamIds: row.ids ?? [],
    aliases: row.aliases ?? [],
  };
}

const singleByName = new Map<string, VariableDefinition>();
const singleById = new Map<number, VariableDefinition>();
for (const row of singleLevels) {
  const definition = definitionOf(row);
  for (const name of [row.name, definition.shortName, ...(row.aliases ?? [])]) singleByName.set(name, definition);
  for (const id of row.ids ?? []) singleById.set(id, definition);
}

const familyByName = new Map<string, DefinitionRow>();
const familyById = new Map<number, DefinitionRow>();
for (const row of pressureFamilies) {
  for (const name of [row.name, ...(row.aliases ?? [])]) familyByName.set(name, row);
  for (const id of row.ids ?? []) familyById.set(id, row);
}

function onLevel(row: DefinitionRow, level: number): VariableDefinition {
  const name = `${row.name}${level}`;
  return { ...definitionOf(row), name, longName: `${row.longName} at ${level} hPa`, level, family: row.name };
}

/** Every single-level variable, in the order of the table. */
export function singleLevelVariables(): VariableDefinition[] {
  return singleLevels.map(definitionOf);
}

/** Names of the pressure-level families: `z`, `t`, `u`… */
export function pressureFamilyNames(): string[] {
  return pressureFamilies.map((row) => row.name);
}

/**
 * Finds a variable by its name or an alias, in any letter case: `t2m`, `2t`, `VAR_2T`, `z500`, `t_850`, `geopotential_500`.
 * A bare family name is the surface variable of that name (`z`) or undefined (`t`). `u10` is the 10 m wind, as in ERA5's NetCDF
 * files, while `u100` is 100 hPa, as in every channel set.
 */
export function lookupVariable(nameOrAlias: string): VariableDefinition | undefined {
  const name = nameOrAlias.trim().toLowerCase();
  const single = singleByName.get(name);
  if (single) return single;
  for (const [family, row] of familyByName) {
    if (!name.startsWith(family)) continue;
    const level = /^_?(\d{1,4}(?:\.\d+)?)(?:_?hpa)?$/.exec(name.slice(family.length));
    if (level) return onLevel(row, Number(level[1]));
  }
  return undefined;
}

/** A pressure-family member: `variableOnLevel("geopotential", 500)` is `z500`. Undefined for an unknown family. */
export function variableOnLevel(familyOrAlias: string, level: number): VariableDefinition | undefined {
  const row = familyByName.get(familyOrAlias.trim().toLowerCase());
  return row && onLevel(row, level);
}

/**
 * Finds a variable by ECMWF parameter id and, on pressure levels, the level in hPa. Without a level, id 129 is the surface
 * geopotential.
 */
export function lookupParameter(paramId: number, pressureLevel?: number): VariableDefinition | undefined {
  if (pressureLevel === undefined) return singleById.get(paramId);
  const row = familyById.get(paramId);
  return row && onLevel(row, pressureLevel);
}

/** A pressure family by ECMWF parameter id, without a level. */
export function lookupFamily(paramId: number): VariableDefinition | undefined {
  const row = familyById.get(paramId);
  return row && definitionOf(row);
}

/** All names that a look-up by name accepts, families without their level. */
export function knownNames(): string[] {
  return [...new Set([...singleByName.keys(), ...familyByName.keys()])];
}

/** "" or `Did you mean "t2m"?` for a name that `lookupVariable` does not know. */
export function suggestVariable(name: string): string {
  return didYouMean(name, knownNames());
}
