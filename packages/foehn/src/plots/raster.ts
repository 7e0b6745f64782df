// Fields to pixels: for every pixel the grid cell under it, then a lookup in the colour scale. Cells keep their edges (no smoothing:
// what the model did not compute is not drawn). Missing values are grey. The result is a 256-colour PNG that lies under the coastlines.
import type { Grid } from "../grid/grid.js";
import { gridEdges, type MapView, wrapLongitude } from "./map-view.js";
import { type ColourScale, lutIndex, lutSize, parseColour } from "./palettes.js";
import { encodePng, pngDataUri } from "./png.js";
import { el, ink } from "./svg.js";

/** Palette indices after the colours of the scale. */
const missingIndex = lutSize;
const outsideIndex = lutSize + 1;

/** Pixels of the raster per SVG unit. */
const density = 2;

/** One palette index per pixel: 0 … lutSize − 1 from the scale, lutSize = missing, lutSize + 1 = outside the grid. */
export interface FieldRaster {
  readonly width: number;
  readonly height: number;
  readonly indices: Uint8Array;
}

/** Samples a field of shape (ny, nx) at the centre of every pixel of the view. */
export function rasterise(view: MapView, grid: Grid, values: ArrayLike<number>, scale: ColourScale): FieldRaster {
  const width = Math.max(1, Math.round(view.width * density));
  const height = Math.max(1, Math.round(view.height * density));
  const { rows, columns } = gridEdges(grid);
  const nx = grid.shape[1];
  const columnOf = Int32Array.from({ length: width }, (_, x) => {
    const longitude = view.west + ((x + 0.5) / width) * (view.east - view.west);
    return cellIndex(columns, wrapLongitude(longitude, columns[0]!));
  });
  const indices = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = cellIndex(rows, view.north - ((y + 0.5) / height) * (view.north - view.south));
    for (let x = 0; x < width; x++) {
      const column = columnOf[x]!;
      if (row < 0 || column < 0) {
        indices[y * width + x] = outsideIndex;
      } else {
        const index = lutIndex(scale, values[row * nx + column]!);
        indices[y * width + x] = index < 0 ? missingIndex : index;
      }
    }
  }
  return { width, height, indices };
}

/** The field as an SVG image that fills the view. */
export function rasterImage(view: MapView, grid: Grid, values: ArrayLike<number>, scale: ColourScale): string {
  const { width, height, indices } = rasterise(view, grid, values, scale);
  const png = encodePng({ width, height, data: indices, palette: rasterPalette(scale) });
  return el("image", {
    width: view.width,
    height: view.height,
    preserveAspectRatio: "none",
    "xlink:href": pngDataUri(png),
  });
}

/** RGBA colours behind the indices of a raster. */
export function rasterPalette(scale: ColourScale): Uint8Array {
  const palette = new Uint8Array((lutSize + 2) * 4);
  for (let i = 0; i < lutSize; i++) palette.set([...scale.lut.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  palette.set([...parseColour(ink.missing), 255], 4 * missingIndex);
  return palette;
}

/** Index of the cell that contains a value, −1 when outside; edges ascend or descend. */
function cellIndex(edges: Float64Array, value: number): number {
  const last = edges.length - 1;
  const ascending = edges[last]! > edges[0]!;
  const inside = ascending ? value >= edges[0]! && value <= edges[last]! : value <= edges[0]! && value >= edges[last]!;
  if (!inside) return -1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ascending ? value >= edges[middle]! : value <= edges[middle]!) low = middle;
    else high = middle;
  }
  return low;
}
