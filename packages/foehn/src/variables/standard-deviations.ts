// How much a variable varies over the globe and the year, to scale the noise of ensembles for models that bring no normalisation.
// Standard deviations over all points and times of ERA5, to three digits, as they are used by earth2mip (u v w z t r, near-surface
// winds and temperatures, pressures, tcwv, soil) and Aurora (q); sst over sea points only. Not for normalising a network's input.

import { lookupVariable } from "./catalogue.js";

/** Pressure levels of the rows below, hPa. */
const levels = [1, 5, 10, 20, 30, 50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000];

/** One value per level; Aurora's q begins at 50 hPa. */
const families: Readonly<Record<string, readonly number[]>> = {
  u: [38.6, 29.2, 25.6, 21.9, 19.2, 15.3, 13.6, 16.1, 17.7, 18, 17.1, 14.3, 12, 10.4, 9.24, 8.25, 7.98, 6.18],
  v: [15, 12.6, 11.3, 9.49, 8.38, 7.2, 7.56, 9.6, 11.9, 13.4, 13.4, 11.2, 9.18, 7.82, 6.89, 6.28, 6.5, 5.34],
  w: [
    9.7e-4, 3.07e-3, 4.77e-3, 7.25e-3, 9.2e-3, 0.0127, 0.0263, 0.0527, 0.0837, 0.116, 0.148, 0.197, 0.221, 0.233, 0.243,
    0.242, 0.205, 0.143,
  ],
  z: [17200, 12000, 9940, 7970, 6930, 5880, 5550, 5840, 5830, 5540, 5100, 4160, 3360, 2700, 2140, 1480, 1240, 1080],
  t: [12.2, 14.1, 12.9, 11.5, 10.7, 10.3, 12.4, 8.75, 7.14, 8.59, 10.8, 12.7, 13, 13.4, 14.8, 15.6, 16, 17],
  r: [0.0164, 0.39, 3.14, 13.3, 15.1, 15, 33.7, 32, 34.2, 34.8, 34.2, 34.2, 33.6, 32.8, 31.5, 26.4, 21.7, 18.5],
  q: [
    3.57e-7, 3.57e-7, 3.57e-7, 3.57e-7, 3.57e-7, 3.57e-7, 5.7e-7, 3.79e-6, 2.27e-5, 7.45e-5, 1.68e-4, 5.08e-4, 1.08e-3,
    1.77e-3, 2.55e-3, 4.11e-3, 5.07e-3, 5.91e-3,
  ],
};

const single: Readonly<Record<string, number>> = {
  u10m: 5.58,
  v10m: 4.79,
  u100m: 7,
  v100m: 6.12,
  t2m: 21.2,
  d2m: 20.6,
  skt: 22.2,
  sst: 11.6,
  stl1: 21.4,
  swvl1: 0.14,
  sp: 9600,
  msl: 1340,
  tcwv: 16.5,
};

/**
 * The standard deviation of a variable in the catalogue's units; between the levels of the table linear in the logarithm of pressure,
 * outside them that of the nearest. Undefined for a variable that is not in the table.
 */
export function typicalStandardDeviation(name: string): number | undefined {
  const variable = lookupVariable(name);
  if (variable === undefined) return undefined;
  const { family, level } = variable;
  if (family === undefined || level === undefined) return single[variable.name];
  // Geopotential height is geopotential over standard gravity.
  if (family === "gh") return atLevel(families.z!, level) / 9.80665;
  const row = families[family];
  return row && atLevel(row, level);
}

function atLevel(row: readonly number[], level: number): number {
  const above = levels.findLastIndex((p) => p <= level);
  if (above < 0) return row[0]!;
  if (above === levels.length - 1) return row[above]!;
  const [p0, p1] = [levels[above]!, levels[above + 1]!];
  const part = Math.log(level / p0) / Math.log(p1 / p0);
  return row[above]! * (1 - part) + row[above + 1]! * part;
}
