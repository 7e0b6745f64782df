// Fractions skill score: how well the share of points above a threshold agrees in windows around each point. Roberts & Lean 2008;
// windows are discs that lie wholly inside the field, as Earth2Studio's `fss`. 1 is perfect, 0 no overlap at all.

import { UsageError } from "../core/errors.js";

/** What is compared. */
export interface FssOptions {
  /** The event is: at or above. */
  readonly threshold: number;
  /** Diameter of the disc, in points. */
  readonly window: number;
}

/**
 * 1 − Σ (p_f − p_o)² / Σ (p_f² + p_o²) over all windows without missing points in either field; 0/0, when neither field has an event, is NaN.
 * @param shape (ny, nx) of both fields @throws UsageError for a window that does not fit into them
 */
export function fractionsSkillScore(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  shape: readonly [number, number],
  { threshold, window }: FssOptions,
): number {
  const [ny, nx] = shape;
  if (!Number.isInteger(window) || window < 1 || window > Math.min(ny, nx)) {
    throw new UsageError(`a window of ${window} points does not fit into a field of ${ny}×${nx}`);
  }
  const [first, second] = [forecast, truth].map((field) => shares(field, shape, threshold, window));
  let [difference, size] = [0, 0];
  for (let i = 0; i < first!.length; i++) {
    if (Number.isNaN(first![i]! + second![i]!)) continue;
    difference += (first![i]! - second![i]!) ** 2;
    size += first![i]! ** 2 + second![i]! ** 2;
  }
  return 1 - difference / size;
}

/** The share of points at or above the threshold in the disc whose top left corner is each point; NaN where one of them is. */
function shares(
  field: ArrayLike<number>,
  [ny, nx]: readonly [number, number],
  threshold: number,
  window: number,
): Float64Array {
  // A disc is a stack of rows; the sum of a row is a difference of running sums.
  const centre = (window - 1) / 2;
  const half = Array.from({ length: window }, (_, i) => Math.sqrt((window / 2) ** 2 - (i - centre) ** 2));
  const spans = half.map((h) => [Math.ceil(centre - h - 1e-9), Math.floor(centre + h + 1e-9) + 1] as const);
  const points = spans.reduce((sum, [from, to]) => sum + to - from, 0);
  // A missing point counts more than all others together, so that it shows in every sum that it is in.
  const missing = 2 * ny * nx;
  const running = new Float64Array(ny * (nx + 1));
  for (let i = 0; i < ny; i++) {
    for (let j = 0; j < nx; j++) {
      const value = field[i * nx + j]!;
      const counted = Number.isNaN(value) ? missing : Number(value >= threshold);
      running[i * (nx + 1) + j + 1] = running[i * (nx + 1) + j]! + counted;
    }
  }
  const [rows, columns] = [ny - window + 1, nx - window + 1];
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let count = 0;
      for (const [k, [from, to]] of spans.entries()) {
        const row = (i + k) * (nx + 1) + j;
        count += running[row + to]! - running[row + from]!;
      }
      result[i * columns + j] = count >= missing ? Number.NaN : count / points;
    }
  }
  return result;
}
