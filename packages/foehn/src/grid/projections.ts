// Map projections of weather grids, on a sphere or an ellipsoid: Lambert conformal, polar stereographic, Mercator; and rotated poles.
// All three projections are functions of Snyder's t(φ), the exponential of the isometric latitude. Coordinates have no false origin.
// Formulas: J. P. Snyder, Map Projections: A Working Manual, USGS 1395, 1987, pages 38–48, 104–109, 154–163.

import type { Projection } from "./projected-grid.js";

const radians = Math.PI / 180;

/** Shape of the Earth, metres; equal axes make a sphere. */
export interface EarthShape {
  readonly majorAxis: number;
  readonly minorAxis: number;
}

/** The functions of latitude that conformal projections share. */
function conformal({ majorAxis, minorAxis }: EarthShape) {
  const e = Math.sqrt(Math.max(0, 1 - (minorAxis / majorAxis) ** 2));
  const stretch = (sine: number) => (e === 0 ? 1 : ((1 - e * sine) / (1 + e * sine)) ** (e / 2));
  return {
    /** Radius of the parallel over the major axis. */
    m: (phi: number) => Math.cos(phi) / Math.sqrt(1 - (e * Math.sin(phi)) ** 2),
    t: (phi: number) => Math.tan(Math.PI / 4 - phi / 2) / stretch(Math.sin(phi)),
    /** Latitude of t, by fixed-point iteration: each round gains two digits and more. */
    latitude(t: number): number {
      let phi = Math.PI / 2 - 2 * Math.atan(t);
      for (let round = 0; e > 0 && round < 12; round++) {
        const next = Math.PI / 2 - 2 * Math.atan(t * stretch(Math.sin(phi)));
        if (Math.abs(next - phi) < 1e-14) break;
        phi = next;
      }
      return phi;
    },
  };
}

/** Into (-180, 180] of a meridian. */
const from = (longitude: number, meridian: number): number => {
  const gap = (longitude - meridian) % 360;
  return gap > 180 ? gap - 360 : gap <= -180 ? gap + 360 : gap;
};

/** Lambert's conformal conic projection; x east and y north of the cone's apex, metres. */
export function lambertConformal(
  earth: EarthShape,
  options: { readonly latitude1: number; readonly latitude2: number; readonly meridian: number },
): Projection {
  const { latitude1, latitude2, meridian } = options;
  const { m, t, latitude } = conformal(earth);
  const [p1, p2] = [latitude1 * radians, latitude2 * radians];
  const n =
    Math.abs(p1 - p2) < 1e-10
      ? Math.sin(p1)
      : (Math.log(m(p1)) - Math.log(m(p2))) / (Math.log(t(p1)) - Math.log(t(p2)));
  const scale = (earth.majorAxis * m(p1)) / (n * t(p1) ** n);
  return {
    description: `Lambert conformal (${[...new Set([latitude1, latitude2])].map(round).join(" and ")} °N, ${round(meridian)} °E)`,
    forward(lat, lon) {
      const rho = scale * t(lat * radians) ** n;
      const theta = n * from(lon, meridian) * radians;
      return [rho * Math.sin(theta), -rho * Math.cos(theta)];
    },
    inverse(x, y) {
      const sign = Math.sign(n);
      const rho = sign * Math.hypot(x, y);
      const theta = Math.atan2(sign * x, -sign * y);
      return [latitude((rho / scale) ** (1 / n)) / radians, theta / n / radians + meridian];
    },
  };
}

/** Polar stereographic projection with its true scale at `latitude`; the meridian points down on the northern side, up on the southern. */
export function polarStereographic(
  earth: EarthShape,
  options: { readonly latitude: number; readonly meridian: number; readonly south?: boolean },
): Projection {
  const { meridian, south = false } = options;
  const side = south ? -1 : 1;
  const { m, t, latitude } = conformal(earth);
  const trueScale = Math.abs(options.latitude) * radians;
  // At the pole itself m / t has a limit.
  const eccentricity = Math.sqrt(Math.max(0, 1 - (earth.minorAxis / earth.majorAxis) ** 2));
  const scale =
    earth.majorAxis *
    (Math.PI / 2 - trueScale > 1e-9
      ? m(trueScale) / t(trueScale)
      : 2 / Math.sqrt((1 + eccentricity) ** (1 + eccentricity) * (1 - eccentricity) ** (1 - eccentricity)));
  return {
    description: `polar stereographic (${south ? "south" : "north"} pole, ${round(meridian)} °E)`,
    forward(lat, lon) {
      const rho = scale * t(side * lat * radians);
      const theta = (lon - meridian) * radians;
      return [rho * Math.sin(theta), -side * rho * Math.cos(theta)];
    },
    inverse(x, y) {
      const lat = latitude(Math.hypot(x, y) / scale) / radians;
      return [side * lat, Math.atan2(x, -side * y) / radians + meridian];
    },
  };
}

/** Mercator's projection with its true scale at `latitude`; x east of `meridian`, metres. */
export function mercator(
  earth: EarthShape,
  options: { readonly latitude: number; readonly meridian: number },
): Projection & { /** Length of a whole turn in x. */ readonly period: number } {
  const { meridian } = options;
  const { m, t, latitude } = conformal(earth);
  const scale = earth.majorAxis * m(options.latitude * radians);
  return {
    description: `Mercator (true at ${round(options.latitude)} °N)`,
    period: 2 * Math.PI * scale,
    forward: (lat, lon) => [scale * from(lon, meridian) * radians, -scale * Math.log(t(lat * radians))],
    inverse: (x, y) => [latitude(Math.exp(-y / scale)) / radians, x / scale / radians + meridian],
  };
}

/** Latitudes and longitudes about a pole that lies elsewhere: x and y are rotated degrees east and north. */
export function rotatedPole(southPole: { readonly latitude: number; readonly longitude: number }): Projection {
  // A turn about the Earth's axis, then one that tips the south pole from -90 to where it is.
  const tilt = (90 + southPole.latitude) * radians;
  const turn = (lat: number, lon: number, by: number): readonly [number, number] => {
    const [p, l] = [lat * radians, lon * radians];
    const [x, y, z] = [Math.cos(p) * Math.cos(l), Math.cos(p) * Math.sin(l), Math.sin(p)];
    const [sine, cosine] = [Math.sin(by), Math.cos(by)];
    const [x2, z2] = [cosine * x + sine * z, cosine * z - sine * x];
    return [Math.asin(Math.min(1, Math.max(-1, z2))) / radians, Math.atan2(y, x2) / radians];
  };
  return {
    description: `rotated latitude–longitude (south pole at ${round(southPole.latitude)} °N, ${round(southPole.longitude)} °E)`,
    xScale: (y) => Math.cos(y * radians),
    forward(lat, lon) {
      const [y, x] = turn(lat, lon - southPole.longitude, tilt);
      return [x, y];
    },
    inverse(x, y) {
      const [lat, lon] = turn(y, x, -tilt);
      return [lat, lon + southPole.longitude];
    },
  };
}

const round = (value: number): number => Number(value.toFixed(3));
