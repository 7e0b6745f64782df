// The rectangle of the Earth that a map panel shows, and where its points fall on the page: equirectangular, true to scale at the middle
// latitude (regional) or the equator (global, Greenwich in the middle). Not here: other projections, drawing.
import { type GeoProjection, geoProjection } from "d3-geo";
import type { Grid } from "../grid/grid.js";

const radians = Math.PI / 180;

export interface MapView {
  /** Size in SVG units. */
  readonly width: number;
  readonly height: number;
  /** Outer edges of the shown cells, degrees; `east` may exceed 180. */
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
  readonly projection: GeoProjection;
}

/** Edges of cells around axis values: midpoints inside, half a cell beyond the ends. `values.length + 1` numbers. */
export function cellEdges(values: ArrayLike<number>, fallbackSpacing = 1): Float64Array {
  const n = values.length;
  const edges = new Float64Array(n + 1);
  for (let i = 1; i < n; i++) edges[i] = (values[i - 1]! + values[i]!) / 2;
  const first = n > 1 ? values[1]! - values[0]! : fallbackSpacing;
  const last = n > 1 ? values[n - 1]! - values[n - 2]! : fallbackSpacing;
  edges[0] = values[0]! - first / 2;
  edges[n] = values[n - 1]! + last / 2;
  return edges;
}

/** Edges of the grid's rows (descending, within ±90) and columns (ascending). */
export function gridEdges(grid: Grid): { readonly rows: Float64Array; readonly columns: Float64Array } {
  const columns = cellEdges(grid.longitudes);
  const rows = cellEdges(grid.latitudes, -(columns[1]! - columns[0]!)).map((lat) => Math.max(-90, Math.min(90, lat)));
  return { rows, columns };
}

/** Width divided by height of the map of a grid. */
export function mapAspect(grid: Grid): number {
  const { west, east, south, north } = extent(grid);
  return ((east - west) * scaleAt(grid, (south + north) / 2)) / (north - south);
}

/** The view of a whole grid at a given width in SVG units. */
export function mapView(grid: Grid, width: number): MapView {
  const { west, east, south, north } = extent(grid);
  const height = width / mapAspect(grid);
  const middle = (west + east) / 2;
  const scale = height / ((north - south) * radians);
  const stretch = scaleAt(grid, (south + north) / 2);
  const projection = geoProjection((lambda, phi) => [lambda * stretch, phi])
    .rotate([-middle, 0])
    .scale(scale)
    .translate([width / 2, height / 2 + (scale * (south + north) * radians) / 2])
    .clipExtent([
      [0, 0],
      [width, height],
    ]);
  return { width, height, west, east, south, north, projection };
}

/** Horizontal position of a longitude between `west` and `east`. */
export function xOf(view: MapView, longitude: number): number {
  return ((longitude - view.west) / (view.east - view.west)) * view.width;
}

/** Vertical position of a latitude. */
export function yOf(view: MapView, latitude: number): number {
  return ((view.north - latitude) / (view.north - view.south)) * view.height;
}

/** The equal longitude in [west, west + 360). */
export function wrapLongitude(longitude: number, west: number): number {
  const offset = (longitude - west) % 360;
  return west + (offset < 0 ? offset + 360 : offset);
}

function extent(grid: Grid) {
  const { rows, columns } = gridEdges(grid);
  const [west, east] = grid.isGlobal ? [-180, 180] : [columns[0]!, columns[columns.length - 1]!];
  return { west, east, south: rows[rows.length - 1]!, north: rows[0]! };
}

function scaleAt(grid: Grid, latitude: number): number {
  // Near a pole the true ratio vanishes; a map still needs a width.
  return grid.isGlobal ? 1 : Math.max(0.2, Math.cos(latitude * radians));
}
