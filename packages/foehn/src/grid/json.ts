// The grid as it stands in `metadata.json`: compact when the points are evenly spaced, the two axes otherwise, or one of the
// well-known names that earth2mip packages use ("721x1440", "720x1440", "s2s"; reference: earth2mip `grid` key).

import { z } from "zod";
import { ConfigError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { evenSpacing, type Grid, latLonGrid, regularGrid, sameGrid } from "./grid.js";

const regularSchema = z.strictObject({
  kind: z.literal("latlon"),
  lat0: z.number().min(-90).max(90).describe("latitude of the first (northernmost) row, degrees north"),
  dlat: z.number().positive().describe("spacing of the rows going south, degrees"),
  ny: z.int().positive(),
  lon0: z.number().describe("longitude of the first (westernmost) column, degrees east"),
  dlon: z.number().positive().describe("spacing of the columns going east, degrees"),
  nx: z.int().positive(),
});

const axesSchema = z.strictObject({
  kind: z.literal("latlon"),
  latitudes: z.array(z.number()).min(1).describe("degrees north, descending"),
  longitudes: z.array(z.number()).min(1).describe("degrees east, ascending"),
});

/** Schema of the `grid` key: a name, an evenly spaced grid, or two axes. */
export const gridJsonSchema = z.union([z.string(), regularSchema, axesSchema]);

/** A grid in its JSON form. */
export type GridJson = z.infer<typeof gridJsonSchema>;

const named: Readonly<Record<string, () => Grid>> = {
  "721x1440": () => regularGrid({ lat0: 90, dlat: 0.25, ny: 721, lon0: 0, dlon: 0.25, nx: 1440 }),
  // ERA5 without the South Pole row, as the networks with even sizes use it.
  "720x1440": () => regularGrid({ lat0: 90, dlat: 0.25, ny: 720, lon0: 0, dlon: 0.25, nx: 1440 }),
  // Whole degrees, as sub-seasonal forecasts are exchanged: every fourth point of 721x1440.
  s2s: () => regularGrid({ lat0: 90, dlat: 1, ny: 181, lon0: 0, dlon: 1, nx: 360 }),
};

/** The well-known names. */
export function gridNames(): string[] {
  return Object.keys(named);
}

/** The grid of a well-known name. @throws ConfigError for an unknown name */
export function namedGrid(name: string): Grid {
  const make = Object.hasOwn(named, name) ? named[name] : undefined;
  if (!make) {
    const names = gridNames();
    throw new ConfigError(`unknown grid name "${name}"`, {
      hint: `${didYouMean(name, names)} Known names: ${names.join(", ")}.`.trim(),
    });
  }
  return make();
}

/** Compact JSON of a grid; `gridFromJson` gives the same grid back (evenly spaced axes within 1e-9 degrees). */
export function gridToJson(grid: Grid): GridJson {
  for (const [name, make] of Object.entries(named)) if (sameGrid(grid, make(), 1e-9)) return name;
  const dlat = evenSpacing(grid.latitudes, 1e-9);
  const dlon = evenSpacing(grid.longitudes, 1e-9);
  const [ny, nx] = grid.shape;
  if (dlat !== undefined && dlon !== undefined) {
    return {
      kind: "latlon",
      lat0: grid.latitudes[0]!,
      dlat: Math.abs(dlat),
      ny,
      lon0: grid.longitudes[0]!,
      dlon: Math.abs(dlon),
      nx,
    };
  }
  return { kind: "latlon", latitudes: [...grid.latitudes], longitudes: [...grid.longitudes] };
}

/** The grid of a JSON form. @throws ConfigError when the form is not one of the three, DataError when the axes make no grid */
export function gridFromJson(json: unknown): Grid {
  const parsed = gridJsonSchema.safeParse(json);
  if (!parsed.success) {
    throw new ConfigError(`not a grid: ${JSON.stringify(json)?.slice(0, 120)}`, {
      hint: 'expected a name such as "721x1440", {kind, lat0, dlat, ny, lon0, dlon, nx} or {kind, latitudes, longitudes}',
    });
  }
  const value = parsed.data;
  if (typeof value === "string") return namedGrid(value);
  if ("latitudes" in value) return latLonGrid(value.latitudes, value.longitudes);
  return regularGrid(value);
}
