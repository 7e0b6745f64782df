// Bilinear weights. On parallels (lat–lon and Gaussian grids): linear along the two rows around a place, then between them. On a
// projection: linear in its plane. On a curvilinear grid: in the cell around the place, seen in the plane that touches the Earth there.
// Beyond the last row of a grid that goes round the Earth the pole counts as a row of its own: the mean of that last row.

import { type AnyGrid, type Band, bandsOf, numberOfPoints, placesOf } from "../any-grid.js";
import type { ReducedGaussianGrid } from "../gaussian.js";
import type { Grid } from "../grid.js";
import type { ProjectedGrid } from "../projected-grid.js";
import { NearestPoints } from "./nearest.js";
import { type SparseWeights, WeightsBuilder } from "./sparse.js";

/** Weights from a grid with rows to any other. Targets outside of it get no weights. */
export function bilinearWeights(from: Grid | ReducedGaussianGrid | ProjectedGrid, to: AnyGrid): SparseWeights {
  const builder = new WeightsBuilder(numberOfPoints(to), numberOfPoints(from));
  const { latitudes, longitudes } = placesOf(to);
  const addPlace =
    from.kind !== "projected"
      ? onParallels(from, builder)
      : from.indexOf
        ? onPlane(from, from.indexOf, builder)
        : inCells(from, builder);
  for (const [i, latitude] of latitudes.entries()) {
    addPlace(latitude, longitudes[i]!);
    builder.endRow();
  }
  return builder.finish();
}

type AddPlace = (latitude: number, longitude: number) => void;

/** Degrees and fractions of a cell that count as none: 0.1 + 0.2 is not 0.3. */
const tolerance = 1e-6;
const snap = (part: number): number => (part < 1e-9 ? 0 : part > 1 - 1e-9 ? 1 : part);

function onParallels(grid: Grid | ReducedGaussianGrid, builder: WeightsBuilder): AddPlace {
  const bands = bandsOf(grid);
  const last = bands.length - 1;
  const spacing = last > 0 ? (bands[0]!.latitude - bands[last]!.latitude) / last : 0;
  const add = (band: Band, weight: number, at: Position) => {
    builder.add(band.start + at.low, weight * (1 - at.part));
    builder.add(band.start + at.high, weight * at.part);
  };
  /** Between the outermost row and the pole, where the row goes round and lies next to the pole. */
  const towardsPole = (band: Band, latitude: number, longitude: number) => {
    const gap = 90 - Math.abs(band.latitude);
    const at = locate(band, longitude);
    if (Math.abs(latitude - band.latitude) <= tolerance) {
      if (at) add(band, 1, at);
      return;
    }
    if (!band.periodic || gap > 1.5 * spacing) return;
    const part = snap(Math.min(1, Math.abs(latitude - band.latitude) / gap));
    if (part < 1) add(band, 1 - part, at!);
    const count = band.longitudes.length;
    for (let j = 0; part > 0 && j < count; j++) builder.add(band.start + j, part / count);
  };
  return (latitude, longitude) => {
    if (latitude >= bands[0]!.latitude) return towardsPole(bands[0]!, latitude, longitude);
    if (latitude <= bands[last]!.latitude) return towardsPole(bands[last]!, latitude, longitude);
    let [north, south] = [0, last];
    while (south - north > 1) {
      const middle = (north + south) >> 1;
      if (bands[middle]!.latitude >= latitude) north = middle;
      else south = middle;
    }
    const [upper, lower] = [bands[north]!, bands[south]!];
    const part = snap((upper.latitude - latitude) / (upper.latitude - lower.latitude));
    const [above, below] = [locate(upper, longitude), locate(lower, longitude)];
    if (!above || !below) return;
    if (part < 1) add(upper, 1 - part, above);
    if (part > 0) add(lower, part, below);
  };
}

interface Position {
  readonly low: number;
  readonly high: number;
  /** From `low` to `high`, 0 to 1. */
  readonly part: number;
}

/** The two points of a row around a longitude; undefined outside of a row that does not go round. */
function locate({ longitudes, periodic }: Band, longitude: number): Position | undefined {
  const last = longitudes.length - 1;
  const first = longitudes[0]!;
  const turned = first + ((((longitude - first) % 360) + 360) % 360);
  const end = longitudes[last]!;
  if (turned > end) {
    if (turned - end <= tolerance) return { low: last, high: last, part: 0 };
    if (first + 360 - turned <= tolerance) return { low: 0, high: 0, part: 0 };
    return periodic ? { low: last, high: 0, part: snap((turned - end) / (first + 360 - end)) } : undefined;
  }
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (longitudes[middle]! <= turned) low = middle;
    else high = middle;
  }
  return {
    low,
    high,
    part: low === high ? 0 : snap((turned - longitudes[low]!) / (longitudes[high]! - longitudes[low]!)),
  };
}

function onPlane(
  { shape: [ny, nx] }: ProjectedGrid,
  indexOf: (latitude: number, longitude: number) => readonly [number, number],
  builder: WeightsBuilder,
): AddPlace {
  // A projection is exact to a few centimetres: a thousandth of a cell outside is on the edge.
  const inside = (at: number, count: number) =>
    at >= -1e-3 && at <= count - 1 + 1e-3 ? Math.min(Math.max(at, 0), count - 1) : undefined;
  return (latitude, longitude) => {
    const at = indexOf(latitude, longitude);
    const [row, column] = [inside(at[0], ny), inside(at[1], nx)];
    if (row === undefined || column === undefined) return;
    addCell(builder, nx, ny, row, column);
  };
}

function addCell(builder: WeightsBuilder, nx: number, ny: number, row: number, column: number): void {
  const i = Math.min(Math.floor(row), Math.max(0, ny - 2));
  const j = Math.min(Math.floor(column), Math.max(0, nx - 2));
  const [down, right] = [snap(row - i), snap(column - j)];
  builder.add(i * nx + j, (1 - down) * (1 - right));
  builder.add(i * nx + Math.min(j + 1, nx - 1), (1 - down) * right);
  builder.add(Math.min(i + 1, ny - 1) * nx + j, down * (1 - right));
  builder.add(Math.min(i + 1, ny - 1) * nx + Math.min(j + 1, nx - 1), down * right);
}

const radians = Math.PI / 180;

/** A place is in one of the four cells that meet at the point nearest to it. */
function inCells(grid: ProjectedGrid, builder: WeightsBuilder): AddPlace {
  const [ny, nx] = grid.shape;
  const nearest = new NearestPoints(grid);
  return (latitude, longitude) => {
    const point = nearest.find(latitude, longitude);
    const [row, column] = [Math.floor(point / nx), point % nx];
    const plane = (index: number): [number, number] =>
      tangent(grid.latitudes[index]!, grid.longitudes[index]!, latitude, longitude);
    for (const i of [row - 1, row]) {
      for (const j of [column - 1, column]) {
        if (i < 0 || j < 0 || i >= ny - 1 || j >= nx - 1) continue;
        const corners = [i * nx + j, i * nx + j + 1, (i + 1) * nx + j, (i + 1) * nx + j + 1].map(plane);
        const found = inverseBilinear(corners as [Point, Point, Point, Point]);
        if (!found) continue;
        addCell(builder, nx, ny, i + found[0], j + found[1]);
        return;
      }
    }
  };
}

type Point = [x: number, y: number];

/** Gnomonic projection around a place: great circles are straight lines. */
function tangent(latitude: number, longitude: number, atLatitude: number, atLongitude: number): Point {
  const [p, p0, d] = [latitude * radians, atLatitude * radians, (longitude - atLongitude) * radians];
  const cosine = Math.sin(p0) * Math.sin(p) + Math.cos(p0) * Math.cos(p) * Math.cos(d);
  return [
    (Math.cos(p) * Math.sin(d)) / cosine,
    (Math.cos(p0) * Math.sin(p) - Math.sin(p0) * Math.cos(p) * Math.cos(d)) / cosine,
  ];
}

/** Where the origin lies in a quadrilateral, as fractions down and right; undefined outside. Newton's method. */
function inverseBilinear([a, b, c, d]: [Point, Point, Point, Point]): [down: number, right: number] | undefined {
  let [s, t] = [0.5, 0.5];
  for (let step = 0; step < 12; step++) {
    const at = (k: 0 | 1) => (1 - s) * ((1 - t) * a[k] + t * b[k]) + s * ((1 - t) * c[k] + t * d[k]);
    const alongS = (k: 0 | 1) => (1 - t) * (c[k] - a[k]) + t * (d[k] - b[k]);
    const alongT = (k: 0 | 1) => (1 - s) * (b[k] - a[k]) + s * (d[k] - c[k]);
    const determinant = alongS(0) * alongT(1) - alongS(1) * alongT(0);
    if (determinant === 0) return undefined;
    const [ds, dt] = [
      (at(0) * alongT(1) - at(1) * alongT(0)) / determinant,
      (alongS(0) * at(1) - alongS(1) * at(0)) / determinant,
    ];
    s -= ds;
    t -= dt;
    if (!(Math.abs(s) < 4 && Math.abs(t) < 4)) return undefined;
    if (Math.abs(ds) + Math.abs(dt) < 1e-12) break;
  }
  const inside = (value: number) => value >= -1e-6 && value <= 1 + 1e-6;
  return inside(s) && inside(t) ? [Math.min(1, Math.max(0, s)), Math.min(1, Math.max(0, t))] : undefined;
}
