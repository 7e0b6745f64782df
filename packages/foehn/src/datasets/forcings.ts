// Forcings: features known at every valid time. Some are read from the source, some computed here from time and place:
// the hour of the day and the time of the year as circles, and the solar radiation at the top of the atmosphere.
// The formulas and the order are py4cast's (date features of `forcings.py`, TOA radiation); its labels, which swap sine and
// cosine, are given only with `compat: "py4cast"`. They are scaled to [0, 1], as networks take it; the cosine of the solar zenith angle,
// as the networks of earth2mip take it, is not.

import { z } from "zod";
import { DataError } from "../core/errors.js";
import type { Grid } from "../grid/grid.js";
import { cosZenithField } from "../variables/solar.js";

/** Solar constant of the insolation formula, W m-2. */
export const solarConstant = 1366;

/** Which forcings a network gets; plain JSON, kept in packages. */
export const forcingSpecSchema = z.strictObject({
  /** Variables read from the source, normalised with their statistics. */
  variables: z.array(z.string()).default([]).describe("variables read from the source"),
  /** `sin_hour`, `cos_hour`, `sin_year`, `cos_year`. */
  date: z.boolean().default(true).describe("time of day and time of year as sine and cosine"),
  /** `toa_radiation`. */
  insolation: z.boolean().default(true).describe("solar radiation at the top of the atmosphere, per grid point"),
  /** `cos_zenith`. */
  cos_zenith: z
    .boolean()
    .optional()
    .describe("cosine of the solar zenith angle per grid point, -1 to 1, negative at night (variables/solar)"),
  compat: z
    .literal("py4cast")
    .optional()
    .describe(
      "name the date features as py4cast does (cos_hour, sin_hour, cos_doy, sin_doy: labels swapped, same values)",
    ),
});

/** Which forcings a network gets. */
export type ForcingSpec = z.infer<typeof forcingSpecSchema>;

/** A forcing specification without any forcing. */
export const noForcing: ForcingSpec = { variables: [], date: false, insolation: false };

const dateNames = ["sin_hour", "cos_hour", "sin_year", "cos_year"];
// py4cast's own order of labels over the same values: each sine is called cosine and the other way round.
const py4castDateNames = ["cos_hour", "sin_hour", "cos_doy", "sin_doy"];

/** Names of the forcing features in tensor order: the read ones, the date, the insolation, the zenith angle. */
export function forcingNames(spec: ForcingSpec): string[] {
  return [
    ...spec.variables,
    ...(spec.date ? (spec.compat === "py4cast" ? py4castDateNames : dateNames) : []),
    ...(spec.insolation ? ["toa_radiation"] : []),
    ...(spec.cos_zenith ? ["cos_zenith"] : []),
  ];
}

/**
 * The forcing at a valid time, `(H, W, F)` in the order of `forcingNames`.
 * @param time epoch seconds UTC
 * @param read the normalised `(H, W)` fields of `spec.variables`
 * @throws DataError when one of those is not given
 */
export function computeForcings(
  spec: ForcingSpec,
  grid: Grid,
  time: number,
  read: ReadonlyMap<string, Float32Array> = new Map(),
): Float32Array {
  const [ny, nx] = grid.shape;
  const width = forcingNames(spec).length;
  const out = new Float32Array(ny * nx * width);
  for (const [feature, name] of spec.variables.entries()) {
    const values = read.get(name);
    if (!values) throw new DataError(`the forcing "${name}" was not read for this time`);
    for (let n = 0; n < ny * nx; n++) out[n * width + feature] = values[n]!;
  }
  fillComputedForcings(spec, grid, time, out);
  return out;
}

/** Writes the computed features, which come after the read ones, into a forcing `(H, W, F)`. */
export function fillComputedForcings(spec: ForcingSpec, grid: Grid, time: number, target: Float32Array): void {
  const points = grid.shape[0] * grid.shape[1];
  const width = target.length / points;
  const date = spec.date ? dateFeatures(time) : [];
  const radiation = spec.insolation ? insolation(grid, time) : undefined;
  const zenith = spec.cos_zenith ? cosZenithField(time, grid) : undefined;
  const first = spec.variables.length;
  for (let n = 0; n < points; n++) {
    let at = n * width + first;
    for (let k = 0; k < date.length; k++) target[at++] = date[k]!;
    if (radiation) target[at++] = radiation[n]! / solarConstant;
    if (zenith) target[at] = zenith[n]!;
  }
}

/**
 * `(sin a, cos a, sin q, cos q)` as `(v + 1) / 2`: `a` goes round once in 24 h, `q` once in the year of the valid time (365 or
 * 366 days by the Gregorian rule, seconds counted from 1 January).
 */
export function dateFeatures(time: number): [number, number, number, number] {
  const date = new Date(time * 1000);
  const hours = date.getUTCHours() + date.getUTCMinutes() / 60;
  const year = date.getUTCFullYear();
  const start = Date.UTC(year, 0, 1) / 1000;
  const end = Date.UTC(year + 1, 0, 1) / 1000;
  const a = (hours / 12) * Math.PI;
  const q = (2 * Math.PI * (time - start)) / (end - start);
  const scale = (v: number) => (v + 1) / 2;
  return [scale(Math.sin(a)), scale(Math.cos(a)), scale(Math.sin(q)), scale(Math.cos(q))];
}

/** Day of the year, 1 on 1 January. */
export function dayOfYear(time: number): number {
  const year = new Date(time * 1000).getUTCFullYear();
  return Math.floor((time - Date.UTC(year, 0, 1) / 1000) / 86_400) + 1;
}

/**
 * Solar radiation at the top of the atmosphere at an instant, W m-2, `(H, W)`:
 * `max(0, 1366 cos θ)` with `cos θ = sin φ sin δ + cos φ cos δ cos ω`, declination `δ = 23.45° sin(2π (284 + day) / 365)` and hour
 * angle `ω = 15° (hour_utc + lon / 15 - 12)`. No eccentricity and no equation of time, as in py4cast.
 */
export function insolation(grid: Grid, time: number): Float64Array {
  const [ny, nx] = grid.shape;
  const radians = Math.PI / 180;
  const date = new Date(time * 1000);
  const hours = date.getUTCHours() + date.getUTCMinutes() / 60 + date.getUTCSeconds() / 3600;
  const declination = 23.45 * radians * Math.sin((2 * Math.PI * (284 + dayOfYear(time))) / 365);
  const cosHour = grid.longitudes.map((lon) => Math.cos(15 * radians * (hours + lon / 15 - 12)));
  const out = new Float64Array(ny * nx);
  for (let i = 0; i < ny; i++) {
    const lat = grid.latitudes[i]! * radians;
    const polar = Math.sin(lat) * Math.sin(declination);
    const diurnal = Math.cos(lat) * Math.cos(declination);
    for (let j = 0; j < nx; j++) out[i * nx + j] = Math.max(0, solarConstant * (polar + diurnal * cosHour[j]!));
  }
  return out;
}
