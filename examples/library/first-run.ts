import { formatScoreTable, packageRun, scoreForecast, train } from "foehn";

const run = await train({
  dataset: "synthetic", // a rotating shallow-water basin; "gridded" reads your own files
  model: "halfunet",
  model_settings: { num_filters: 8 },
  strategy: "scaled_ar",
  epochs: 2,
  limit_train_batches: 10,
  batch_size: 4,
});
const model = await packageRun(run, "my-model"); // a folder: weights, normalisation, grid, hashes
const { table } = await scoreForecast({
  package: model,
  source: "synthetic",
  steps: 6,
  dates: "2020-02-04/to/2020-02-05/by/6h",
});
console.log(formatScoreTable(table)); // RMSE, MAE, bias, ACC by lead, beside persistence
