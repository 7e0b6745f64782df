// Scores of an ensemble at every point, as fields for map files. Not here: area means (sums.ts).

import { crpsOf, crpsParts } from "./crps.js";

/** Kinds of maps; the first two need no truth. Names are those of earth2mip's stores. */
export const mapKinds = ["mean", "variance", "ensemble_mse", "deterministic_mse", "crps"] as const;

/** A kind of map. */
export type MapKind = (typeof mapKinds)[number];

/** What a kind is, for files, and how its units follow from the variable's. */
export const mapMeanings: Readonly<Record<MapKind, { readonly text: string; readonly squared: boolean }>> = {
  mean: { text: "ensemble mean of", squared: false },
  variance: { text: "variance between the members (divisor m − 1) of", squared: true },
  ensemble_mse: { text: "squared error of the ensemble mean of", squared: true },
  deterministic_mse: { text: "squared error of the control of", squared: true },
  crps: { text: "CRPS of", squared: false },
};

/** Maps of one variable; without truth mean and variance only. NaN where the truth or a member is. */
export function ensembleMaps(
  members: readonly Float32Array[],
  truth: Float32Array | undefined,
  fair: boolean,
): Record<MapKind, Float32Array> {
  const [m, n] = [members.length, members[0]!.length];
  const maps = Object.fromEntries(mapKinds.map((kind) => [kind, new Float32Array(n).fill(Number.NaN)])) as Record<
    MapKind,
    Float32Array
  >;
  const values = new Float64Array(m);
  for (let i = 0; i < n; i++) {
    let mean = 0;
    for (let k = 0; k < m; k++) {
      values[k] = members[k]![i]!;
      mean += values[k]!;
    }
    mean /= m;
    let variance = 0;
    for (let k = 0; k < m; k++) variance += (values[k]! - mean) ** 2;
    maps.mean[i] = mean;
    maps.variance[i] = variance / (m - 1);
    const y = truth?.[i] ?? Number.NaN;
    if (Number.isNaN(y) || Number.isNaN(mean)) continue;
    maps.ensemble_mse[i] = (mean - y) ** 2;
    maps.deterministic_mse[i] = (values[0]! - y) ** 2;
    maps.crps[i] = crpsOf(crpsParts(values.sort(), y), m, fair);
  }
  return maps;
}
