// GRIB grids that are not regular in latitude and longitude: Lambert, polar stereographic, Mercator, rotated and reduced Gaussian grids by
// their parameters; anything else that ecCodes can place, as points. Fields on them are regridded before a model sees them.
// Format: GRIB 2 templates 3.1, 3.10, 3.20, 3.30 and 3.40, code table 3.2 (shape of the Earth); the GRIB 1 counterparts through ecCodes.

import { DataError, FormatError, isFoehnError } from "../../core/errors.js";
import { reducedGaussianGrid } from "../../grid/gaussian.js";
import { pointsGrid } from "../../grid/points-grid.js";
import { type Projection, projectedGrid } from "../../grid/projected-grid.js";
import {
  type EarthShape,
  lambertConformal,
  mercator,
  polarStereographic,
  rotatedPole,
} from "../../grid/projections.js";
import type { GribHandle } from "./eccodes.js";
import type { Geometry } from "./geometry.js";
import { flipped, rowMajor, type ScanOrder, scanOrder } from "./scan-order.js";

/** The geometry of a field whose grid is not regular. @throws DataError for a grid without places, FormatError for a damaged one */
export function otherGeometry(
  handle: GribHandle,
  gridType: string,
  points: number | undefined,
  where: string,
): Geometry {
  try {
    return (
      (gridType === "reduced_gg" ? reducedRows(handle, points) : onProjection(handle, gridType, points, where)) ??
      placed(handle, gridType, where)
    );
  } catch (error) {
    if (!isFoehnError(error) || error.where !== undefined) throw error;
    throw new FormatError(`the GRIB message states an impossible grid: ${error.message}`, { where });
  }
}

function onProjection(
  handle: GribHandle,
  gridType: string,
  points: number | undefined,
  where: string,
): Geometry | undefined {
  const projection = projectionOf(handle, gridType);
  if (!projection) return undefined;
  const rotated = gridType === "rotated_ll";
  const order = scanOrder(handle, handle.long(rotated ? "Ni" : "Nx"), handle.long(rotated ? "Nj" : "Ny"), where);
  const { ni, nj } = order;
  if (ni * nj !== points) {
    throw new FormatError(`the GRIB message states a grid of ${nj} × ${ni} and ${points} points`, { where });
  }
  const latitude = handle.double("latitudeOfFirstGridPointInDegrees");
  const longitude = handle.double("longitudeOfFirstGridPointInDegrees");
  // On rotated poles the corner is given in rotated degrees, on a projection as a place on Earth.
  const [x, y] = rotated ? [longitude, latitude] : projection.forward(latitude, longitude);
  const [dx, dy] = increments(handle, gridType, order, latitude);
  const axes = {
    x0: order.columnsBackwards ? x - (ni - 1) * dx : x,
    dx,
    nx: ni,
    y0: order.rowsUpwards ? y + (nj - 1) * dy : y,
    dy: -dy,
    ny: nj,
    ...("period" in projection ? { period: projection.period } : rotated ? { period: 360 } : {}),
  };
  const grid = projectedGrid(projection, axes, { vectorsAlongGrid: handle.tryLong("uvRelativeToGrid") === 1 });
  return { grid, points: ni * nj, arrange: (values) => flipped(rowMajor(values, order), order) };
}

function projectionOf(handle: GribHandle, gridType: string): (Projection & { readonly period?: number }) | undefined {
  const key = (name: string) => handle.double(`${name}InDegrees`);
  switch (gridType) {
    case "lambert":
      return lambertConformal(earthShape(handle), {
        latitude1: key("Latin1"),
        latitude2: key("Latin2"),
        meridian: key("LoV"),
      });
    case "polar_stereographic":
      return polarStereographic(earthShape(handle), {
        latitude: key("LaD"),
        meridian: key("orientationOfTheGrid"),
        south: ((handle.tryLong("projectionCentreFlag") ?? 0) & 128) !== 0,
      });
    case "mercator":
      return mercator(earthShape(handle), {
        latitude: key("LaD"),
        meridian: key("longitudeOfFirstGridPoint"),
      });
    case "rotated_ll":
      // A turn about the new axis is hardly ever coded and read differently by readers: such a grid is taken point by point.
      if (key("angleOfRotation") !== 0) return undefined;
      return rotatedPole({ latitude: key("latitudeOfSouthernPole"), longitude: key("longitudeOfSouthernPole") });
    default:
      return undefined;
  }
}

/** Axes by code table 3.2, metres; 1, 3 and 7 state their own. */
const earthShapes: Readonly<Record<number, readonly [major: number, minor: number]>> = {
  0: [6_367_470, 6_367_470],
  2: [6_378_160, 6_356_775],
  4: [6_378_137, 6_356_752.314],
  5: [6_378_137, 6_356_752.314245],
  6: [6_371_229, 6_371_229],
  8: [6_371_200, 6_371_200],
  9: [6_377_563.396, 6_356_256.909],
};

function earthShape(handle: GribHandle): EarthShape {
  const oblate = handle.tryLong("earthIsOblate") === 1;
  // GRIB 1 knows the first sphere and the first ellipsoid only.
  const code = handle.tryLong("shapeOfTheEarth") ?? (oblate ? 2 : 0);
  const [majorAxis, minorAxis] =
    earthShapes[code] ??
    (oblate
      ? [handle.double("earthMajorAxisInMetres"), handle.double("earthMinorAxisInMetres")]
      : [handle.double("radius"), handle.double("radius")]);
  return { majorAxis, minorAxis };
}

/** Spacing of columns and rows in the plane, both positive. */
function increments(handle: GribHandle, gridType: string, { ni, nj }: ScanOrder, first: number): [number, number] {
  if (gridType === "mercator") return [handle.double("DiInMetres"), handle.double("DjInMetres")];
  if (gridType !== "rotated_ll") return [handle.double("DxInMetres"), handle.double("DyInMetres")];
  // The last corner has all digits, the increments may be rounded or left out.
  const last = handle.double("latitudeOfLastGridPointInDegrees");
  const [west, east] = ["First", "Last"].map((which) => handle.double(`longitudeOf${which}GridPointInDegrees`));
  const span = handle.tryLong("iScansNegatively") === 1 ? west! - east! : east! - west!;
  return [ni > 1 ? (((span % 360) + 360) % 360) / (ni - 1) : 1, nj > 1 ? Math.abs(last - first) / (nj - 1) : 1];
}

/** A whole reduced Gaussian grid; undefined for a part of one. */
function reducedRows(handle: GribHandle, points: number | undefined): Geometry | undefined {
  const counts = new Float64Array(handle.size("pl"));
  handle.doublesInto("pl", counts);
  const rows = 2 * handle.long("N");
  const whole = counts.length === rows && counts.reduce((sum, count) => sum + count, 0) === points;
  const plain = ((handle.tryLong("scanningMode") ?? 0) & ~0) === 0;
  if (!whole || !plain || Math.abs(handle.double("longitudeOfFirstGridPointInDegrees")) > 1e-6) return undefined;
  return {
    grid: reducedGaussianGrid(counts),
    points: counts.reduce((sum, count) => sum + count, 0),
    arrange: (v) => v,
  };
}

/** Points where ecCodes says they are. */
function placed(handle: GribHandle, gridType: string, where: string): Geometry {
  const points = handle.long("numberOfDataPoints");
  const latitudes = new Float64Array(points);
  const longitudes = new Float64Array(points);
  try {
    if (gridType === "sh") throw new DataError("spherical harmonics have no points");
    handle.doublesInto("latitudes", latitudes);
    handle.doublesInto("longitudes", longitudes);
  } catch (error) {
    if (!isFoehnError(error)) throw error;
    throw unsupported(handle, gridType, where);
  }
  return { grid: pointsGrid(latitudes, longitudes), points, arrange: (values) => values };
}

const gridNames: Readonly<Record<string, string>> = {
  sh: "spherical harmonics",
  unstructured_grid: "unstructured",
  healpix: "HEALPix",
};

function unsupported(handle: GribHandle, gridType: string, where: string): DataError {
  const name = gridNames[gridType] ?? gridType;
  const points = handle.tryLong("numberOfDataPoints");
  const size = points === undefined ? "" : ` (${points} points)`;
  return new DataError(`the field's grid is ${name}${size}, and ecCodes does not say where its values lie`, {
    where,
    hint:
      'interpolate it first: ask for a regular grid in the request (CDS and MARS: "grid": "0.25/0.25"), or ' +
      "use `cdo -f grb remapbil,r1440x721 in.grib out.grib`",
  });
}
