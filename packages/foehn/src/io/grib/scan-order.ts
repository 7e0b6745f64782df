// The order in which a GRIB message stores the points of a rectangle (scanning mode, GRIB 1 table 8, GRIB 2 flag table 3.4), and the
// way from there to rows of columns.

import { DataError, FormatError } from "../../core/errors.js";
import type { GribHandle } from "./eccodes.js";

/** Order of the values of a rectangular grid. */
export interface ScanOrder {
  /** Points along a row and along a column, as coded. */
  readonly ni: number;
  readonly nj: number;
  /** Points of a row run against the x axis (east to west). */
  readonly columnsBackwards: boolean;
  /** Rows run along the y axis (south to north). */
  readonly rowsUpwards: boolean;
  /** Values run along columns first. */
  readonly columnsFirst: boolean;
  /** Every second line runs backwards. */
  readonly alternating: boolean;
}

/** Reads the scanning mode. @throws FormatError for an empty rectangle, DataError for staggered rows */
export function scanOrder(handle: GribHandle, ni: number, nj: number, where: string): ScanOrder {
  if (ni < 1 || nj < 1) {
    throw new FormatError(`the GRIB message states a grid of ${nj} × ${ni} points`, {
      where,
      hint: "the message is damaged; fetch the file again",
    });
  }
  if (((handle.tryLong("scanningMode") ?? 0) & 15) !== 0) {
    throw new DataError("the rows of the grid are offset against each other (staggered scanning)", { where });
  }
  return {
    ni,
    nj,
    columnsBackwards: handle.tryLong("iScansNegatively") === 1,
    rowsUpwards: handle.tryLong("jScansPositively") === 1,
    columnsFirst: handle.tryLong("jPointsAreConsecutive") === 1,
    alternating: handle.tryLong("alternativeRowScanning") === 1,
  };
}

/** Undoes the two scanning modes that are not mere flips. */
export function rowMajor(values: Float32Array, { ni, nj, columnsFirst, alternating }: ScanOrder): Float32Array {
  if (!columnsFirst && !alternating) return values;
  const out = new Float32Array(values.length);
  const [lines, points] = columnsFirst ? [ni, nj] : [nj, ni];
  for (let line = 0; line < lines; line++) {
    const reversed = alternating && line % 2 === 1;
    for (let k = 0; k < points; k++) {
      const value = values[line * points + (reversed ? points - 1 - k : k)]!;
      out[columnsFirst ? k * ni + line : line * ni + k] = value;
    }
  }
  return out;
}

/** Rows of columns turned so that rows run down the y axis and columns along the x axis. */
export function flipped(values: Float32Array, { ni, nj, columnsBackwards, rowsUpwards }: ScanOrder): Float32Array {
  if (!columnsBackwards && !rowsUpwards) return values;
  const out = new Float32Array(values.length);
  for (let i = 0; i < nj; i++) {
    const row = (rowsUpwards ? nj - 1 - i : i) * ni;
    for (let j = 0; j < ni; j++) out[i * ni + j] = values[row + (columnsBackwards ? ni - 1 - j : j)]!;
  }
  return out;
}
