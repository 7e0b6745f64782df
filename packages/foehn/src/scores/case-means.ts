// One forecast against the truth at one time: area means of the error and of the anomalies, the numbers of which every deterministic
// score is made. In float64, in one pass over the points for all areas that have whole rows: each row is summed without weights first,
// then rows are weighted. Names as in earth2mip's files: x is the truth, y the forecast, both less the climatology.

import { DataError } from "../core/errors.js";
import { areaWeights, cropGrid, type Region } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";

/** Fields of one case: one variable at one valid time, `(ny, nx)` each. */
export interface Case {
  readonly forecast: Float32Array;
  readonly truth: Float32Array;
  /** Without it the case adds nothing to ACC. */
  readonly climatology?: Float32Array | undefined;
}

/** Area means of a case, and how they are called in files of cases. */
export const caseFields = ["mse", "mae", "bias", "xx", "yy", "xy", "xm", "ym", "missing"] as const;

/**
 * ⟨(y−x)²⟩, ⟨|y−x|⟩ and ⟨y−x⟩; ⟨x′²⟩, ⟨y′²⟩, ⟨x′y′⟩, ⟨x′⟩ and ⟨y′⟩ of the anomalies, NaN without climatology or where it lacks a point; and the number of
 * points without truth or forecast. All means are NaN where no point has both.
 */
export type CaseMeans = Readonly<Record<(typeof caseFields)[number], number>>;

/** Fields that need a climatology. */
export const anomalyFields: ReadonlySet<string> = new Set(["xx", "yy", "xy", "xm", "ym"]);

/** Where a score is averaged. */
export interface ScoreArea {
  readonly name: string;
  /** Weight of each row, `(ny)`; 0 outside. */
  readonly rowWeights: Float64Array;
  /** The columns that count; undefined for all. */
  readonly columns?: Int32Array | undefined;
}

/** The part of a grid in a region; the whole grid without one. @throws DataError when no point is inside */
export function scoreArea(grid: Grid, name: string, region?: Region): ScoreArea {
  const rowWeights = areaWeights(grid);
  if (!region) return { name, rowWeights };
  const { rowStart, columns, grid: inside } = cropGrid(grid, region);
  const part = rowWeights.map((weight, i) => (i >= rowStart && i < rowStart + inside.shape[0] ? weight : 0));
  return columns.length === grid.shape[1] ? { name, rowWeights: part } : { name, rowWeights: part, columns };
}

/** Sums kept for each row: points, errors squared, absolute and plain; truth anomalies, their squares and products with the error. */
const perRow = 7;

/**
 * The means over each area, in their order. Points where forecast or truth is NaN do not count.
 * @throws DataError when the fields differ in size
 */
export function caseMeans(fields: Case, areas: readonly ScoreArea[]): CaseMeans[] {
  const { forecast, truth, climatology } = fields;
  if (forecast.length !== truth.length || (climatology && climatology.length !== truth.length)) {
    throw new DataError(`a forecast of ${forecast.length} points cannot be scored on a truth of ${truth.length}`);
  }
  const withAllColumns = areas.find((area) => area.columns === undefined);
  const whole = withAllColumns && wholeRows(fields, withAllColumns.rowWeights.length);
  return areas.map(({ rowWeights, columns }) => {
    const count = columns?.length ?? truth.length / rowWeights.length;
    const sums = columns ? partialRows(fields, rowWeights, columns) : whole!;
    return weighted(sums, rowWeights, count, climatology !== undefined);
  });
}

function wholeRows({ forecast, truth, climatology }: Case, ny: number): Float64Array {
  const nx = truth.length / ny;
  const sums = new Float64Array(perRow * ny);
  // Without a climatology the anomalies are of the truth itself and thrown away: one loop for both costs less than it saves.
  const mean = climatology ?? truth;
  for (let i = 0; i < ny; i++) {
    let [squared, absolute, difference, x, xx, ex] = [0, 0, 0, 0, 0, 0];
    for (let n = i * nx, end = n + nx; n < end; n++) {
      const o = truth[n]!;
      const e = forecast[n]! - o;
      const a = o - mean[n]!;
      squared += e * e;
      absolute += Math.abs(e);
      difference += e;
      x += a;
      xx += a * a;
      ex += e * a;
    }
    // A NaN anywhere in the row is in the sum.
    if (Number.isNaN(squared)) addPoints(sums, i, { forecast, truth, climatology: mean }, i * nx, nx, undefined);
    else sums.set([nx, squared, absolute, difference, x, xx, ex], perRow * i);
  }
  return sums;
}

function partialRows(fields: Case, rowWeights: Float64Array, columns: Int32Array): Float64Array {
  const ny = rowWeights.length;
  const sums = new Float64Array(perRow * ny);
  const all = { ...fields, climatology: fields.climatology ?? fields.truth };
  for (let i = 0; i < ny; i++) {
    if (rowWeights[i]! > 0) addPoints(sums, i, all, (i * fields.truth.length) / ny, columns.length, columns);
  }
  return sums;
}

/** The sums of a row over some of its columns, without the points that are missing. */
function addPoints(
  sums: Float64Array,
  row: number,
  { forecast, truth, climatology }: Required<Case>,
  start: number,
  count: number,
  columns: Int32Array | undefined,
): void {
  let [points, squared, absolute, difference, x, xx, ex] = [0, 0, 0, 0, 0, 0, 0];
  for (let j = 0; j < count; j++) {
    const n = start + (columns ? columns[j]! : j);
    const o = truth[n]!;
    const e = forecast[n]! - o;
    if (Number.isNaN(e)) continue;
    const a = o - climatology![n]!;
    points++;
    squared += e * e;
    absolute += Math.abs(e);
    difference += e;
    x += a;
    xx += a * a;
    ex += e * a;
  }
  sums.set([points, squared, absolute, difference, x, xx, ex], perRow * row);
}

function weighted(sums: Float64Array, rowWeights: Float64Array, perRowPoints: number, anomalies: boolean): CaseMeans {
  let [weight, missing, squared, absolute, difference, x, xx, ex] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (const [i, w] of rowWeights.entries()) {
    if (w === 0) continue;
    const at = perRow * i;
    weight += w * sums[at]!;
    missing += perRowPoints - sums[at]!;
    squared += w * sums[at + 1]!;
    absolute += w * sums[at + 2]!;
    difference += w * sums[at + 3]!;
    x += w * sums[at + 4]!;
    xx += w * sums[at + 5]!;
    ex += w * sums[at + 6]!;
  }
  // Nothing counted: 0 / 0 is the NaN that is wanted. The forecast's anomaly is the truth's plus the error.
  const mean = (sum: number) => sum / weight;
  const anomaly = (sum: number) => (anomalies ? sum / weight : Number.NaN);
  return {
    mse: mean(squared),
    mae: mean(absolute),
    bias: mean(difference),
    xx: anomaly(xx),
    yy: anomaly(xx + 2 * ex + squared),
    xy: anomaly(xx + ex),
    xm: anomaly(x),
    ym: anomaly(x + difference),
    missing,
  };
}
