// `smeagol`: ensemble forecasts of AROME in NetCDF, in py4cast's layout and with its configuration files (JSON, or YAML under
// `data.dataset_conf`). A sample is a window of lead times of one run and member; windows follow each other without overlap.
// sources/smeagol/ reads the files. Unlike in py4cast, diagnostic variables are kept and a run counts only when every file is there.

import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { datasetRoot } from "../core/environment.js";
import { ConfigError, DataError } from "../core/errors.js";
import { silentProgress } from "../core/progress.js";
import {
  openSmeagolSource,
  type SmeagolField,
  type SmeagolSetup,
  smeagolFile,
  smeagolRun,
} from "../sources/smeagol/smeagol-source.js";
import type { DatasetOptions, DatasetSplits } from "./dataset.js";
import type { FrameKey } from "./frames.js";
import {
  describePeriod,
  type Periods,
  requireSamples,
  type SampleStart,
  type SplitName,
  splitNames,
} from "./periods.js";
import { dialectOf, kindRoles, kindSchema, stepPeriodSchema, windowSchema } from "./py4cast-config.js";
import type { Sampling } from "./sampling.js";
import { openSourceDataset, type PlannedVariable } from "./source-dataset.js";

const place = {
  domain: z.string().default("france"),
  model: z.string().default("arome"),
  geometry: z.string().default("franmgsp32"),
};

/** Schema of the configuration. */
export const smeagolSchema = z.strictObject({
  periods: z
    .strictObject({ train: stepPeriodSchema, valid: stepPeriodSchema, test: stepPeriodSchema })
    .describe("start and end of the runs as 2022080606, and the hours between two runs"),
  grid: z.strictObject({
    ...place,
    border_size: z.int().nonnegative().default(0),
    subgrid: windowSchema.default([0, 0, 0, 0]).describe("first and last index along X, then along Y"),
  }),
  dataset: z
    .record(
      z.string(),
      z.strictObject({
        grid: z.strictObject(place),
        members: z.array(z.int().nonnegative()).min(1).default([0]),
        term: z
          .strictObject({ start: z.number(), end: z.number(), timestep: z.number().positive() })
          .describe("lead times in hours; the end is not included"),
        var: z.record(
          z.string(),
          z.strictObject({
            shortname: z.string(),
            level: z.array(z.number()).min(1).optional(),
            kind: kindSchema.default("input_output"),
          }),
        ),
      }),
    )
    .refine((value) => Object.keys(value).length > 0, "expected at least one source of fields"),
  root: z.string().optional().describe("root folder of the data, relative to this file; default: $FOEHN_SMEAGOL_PATH"),
  on_nan: z.enum(["fail", "mask"]).default("fail").describe("missing values: stop, or leave them out of the loss"),
  memory_limit_gb: z.number().positive().default(2).describe("fields kept in memory"),
});

type SmeagolConfig = z.output<typeof smeagolSchema>;
const wrappedSchema = z.strictObject({ data: z.looseObject({ dataset_conf: smeagolSchema }) });

/** Opens Smeagol. @throws ConfigError for a configuration that is wrong, DataError for data that lack something */
export async function openSmeagol(options: DatasetOptions): Promise<DatasetSplits> {
  const { confPath, progress = silentProgress } = options;
  if (confPath === undefined) {
    throw new ConfigError("the dataset smeagol needs a configuration file", { hint: "give --dataset-conf FILE" });
  }
  const config =
    dialectOf(confPath, { wrapped: "data" }) === "wrapped"
      ? loadConfig(confPath, wrappedSchema).data.dataset_conf
      : loadConfig(confPath, smeagolSchema);
  const root = rootOf(config, confPath, options.overrides?.source);
  const folder = join(root, "nc");
  const { fields, variables, members, term } = readSources(config, confPath);
  const stepSeconds = term.timestep * 3600;
  const terms = Array.from(
    { length: Math.max(0, Math.ceil((term.end - term.start) / term.timestep - 1e-9)) },
    (_, k) => (term.start + k * term.timestep) * 3600,
  );
  const runs = new Map<SplitName, { readonly date: number; readonly run: string }[]>();
  for (const name of splitNames) runs.set(name, await findRuns(config, name, members, fields, folder, progress));
  const all = [...runs.values()].flat();
  if (all.length === 0) {
    throw new DataError("no run of any period is complete", {
      where: folder,
      hint: `the first that was looked for: ${join(folder, smeagolFile(fields[0]!, smeagolRun(config.periods.train.start, members[0]!)))}`,
    });
  }
  const times = [...new Set(all.flatMap(({ date }) => terms.map((t) => date + t)))].sort((a, b) => a - b);
  const window = config.grid.subgrid.every((index) => index === 0) ? undefined : config.grid.subgrid;
  const setup: SmeagolSetup = { folder, model: modelOf(config.grid), window, fields, times, firstRun: all[0]!.run };
  const source = await openSmeagolSource(setup);
  return openSourceDataset(
    source,
    {
      name: `smeagol_${config.grid.geometry}`,
      variables: [
        ...variables,
        ...source.variables.filter((v) => v.invariant).map(({ name }) => ({ name, role: "static" as const })),
      ],
      stepSeconds,
      sampling: windowSampling(config.periods, runs, terms, stepSeconds),
      forcing: { date: true, insolation: false, compat: "py4cast" },
      statics: { borderSize: config.grid.border_size, coordinates: source.projected },
      onNan: config.on_nan,
      memoryLimit: config.memory_limit_gb * 1e9,
      recipe: {
        module: new URL("../sources/smeagol/smeagol-source.js", import.meta.url).href,
        open: "openSmeagolSource",
        args: [setup],
      },
    },
    options,
  );
}

function rootOf(config: SmeagolConfig, confPath: string, override: string | undefined): string {
  const own = config.root === undefined ? undefined : resolve(confPath, "..", config.root);
  const root = override ?? own ?? datasetRoot("smeagol");
  if (root !== undefined) return resolve(root);
  throw new ConfigError("nobody says where Smeagol is", {
    hint: "set FOEHN_SMEAGOL_PATH (or PY4CAST_SMEAGOL_PATH), give --data FOLDER, or write root: into the configuration",
  });
}

const modelOf = (grid: { readonly domain: string; readonly model: string; readonly geometry: string }): string =>
  join(grid.domain, `${grid.model}_${grid.geometry}`);

/** Fields, roles and weights of all sources of a configuration, and what they have in common. */
function readSources(config: SmeagolConfig, where: string) {
  const sources = Object.values(config.dataset);
  const { members, term } = sources[0]!;
  for (const [name, source] of Object.entries(config.dataset)) {
    if (JSON.stringify([source.members, source.term]) !== JSON.stringify([members, term])) {
      throw new ConfigError(`dataset.${name} has other members or lead times than the first source`, { where });
    }
  }
  const fields: SmeagolField[] = [];
  const variables: PlannedVariable[] = [];
  for (const source of sources) {
    for (const [variable, { shortname, level: levels, kind }] of Object.entries(source.var)) {
      for (const level of levels ?? [undefined]) {
        const feature = `${shortname}_${level ?? 0}`;
        fields.push({ feature, variable, level, model: modelOf(source.grid) });
        // py4cast's weights of this dataset.
        variables.push({ name: feature, role: kindRoles[kind], weight: level === undefined ? 2 : 1 + level / 90 });
      }
    }
  }
  return { fields, variables, members, term };
}

/** The complete runs of a period, and a word about those that lack files. Folders of runs are listed many at a time. */
async function findRuns(
  config: SmeagolConfig,
  part: SplitName,
  members: readonly number[],
  fields: readonly SmeagolField[],
  folder: string,
  progress: { note(line: string): void },
): Promise<{ date: number; run: string }[]> {
  const { start, end, every } = config.periods[part];
  const dates = Array.from({ length: Math.floor((end - start) / every) + 1 }, (_, k) => start + k * every);
  const found: { date: number; run: string }[][] = dates.map(() => []);
  const lacking: string[] = [];
  let next = 0;
  const look = async (): Promise<void> => {
    for (let k = next++; k < dates.length; k = next++) {
      const date = dates[k]!;
      const listed = new Map<string, Promise<ReadonlySet<string>>>();
      const has = async (file: string): Promise<boolean> => {
        const path = join(folder, dirname(file));
        const names =
          listed.get(path) ??
          readdir(path)
            .then((all) => new Set(all))
            .catch(() => new Set<string>());
        listed.set(path, names);
        return (await names).has(basename(file));
      };
      for (const member of members) {
        const run = smeagolRun(date, member);
        let missing: string | undefined;
        for (const field of fields) {
          const file = smeagolFile(field, run);
          if (missing === undefined && !(await has(file))) missing = file;
        }
        if (missing === undefined) found[k]!.push({ date, run });
        else lacking.push(missing);
      }
    }
  };
  await Promise.all(Array.from({ length: 32 }, look));
  const complete = found.flat();
  if (lacking.length > 0) {
    const shown = lacking.sort().slice(0, 3).join(", ");
    progress.note(
      `${part}: ${complete.length} runs; ${lacking.length} left out because a file is missing: ${shown}${lacking.length > 3 ? ", …" : ""}`,
    );
  }
  return complete;
}

/** Samples that are windows of lead times, one after the other. */
function windowSampling(
  periods: Periods,
  runs: ReadonlyMap<SplitName, readonly { readonly date: number; readonly run: string }[]>,
  terms: readonly number[],
  step: number,
): Sampling {
  return {
    periods: Object.fromEntries(
      splitNames.map((n) => [n, { start: periods[n].start, end: periods[n].end }]),
    ) as unknown as Periods,
    frames: (part) =>
      runs.get(part)!.flatMap(({ date, run }) => terms.map((term): FrameKey => ({ time: date + term, run }))),
    samples(part, numInputSteps, numPredSteps) {
      const length = numInputSteps + numPredSteps;
      const windows = Math.floor(terms.length / length);
      const starts: SampleStart[] = runs
        .get(part)!
        .flatMap(({ date, run }) =>
          Array.from({ length: windows }, (_, k) => ({ time: date + terms[k * length]!, run })),
        );
      requireSamples(part, describePeriod(periods[part]), { starts, skipped: 0 }, step, length);
      return { starts, skipped: 0 };
    },
  };
}
