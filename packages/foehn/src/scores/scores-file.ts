// Scores as a small file of arrays, dimensions (model, variable, lead), for xarray and for merging by hand: NetCDF-4 or Zarr. With
// regions one more dimension comes first, whose first entry is the whole grid. And the same as JSON: the table.

import { extname, resolve } from "node:path";
import { UsageError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import type { OutputVariable } from "../forecast/outputs/output.js";
import type { ArrayWriter } from "../io/array-writer.js";
import { refuseExisting } from "../io/final-name.js";
import { type AreaSums, forecasters } from "./score-output.js";
import type { Scores } from "./sums.js";
import type { ScoreTable } from "./table.js";

/** Forms of a result. `csv` is a folder of shards: score-shards.ts. */
export const scoreFormats = ["nc", "zarr", "json", "csv"] as const;

/** One of them. */
export type ScoreFormat = (typeof scoreFormats)[number];

/** The form that a name stands for: its ending, a folder of CSV without one. @throws UsageError for another ending */
export function scoreFormatOf(path: string): ScoreFormat {
  const ending = extname(path).slice(1).toLowerCase();
  const found = ending === "" ? "csv" : scoreFormats.find((format) => format === ending && format !== "csv");
  if (found) return found;
  throw new UsageError(`scores cannot go to "${path}": its ending says no format`, {
    hint: "end the name in .nc, .zarr or .json, give a folder for CSV shards, or say --format",
  });
}

/** What goes into the file. */
export interface ScoresFileContents {
  readonly variables: readonly OutputVariable[];
  readonly leadHours: readonly number[];
  /** By area, the whole grid first. */
  readonly sums: AreaSums;
  readonly table: ScoreTable;
  readonly attributes: Readonly<Record<string, string | number>>;
}

const metrics: readonly (readonly [name: string, longName: string, value: (scores: Scores) => number])[] = [
  ["rmse", "root of the mean over cases of the area-weighted squared error", (s) => s.rmse],
  ["mae", "mean of the area-weighted absolute error", (s) => s.mae],
  ["bias", "mean of the area-weighted error, forecast minus truth", (s) => s.bias],
  [
    "acc",
    "anomaly correlation, uncentred; the climatology is the package's of the training period unless an attribute names one",
    (s) => s.acc,
  ],
  [
    "acc_centred",
    "anomaly correlation, the area mean of the anomalies of each case taken out; climatology as of acc",
    (s) => s.accCentred,
  ],
  ["n_cases", "initial times with truth", (s) => s.cases],
  ["n_missing", "points without truth or forecast, left out", (s) => s.missing],
];

/** @returns the absolute path @throws UsageError when `path` exists, StorageError when the disk fails */
export async function writeScoresFile(
  path: string,
  contents: ScoresFileContents,
  options: { readonly overwrite?: boolean; readonly format?: Exclude<ScoreFormat, "csv"> } = {},
): Promise<string> {
  const { format = "nc" } = options;
  const overwrite = options.overwrite === true;
  if (format === "json") {
    const target = resolve(path);
    await refuseExisting(target, { overwrite, markers: [] });
    await atomicWrite(target, `${JSON.stringify(contents.table, null, 2)}\n`);
    return target;
  }
  const attributes = { title: "Forecast scores", ...contents.attributes };
  const writer: ArrayWriter & { readonly writeNames?: WriteNames } =
    format === "nc"
      ? await (await import("../io/netcdf/write.js")).NetcdfWriter.create(path, { attributes, overwrite })
      : await (await import("../io/zarr/write.js")).ZarrWriter.create(path, { attributes, overwrite });
  try {
    await writeArrays(writer, contents);
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function writeArrays(
  writer: ArrayWriter & { readonly writeNames?: WriteNames },
  { variables, leadHours, sums }: ScoresFileContents,
): Promise<void> {
  const names = async (name: string, values: readonly string[], longName: string): Promise<void> => {
    if (writer.writeNames) return writer.writeNames(name, values, { attributes: { long_name: longName } });
    // Zarr readers do not agree on texts: numbers with their meanings, as CF has it.
    const numbers = Int32Array.from(values, (_, i) => i);
    const attributes = { long_name: longName, flag_values: [...numbers], flag_meanings: values.join(" ") };
    await writer.writeArray(
      { name, dimensions: [name], shape: [values.length], dataType: "int32", attributes },
      numbers,
    );
  };
  if (sums.length > 1) {
    await names(
      "region",
      sums.map(({ area }) => area),
      "area of the mean",
    );
  }
  await names("model", forecasters, "forecaster");
  await names(
    "variable",
    variables.map((variable) => variable.name),
    "variable",
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
  const along = (longName: string) => ({ dimension: "variable", attributes: { long_name: longName } });
  const [units, longNames] = [variables.map((v) => v.units), variables.map((v) => v.longName)];
  await writer.writeNames?.("units", units, along("units of rmse, mae and bias"));
  await writer.writeNames?.("long_name", longNames, along("what the variable is"));
  const region = sums.length > 1 ? [sums.length] : [];
  for (const [name, longName, value] of metrics) {
    const values = sums.flatMap((area) =>
      forecasters.flatMap((who) =>
        variables.flatMap((_, v) => leadHours.map((_lead, lead) => value(area[who].scores(v, lead)))),
      ),
    );
    await writer.writeArray(
      {
        name,
        dimensions: [...(region.length > 0 ? ["region"] : []), "model", "variable", "lead"],
        shape: [...region, forecasters.length, variables.length, leadHours.length],
        dataType: "float64",
        attributes: { long_name: longName },
      },
      Float64Array.from(values),
    );
  }
}

type WriteNames = (
  name: string,
  values: readonly string[],
  options: { readonly dimension?: string; readonly attributes: Readonly<Record<string, string>> },
) => Promise<void>;
