// `dummy`: random numbers in the shape of weather, for trying a pipeline without data. Nothing can be learned from it.
// Sizes and statistics as py4cast's dataset of the same name: 64×64 points, a border of 10, three features, two forcings,
// ten samples per part, values drawn from a normal distribution and clamped to ±3.

import { UsageError } from "../core/errors.js";
import { regularGrid } from "../grid/grid.js";
import { arraySource } from "../sources/array-source.js";
import type { DatasetOptions, DatasetSplits, FeatureStats } from "./dataset.js";
import type { Period } from "./periods.js";
import { createNormal, createRandom } from "./random.js";
import { refuseData } from "./refuse-data.js";
import { openSourceDataset, type PlannedVariable } from "./source-dataset.js";

const size = 64;
const numSamples = 10;
const hour = 3600;
const firstTime = Date.UTC(2020, 0, 1) / 1000;
const stateNames = ["input_output_00", "input_output_01", "input_output_02"];
const forcingNames = ["input_00", "input_01"];

/** Opens the dummy dataset; the same values every time. @throws UsageError when it is given data or a configuration */
export async function openDummy(options: DatasetOptions): Promise<DatasetSplits> {
  refuseData("dummy", options);
  if (options.confPath !== undefined) {
    throw new UsageError(`the dataset dummy has no settings, got the configuration file ${options.confPath}`, {
      hint: "leave --dataset-conf out, or name the dataset that it is for (--dataset)",
    });
  }
  const lengths = [options.numPredStepsTrain, options.numPredStepsValTest, options.numPredStepsValTest].map(
    (steps) => numSamples + options.numInputSteps + steps - 1,
  );
  const periods: Period[] = [];
  let start = firstTime;
  for (const length of lengths) {
    periods.push({ start, end: start + (length - 1) * hour });
    start += length * hour;
  }
  const [train, valid, test] = periods as [Period, Period, Period];
  const times = Array.from({ length: (start - firstTime) / hour }, (_, k) => firstTime + k * hour);

  const random = createRandom(42);
  const normal = createNormal(random);
  const weights = stateNames.map(() => random());
  const field = (n: number) => Float32Array.from({ length: n }, () => Math.min(3, Math.max(-3, normal())));
  const fields = new Map([...stateNames, ...forcingNames].map((name) => [name, field(times.length * size * size)]));
  fields.set("geopotential", new Float32Array(size * size).fill(1));

  const stats: FeatureStats = { mean: 0, std: 1, min: -3, max: 3 };
  const diffStats: FeatureStats = { mean: 0, std: 1.42, min: -3, max: 3 };
  const same = (value: FeatureStats) =>
    Object.fromEntries([...stateNames, ...forcingNames].map((name) => [name, value]));
  const variables: PlannedVariable[] = [
    ...stateNames.map((name, i) => ({ name, role: "prognostic" as const, weight: weights[i] })),
    ...forcingNames.map((name) => ({ name, role: "forcing" as const })),
    { name: "geopotential", role: "static" },
  ];
  const grid = regularGrid({ lat0: 23.5, dlat: 0.5, ny: size, lon0: 15, dlon: 0.5, nx: size });
  return openSourceDataset(
    arraySource({ grid, times, fields, description: "the dummy dataset" }),
    {
      name: "dummy",
      variables,
      periods: { train, valid, test },
      forcing: { date: false, insolation: false },
      statics: { borderSize: 10 },
      onNan: "fail",
      isOfThisEarth: false,
      statistics: { stats: same(stats), diffStats: same(diffStats) },
    },
    options,
  );
}
