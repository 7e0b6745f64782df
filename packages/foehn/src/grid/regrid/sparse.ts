// Interpolation weights as a sparse matrix in compressed rows (CSR): one row per target point, and its product with a field. Every
// method of this folder makes such a matrix; map files (io/regrid-map.ts) hold one.

import { DataError } from "../../core/errors.js";

/** A sparse matrix; row `r` has the entries `rowStart[r]` to `rowStart[r + 1]`. */
export interface SparseWeights {
  /** Target points. */
  readonly rows: number;
  /** Source points. */
  readonly columns: number;
  /** `rows + 1` offsets. */
  readonly rowStart: Int32Array;
  /** Source point of each entry. */
  readonly column: Int32Array;
  readonly weight: Float64Array;
}

/** What becomes of missing values: `nan` spreads them to every point that needs one; `renormalise` averages over what is there. */
export type MissingValues = "nan" | "renormalise";

/** With `renormalise`, a target is missing when less than this share of its weight has values. */
export const smallestShare = 0.5;

/** Collects the entries of a matrix, row by row. */
export class WeightsBuilder {
  #column = new Int32Array(1024);
  #weight = new Float64Array(1024);
  readonly #rowStart: Int32Array;
  #row = 0;
  #count = 0;

  constructor(
    readonly rows: number,
    readonly columns: number,
  ) {
    this.#rowStart = new Int32Array(rows + 1);
  }

  /** An entry of the current row; zero weights are left out, so that a missing value there does not matter. */
  add(column: number, weight: number): void {
    if (weight === 0) return;
    if (this.#count === this.#column.length) {
      const [column, weight] = [new Int32Array(2 * this.#count), new Float64Array(2 * this.#count)];
      column.set(this.#column);
      weight.set(this.#weight);
      [this.#column, this.#weight] = [column, weight];
    }
    this.#column[this.#count] = column;
    this.#weight[this.#count++] = weight;
  }

  endRow(): void {
    this.#rowStart[++this.#row] = this.#count;
  }

  finish(): SparseWeights {
    return {
      rows: this.rows,
      columns: this.columns,
      rowStart: this.#rowStart,
      column: this.#column.slice(0, this.#count),
      weight: this.#weight.slice(0, this.#count),
    };
  }
}

/**
 * The product with a field, summed in float64; targets without entries become NaN.
 * @throws DataError when the field has not one value per column
 */
export function applyWeights<T extends Float32Array | Float64Array>(
  weights: SparseWeights,
  values: T,
  out: T,
  missing: MissingValues = "nan",
): T {
  const { rows, columns, rowStart, column, weight } = weights;
  if (values.length !== columns || out.length !== rows) {
    throw new DataError(
      `the weights take a field of ${columns} points to one of ${rows}, got ${values.length} and ${out.length}`,
    );
  }
  for (let row = 0, n = 0; row < rows; row++) {
    const end = rowStart[row + 1]!;
    const first = n;
    let sum = 0;
    for (; n < end; n++) sum += weight[n]! * values[column[n]!]!;
    if (first === end) sum = Number.NaN;
    else if (missing === "renormalise" && Number.isNaN(sum)) sum = meanOfPresent(weights, values, first, end);
    out[row] = sum;
  }
  return out;
}

function meanOfPresent(
  { column, weight }: SparseWeights,
  values: Float32Array | Float64Array,
  first: number,
  end: number,
): number {
  let [sum, present, all] = [0, 0, 0];
  for (let n = first; n < end; n++) {
    const value = values[column[n]!]!;
    all += weight[n]!;
    if (Number.isNaN(value)) continue;
    sum += weight[n]! * value;
    present += weight[n]!;
  }
  // Conservative weights of a cell that is half outside add up to less than one: scale back to what they were.
  return present >= smallestShare * all ? (sum * all) / present : Number.NaN;
}

/** Targets that no source point reaches. */
export function countUncovered({ rows, rowStart }: SparseWeights): number {
  let count = 0;
  for (let row = 0; row < rows; row++) count += Number(rowStart[row] === rowStart[row + 1]);
  return count;
}
