// How a grid falls into attention windows: their size, the shift of every other block, and which places of a shifted window
// belong together. Paper: Liu et al. 2021, "Swin transformer" (arXiv 2103.14030), section 3.2; sizes as in MONAI.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";

/** Side of a window, in cells. */
export const WINDOW = 7;

/** Added to the attention between places that are neighbours only because of the shift. */
const FAR_APART = -100;

type Pair = readonly [number, number];

/** Windows on one grid. */
export interface Windows {
  /** Cells of the grid, and of the grid padded to whole windows. */
  readonly grid: Pair;
  readonly padded: Pair;
  /** Cells of a window: smaller than `WINDOW` only where the grid is. */
  readonly size: Pair;
  /** Cells by which the grid is rolled before it is cut; [0, 0] for none. */
  readonly shift: Pair;
  /** Windows along each direction. */
  readonly count: Pair;
}

/** The windows of a grid; `shifted` ones are moved by half a window where there is more than one. */
export function windowsOf(grid: Pair, shifted: boolean): Windows {
  const along = (axis: 0 | 1) => {
    const cells = grid[axis];
    const size = Math.min(cells, WINDOW);
    const count = Math.ceil(cells / size);
    return { size, count, padded: count * size, shift: shifted && cells > WINDOW ? Math.floor(WINDOW / 2) : 0 };
  };
  const [lat, lon] = [along(0), along(1)];
  return {
    grid,
    padded: [lat.padded, lon.padded],
    size: [lat.size, lon.size],
    shift: [lat.shift, lon.shift],
    count: [lat.count, lon.count],
  };
}

/** (windows, n, n) with n = cells of a window: 0 between places that belong together, −100 between others. Null without a shift. */
export function shiftMask({ padded, size, shift, count }: Windows): Tensor | null {
  if (shift[0] === 0 && shift[1] === 0) return null;
  // Rolling brings three bands together: what stays, the rest of the last window, and what came from the other side.
  const band = (axis: 0 | 1, cell: number) => {
    if (shift[axis] === 0 || cell < padded[axis] - size[axis]) return 0;
    return cell < padded[axis] - shift[axis] ? 1 : 2;
  };
  const cells = size[0] * size[1];
  const values = new Float32Array(count[0] * count[1] * cells * cells);
  const regions = new Uint8Array(cells);
  for (let window = 0, at = 0; window < count[0] * count[1]; window++) {
    const [top, left] = [Math.floor(window / count[1]) * size[0], (window % count[1]) * size[1]];
    for (let i = 0; i < cells; i++) {
      regions[i] = 3 * band(0, top + Math.floor(i / size[1])) + band(1, left + (i % size[1]));
    }
    for (const a of regions) for (const b of regions) values[at++] = a === b ? 0 : FAR_APART;
  }
  return torch.fromTypedArray(values, [count[0] * count[1], cells, cells]);
}

/** Row of the relative-position table for each pair of places of a full window: (49, 49), int64. */
export function relativePositionIndex(): Tensor {
  const cells = WINDOW * WINDOW;
  const values = new BigInt64Array(cells * cells);
  for (let a = 0; a < cells; a++) {
    for (let b = 0; b < cells; b++) {
      const rows = Math.floor(a / WINDOW) - Math.floor(b / WINDOW) + WINDOW - 1;
      const columns = (a % WINDOW) - (b % WINDOW) + WINDOW - 1;
      values[a * cells + b] = BigInt(rows * (2 * WINDOW - 1) + columns);
    }
  }
  return torch.fromTypedArray(values, [cells, cells]);
}
