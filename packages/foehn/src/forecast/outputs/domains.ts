// Places that an output keeps of every field: a box, cut out exactly, also across 0° and the date line; or points, sampled. earth2mip
// calls them Window and MultiPoint. Not here: their files (domain-netcdf.ts), reading them from flags and tables (points-table.ts).

import { UsageError } from "../../core/errors.js";
import { cropField, cropGrid, type Region } from "../../grid/geometry.js";
import type { Grid } from "../../grid/grid.js";
import { type PointsGrid, pointsGrid } from "../../grid/points-grid.js";
import { regridder } from "../../grid/regrid/regridder.js";

/** A box in degrees, edges included. */
export interface WindowDomain {
  readonly type: "window";
  readonly name: string;
  readonly region: Region;
}

/** Points. */
export interface PointsDomain {
  readonly type: "points";
  readonly name: string;
  /** Degrees. */
  readonly latitudes: readonly number[];
  readonly longitudes: readonly number[];
  readonly pointNames?: readonly string[] | undefined;
  /** Default: nearest. */
  readonly method?: PointMethod | undefined;
}

/** How a value at a point is found. */
export type PointMethod = "nearest" | "bilinear";

/** A part of the grid. */
export type Domain = WindowDomain | PointsDomain;

/** A domain on a grid. */
export interface PlacedDomain {
  readonly grid: Grid | PointsGrid;
  readonly pointNames: readonly string[] | undefined;
  /** Half-open rows and columns of a window in the grid that it was cut from; the first column may be past the last one (it wraps). */
  readonly window:
    | { readonly rows: readonly [number, number]; readonly columns: readonly [number, number] }
    | undefined;
  /** The part of a field, a new array. */
  take(field: Float32Array): Float32Array;
}

/** @throws DataError when nothing of the grid lies inside; UsageError for points outside of it */
export function placeDomain(grid: Grid, domain: Domain): PlacedDomain {
  if (domain.type === "window") {
    const crop = cropGrid(grid, domain.region);
    return {
      grid: crop.grid,
      pointNames: undefined,
      window: {
        rows: [crop.rowStart, crop.rowStart + crop.grid.shape[0]],
        columns: [crop.columns[0]!, crop.columns.at(-1)! + 1],
      },
      take: (field) => cropField(field, crop),
    };
  }
  const { latitudes, longitudes, pointNames, method = "nearest" } = domain;
  const points = pointsGrid(latitudes, longitudes);
  requireInside(grid, domain);
  const sampler = regridder(grid, points, method);
  return { grid: points, pointNames, window: undefined, take: (field) => sampler.apply(field) };
}

/** The nearest point of a regional grid to a place elsewhere says nothing about that place. */
function requireInside(grid: Grid, { latitudes, longitudes, pointNames, name }: PointsDomain): void {
  const { latitudes: rows, longitudes: columns, isGlobal } = grid;
  const spacing = (axis: Float64Array) => (axis.length < 2 ? 0 : Math.abs(axis.at(-1)! - axis[0]!) / (axis.length - 1));
  const half = { lat: spacing(rows) / 2 + 1e-6, lon: spacing(columns) / 2 + 1e-6 };
  const [west, width] = [columns[0]!, columns.at(-1)! - columns[0]!];
  for (const [i, lat] of latitudes.entries()) {
    const east = ((((longitudes[i]! - west + half.lon) % 360) + 360) % 360) - half.lon;
    if (lat <= rows[0]! + half.lat && lat >= rows.at(-1)! - half.lat && (isGlobal || east <= width + half.lon))
      continue;
    // Grids of cells end half a cell from the poles.
    if (isGlobal && Math.abs(lat) > 90 - 2 * half.lat) continue;
    throw new UsageError(
      `the point ${pointNames?.[i] ?? i + 1} of ${name} at ${lat} °N, ${longitudes[i]} °E lies outside of the model's grid`,
      { hint: `it covers ${rows.at(-1)} to ${rows[0]} °N, ${columns[0]} to ${columns.at(-1)} °E` },
    );
  }
}
