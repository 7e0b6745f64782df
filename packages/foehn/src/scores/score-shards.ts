// Scores of a long period in pieces: a folder with one CSV file per process, one block of lines per initial time (metric-csv.ts, the
// layout of earth2mip's inference_medium_range: xx, yy, xy, mse, and ours), and config.json, which says what the numbers are of. Any
// number of processes fill it, are killed and go on; merging gives the same bits however the work was divided.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { DataError, FormatError, UsageError } from "../core/errors.js";
import { atomicWrite, toStorageError } from "../core/files.js";
import { anomalyFields, type CaseMeans, caseFields } from "./case-means.js";
import { indexMetricCsv, MetricCsv, type MetricRow, readCase, shardCsv } from "./metric-csv.js";
import { type AreaSums, addDate, areaSums, type DateMeans, type DateStore, forecasters } from "./score-output.js";

const configSchema = z.strictObject({
  kind: z.literal("foehn scores"),
  model: z.string(),
  model_version: z.string(),
  variables: z.array(z.strictObject({ name: z.string(), units: z.string(), long_name: z.string() })).min(1),
  lead_hours: z.array(z.number()).min(1),
  /** The whole grid first. */
  areas: z.array(z.string()).min(1),
  /** Variables with a climatology. */
  climatology: z.array(z.string()),
  /** Where the numbers come from: the first process's. */
  provenance: z.record(z.string(), z.string()),
});

/** What a folder of scores is of. */
export type ScoresConfig = z.infer<typeof configSchema>;

const configName = "config.json";

/** @throws FormatError when the folder has no such file, or a foreign one */
export function readScoresConfig(folder: string): ScoresConfig {
  const path = join(folder, configName);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw toStorageError(error, path);
    throw new FormatError("this is no folder of scores: it has no config.json", {
      where: folder,
      hint: "give a folder that `foehn score … -o FOLDER` has made",
    });
  }
  try {
    return configSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FormatError("this is not the config.json of a folder of scores", { where: path, cause });
  }
}

/** What must be equal for numbers to be added. */
function requireSame(a: ScoresConfig, b: ScoresConfig, whereA: string, whereB: string): void {
  for (const key of ["model", "model_version", "variables", "lead_hours", "areas", "climatology"] as const) {
    const [one, other] = [JSON.stringify(a[key]), JSON.stringify(b[key])];
    if (one === other) continue;
    throw new DataError(`the scores differ in ${key}: ${one.slice(0, 120)} and ${other.slice(0, 120)}`, {
      where: `${whereA}; ${whereB}`,
      hint: "score the same model in the same way, or use another folder",
    });
  }
  // The same file may be called otherwise by processes on other machines.
  const [one, other] = [a, b].map(({ provenance }) => provenance.climatology && basename(provenance.climatology));
  if (one === other) return;
  throw new DataError(
    `the anomalies are from ${one ?? "the package's climatology"} and from ${other ?? "the package's"}`,
    {
      where: `${whereA}; ${whereB}`,
      hint: "give all the same --climatology, or use another folder",
    },
  );
}

const csvFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".csv"))
    .sort()
    .map((name) => join(folder, name));

/** Lines of one date. */
function rowsPerDate(config: ScoresConfig): number {
  const withClimatology = config.variables.filter((v) => config.climatology.includes(v.name)).length;
  const perLead = config.variables.length * caseFields.length - (config.variables.length - withClimatology) * 5;
  return forecasters.length * config.areas.length * config.lead_hours.length * perLead;
}

/** How a metric is called in the files: plain for the model on the whole grid, else `persistence/tropics/mse`. */
function metricName(who: string, area: number, config: ScoresConfig, field: string): string {
  return [...(who === "model" ? [] : [who]), ...(area === 0 ? [] : [config.areas[area]!]), field].join("/");
}

function* rowsOf(initialTime: number, means: DateMeans, config: ScoresConfig): Generator<MetricRow> {
  for (const who of forecasters) {
    for (const a of config.areas.keys()) {
      for (const [v, { name: channel }] of config.variables.entries()) {
        for (const [lead, leadHours] of config.lead_hours.entries()) {
          for (const field of caseFields) {
            if (anomalyFields.has(field) && !config.climatology.includes(channel)) continue;
            const metric = metricName(who, a, config, field);
            yield { initialTime, leadHours, channel, metric, value: means[who][a]![v]![lead]![field] };
          }
        }
      }
    }
  }
}

/** The means of a date from its lines. @throws FormatError for a line that does not belong there */
function meansOf(rows: readonly MetricRow[], config: ScoresConfig, where: string): DateMeans {
  const empty = (): CaseMeans => Object.fromEntries(caseFields.map((field) => [field, Number.NaN])) as CaseMeans;
  const table = () => config.areas.map(() => config.variables.map(() => config.lead_hours.map(empty)));
  const means = { model: table(), persistence: table() };
  const places = new Map<string, readonly [(typeof forecasters)[number], number, string]>();
  for (const who of forecasters) {
    for (const a of config.areas.keys()) {
      for (const field of caseFields) places.set(metricName(who, a, config, field), [who, a, field]);
    }
  }
  const variables = new Map(config.variables.map(({ name }, v) => [name, v]));
  const leads = new Map(config.lead_hours.map((hours, lead) => [hours, lead]));
  for (const { channel, leadHours, metric, value } of rows) {
    const [place, v, lead] = [places.get(metric), variables.get(channel), leads.get(leadHours)];
    if (!place || v === undefined || lead === undefined) {
      throw new FormatError(`"${channel}", "${metric}" at ${leadHours} h is not one of config.json's`, { where });
    }
    const [who, a, field] = place;
    (means[who][a]![v]![lead]! as Record<string, number>)[field] = value;
  }
  return means;
}

/**
 * Opens the file of one process in a folder of scores, making both where they are not there. Dates that any file of the folder has count
 * as done.
 * @throws DataError when the folder is of other scores; FormatError for a damaged file; StorageError
 */
export async function openScoreShard(
  folder: string,
  shard: number,
  config: ScoresConfig,
  options: { readonly overwrite?: boolean } = {},
): Promise<DateStore> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, configName);
  const present = readdirSync(folder);
  const scores = present.filter((name) => name === configName || name.endsWith(".csv"));
  if (options.overwrite) for (const name of scores) await rm(join(folder, name));
  else if (present.includes(configName)) requireSame(readScoresConfig(folder), config, folder, "this call");
  else if (present.length > 0) {
    throw new UsageError(`the folder ${folder} holds something else than scores`, {
      where: present.slice(0, 5).join(", "),
      hint: "name a folder that is empty or does not exist",
    });
  }
  if (options.overwrite || !present.includes(configName)) {
    await atomicWrite(path, `${JSON.stringify(config, null, 2)}\n`);
  }
  const expected = rowsPerDate(config);
  const csv = await MetricCsv.open(shardCsv(folder, shard), () => expected);
  const elsewhere = new Set<number>();
  for (const file of csvFiles(folder)) {
    if (file === csv.path) continue;
    // Another process may be writing: only its whole dates count.
    for (const [time, { rows }] of await indexMetricCsv(file)) if (rows === expected) elsewhere.add(time);
  }
  return {
    has: (time) => csv.has(time) || elsewhere.has(time),
    add: (time, means) => csv.add(time, rowsOf(time, means, config)),
  };
}

/** Scores of several folders or shards, added up. */
export interface MergedScores {
  readonly config: ScoresConfig;
  readonly sums: AreaSums;
  /** Epoch seconds, ascending. */
  readonly initialTimes: readonly number[];
  /** Dates of which lines are missing. */
  readonly incomplete: readonly number[];
}

/**
 * The dates of folders of scores in their order, one after the other.
 * @throws DataError when folders are of different scores, hold no complete date, or differ in one that several have
 */
export async function eachDate(
  folders: readonly string[],
  visit: (initialTime: number, means: DateMeans) => void,
  options: { readonly allowNone?: boolean } = {},
): Promise<Pick<MergedScores, "config" | "initialTimes" | "incomplete">> {
  if (folders.length === 0) throw new UsageError("no folder of scores was named");
  const configs = folders.map(readScoresConfig);
  const config = configs[0]!;
  for (const [i, other] of configs.entries()) requireSame(config, other, folders[0]!, folders[i]!);
  const expected = rowsPerDate(config);
  const found = new Map<number, { file: string; start: number; end: number }[]>();
  const incomplete = new Set<number>();
  for (const file of new Set(folders.flatMap((folder) => csvFiles(resolve(folder))))) {
    for (const [time, { start, end, rows }] of await indexMetricCsv(file)) {
      if (rows === expected) found.set(time, [...(found.get(time) ?? []), { file, start, end }]);
      else incomplete.add(time);
    }
  }
  const initialTimes = [...found.keys()].sort((a, b) => a - b);
  if (initialTimes.length === 0 && !options.allowNone) {
    throw new DataError("there is no date with all its scores", { where: folders.join(", ") });
  }
  for (const time of initialTimes) {
    const [first, ...others] = found.get(time)!;
    const means = meansOf(readCase(first!), config, first!.file);
    for (const other of others) {
      // Two processes may have done the same date; that must have given the same.
      const again = meansOf(readCase(other), config, other.file);
      if (JSON.stringify(again) === JSON.stringify(means)) continue;
      throw new DataError(`two files have different scores of ${new Date(time * 1000).toISOString()}`, {
        where: `${first!.file}; ${other.file}`,
        hint: "they are of different runs: merge one of them",
      });
    }
    visit(time, means);
  }
  return { config, initialTimes, incomplete: [...incomplete].filter((time) => !found.has(time)).sort((a, b) => a - b) };
}

/** Adds up folders of scores; equal to the bit for every number of shards. @throws as `eachDate` */
export async function mergeScoreFolders(
  folders: readonly string[],
  options: { readonly allowNone?: boolean } = {},
): Promise<MergedScores> {
  const config = readScoresConfig(folders[0] ?? "");
  const sums = areaSums(config.areas, config.variables.length, config.lead_hours.length);
  return { ...(await eachDate(folders, (_, means) => addDate(sums, means), options)), sums };
}
