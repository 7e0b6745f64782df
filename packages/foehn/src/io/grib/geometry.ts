// The grid of a GRIB field and the order of its values. Regular latitude–longitude and regular Gaussian grids are read;
// everything else is named in the error. Row order, column order and Greenwich are settled here, once for each distinct grid.
// Format: GRIB 1 tables 6–8, GRIB 2 templates 3.0 and 3.40 and flag table 3.4.

import { DataError, FormatError, isFoehnError } from "../../core/errors.js";
import { type NormalisedAxes, normaliseAxes, reorderField } from "../../grid/grid.js";
import type { ByteReader } from "../byte-reader.js";
import { continuousLongitudes } from "../longitudes.js";
import { GribHandle, gaussianLatitudes } from "./eccodes.js";
import { type FieldLocation, headerMessage, sectionBytes, whereOf } from "./scan.js";

/** How the values of a field lie, and on what. */
export interface Geometry {
  readonly axes: NormalisedAxes;
  /** Points along a parallel and along a meridian, as coded. */
  readonly ni: number;
  readonly nj: number;
  /** Values run along meridians first. */
  readonly columnsFirst: boolean;
  /** Every second row (or column) runs backwards. */
  readonly alternating: boolean;
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
 * @throws DataError for a grid that is not regular, with its name
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
  if (gridType !== "regular_ll" && gridType !== "regular_gg") throw unsupported(handle, gridType, where);
  const ni = handle.long("Ni");
  const nj = handle.long("Nj");
  // A damaged header must not make ecCodes or us allocate what it happens to say.
  const points = handle.tryLong("numberOfDataPoints") ?? ni * nj;
  if (ni < 1 || nj < 1 || ni * nj !== points || points > maxPoints) {
    throw new FormatError(`the GRIB message states a grid of ${nj} × ${ni} and ${points} points`, {
      where,
      hint: "the message is damaged; fetch the file again",
    });
  }
  const staggered = (handle.tryLong("scanningMode") ?? 0) & 15;
  if (staggered !== 0)
    throw new DataError("the rows of the grid are offset against each other (staggered scanning)", { where });
  const first = handle.double("latitudeOfFirstGridPointInDegrees");
  const last = handle.double("latitudeOfLastGridPointInDegrees");
  const latitudes = gridType === "regular_gg" ? gaussianRows(handle, first, last, nj, where) : evenly(first, last, nj);
  const backwards = handle.tryLong("iScansNegatively") === 1;
  const longitudes = columns(
    handle.double("longitudeOfFirstGridPointInDegrees"),
    handle.double("longitudeOfLastGridPointInDegrees"),
    ni,
    backwards,
  );
  let axes: NormalisedAxes;
  try {
    axes = normaliseAxes(latitudes, continuousLongitudes(longitudes));
  } catch (error) {
    if (!isFoehnError(error)) throw error;
    throw new FormatError(`the GRIB message states an impossible grid: ${error.message}`, { where });
  }
  return {
    axes,
    ni,
    nj,
    columnsFirst: handle.tryLong("jPointsAreConsecutive") === 1,
    alternating: handle.tryLong("alternativeRowScanning") === 1,
  };
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

const gridNames: Readonly<Record<string, string>> = {
  reduced_gg: "reduced Gaussian",
  reduced_ll: "reduced latitude–longitude",
  rotated_ll: "rotated latitude–longitude",
  lambert: "Lambert conformal",
  polar_stereographic: "polar stereographic",
  mercator: "Mercator",
  sh: "spherical harmonics",
  unstructured_grid: "unstructured",
  healpix: "HEALPix",
};

function unsupported(handle: GribHandle, gridType: string, where: string): DataError {
  const name = gridNames[gridType] ?? gridType;
  const number = gridType === "reduced_gg" ? handle.tryString("gridName") : undefined;
  const points = handle.tryLong("numberOfDataPoints");
  const size = points === undefined ? "" : ` (${points} points)`;
  return new DataError(
    `the field's grid is ${name}${number ? ` ${number}` : ""}${size}; only regular grids can be read`,
    {
      where,
      hint:
        'interpolate it first: ask for a regular grid in the request (CDS and MARS: "grid": "0.25/0.25"), or ' +
        "use `cdo -f grb remapbil,r1440x721 in.grib out.grib`",
    },
  );
}

/** Values as coded → Foehn's order: rows north to south, columns west to east. */
export function arrange(values: Float32Array, geometry: Geometry): Float32Array {
  return reorderField(rowMajor(values, geometry), geometry.ni, geometry.axes);
}

/** Undoes the two scanning modes that are not mere flips. */
function rowMajor(values: Float32Array, { ni, nj, columnsFirst, alternating }: Geometry): Float32Array {
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
