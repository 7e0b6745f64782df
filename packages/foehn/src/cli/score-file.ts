// Reads back the scores that `foehn score` wrote: the NetCDF file, or what --json printed.

import { extname } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { FormatError } from "../core/errors.js";
import { toStorageError } from "../core/files.js";
import type { ScoreTableData } from "../plots/scores.js";

const metric = z.record(
  z.string(),
  z.array(
    z
      .number()
      .nullable()
      .transform((value) => value ?? Number.NaN),
  ),
);
const metrics = z.looseObject({
  rmse: metric.optional(),
  mae: metric.optional(),
  bias: metric.optional(),
  acc: metric.optional(),
});
const schema = z.looseObject({
  variables: z.array(z.string()).min(1),
  lead_hours: z.array(z.number()).min(1),
  n_dates: z.number().optional(),
  units: z.record(z.string(), z.string()).optional(),
  model: metrics,
  persistence: metrics.optional(),
});

/** @throws ConfigError, FormatError or StorageError when the file holds no scores */
export async function readScores(path: string): Promise<ScoreTableData> {
  if (extname(path) === ".json") return loadConfig(path, schema) as ScoreTableData;
  const { openNetcdf } = await import("../io/netcdf/read.js");
  let file: Awaited<ReturnType<typeof openNetcdf>>;
  try {
    file = await openNetcdf(path);
  } catch (err) {
    throw toStorageError(err, path);
  }
  try {
    const array = (name: string) => {
      const found = file.variables.find((variable) => variable.name === name);
      if (found) return found;
      throw new FormatError(`there are no scores: it has no variable "${name}"`, {
        where: path,
        hint: "give the file that foehn score -o wrote, or the output of foehn score --json",
      });
    };
    const variables = array("variable").readText();
    const units = array("units").readText();
    const leads = [...array("lead").read()].map(Number);
    const tableOf = (row: number) =>
      Object.fromEntries(
        (["rmse", "mae", "bias", "acc"] as const).map((name) => {
          const values = [...array(name).read()].map(Number);
          const at = (v: number): number => (row * variables.length + v) * leads.length;
          return [name, Object.fromEntries(variables.map((v, i) => [v, values.slice(at(i), at(i) + leads.length)]))];
        }),
      );
    const dates = Number(file.attributes.n_dates);
    return {
      variables,
      lead_hours: leads,
      ...(Number.isFinite(dates) ? { n_dates: dates } : {}),
      units: Object.fromEntries(variables.map((name, i) => [name, units[i]!])),
      model: tableOf(0),
      persistence: tableOf(1),
    };
  } finally {
    file.close();
  }
}
