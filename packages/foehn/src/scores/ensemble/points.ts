// Forecasts at points: their truth, and their weights. Points stand for themselves and not for areas: each weighs the same.

import { DataError } from "../../core/errors.js";
import { type StateReader, stateReader, type WantedVariable } from "../../forecast/initial-state.js";
import { placeDomain } from "../../forecast/outputs/domains.js";
import type { Region } from "../../grid/geometry.js";
import type { PointsGrid } from "../../grid/points-grid.js";
import type { Source } from "../../sources/source.js";

/** Reads truth at points: of a field, the value at the nearest grid point. @throws as `stateReader`; UsageError for points outside of the data */
export function pointReader(source: Source, variables: readonly WantedVariable[], points: PointsGrid): StateReader {
  const reader = stateReader(source, variables, source.grid);
  const { latitudes, longitudes } = points;
  const places = {
    type: "points",
    name: "the forecasts",
    latitudes: [...latitudes],
    longitudes: [...longitudes],
  } as const;
  const { take } = placeDomain(source.grid, places);
  return { source, read: async (time, options) => (await reader.read(time, options)).map(take) };
}

/** 1 for each point in a region, edges included, and 0 for the others. @throws DataError when no point is inside */
export function pointWeights(
  { latitudes, longitudes }: PointsGrid,
  { north, south, west, east }: Region,
): Float64Array {
  const tolerance = 1e-6;
  const width = east >= west ? east - west : east - west + 360;
  const weights = Float64Array.from(latitudes, (latitude, i) => {
    const offset = (((longitudes[i]! - west + tolerance) % 360) + 360) % 360;
    return Number(latitude <= north + tolerance && latitude >= south - tolerance && offset <= width + 2 * tolerance);
  });
  if (weights.includes(1)) return weights;
  throw new DataError(`no point lies in the region ${south} to ${north} °N, ${west} to ${east} °E`);
}
