// A source of fields: "give me these variables at this time". The contract every kind of data implements, whatever its format.
// Not here: samples, normalisation, splits (datasets/) and the reading of files (io/).

import type { AnyGrid } from "../grid/any-grid.js";
import type { Grid } from "../grid/grid.js";

/** A variable that a source can give. `name` is the catalogue's name where the catalogue knows the variable. */
export interface VariableInfo {
  readonly name: string;
  /** CF spelling (`m s-1`); the values are in these units, as the file has them. */
  readonly units: string;
  readonly longName: string;
  readonly standardName?: string;
  /** True for a field that is the same at every time (orography): it can be read at any time of the source. */
  readonly invariant?: boolean;
}

/** One field: a variable at a time. Values are row-major (lat, lon), north to south, west to east; missing is NaN. */
export interface Field {
  /** The name that was asked for. */
  readonly variable: string;
  /** Valid time, epoch seconds UTC. */
  readonly time: number;
  readonly values: Float32Array;
}

/** What to read. Names may be aliases (`2t` for `t2m`); `z500` is also given from a source that has `gh500`. */
export interface FieldRequest {
  readonly time: number;
  readonly variables: readonly string[];
  /** Which forecast, for sources with several values for one valid time; named as the source names them. */
  readonly run?: string | undefined;
  /** Arrays, one per variable, that a source with `fillsArrays` fills and returns in place of new ones. */
  readonly into?: readonly Float32Array[] | undefined;
}

/** Fields on one grid, by variable and valid time. Models read from latitude–longitude grids; `regridSource` makes such of others. */
export interface Source<G extends AnyGrid = Grid> {
  /** One line for people: format, file, period. */
  readonly description: string;
  readonly variables: readonly VariableInfo[];
  readonly grid: G;
  /** The grid of the files, when fields are regridded from it. */
  readonly nativeGrid?: AnyGrid;
  /** Valid times at which at least one time-dependent variable can be read, ascending, without repeats. */
  readonly times: readonly number[];
  /** True when `read` uses the arrays of `FieldRequest.into`. */
  readonly fillsArrays?: boolean;
  /** Times of one variable when they differ from `times`. */
  timesOf?(variable: string): readonly number[];
  /**
   * The fields, in the order asked.
   * @throws DataError for a variable that the source lacks (lists what there is, and the nearest names) or a time
   * that it lacks (its range, step and nearest time); FormatError for a file that cannot be decoded
   */
  read(request: FieldRequest): Promise<Field[]>;
  /** True for climatologies by day of year: the times, dated in the year 2000, stand for the same day and hour of every year. */
  readonly isOfEveryYear?: boolean;
  /** Frees files and native memory. Safe to call twice. */
  close(): Promise<void>;
}
