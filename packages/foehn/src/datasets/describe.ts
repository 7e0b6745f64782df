// A dataset in words and as vectors: the table that people read, the arrays that tensors are made of.

import { DataError } from "../core/errors.js";
import { formatDuration } from "../core/time.js";
import { outline } from "../tensor/describe.js";
import type { DatasetInfo, FeatureStats } from "./dataset.js";

/** The statistics of several features as one array in the order asked, for a tensor. @throws DataError for a feature without statistics */
export function statsVector(
  stats: Readonly<Record<string, FeatureStats>>,
  names: readonly string[],
  key: keyof FeatureStats,
): Float32Array {
  return Float32Array.from(names, (name) => {
    const found = stats[name];
    if (!found) throw new DataError(`there are no statistics of "${name}"`);
    return found[key];
  });
}

/** Tables of a dataset's features: units, statistics, statistics of differences, weights. */
export function describeDataset(info: DatasetInfo): string {
  const number = (x: number | undefined) => (x === undefined ? "-" : String(Number(x.toPrecision(5))));
  const rows = info.features.map((f) => {
    const s = info.stats[f.name];
    const d = info.diffStats[f.name];
    return [f.name, f.role, f.units, ...[s?.mean, s?.std, s?.min, s?.max, d?.mean, d?.std, f.weight].map(number)];
  });
  const header = ["Name", "Role", "Units", "Mean", "Std", "Min", "Max", "Diff mean", "Diff std", "Weight"];
  const read = info.forcing.variables.map((name) => {
    const s = info.stats[name];
    return [name, "forcing", "", ...[s?.mean, s?.std, s?.min, s?.max].map(number), "-", "-", "-"];
  });
  return [
    `${info.name}: ${info.grid.shape.join("×")}, step ${formatDuration(info.stepSeconds)}, border ${info.borderSize}`,
    outline(header, [...rows, ...read]),
    `forcings: ${info.forcingNames.join(", ") || "none"}`,
    `statics: ${info.statics.names.join(", ")}`,
  ].join("\n");
}
