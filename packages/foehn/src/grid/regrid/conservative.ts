// First-order conservative weights between grids whose cells are bounded by parallels and meridians: the mean of the source cells that
// a target cell overlaps, by area on the sphere. The integral over the part that both grids cover is kept. A cell reaches half-way to
// its neighbours; where a global grid is symmetric about the equator the outermost cells reach the poles.
// Method: P. W. Jones, First- and second-order conservative remapping schemes for grids in spherical coordinates, 1999.

import { type AnyGrid, bandsOf, numberOfPoints } from "../any-grid.js";
import type { ReducedGaussianGrid } from "../gaussian.js";
import type { Grid } from "../grid.js";
import { type SparseWeights, WeightsBuilder } from "./sparse.js";

/** Grids with cells between parallels and meridians. */
export type CellGrid = Grid | ReducedGaussianGrid;

const radians = Math.PI / 180;

/** True when a grid has such cells. */
export function hasCells(grid: AnyGrid): grid is CellGrid {
  return grid.kind === "latlon" || grid.kind === "reduced_gaussian";
}

interface Cells {
  /** Index of the first cell of the row. */
  readonly start: number;
  /** Sines of the parallels. */
  readonly north: number;
  readonly south: number;
  /** Meridians, one more than cells, ascending degrees. */
  readonly edges: Float64Array;
}

function cellsOf(grid: CellGrid): Cells[] {
  const parallels = parallelEdges(grid.latitudes, grid.kind === "reduced_gaussian" || grid.isGlobal);
  const known = new Map<Float64Array, Float64Array>();
  return bandsOf(grid).map(({ start, longitudes, periodic }, i) => {
    const edges = known.get(longitudes) ?? meridianEdges(longitudes, periodic);
    known.set(longitudes, edges);
    const [north, south] = [parallels[i]!, parallels[i + 1]!].map((edge) => Math.sin(edge * radians));
    return { start, north: north!, south: south!, edges };
  });
}

function parallelEdges(latitudes: Float64Array, goesRound: boolean): Float64Array {
  const last = latitudes.length - 1;
  const edges = new Float64Array(last + 2);
  for (let i = 1; i <= last; i++) edges[i] = (latitudes[i - 1]! + latitudes[i]!) / 2;
  const half = (i: number, next: number) => (last === 0 ? 0.5 : Math.abs(latitudes[i]! - latitudes[next]!) / 2);
  const [top, bottom] = [half(0, 1), half(last, last - 1)];
  const symmetric = goesRound && Math.abs(latitudes[0]! + latitudes[last]!) < 1e-6 && latitudes[0]! + 2 * top >= 90;
  edges[0] = symmetric ? 90 : Math.min(90, latitudes[0]! + top);
  edges[last + 1] = symmetric ? -90 : Math.max(-90, latitudes[last]! - bottom);
  return edges;
}

function meridianEdges(longitudes: Float64Array, periodic: boolean): Float64Array {
  const last = longitudes.length - 1;
  const edges = new Float64Array(last + 2);
  for (let j = 1; j <= last; j++) edges[j] = (longitudes[j - 1]! + longitudes[j]!) / 2;
  if (periodic) {
    edges[0] = (longitudes[last]! - 360 + longitudes[0]!) / 2;
    edges[last + 1] = edges[0]! + 360;
  } else {
    const half = (j: number, next: number) => (last === 0 ? 0.5 : Math.abs(longitudes[j]! - longitudes[next]!) / 2);
    edges[0] = longitudes[0]! - half(0, 1);
    edges[last + 1] = longitudes[last]! + half(last, last - 1);
  }
  return edges;
}

/** Area of every cell on the unit sphere. */
export function cellAreas(grid: CellGrid): Float64Array {
  const areas = new Float64Array(numberOfPoints(grid));
  for (const { start, north, south, edges } of cellsOf(grid)) {
    for (let j = 0; j < edges.length - 1; j++) {
      areas[start + j] = (north - south) * (edges[j + 1]! - edges[j]!) * radians;
    }
  }
  return areas;
}

/** Weights that keep the area integral. Each target takes the mean over the part of its cell that the source covers. */
export function conservativeWeights(from: CellGrid, to: CellGrid): SparseWeights {
  const builder = new WeightsBuilder(numberOfPoints(to), numberOfPoints(from));
  const source = cellsOf(from);
  const overlaps = new Map<Float64Array, Map<Float64Array, Overlap[][]>>();
  const along = (target: Float64Array, edges: Float64Array): Overlap[][] => {
    const known = overlaps.get(target) ?? new Map<Float64Array, Overlap[][]>();
    overlaps.set(target, known);
    const found = known.get(edges) ?? meridianOverlaps(target, edges);
    known.set(edges, found);
    return found;
  };
  let first = 0;
  for (const target of cellsOf(to)) {
    while (first < source.length && source[first]!.south >= target.north) first++;
    const rows: { height: number; start: number; columns: Overlap[][] }[] = [];
    for (let i = first; i < source.length && source[i]!.north > target.south; i++) {
      const { north, south, start, edges } = source[i]!;
      const height = Math.min(north, target.north) - Math.max(south, target.south);
      if (height > 1e-15) rows.push({ height, start, columns: along(target.edges, edges) });
    }
    for (let j = 0; j < target.edges.length - 1; j++) {
      let covered = 0;
      for (const { height, columns } of rows) for (const { width } of columns[j]!) covered += height * width;
      for (const { height, start, columns } of rows) {
        for (const { column, width } of columns[j]!) builder.add(start + column, (height * width) / covered);
      }
      builder.endRow();
    }
  }
  return builder.finish();
}

interface Overlap {
  readonly column: number;
  /** Degrees. */
  readonly width: number;
}

/** For each target cell of a row, the source cells that it shares meridians with. */
function meridianOverlaps(target: Float64Array, source: Float64Array): Overlap[][] {
  return Array.from({ length: target.length - 1 }, (_, j) => {
    const [west, east] = [target[j]!, target[j + 1]!];
    const found: Overlap[] = [];
    // The same cell may be reached one turn further.
    for (let turn = Math.ceil((west - source.at(-1)!) / 360); 360 * turn + source[0]! < east; turn++) {
      let [low, high] = [0, source.length - 1];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (source[middle]! + 360 * turn <= west) low = middle;
        else high = middle;
      }
      for (let k = low; k < source.length - 1 && source[k]! + 360 * turn < east; k++) {
        const width = Math.min(source[k + 1]! + 360 * turn, east) - Math.max(source[k]! + 360 * turn, west);
        if (width > 1e-10) found.push({ column: k, width });
      }
    }
    return found;
  });
}
