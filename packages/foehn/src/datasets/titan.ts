// `titan`: Météo-France's Titan data set (AROME and ARPEGE analyses over France) in its published layouts. This file is the
// schemas of its configuration in three dialects and what they mean; sources/titan/ reads the files.
//
// py4cast's seed dialect says `params` with GRIB files or whole-grid arrays; its later one says `data.dataset_conf` with arrays of
// the part that is trained on. Ours says `parameters`, with the keys that `gridded` has.

import { join, resolve } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { datasetRoot } from "../core/environment.js";
import { ConfigError } from "../core/errors.js";
import { silentProgress } from "../core/progress.js";
import { didYouMean } from "../core/suggest.js";
import { parseDuration } from "../core/time.js";
import { folderTimes } from "../sources/hourly-folders.js";
import { titanFeature, titanGrid, titanGridNames, titanParameters } from "../sources/titan/parameters.js";
import {
  describeIncomplete,
  openTitanSource,
  type TitanFormat,
  type TitanSetup,
  titanFile,
  titanFolderTime,
} from "../sources/titan/titan-source.js";
import type { DatasetOptions, DatasetSplits } from "./dataset.js";
import { type ForcingSpec, forcingSpecSchema } from "./forcings.js";
import { commonDatasetKeys, readPeriods, weightSchema } from "./gridded.js";
import type { Periods, SplitName } from "./periods.js";
import {
  dialectOf,
  kindRoles,
  kindSchema,
  observedPeriodSchema,
  stepPeriodSchema,
  windowSchema,
} from "./py4cast-config.js";
import { openSourceDataset, type PlannedVariable } from "./source-dataset.js";

/** What every dialect comes down to. */
interface TitanPlan {
  readonly name: string;
  readonly root: string;
  readonly format: TitanFormat;
  /** Folder of the hourly folders. */
  readonly folder: string;
  readonly grid: TitanSetup["grid"];
  readonly window?: TitanSetup["window"];
  readonly parameters: readonly {
    readonly name: string;
    readonly levels: readonly number[];
    readonly role: PlannedVariable["role"];
    readonly weight?: number | undefined;
  }[];
  readonly stepSeconds: number;
  readonly periods?: Periods | undefined;
  readonly sampleEvery?: Readonly<Record<SplitName, number>> | undefined;
  readonly borderSize: number;
  readonly forcing: Omit<ForcingSpec, "variables">;
  readonly onNan: "fail" | "mask";
  readonly memoryLimit: number;
}

const gridName = z.enum(titanGridNames as [TitanSetup["grid"], ...TitanSetup["grid"][]]);

/** Parameters by name, each with levels that it has. */
function parametersSchema<T extends z.ZodRawShape>(shape: T) {
  return z
    .record(z.string(), z.strictObject({ levels: z.array(z.number()).min(1).optional(), ...shape }))
    .superRefine((parameters, context) => {
      for (const [name, value] of Object.entries(parameters)) {
        const known = titanParameters.get(name);
        if (!known) {
          const near = didYouMean(name, titanParameters.keys());
          context.addIssue({
            code: "custom",
            path: [name],
            message: `expected a parameter of Titan, got "${name}". ${near}`.trim(),
          });
          continue;
        }
        const { levels } = value as { levels?: readonly number[] };
        if (levels === undefined && known.levels.length > 1) {
          context.addIssue({
            code: "custom",
            path: [name],
            message: `expected levels such as [500, 850], got none; ${name} has ${known.levels.length}`,
          });
        }
        const wrong = levels?.find((level) => !known.levels.includes(level));
        if (wrong !== undefined) {
          context.addIssue({
            code: "custom",
            path: [name, "levels"],
            message: `expected levels of ${name} (${known.levels.join(", ")}), got ${wrong}`,
          });
        }
      }
    });
}

/** Schema of our own dialect. */
export const titanSchema = z.strictObject({
  ...commonDatasetKeys,
  root: z.string().optional().describe("root folder of the data; default: $FOEHN_TITAN_PATH"),
  format: z
    .enum(["grib", "npy", "npy_parameters"])
    .default("grib")
    .describe(
      "grib: the published files; npy: one array per field; npy_parameters: one array per parameter, whole grid",
    ),
  folder: z.string().optional().describe("folder of the hourly folders, in the root; default: grib, npy_fields or npy"),
  grid: gridName.default("PAAROME_1S40").describe("the grid that all fields are on"),
  rows: z.tuple([z.int(), z.int()]).optional().describe("first and last row counted from the north, last not included"),
  columns: z.tuple([z.int(), z.int()]).optional().describe("first and last column counted from the west"),
  sample_every: z.union([z.string(), z.number()]).optional().describe("time between two samples; default: the step"),
  forcings: forcingSpecSchema.omit({ variables: true }).default({ date: true, insolation: true }),
  parameters: parametersSchema({
    role: z.enum(["prognostic", "diagnostic", "forcing"]).default("prognostic"),
    weight: weightSchema,
  }).describe("by name: aro_t2m, arp_z, …"),
});

const seedSchema = z.strictObject({
  periods: z.strictObject({ train: stepPeriodSchema, valid: stepPeriodSchema, test: stepPeriodSchema }),
  grid: z.strictObject({
    name: gridName,
    border_size: z.int().nonnegative().default(10),
    subgrid: windowSchema.default([0, 0, 0, 0]),
  }),
  settings: z.strictObject({
    step_duration: z.number().positive().describe("hours between two states"),
    standardize: z.boolean().default(true),
    file_format: z.enum(["npy", "grib"]).default("grib"),
  }),
  params: parametersSchema({ kind: kindSchema }),
});

const lightningConf = z.strictObject({
  periods: z.strictObject({ train: observedPeriodSchema, valid: observedPeriodSchema, test: observedPeriodSchema }),
  grid: z.strictObject({
    name: gridName,
    border_size: z.int().nonnegative().default(10),
    subdomain: windowSchema.default([0, 0, 0, 0]),
    proj_name: z.string().optional().describe("of figures; not used here"),
    projection_kwargs: z.record(z.string(), z.unknown()).optional(),
  }),
  settings: z.strictObject({
    standardize: z.union([z.boolean(), z.string()]).default(true),
    file_format: z.enum(["npy", "grib"]).default("grib"),
  }),
  params: parametersSchema({ kind: kindSchema }),
});
// Sizes of batches and numbers of steps stand in the same file there; here they are options of the training.
const lightningSchema = z.strictObject({
  data: z.looseObject({ dataset_name: z.string().default("titan"), dataset_conf: lightningConf }),
});

/** Opens Titan. @throws ConfigError for a configuration that is wrong, DataError for data that lack something */
export async function openTitan(options: DatasetOptions): Promise<DatasetSplits> {
  const { confPath, cacheDir, progress = silentProgress } = options;
  if (confPath === undefined) {
    throw new ConfigError("the dataset titan needs a configuration file", {
      hint: "give --dataset-conf FILE: ours (parameters: …) or one of py4cast's",
    });
  }
  const plan = readPlan(confPath, options.overrides?.source);
  const fields = plan.parameters.flatMap(({ name, levels }) => levels.map((level) => ({ parameter: name, level })));
  const spans = plan.periods && Object.values(plan.periods);
  const { times, incomplete } = await folderTimes({
    root: plan.folder,
    timeOf: titanFolderTime,
    files: [...new Set(fields.map((field) => titanFile(plan.format, field)))],
    wanted: spans && ((time) => spans.some((span) => time >= span.start && time <= span.end)),
    cacheDir,
  });
  const note = describeIncomplete(incomplete);
  if (note !== undefined) progress.note(note);
  const setup: TitanSetup = {
    format: plan.format,
    folder: plan.folder,
    grid: plan.grid,
    window: plan.window,
    fields,
    terrain: [`conf_${plan.grid}.grib`, "conf.grib"].map((name) => join(plan.root, name)),
    times,
  };
  const source = openTitanSource(setup);
  const terrain = source.variables.filter((v) => v.invariant);
  if (terrain.length === 0) progress.note(`no ${setup.terrain[0]}: the height of the ground is not among the inputs`);
  return openSourceDataset(
    source,
    {
      name: plan.name,
      variables: [
        ...plan.parameters.flatMap(({ name, levels, role, weight }) =>
          levels.map((level) => ({
            name: titanFeature(titanParameters.get(name)!, level),
            role,
            weight: weight ?? titanWeight(name, level),
          })),
        ),
        ...terrain.map(({ name }) => ({ name, role: "static" as const })),
      ],
      stepSeconds: plan.stepSeconds,
      periods: plan.periods,
      sampleEvery: plan.sampleEvery,
      forcing: plan.forcing,
      statics: { borderSize: plan.borderSize },
      onNan: plan.onNan,
      memoryLimit: plan.memoryLimit,
      recipe: {
        module: new URL("../sources/titan/titan-source.js", import.meta.url).href,
        open: "openTitanSource",
        args: [setup],
      },
    },
    options,
  );
}

/** py4cast's rule: 1 + level / 1000 on pressure levels, else 2. */
function titanWeight(name: string, level: number): number {
  return titanParameters.get(name)!.typeOfLevel === "isobaricInhPa" ? 1 + level / 1000 : 2;
}

function readPlan(confPath: string, root: string | undefined): TitanPlan {
  const dialect = dialectOf(confPath, { lightning: "data", seed: "params" });
  if (dialect === "own") return ownPlan(confPath, root);
  return dialect === "seed" ? seedPlan(confPath, root) : lightningPlan(confPath, root);
}

function requireRoot(root: string | undefined): string {
  const found = root ?? datasetRoot("titan");
  if (found !== undefined) return resolve(found);
  throw new ConfigError("nobody says where Titan is", {
    hint: "set FOEHN_TITAN_PATH (or PY4CAST_TITAN_PATH), give --data FOLDER, or write root: into the configuration",
  });
}

function ownPlan(confPath: string, override: string | undefined): TitanPlan {
  const config = loadConfig(confPath, titanSchema);
  const root = requireRoot(override ?? (config.root === undefined ? undefined : resolve(confPath, "..", config.root)));
  const [ny, nx] = titanGrid(config.grid).shape;
  const isWhole = config.rows === undefined && config.columns === undefined;
  const every = config.sample_every === undefined ? undefined : parseDuration(config.sample_every);
  return {
    name: config.name ?? "titan",
    root,
    format: config.format,
    folder: join(root, config.folder ?? { grib: "grib", npy: "npy_fields", npy_parameters: "npy" }[config.format]),
    grid: config.grid,
    window: isWhole ? undefined : { rows: config.rows ?? [0, ny], columns: config.columns ?? [0, nx] },
    parameters: Object.entries(config.parameters).map(([name, { levels, role, weight }]) => ({
      name,
      levels: levels ?? titanParameters.get(name)!.levels,
      role,
      weight,
    })),
    stepSeconds: config.step === undefined ? 3600 : parseDuration(config.step),
    periods: readPeriods(config.periods),
    sampleEvery: every === undefined ? undefined : { train: every, valid: every, test: every },
    borderSize: config.border_size,
    forcing: config.forcings,
    onNan: config.on_nan,
    memoryLimit: config.memory_limit_gb * 1e9,
  };
}

const fromKinds = (params: z.infer<typeof seedSchema>["params"]): TitanPlan["parameters"] =>
  Object.entries(params).map(([name, { levels, kind }]) => ({
    name,
    levels: levels ?? titanParameters.get(name)!.levels,
    role: kindRoles[kind],
  }));

const everyOf = (periods: Readonly<Record<SplitName, { readonly every: number }>>): Record<SplitName, number> => ({
  train: periods.train.every,
  valid: periods.valid.every,
  test: periods.test.every,
});

function seedPlan(confPath: string, override: string | undefined): TitanPlan {
  const { periods, grid, settings, params } = loadConfig(confPath, seedSchema);
  const root = requireRoot(override);
  const format = settings.file_format === "npy" ? "npy_parameters" : "grib";
  const [r0, r1, c0, c1] = grid.subgrid;
  return {
    name: `titan_${grid.name}`,
    root,
    format,
    folder: join(root, settings.file_format),
    grid: grid.name,
    window: r1 + c1 === 0 ? undefined : { rows: [r0, r1], columns: [c0, c1] },
    parameters: fromKinds(params),
    stepSeconds: settings.step_duration * 3600,
    periods,
    sampleEvery: everyOf(periods),
    borderSize: grid.border_size,
    forcing: { date: true, insolation: false, compat: "py4cast" },
    onNan: "fail",
    memoryLimit: 2e9,
  };
}

function lightningPlan(confPath: string, override: string | undefined): TitanPlan {
  const { dataset_name: name, dataset_conf: conf } = loadConfig(confPath, lightningSchema).data;
  const { periods, grid, settings, params } = conf;
  const root = requireRoot(override);
  const [ny, nx] = titanGrid(grid.name).shape;
  const isWhole = grid.subdomain.every((index) => index === 0);
  const [r0, r1, c0, c1] = isWhole ? [0, ny, 0, nx] : grid.subdomain;
  // The folder's name has the window as py4cast knows it: of a grid whose first row is the southernmost.
  const subdataset = `${name}_${grid.name}_${[r0, r1, c0, c1].join("-")}`;
  const format = settings.file_format;
  return {
    name,
    root,
    format,
    folder: format === "npy" ? join(root, "subdatasets", subdataset, "data") : join(root, "grib"),
    grid: grid.name,
    window: isWhole ? undefined : { rows: [ny - r1, ny - r0], columns: [c0, c1] },
    parameters: fromKinds(params),
    stepSeconds: periods.train.step,
    periods,
    sampleEvery: everyOf(periods),
    borderSize: grid.border_size,
    forcing: { date: true, insolation: true, compat: "py4cast" },
    onNan: "fail",
    memoryLimit: 2e9,
  };
}
