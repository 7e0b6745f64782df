// A job: the same ensemble from many initial times. earth2mip's protocol ({ inference_template, times, … }) becomes <folder>/config.json
// = { model, protocol } with the times written out; `foehn ensemble --job <folder>` works it off. Not here: one run (run-ensemble.ts).

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { loadConfig } from "../../core/config.js";
import { ConfigError, UsageError } from "../../core/errors.js";
import { atomicWrite } from "../../core/files.js";
import { formatTime, parseDuration, parseTime, parseTimeRange } from "../../core/time.js";
import { checkEnsembleConfig, type EnsembleConfig } from "./config.js";
import type { WeatherEvent } from "./weather-events.js";

const day = 86_400;

/** Names that stand for times. */
const namedTimes: Readonly<Record<string, () => number[]>> = {
  // Every 12 hours of 2018 but for the last day: 728.
  "2018": () => Array.from({ length: 728 }, (_, i) => parseTime("2018-01-01") + (i * day) / 2),
  // The Thursdays of the S2S AI challenge's test year: 53.
  s2s_test: () => Array.from({ length: 53 }, (_, i) => parseTime("2020-01-02") + 7 * i * day),
};

const times = z
  .union([z.array(z.string()).min(1), z.string(), z.int()])
  .describe("ISO 8601 times, a range a/to/b/by/12h, 2018 or s2s_test");

const window = z
  .string()
  .refine((text) => text === "" || averagingSeconds(text) > 0, 'not a duration; write it like "2W" or "14d"');

const protocolSchema = z.strictObject({
  inference_template: z
    .looseObject({})
    .describe("an ensemble's configuration; the model and the initial time are filled in"),
  times,
  time_averaging_window: window.default("").describe("mean over this long before scoring, such as 2W; empty: none"),
  score: z.boolean().default(true),
  save_ensemble: z.boolean().default(false).describe("keep the members' fields, not only what is made of them"),
});

const jobSchema = z.strictObject({ model: z.string().min(1), protocol: protocolSchema });

/** A job's config.json with its times in epoch seconds. */
export interface EnsembleJob {
  /** Absolute. */
  readonly folder: string;
  readonly model: string;
  readonly protocol: z.output<typeof protocolSchema>;
  readonly times: readonly number[];
}

/** Seconds of `2W`, `14D` (as pandas writes them) or of any duration; NaN when it is none. */
export function averagingSeconds(text: string): number {
  const pandas = /^(\d*)([WD])$/.exec(text.trim());
  if (pandas) return Number(pandas[1] || 1) * (pandas[2] === "W" ? 7 : 1) * day;
  try {
    return parseDuration(text);
  } catch {
    return Number.NaN;
  }
}

/**
 * Writes <folder>/config.json from a protocol.
 * @throws ConfigError for a protocol that is wrong, also in its template; UsageError when the folder has a job already
 */
export async function makeJob(
  model: string,
  protocolFile: string,
  folder: string,
  options: { readonly overwrite?: boolean | undefined } = {},
): Promise<EnsembleJob> {
  const protocol = loadConfig(protocolFile, protocolSchema);
  const expanded = expandTimes(protocol.times);
  const path = join(resolve(folder), "config.json");
  if (existsSync(path) && !options.overwrite) {
    throw new UsageError(`${path} exists`, { hint: "choose another folder, or give --overwrite" });
  }
  const job = { folder: resolve(folder), model, protocol, times: expanded };
  jobRun(job, expanded[0]!);
  const written = { model, protocol: { ...protocol, times: expanded.map(isoTime) } };
  await atomicWrite(path, `${JSON.stringify(written, null, 2)}\n`);
  return job;
}

/** Reads <folder>/config.json. @throws ConfigError, StorageError */
export function readJob(folder: string): EnsembleJob {
  const { model, protocol } = loadConfig(join(folder, "config.json"), jobSchema);
  return { folder: resolve(folder), model, protocol, times: expandTimes(protocol.times) };
}

/** The configuration of one initial time of a job. @throws ConfigError when the template is wrong */
export function jobRun(job: Pick<EnsembleJob, "model" | "protocol">, time: number): EnsembleConfig {
  const { output_path: _, output_dir: __, ...template } = job.protocol.inference_template;
  const event = template.weather_event as WeatherEvent | undefined;
  return checkEnsembleConfig({
    ...template,
    weather_model: job.model,
    ...(event === undefined
      ? {}
      : { weather_event: { ...event, properties: { ...event.properties, start_time: formatTime(time) } } }),
  });
}

/** `2018-01-01T12:00:00`: the folder of an initial time, as Python prints it. */
export function isoTime(time: number): string {
  return formatTime(time).replace("Z", "");
}

/** One command per shard. */
export function shardCommands(folder: string, nShards: number, options: string): string[] {
  return Array.from(
    { length: nShards },
    (_, shard) => `foehn ensemble --job ${folder} --shard ${shard} --n-shards ${nShards}${options && ` ${options}`}`,
  );
}

function expandTimes(given: z.output<typeof times>): number[] {
  const name = String(given);
  if (!Array.isArray(given) && Object.hasOwn(namedTimes, name)) return namedTimes[name]!();
  if (given === "s2s_calibration") {
    throw new ConfigError('the times "s2s_calibration" are those of a file that was never published', {
      hint: "list the times",
    });
  }
  const all = Array.isArray(given) ? given.map(parseTime) : parseTimeRange(name);
  return [...new Set(all)].sort((a, b) => a - b);
}
