// `gridded`: any source, described by one configuration file and no code. This file is the schema of that file and what its
// keys mean; source-dataset.ts does the work.

import { dirname, resolve } from "node:path";
import { z } from "zod";
import { loadConfig, validateSettings } from "../core/config.js";
import { ConfigError } from "../core/errors.js";
import { parseDuration } from "../core/time.js";
import { gridFromJson, gridJsonSchema } from "../grid/json.js";
import { type OpenSourceOptions, openSource } from "../sources/open.js";
import type { Source } from "../sources/source.js";
import { isSyntheticSpec } from "../sources/synthetic.js";
import { lookupVariable, variableOnLevel } from "../variables/catalogue.js";
import type { DatasetOptions, DatasetSplits } from "./dataset.js";
import { fileStamps } from "./file-stamps.js";
import { forcingSpecSchema } from "./forcings.js";
import type { SourceRecipe } from "./loading/protocol.js";
import { type Periods, parsePeriod } from "./periods.js";
import { openSourceDataset, type PlannedVariable } from "./source-dataset.js";

const timeSchema = z
  .union([z.string(), z.date().transform((date) => date.toISOString())])
  .describe("a time such as 2019-03-01 or 2019-03-01T06:00Z (UTC)");

const periodSchema = z
  .strictObject({ start: timeSchema, end: timeSchema.describe("included; a date alone means the whole day") })
  .describe("both ends included");

/** Schema of a state weight. */
export const weightSchema = z
  .number()
  .nonnegative()
  .optional()
  .describe("weight in the loss; default 1 + level / 1000 on pressure levels, else 2");

const variableSchema = z.strictObject({
  role: z
    .enum(["prognostic", "diagnostic", "forcing", "static"])
    .default("prognostic")
    .describe(
      "prognostic: input and output; diagnostic: output as well, after the prognostic ones; forcing: input, known in advance; static: constant input",
    ),
  weight: weightSchema,
  levels: z
    .array(z.number().positive())
    .min(1)
    .optional()
    .describe("pressure levels in hPa: z with [500, 850] is z500 and z850"),
});

/** Schema of the keys that every dataset over a source has. */
export const commonDatasetKeys = {
  name: z.string().optional().describe("name of the dataset in packages and reports; default: that of the file"),
  step: z
    .union([z.string(), z.number()])
    .optional()
    .describe("time between two states, such as 6h; default: that of the data"),
  periods: z
    .strictObject({ train: periodSchema, valid: periodSchema, test: periodSchema })
    .optional()
    .describe("training, validation and test; without them the first 70 % of the times, then 15 % and 15 %"),
  border_size: z
    .int()
    .nonnegative()
    .default(0)
    .describe("width in cells of the frame that takes its values from outside"),
  on_nan: z
    .enum(["fail", "mask"])
    .default("fail")
    .describe("missing values: stop with their names and times, or leave those points out of the loss"),
  memory_limit_gb: z
    .number()
    .positive()
    .default(2)
    .describe("fields kept in memory; more than that is read again when needed"),
};

/** Schema of a `gridded` dataset's configuration file. */
export const griddedSchema = z.strictObject({
  ...commonDatasetKeys,
  source: z
    .union([z.string(), z.array(z.string()).min(1)])
    .describe("file, folder or glob (or several), relative to this file; or synthetic"),
  regrid: z
    .strictObject({
      grid: gridJsonSchema.describe("the grid to train on"),
      method: z
        .union([z.enum(["nearest", "bilinear", "conservative"]), z.string().endsWith(".nc")])
        .default("bilinear")
        .describe("how values get there, or a map file relative to this file"),
    })
    .optional()
    .describe("brings every field to another grid as it is read; needed for projected and reduced Gaussian data"),
  variables: z
    .record(
      z.string(),
      variableSchema.nullable().transform((value) => value ?? variableSchema.parse({})),
    )
    .optional()
    .describe("by name; without it every variable of the source is prognostic"),
  forcings: forcingSpecSchema.omit({ variables: true }).default({ date: true, insolation: true }),
  statics: z
    .strictObject({
      latitude: z.boolean().default(false).describe("adds latitude as a feature"),
      longitude: z.boolean().default(false).describe("adds sine and cosine of longitude"),
    })
    .default({ latitude: false, longitude: false }),
  region: z
    .strictObject({
      north: z.number().min(-90).max(90),
      west: z.number(),
      south: z.number().min(-90).max(90),
      east: z.number(),
    })
    .optional()
    .describe("part of the grid, degrees; west may be larger than east"),
});

/** A `gridded` dataset's configuration. */
export type GriddedConfig = z.infer<typeof griddedSchema>;

/**
 * Opens a gridded dataset. With `overrides.source` and no file, every variable of that source is predicted.
 * @throws ConfigError for a configuration that is wrong or does not fit the data, DataError for data that lack something
 */
export async function openGridded(options: DatasetOptions): Promise<DatasetSplits> {
  const { confPath, overrides } = options;
  const flagSource = overrides?.source;
  if (confPath === undefined && flagSource === undefined) {
    throw new ConfigError("the dataset gridded needs a configuration file or a source", {
      hint: "give --dataset-conf FILE, or --data with a file, folder or glob",
    });
  }
  const override = flagSource === undefined ? {} : { source: flagSource };
  const config =
    confPath === undefined
      ? validateSettings(griddedSchema, override, "settings of gridded")
      : loadConfig(confPath, griddedSchema, override);
  const where = confPath ?? "command line";
  // A path in the file starts at the file, a path on the command line at the working directory.
  const cwd = flagSource !== undefined || confPath === undefined ? process.cwd() : dirname(confPath);
  const periods = readPeriods(config.periods);
  const regrid = config.regrid && {
    to: gridFromJson(config.regrid.grid),
    method: config.regrid.method.endsWith(".nc") ? resolve(cwd, config.regrid.method) : config.regrid.method,
  };
  const source = await openSource(config.source, { cwd, regrid });
  return openSourceDataset(
    source,
    {
      name: config.name ?? nameOf(confPath),
      variables: config.variables ? plannedVariables(config.variables, where) : allVariables(source),
      stepSeconds: config.step === undefined ? undefined : parseDuration(config.step),
      periods,
      region: config.region,
      forcing: config.forcings,
      statics: { borderSize: config.border_size, ...config.statics },
      onNan: config.on_nan,
      memoryLimit: config.memory_limit_gb * 1e9,
      recipe: openRecipe(config.source, { cwd, regrid }),
      stamps: await fileStamps([config.source].flat(), cwd),
    },
    options,
  );
}

/** How another thread opens the same files. The synthetic source computes: a thread would compute it all once more. */
function openRecipe(source: string | readonly string[], options: OpenSourceOptions): SourceRecipe | undefined {
  if (typeof source === "string" && isSyntheticSpec(source)) return undefined;
  return { module: new URL("../sources/open.js", import.meta.url).href, open: "openSource", args: [source, options] };
}

/** The three periods of a configuration. */
export function readPeriods(config: GriddedConfig["periods"]): Periods | undefined {
  if (!config) return undefined;
  const { train, valid, test } = config;
  return {
    train: parsePeriod(train.start, train.end),
    valid: parsePeriod(valid.start, valid.end),
    test: parsePeriod(test.start, test.end),
  };
}

function plannedVariables(variables: NonNullable<GriddedConfig["variables"]>, where: string): PlannedVariable[] {
  return Object.entries(variables).flatMap(([name, { role, weight, levels }]) => {
    if (!levels) return [{ name, role, weight }];
    return levels.map((level) => {
      const onLevel = variableOnLevel(name, level);
      if (!onLevel) {
        throw new ConfigError(`"${name}" is not a variable on pressure levels`, {
          where,
          hint: lookupVariable(name) ? "leave `levels` out" : "name each level on its own, as the source calls it",
        });
      }
      return { name: onLevel.name, role, weight };
    });
  });
}

function allVariables(source: Source): PlannedVariable[] {
  return source.variables.map(({ name, invariant }) => ({ name, role: invariant ? "static" : "prognostic" }));
}

function nameOf(confPath: string | undefined): string {
  return confPath?.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "") ?? "gridded";
}
