// scores.nc: the scores as one small NetCDF-4 file, dimensions (model, variable, lead), for xarray and for merging by hand.

import type { OutputVariable } from "../forecast/outputs/output.js";
import { NetcdfWriter } from "../io/netcdf/write.js";
import type { ScoreSums, Scores } from "./sums.js";

/** What goes into the file. */
export interface ScoresFileContents {
  readonly variables: readonly OutputVariable[];
  readonly leadHours: readonly number[];
  readonly model: ScoreSums;
  readonly persistence: ScoreSums;
  readonly attributes: Readonly<Record<string, string | number>>;
}

const metrics: readonly (readonly [name: string, longName: string, value: (scores: Scores) => number])[] = [
  ["rmse", "root of the mean over cases of the area-weighted squared error", (s) => s.rmse],
  ["mae", "mean of the area-weighted absolute error", (s) => s.mae],
  ["bias", "mean of the area-weighted error, forecast minus truth", (s) => s.bias],
  ["acc", "anomaly correlation against the training climatology, uncentred", (s) => s.acc],
  ["acc_centred", "anomaly correlation against the training climatology, centred", (s) => s.accCentred],
  ["n_cases", "initial times with truth", (s) => s.cases],
  ["n_missing", "points without truth, left out", (s) => s.missing],
];

/** @returns the absolute path @throws UsageError when `path` exists, StorageError when the disk fails */
export async function writeScoresFile(
  path: string,
  contents: ScoresFileContents,
  options: { readonly overwrite?: boolean } = {},
): Promise<string> {
  const { variables, leadHours } = contents;
  const attributes = { title: "Forecast scores", ...contents.attributes };
  const writer = await NetcdfWriter.create(path, { attributes, overwrite: options.overwrite === true });
  try {
    await writer.writeNames("model", ["model", "persistence"], { attributes: { long_name: "forecaster" } });
    await writer.writeNames(
      "variable",
      variables.map((variable) => variable.name),
      { attributes: { long_name: "variable" } },
    );
    await writer.writeArray(
      {
        name: "lead",
        dimensions: ["lead"],
        shape: [leadHours.length],
        dataType: "float64",
        // "h" and not "hours": readers then keep a number, which is what people plot.
        attributes: { standard_name: "forecast_period", long_name: "time since the initial time", units: "h" },
      },
      Float64Array.from(leadHours),
    );
    const along = { dimension: "variable" };
    await writer.writeNames(
      "units",
      variables.map((v) => v.units),
      { ...along, attributes: { long_name: "units of rmse, mae and bias" } },
    );
    await writer.writeNames(
      "long_name",
      variables.map((v) => v.longName),
      { ...along, attributes: { long_name: "what the variable is" } },
    );
    for (const [name, longName, value] of metrics) {
      const values = [contents.model, contents.persistence].flatMap((sums) =>
        variables.flatMap((_, v) => leadHours.map((_lead, lead) => value(sums.scores(v, lead)))),
      );
      await writer.writeArray(
        {
          name,
          dimensions: ["model", "variable", "lead"],
          shape: [2, variables.length, leadHours.length],
          dataType: "float64",
          attributes: { long_name: longName },
        },
        Float64Array.from(values),
      );
    }
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
