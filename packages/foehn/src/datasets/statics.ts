// Static features: what a network is told about each grid point that never changes. Order as in py4cast: x, y, terrain,
// border_mask, then everything else. Coordinates and fields are scaled to [0, 1] by their own minimum and maximum.

import { DataError } from "../core/errors.js";
import { borderMask } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";

/** Static features of a grid, as networks take them. */
export interface Statics {
  readonly names: readonly string[];
  /** (H, W, F), each feature in [0, 1]. */
  readonly fields: Float32Array;
  /** (H, W): 1 on the frame. */
  readonly borderMask: Float32Array;
  /** (H, W): 1 inside the frame; 1 − border mask. */
  readonly interiorMask: Float32Array;
}

/** Which static features to make. */
export interface StaticsSpec {
  /** Width of the frame, cells. Default 0. */
  readonly borderSize?: number;
  /** Projected coordinates of columns and rows, for grids that are even in a projection; scaled to [0, 1]. */
  readonly coordinates?: { readonly x: Float64Array; readonly y: Float64Array } | undefined;
  /** Adds `latitude`: −90 to 90 as 0 to 1, comparable between regions. */
  readonly latitude?: boolean;
  /** Adds `sin_longitude` and `cos_longitude`, for grids that go round the Earth. */
  readonly longitude?: boolean;
}

/** A static field from the source or the configuration, `(H, W)`, any units. */
export interface StaticField {
  readonly name: string;
  readonly values: Float32Array;
}

// py4cast feeds the terrain before the border mask and other masks after it; networks trained there expect that order.
const terrain = new Set(["geopotential", "z", "zs", "orog", "orography", "fis"]);

/**
 * Makes the static features of a grid.
 * @throws DataError when a field has the wrong size or missing values, or the border leaves no interior
 */
export function buildStatics(grid: Grid, spec: StaticsSpec = {}, extras: readonly StaticField[] = []): Statics {
  const [ny, nx] = grid.shape;
  const border = borderMask(grid.shape, spec.borderSize ?? 0);
  const along = (axis: Float64Array, from: number, to: number, at: number) =>
    axis.length > 1 ? (axis[at]! - axis[from]!) / (axis[to]! - axis[from]!) : 0;
  const { coordinates } = spec;
  const column = (j: number) => (coordinates ? along(coordinates.x, 0, nx - 1, j) : nx > 1 ? j / (nx - 1) : 0);
  // y grows northwards, rows run southwards.
  const row = (i: number) => along(coordinates?.y ?? grid.latitudes, ny - 1, 0, i);
  const radians = Math.PI / 180;
  const make = (value: (i: number, j: number) => number) =>
    Float32Array.from({ length: ny * nx }, (_, n) => value(Math.floor(n / nx), n % nx));
  const isTerrain = (field: StaticField) => terrain.has(field.name);
  const scaled = (field: StaticField): StaticField => ({ name: field.name, values: scaleToUnit(field, ny * nx) });
  const features: StaticField[] = [
    { name: "x", values: make((_, j) => column(j)) },
    { name: "y", values: make((i) => row(i)) },
    ...extras.filter(isTerrain).map(scaled),
    { name: "border_mask", values: border },
    ...extras.filter((field) => !isTerrain(field)).map(scaled),
    ...(spec.latitude ? [{ name: "latitude", values: make((i) => (grid.latitudes[i]! + 90) / 180) }] : []),
    ...(spec.longitude
      ? [
          { name: "sin_longitude", values: make((_, j) => (Math.sin(grid.longitudes[j]! * radians) + 1) / 2) },
          { name: "cos_longitude", values: make((_, j) => (Math.cos(grid.longitudes[j]! * radians) + 1) / 2) },
        ]
      : []),
  ];
  const names = features.map((feature) => feature.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new DataError(`the static feature "${twice}" comes twice`);
  const fields = new Float32Array(ny * nx * features.length);
  features.forEach(({ values }, f) => {
    for (let n = 0; n < ny * nx; n++) fields[n * features.length + f] = values[n]!;
  });
  return { names, fields, borderMask: border, interiorMask: border.map((v) => 1 - v) };
}

/** Minimum to maximum as 0 to 1. A constant field says nothing about places and becomes 1, or 0 when it is 0: never NaN. */
function scaleToUnit(field: StaticField, points: number): Float32Array {
  const { name, values } = field;
  if (values.length !== points)
    throw new DataError(`the static field "${name}" has ${values.length} values, the grid ${points} points`);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) {
      throw new DataError(`the static field "${name}" has missing values`, {
        hint: "fill them, or leave the variable out",
      });
    }
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min === max) return new Float32Array(points).fill(min === 0 ? 0 : 1);
  return values.map((value) => (value - min) / (max - min));
}
