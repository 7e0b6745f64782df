// Where the sun stands: the cosine of its zenith angle, as networks take it for an input (earth2mip's CosZenWrapper, DLWP, FourCastNet v2,
// Atlas). Low-precision solar coordinates of J. Meeus, Astronomical Algorithms, ch. 25 (0.01°), and sidereal time by Vallado et al.,
// AIAA 2006-6753. Not here: the simpler insolation of py4cast (datasets/forcings.ts).

import type { Grid } from "../grid/grid.js";

const radians = Math.PI / 180;
const fullTurn = 2 * Math.PI;
/** 2000-01-01T12:00Z. */
const j2000 = 946_728_000;

/** The sun seen from the Earth's centre at an instant, radians. */
export interface SunPosition {
  readonly declination: number;
  /** Hour angle at 0° east: 0 when the sun is in the south of Greenwich, growing westwards. */
  readonly greenwichHourAngle: number;
}

/** @param time epoch seconds UTC, taken as UT1 and as dynamical time: a minute of difference is not seen at this precision */
export function sunPosition(time: number): SunPosition {
  const t = (time - j2000) / 86_400 / 36_525; // Julian centuries
  const anomaly = radians * (357.5291 + 35_999.0503 * t - 0.0001559 * t ** 2 - 0.00000048 * t ** 3);
  const meanLongitude = radians * (280.46645 + 36_000.76983 * t + 0.0003032 * t ** 2);
  const centre =
    radians *
    ((1.9146 - 0.004817 * t - 0.000014 * t ** 2) * Math.sin(anomaly) +
      (0.019993 - 0.000101 * t) * Math.sin(2 * anomaly) +
      0.00029 * Math.sin(3 * anomaly));
  const longitude = meanLongitude + centre;
  // Mean obliquity (IAU 2006), arc seconds.
  const arcSeconds = 84_381.406 - 46.836769 * t - 0.0001831 * t ** 2 + 0.0020034 * t ** 3 - 0.576e-6 * t ** 4;
  const obliquity = (radians * arcSeconds) / 3600;
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(longitude));
  const rightAscension = Math.atan2(Math.cos(obliquity) * Math.sin(longitude), Math.cos(longitude));
  // Greenwich mean sidereal time in seconds; 240 of them are a degree.
  const seconds = 67_310.54841 + t * (876_600 * 3600 + 8_640_184.812866 + t * (0.093104 - t * 6.2e-6));
  const sidereal = ((seconds / 240) % 360) * radians;
  return { declination, greenwichHourAngle: (sidereal - rightAscension) % fullTurn };
}

/**
 * Cosine of the solar zenith angle at a point: 1 with the sun overhead, negative at night. No refraction.
 * @param time epoch seconds UTC
 * @param lat degrees north
 * @param lon degrees east
 */
export function cosZenith(time: number, lat: number, lon: number): number {
  const { declination, greenwichHourAngle } = sunPosition(time);
  const phi = lat * radians;
  return (
    Math.sin(phi) * Math.sin(declination) +
    Math.cos(phi) * Math.cos(declination) * Math.cos(greenwichHourAngle + lon * radians)
  );
}

/** The same on a grid, (H, W). */
export function cosZenithField(time: number, grid: Grid): Float32Array {
  const { declination, greenwichHourAngle } = sunPosition(time);
  const [ny, nx] = grid.shape;
  const cosHour = grid.longitudes.map((lon) => Math.cos(greenwichHourAngle + lon * radians));
  const out = new Float32Array(ny * nx);
  for (let i = 0; i < ny; i++) {
    const phi = grid.latitudes[i]! * radians;
    const polar = Math.sin(phi) * Math.sin(declination);
    const diurnal = Math.cos(phi) * Math.cos(declination);
    for (let j = 0; j < nx; j++) out[i * nx + j] = polar + diurnal * cosHour[j]!;
  }
  return out;
}
