// Which field of an NCEP file is which variable of the catalogue: parameter and level as the `.idx` file writes them, and the codes
// that the message itself must carry. Parameter and level are compared whole: `10 m above ground` is not `100 m above ground`, nor `10 mb`.
// Sources: https://www.nco.ncep.noaa.gov/pmb/products/gfs/ (inventories), https://www.nco.ncep.noaa.gov/pmb/docs/grib2/grib2_doc/ (tables 4.2).

import type { GribMessage } from "../../io/grib/read.js";
import { lookupVariable, type VariableDefinition, variableOnLevel } from "../../variables/catalogue.js";
import { conversion } from "../../variables/units.js";
import { type NcepEntry, parseNcepStep } from "./ncep-index.js";

/** How one parameter of NCEP gives a variable. */
interface Row {
  /** The catalogue's name; the family's for pressure levels. */
  readonly variable: string;
  readonly parameter: string;
  /** Level column of the index; undefined for pressure levels (`500 mb`). */
  readonly level?: string;
  /** GRIB 2 codes, `discipline.category.number`: what NCEP uses or has used for this parameter. */
  readonly codes: readonly string[];
  /** Units of the file. */
  readonly units: string;
  /** Hours that an accumulation covers, or since the start of the forecast; an instant where left out. */
  readonly over?: number | "start";
}

const total = "entire atmosphere (considered as a single layer)";

// biome-ignore format: one line per parameter
const rows: readonly Row[] = [
  { variable: "z", parameter: "HGT", codes: ["0.3.5"], units: "gpm" },
  { variable: "t", parameter: "TMP", codes: ["0.0.0"], units: "K" },
  { variable: "u", parameter: "UGRD", codes: ["0.2.2"], units: "m s-1" },
  { variable: "v", parameter: "VGRD", codes: ["0.2.3"], units: "m s-1" },
  { variable: "w", parameter: "VVEL", codes: ["0.2.8"], units: "Pa s-1" },
  { variable: "q", parameter: "SPFH", codes: ["0.1.0"], units: "kg kg-1" },
  { variable: "r", parameter: "RH", codes: ["0.1.1"], units: "%" },
  { variable: "o3", parameter: "O3MR", codes: ["0.14.192", "0.14.1"], units: "kg kg-1" },
  { variable: "clwc", parameter: "CLMR", codes: ["0.1.22"], units: "kg kg-1" },
  { variable: "ciwc", parameter: "ICMR", codes: ["0.1.23"], units: "kg kg-1" },
  { variable: "crwc", parameter: "RWMR", codes: ["0.1.24"], units: "kg kg-1" },
  { variable: "cswc", parameter: "SNMR", codes: ["0.1.25"], units: "kg kg-1" },
  { variable: "t2m", parameter: "TMP", level: "2 m above ground", codes: ["0.0.0"], units: "K" },
  { variable: "d2m", parameter: "DPT", level: "2 m above ground", codes: ["0.0.6"], units: "K" },
  { variable: "q2m", parameter: "SPFH", level: "2 m above ground", codes: ["0.1.0"], units: "kg kg-1" },
  { variable: "r2m", parameter: "RH", level: "2 m above ground", codes: ["0.1.1"], units: "%" },
  { variable: "u10m", parameter: "UGRD", level: "10 m above ground", codes: ["0.2.2"], units: "m s-1" },
  { variable: "v10m", parameter: "VGRD", level: "10 m above ground", codes: ["0.2.3"], units: "m s-1" },
  { variable: "u100m", parameter: "UGRD", level: "100 m above ground", codes: ["0.2.2"], units: "m s-1" },
  { variable: "v100m", parameter: "VGRD", level: "100 m above ground", codes: ["0.2.3"], units: "m s-1" },
  { variable: "msl", parameter: "PRMSL", level: "mean sea level", codes: ["0.3.1"], units: "Pa" },
  { variable: "sp", parameter: "PRES", level: "surface", codes: ["0.3.0"], units: "Pa" },
  { variable: "skt", parameter: "TMP", level: "surface", codes: ["0.0.0"], units: "K" },
  { variable: "tcwv", parameter: "PWAT", level: total, codes: ["0.1.3"], units: "kg m-2" },
  { variable: "tcc", parameter: "TCDC", level: "entire atmosphere", codes: ["0.6.1"], units: "%" },
  { variable: "cape", parameter: "CAPE", level: "surface", codes: ["0.7.6"], units: "J kg-1" },
  { variable: "blh", parameter: "HPBL", level: "surface", codes: ["0.3.196", "0.3.18"], units: "m" },
  { variable: "i10fg", parameter: "GUST", level: "surface", codes: ["0.2.22"], units: "m s-1" },
  { variable: "sd", parameter: "WEASD", level: "surface", codes: ["0.1.13"], units: "kg m-2" },
  { variable: "sic", parameter: "ICEC", level: "surface", codes: ["10.2.0"], units: "1" },
  { variable: "lsm", parameter: "LAND", level: "surface", codes: ["2.0.0"], units: "1" },
  { variable: "z_surface", parameter: "HGT", level: "surface", codes: ["0.3.5"], units: "gpm" },
  { variable: "tp", parameter: "APCP", level: "surface", codes: ["0.1.8"], units: "kg m-2", over: "start" },
  { variable: "tp06", parameter: "APCP", level: "surface", codes: ["0.1.8"], units: "kg m-2", over: 6 },
  { variable: "tp01", parameter: "APCP", level: "surface", codes: ["0.1.8"], units: "kg m-2", over: 1 },
];

/** NCEP reduces pressure to sea level in two ways; `msl` is PRMSL (Shuell) unless MSLET (Eta, smoother over high ground) is asked for. */
const mslet: Row = { variable: "msl", parameter: "MSLET", level: "mean sea level", codes: ["0.3.192"], units: "Pa" };

/** A field of an index that is a variable of the catalogue. */
export interface NcepVariable {
  readonly definition: VariableDefinition;
  /** Value in the catalogue's units = value in the file × factor + offset. */
  readonly factor: number;
  readonly offset: number;
  /** What the message says otherwise; undefined when it is this variable. */
  readonly differs: (message: GribMessage) => string | undefined;
}

/**
 * The variables that a line of the index gives; mostly one or none. An accumulation from the start over six hours is both `tp` and `tp06`.
 * @param msl which of NCEP's reductions is `msl`
 */
export function ncepVariables(entry: NcepEntry, msl: "PRMSL" | "MSLET" = "PRMSL"): NcepVariable[] {
  // Members and probabilities carry more columns; they are other fields.
  if (entry.extra.length > 0) return [];
  const step = parseNcepStep(entry.forecast);
  if (!step) return [];
  const pressure = /^(\d+(?:\.\d+)?) mb$/.exec(entry.level);
  const found: NcepVariable[] = [];
  for (const row of rows) {
    const used = row.variable === "msl" && msl === "MSLET" ? mslet : row;
    if (used.parameter !== entry.parameter) continue;
    if (used.level === undefined ? !pressure : used.level !== entry.level) continue;
    if (used.over === undefined ? step.kind !== "instant" : !covers(used.over, step)) continue;
    const definition =
      used.level === undefined
        ? variableOnLevel(used.variable, Number(pressure![1]))
        : lookupVariable(used.variable === "z_surface" ? "z" : used.variable);
    if (!definition) continue;
    found.push({
      definition,
      ...conversion(used.units, definition.units),
      differs: (message) => difference(used, definition, message),
    });
  }
  return found;
}

function covers(over: number | "start", step: { kind: string; start: number; end: number }): boolean {
  if (step.kind !== "acc") return false;
  return over === "start" ? step.start === 0 : step.end - step.start === over * 3600;
}

function difference(row: Row, definition: VariableDefinition, message: GribMessage): string | undefined {
  const code = message.parameterCode ?? `edition 1, parameter ${message.paramId}`;
  if (!row.codes.includes(code)) return `parameter ${code} (${message.shortName}), not ${row.codes.join(" or ")}`;
  const level = `${message.typeOfLevel} ${message.level}`;
  if (definition.level !== undefined) {
    const pressure = pressureOf(message);
    return pressure === definition.level ? undefined : `level ${level}, not ${definition.level} hPa`;
  }
  const height = /^(\d+) m above ground$/.exec(row.level ?? "");
  if (height) return level === `heightAboveGround ${height[1]}` ? undefined : `level ${level}, not ${row.level}`;
  if (row.level === "surface") return message.typeOfLevel === "surface" ? undefined : `level ${level}, not the surface`;
  return undefined;
}

/** Pressure in hPa; undefined off pressure levels. */
export function pressureOf(message: Pick<GribMessage, "typeOfLevel" | "level">): number | undefined {
  if (message.typeOfLevel === "isobaricInhPa") return message.level;
  return message.typeOfLevel === "isobaricInPa" ? message.level / 100 : undefined;
}
