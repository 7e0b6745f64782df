// GRIB 2 messages of forecast fields, made by ecCodes from its own sample: regular latitude–longitude grids, parameters by ECMWF's ids,
// steps and step ranges, ensemble members, simple packing. Not here: the file (forecast/outputs/grib-output.ts), other grids, GRIB 1.
// Format: WMO manual on codes 306, FM 92 GRIB edition 2; templates 3.0, 4.0, 4.1, 4.8, 4.11, 5.0.

import { DataError } from "../../core/errors.js";
import { describeGrid, type Grid } from "../../grid/grid.js";
import type { VariableDefinition } from "../../variables/catalogue.js";
import { GribDraft } from "./eccodes.js";

/** What all messages of a file share. */
export interface GribEncoderOptions {
  readonly grid: Grid;
  /** Bits of each value: 1 to 32. */
  readonly bits: number;
  /** Members of the ensemble; undefined for a plain forecast. */
  readonly members?: number | undefined;
}

/** What a message says of its field. */
export interface GribField {
  /** Initial time, epoch seconds UTC: whole minutes. */
  readonly time: number;
  /** Seconds after it: the field's moment, or the end of the period that it stands for. */
  readonly lead: number;
  /** Begin of the period, seconds after the initial time; undefined for a moment. */
  readonly from?: number | undefined;
  readonly member: number;
}

/** Kinds of statistical processing of a period, WMO code table 4.10. */
const processing = { mean: 0, accumulated: 1, maximum: 2, minimum: 3 } as const;

/** What a period's value is. */
export type GribProcessing = keyof typeof processing;

/** ECMWF, whose parameter ids these are; some are its own (precipitation in metres) and exist under its name only. */
const ecmwf = 98;

/** WMO's "missing": the originating centre of everything else. */
const noCentre = 255;

/** Marks missing values; no field has it. */
const missingValue = -1e30;

/** Encodes the fields of one variable. */
export class GribEncoder implements Disposable {
  readonly #template: GribDraft;
  readonly #options: GribEncoderOptions;
  readonly #values: Float64Array;
  readonly #processing: GribProcessing | undefined;

  /**
   * @param kind what a period's value is, for fields that stand for one
   * @throws DataError for a grid that is not regular, and a variable that GRIB 2 has no parameter for
   */
  constructor(variable: VariableDefinition, options: GribEncoderOptions, kind?: GribProcessing) {
    requireRegular(options.grid);
    this.#options = options;
    this.#processing = kind;
    this.#values = new Float64Array(options.grid.shape[0] * options.grid.shape[1]);
    this.#template = makeTemplate(variable, options, kind);
  }

  /** One message. Values in the variable's units of the catalogue. */
  encode(values: Float32Array, { time, lead, from, member }: GribField): Uint8Array {
    using draft = this.#template.clone();
    const date = new Date(time * 1000);
    draft.set("dataDate", date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate());
    draft.set("dataTime", date.getUTCHours() * 100 + date.getUTCMinutes());
    setSteps(draft, this.#processing === undefined ? undefined : (from ?? lead), lead);
    const { members } = this.#options;
    if (members !== undefined) {
      draft.set("perturbationNumber", member);
      draft.set("numberOfForecastsInEnsemble", members);
      // Code tables 4.6 and 1.4: the control, and perturbed forecasts.
      draft.set("typeOfEnsembleForecast", member === 0 ? 1 : 3);
      draft.set("typeOfProcessedData", member === 0 ? 3 : 4);
    }
    let missing = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      const isMissing = Number.isNaN(value);
      this.#values[i] = isMissing ? missingValue : value;
      if (isMissing) missing++;
    }
    if (missing > 0) {
      draft.set("bitmapPresent", 1);
      draft.set("missingValue", { double: missingValue });
    }
    // A constant field before would have left 0.
    draft.set("bitsPerValue", this.#options.bits);
    draft.setValues(this.#values);
    return draft.toBytes();
  }

  [Symbol.dispose](): void {
    this.#template[Symbol.dispose]();
  }
}

function makeTemplate(
  variable: VariableDefinition,
  { grid, members }: GribEncoderOptions,
  kind: GribProcessing | undefined,
): GribDraft {
  const failures: string[] = [];
  for (const paramId of variable.gribParamIds) {
    const draft = GribDraft.fromSample();
    const problem = setParameter(draft, variable, paramId, { isMember: members !== undefined, kind });
    if (problem === undefined) {
      setGrid(draft, grid);
      return draft;
    }
    draft[Symbol.dispose]();
    failures.push(problem);
  }
  throw new DataError(`"${variable.name}" cannot be written as GRIB 2`, {
    where: failures[0] ?? "it has no ECMWF parameter id",
    hint: "leave it out (--variables), or write NetCDF or Zarr",
  });
}

/** Returns what is wrong, or undefined. */
function setParameter(
  draft: GribDraft,
  variable: VariableDefinition,
  paramId: number,
  { isMember, kind }: { readonly isMember: boolean; readonly kind: GribProcessing | undefined },
): string | undefined {
  draft.set("centre", ecmwf);
  // Code table 4.0: a moment or a period, of a single forecast or of a member.
  draft.set("productDefinitionTemplateNumber", kind === undefined ? Number(isMember) : isMember ? 11 : 8);
  const refused = draft.trySet("paramId", paramId);
  if (refused !== undefined) return refused;
  if (kind !== undefined && draft.tryLong("typeOfStatisticalProcessing") !== processing[kind]) {
    draft.set("typeOfStatisticalProcessing", processing[kind]);
  }
  if (variable.level !== undefined) {
    draft.set("typeOfLevel", "isobaricInhPa");
    draft.set("level", variable.level);
  }
  // What was set may mean something else together: geopotential height at the surface is orography.
  const means = draft.tryLong("paramId");
  if (means !== paramId)
    return `ecCodes takes parameter ${paramId} for ${means}${kind === undefined ? "" : ` (${kind})`}`;
  draft.set("typeOfProcessedData", 1);
  // Numbers from 192 are a centre's own.
  const numbers = ["discipline", "parameterCategory", "parameterNumber"].map((key) => draft.tryLong(key) ?? 255);
  if (numbers.every((number) => number < 192)) draft.set("centre", noCentre);
  return undefined;
}

/** Steps as ecCodes takes them: whole numbers of the coarsest unit. */
function setSteps(draft: GribDraft, from: number | undefined, to: number): void {
  const units = [
    ["h", 3600],
    ["m", 60],
    ["s", 1],
  ] as const;
  const [unit, seconds] = units.find(([, size]) => to % size === 0 && (from ?? 0) % size === 0) ?? units[2];
  draft.set("stepUnits", unit);
  draft.set("stepRange", from === undefined ? String(to / seconds) : `${from / seconds}-${to / seconds}`);
}

function requireRegular(grid: Grid): void {
  if (isEven(grid.latitudes) && isEven(grid.longitudes)) return;
  throw new DataError("the GRIB writer writes regular latitude–longitude grids only", {
    where: describeGrid(grid),
    hint: "write NetCDF or Zarr, or regrid the forecast first",
  });
}

function setGrid(draft: GribDraft, grid: Grid): void {
  const [ny, nx] = grid.shape;
  const { latitudes, longitudes } = grid;
  const turn = (lon: number): number => ((Number(lon.toFixed(6)) % 360) + 360) % 360;
  draft.set("gridType", "regular_ll");
  draft.set("Ni", nx);
  draft.set("Nj", ny);
  const degrees = {
    latitudeOfFirstGridPointInDegrees: latitudes[0]!,
    latitudeOfLastGridPointInDegrees: latitudes[ny - 1]!,
    longitudeOfFirstGridPointInDegrees: turn(longitudes[0]!),
    longitudeOfLastGridPointInDegrees: turn(longitudes[nx - 1]!),
    iDirectionIncrementInDegrees: nx > 1 ? (longitudes[nx - 1]! - longitudes[0]!) / (nx - 1) : 0,
    jDirectionIncrementInDegrees: ny > 1 ? (latitudes[0]! - latitudes[ny - 1]!) / (ny - 1) : 0,
  };
  for (const [key, value] of Object.entries(degrees)) draft.set(key, { double: value });
  // Rows from north to south, values from west to east: Foehn's own order.
  draft.set("scanningMode", 0);
}

function isEven(axis: Float64Array): boolean {
  const step = (axis.at(-1)! - axis[0]!) / Math.max(1, axis.length - 1);
  return axis.every((value, i) => Math.abs(value - (axis[0]! + i * step)) < 1e-4);
}
