// Where scores are averaged: named boxes of latitudes and longitudes, and the weights of a grid's points in them.

import { ConfigError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { areaWeights, cropGrid, type Region } from "../../grid/geometry.js";
import type { Grid } from "../../grid/grid.js";

/** A box with a name. */
export interface NamedRegion extends Region {
  readonly name: string;
}

const box = (name: string, south: number, north: number): NamedRegion => ({ name, south, north, west: 0, east: 360 });

/** The regions of verification that everybody uses (WMO-No. 485), and the hemispheres of earth2mip. */
export const knownRegions: readonly NamedRegion[] = [
  box("global", -90, 90),
  box("northern_hemisphere", 0, 90),
  box("southern_hemisphere", -90, 0),
  box("northern_extratropics", 20, 90),
  box("tropics", -20, 20),
  box("southern_extratropics", -90, -20),
  { name: "europe", south: 35, north: 75, west: -12.5, east: 42.5 },
];

/** @throws ConfigError for a name that is not known */
export function regionByName(name: string): NamedRegion {
  const found = knownRegions.find((region) => region.name === name);
  if (found) return found;
  const names = knownRegions.map((region) => region.name);
  throw new ConfigError(`there is no region "${name}"`, {
    hint: didYouMean(name, names) || `known: ${names.join(", ")}`,
  });
}

/**
 * Area weight of each point (ny, nx): 0 outside the region.
 * @throws DataError when no point of the grid is inside
 */
export function regionWeights(grid: Grid, region: Region): Float64Array {
  const [ny, nx] = grid.shape;
  const { rowStart, columns, grid: inside } = cropGrid(grid, region);
  const rows = areaWeights(grid);
  const weights = new Float64Array(ny * nx);
  for (let i = rowStart; i < rowStart + inside.shape[0]; i++) for (const j of columns) weights[i * nx + j] = rows[i]!;
  return weights;
}
