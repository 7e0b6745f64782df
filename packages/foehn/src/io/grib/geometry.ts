// The grid of a GRIB field and the order of its values. Row order, column order and Greenwich are settled here, once for each distinct
// grid: regular grids become `Grid`; grids of other kinds (other-grids.ts) keep their points, rows north to south where they have rows.
// Format: GRIB 1 tables 6–8, GRIB 2 templates 3.0 and 3.40 and flag table 3.4.

import { FormatError, isFoehnError } from "../../core/errors.js";
import type { AnyGrid } from "../../grid/any-grid.js";
import { gaussianLatitudes } from "../../grid/gaussian.js";
import { type NormalisedAxes, normaliseAxes, reorderField } from "../../grid/grid.js";
import type { ByteReader } from "../byte-reader.js";
import { continuousLongitudes } from "../longitudes.js";
import { GribHandle } from "./eccodes.js";
import { otherGeometry } from "./other-grids.js";
import { type FieldLocation, headerMessage, sectionBytes, whereOf } from "./scan.js";
import { rowMajor, scanOrder } from "./scan-order.js";

/** What a field lies on, and how its values come to be in order. */
export interface Geometry {
  readonly grid: AnyGrid;
  /** Values as coded. */
  readonly points: number;
  /** Values as coded → the grid's order. May return its argument. */
  arrange(values: Float32Array): Float32Array;
}

/** Geometries of one file by their section bytes. */
export type GeometryCache = Map<string, Geometry>;

/** The bytes that decide a field's grid; equal keys mean equal grids. */
export function geometryKey(file: ByteReader, location: FieldLocation): string {
  const section = sectionBytes(file, location, location.edition === 1 ? 2 : 3);
  if (section.length > 0) return section.toString("latin1");
  return `predefined ${sectionBytes(file, location, 1)[6]}`;
}

/**
 * The geometry of a field, through the cache.
 * @throws DataError for a grid that cannot be read, with its name
 */
export function geometryOf(file: ByteReader, location: FieldLocation, key: string, cache: GeometryCache): Geometry {
  const known = cache.get(key);
  if (known) return known;
  const where = whereOf(file.path, location);
  using handle = new GribHandle(headerMessage(file, location), where);
  const geometry = describe(handle, where);
  cache.set(key, geometry);
  return geometry;
}

/** Larger than any regular grid in use (a kilometre over Europe and North Africa, 0.05 degrees over the globe). */
const maxPoints = 2 ** 27;

function describe(handle: GribHandle, where: string): Geometry {
  const gridType = handle.tryString("gridType") ?? "unknown";
  // A damaged header must not make ecCodes or us allocate what it happens to say.
  const points = handle.tryLong("numberOfDataPoints");
  if (points !== undefined && points > maxPoints) throw impossible(`${points} points`, where);
  if (gridType !== "regular_ll" && gridType !== "regular_gg") return otherGeometry(handle, gridType, points, where);
  const order = scanOrder(handle, handle.long("Ni"), handle.long("Nj"), where);
  const { ni, nj } = order;
  if (ni * nj !== (points ?? ni * nj) || ni * nj > maxPoints) {
    throw impossible(`${nj} × ${ni} and ${points} points`, where);
  }
  const first = handle.double("latitudeOfFirstGridPointInDegrees");
  const last = handle.double("latitudeOfLastGridPointInDegrees");
  const latitudes = gridType === "regular_gg" ? gaussianRows(handle, first, last, nj, where) : evenly(first, last, nj);
  const longitudes = columns(
    handle.double("longitudeOfFirstGridPointInDegrees"),
    handle.double("longitudeOfLastGridPointInDegrees"),
    ni,
    order.columnsBackwards,
  );
  let axes: NormalisedAxes;
  try {
    axes = normaliseAxes(latitudes, continuousLongitudes(longitudes));
  } catch (error) {
    if (!isFoehnError(error)) throw error;
    throw new FormatError(`the GRIB message states an impossible grid: ${error.message}`, { where });
  }
  return {
    grid: axes.grid,
    points: ni * nj,
    arrange: (values) => reorderField(rowMajor(values, order), ni, axes),
  };
}

function impossible(what: string, where: string): FormatError {
  return new FormatError(`the GRIB message states a grid of ${what}`, {
    where,
    hint: "the message is damaged; fetch the file again",
  });
}

function evenly(first: number, last: number, count: number): Float64Array {
  const axis = new Float64Array(count);
  for (let i = 0; i < count; i++) axis[i] = count === 1 ? first : first + ((last - first) * i) / (count - 1);
  return axis;
}

/**
 * Longitudes in the order of the values. GRIB rounds to a thousandth or a millionth of a degree, so that the spacing of a grid
 * that goes round the Earth is taken from the number of columns.
 */
function columns(first: number, last: number, count: number, backwards: boolean): Float64Array {
  if (count === 1) return Float64Array.of(first);
  const [west, east] = backwards ? [last, first] : [first, last];
  let span = (((east - west) % 360) + 360) % 360;
  if (span < 1e-6) span = 360; // the last column repeats the first
  const round = Math.abs((span * count) / (count - 1) - 360) < (0.01 * span) / (count - 1);
  if (round) span = (360 * (count - 1)) / count;
  const axis = evenly(west, west + span, count);
  return backwards ? axis.reverse() : axis;
}

function gaussianRows(handle: GribHandle, first: number, last: number, count: number, where: string): Float64Array {
  const n = handle.long("N");
  const all = gaussianLatitudes(n);
  const [north, south] = first >= last ? [first, last] : [last, first];
  const rows = all.filter((lat) => lat <= north + 2e-3 && lat >= south - 2e-3);
  if (rows.length !== count) {
    throw new FormatError(
      `Gaussian grid N${n} has ${rows.length} rows from ${north} to ${south} degrees, not ${count}`,
      {
        where,
      },
    );
  }
  return first >= last ? rows : rows.reverse();
}
