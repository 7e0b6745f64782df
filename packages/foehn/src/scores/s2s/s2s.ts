// `foehn s2s` as functions: edges of terciles from a climatology of forecasts or data, probabilities of forecasts by them, and scores of
// the probabilities (RPS beside the flat climatology of a third each, and RPSS). After earth2mip's s2s tools. Files: files.ts.

import { join, resolve } from "node:path";
import { DataError, UsageError } from "../../core/errors.js";
import { atomicWrite } from "../../core/files.js";
import { type Progress, silentProgress } from "../../core/progress.js";
import { formatTime } from "../../core/time.js";
import type { Region } from "../../grid/geometry.js";
import { sameGrid } from "../../grid/grid.js";
import { regionWeights } from "../ensemble/regions.js";
import { openTercileFiles, type TercileFile, writeTercileFile } from "./files.js";
import type { Samples } from "./samples.js";
import { categories, isoWeek, rankedProbabilityScore, tercileEdges, tercileProbabilities } from "./terciles.js";

/** What all three take. */
export interface S2sOptions {
  /** File to write. */
  readonly output: string;
  readonly overwrite?: boolean | undefined;
  readonly history?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Writes the tercile edges of samples by ISO week of the initial time and lead.
 * @returns the absolute path, and how many samples the least and the most filled week have
 */
export async function computeEdges(
  samples: Samples,
  options: S2sOptions,
): Promise<{ path: string; weeks: number; samples: readonly [number, number] }> {
  const byWeek = new Map<number, number[]>();
  for (const time of samples.initialTimes) byWeek.set(isoWeek(time), [...(byWeek.get(isoWeek(time)) ?? []), time]);
  const weeks = [...byWeek.keys()].sort((a, b) => a - b);
  const { progress = silentProgress } = options;
  const counts: number[] = [];
  progress.start("edges", weeks.length * samples.leads.length * samples.variables.length);
  const contents: TercileFile = {
    ...samples,
    rows: weeks,
    async read(variable, week, lead) {
      const all: Float32Array[] = [];
      for (const time of byWeek.get(week)!) all.push(...(await samples.read(variable, time, lead)));
      counts.push(all.length);
      progress.update(counts.length, { week });
      return [...tercileEdges(all)];
    },
  };
  const path = await writeTercileFile(options.output, "edges", contents, options);
  progress.finish();
  return { path, weeks: weeks.length, samples: [Math.min(...counts), Math.max(...counts)] };
}

/** Writes the probabilities of terciles of forecasts. Edges may be in the files of several shards. @throws DataError when the edges lack a week, lead or variable */
export async function applyEdges(
  samples: Samples,
  edgesFile: string | readonly string[],
  options: S2sOptions,
): Promise<string> {
  using edges = await openTercileFiles(edgesFile, "edges");
  requireFit(samples, edges, edgesFile);
  const { progress = silentProgress } = options;
  let done = 0;
  progress.start("probabilities", samples.initialTimes.length * samples.leads.length * samples.variables.length);
  const contents: TercileFile = {
    ...samples,
    rows: samples.initialTimes,
    async read(variable, time, lead) {
      const probabilities = tercileProbabilities(
        await samples.read(variable, time, lead),
        await edgesAt(edges, variable, time, lead),
      );
      progress.update(++done, { from: formatTime(time) });
      return [...probabilities];
    },
  };
  const path = await writeTercileFile(options.output, "probabilities", contents, options);
  progress.finish();
  return path;
}

/** Scores of one region and lead over all initial times. */
export interface TercileScore {
  readonly variable: string;
  readonly region: string;
  readonly leadDays: number;
  /** Means over initial times. */
  readonly rps: number;
  readonly rpsClimatology: number;
  /** 1 − rps / rpsClimatology: above 0 is better than a third each. */
  readonly rpss: number;
}

const regions: readonly (readonly [string, Region])[] = [
  ["Global", { south: -90, north: 90, west: 0, east: 360 }],
  // The equator is in none of the hemispheres.
  ["Northern", { south: 1e-5, north: 90, west: 0, east: 360 }],
  ["Southern", { south: -90, north: -1e-5, west: 0, east: 360 }],
];

/**
 * Scores probabilities against what happened, whose category is by its own edges; writes a CSV with a line for each initial time, lead, region
 * and source (model, climatology): RPS by variable.
 * Probabilities and edges may each be in the files of several shards.
 * @param truth of the same initial times
 */
export async function scoreTerciles(
  probabilitiesFile: string | readonly string[],
  truth: Samples,
  edgesFile: string | readonly string[],
  options: S2sOptions,
): Promise<{ path: string; scores: TercileScore[] }> {
  using probabilities = await openTercileFiles(probabilitiesFile, "probabilities");
  using edges = await openTercileFiles(edgesFile, "edges");
  requireFit({ ...truth, variables: probabilities.variables }, edges, edgesFile);
  if (!sameGrid(truth.grid, probabilities.grid))
    throw new UsageError("the truth is on another grid than the probabilities");
  const names = probabilities.variables.map(({ name }) => name);
  const lines = [`lead_time,forecast_time,valid_time,week,source,region,${names.join(",")}`];
  const weights = regions.flatMap(([name, region]) => {
    try {
      return [[name, regionWeights(truth.grid, region)] as const];
    } catch (error) {
      if (error instanceof DataError) return []; // a grid of one hemisphere
      throw error;
    }
  });
  const third = new Float32Array(truth.grid.shape[0] * truth.grid.shape[1]).fill(1 / 3);
  const flat = categories.map(() => third);
  const sums = new Map<string, { model: number; climatology: number; count: number }>();
  for (const time of probabilities.rows) {
    for (const lead of probabilities.leads) {
      options.signal?.throwIfAborted();
      const rows = new Map(weights.map(([region]) => [region, { model: [] as number[], climatology: [] as number[] }]));
      for (const name of names) {
        const forecast = await probabilities.read(name, time, lead);
        const observed = tercileProbabilities(
          await truth.read(name, time, lead),
          await edgesAt(edges, name, time, lead),
        );
        for (const [region, w] of weights) {
          const model = rankedProbabilityScore(forecast, observed, w);
          // Where the forecast is missing the climatology is not asked either.
          const climatology = rankedProbabilityScore(
            flat.map((p, k) => p.map((value, i) => value + forecast[k]![i]! * 0)),
            observed,
            w,
          );
          rows.get(region)!.model.push(model);
          rows.get(region)!.climatology.push(climatology);
          const key = `${name} ${region} ${lead}`;
          const sum = sums.get(key) ?? { model: 0, climatology: 0, count: 0 };
          sums.set(key, sum);
          if (Number.isNaN(model)) continue;
          sum.model += model;
          sum.climatology += climatology;
          sum.count++;
        }
      }
      const iso = (t: number) => formatTime(t).replace("Z", "");
      // The middle of the two weeks, as earth2mip has it.
      const head = `${lead / 86_400 + 7},${iso(time)},${iso(time + lead)},${isoWeek(time)}`;
      for (const source of ["model", "climatology"] as const) {
        for (const [region, values] of rows) {
          lines.push(
            `${head},${source},${region},${values[source].map((v) => (Number.isNaN(v) ? "nan" : v)).join(",")}`,
          );
        }
      }
    }
  }
  const path = join(resolve(options.output));
  await atomicWrite(path, `${lines.join("\n")}\n`);
  const scores = names.flatMap((variable) =>
    probabilities.leads.flatMap((lead) =>
      weights.map(([region]) => {
        const { model, climatology, count } = sums.get(`${variable} ${region} ${lead}`)!;
        const [rps, rpsClimatology] = [model / count, climatology / count];
        return { variable, region, leadDays: lead / 86_400, rps, rpsClimatology, rpss: 1 - rps / rpsClimatology };
      }),
    ),
  );
  return { path, scores };
}

async function edgesAt(
  edges: TercileFile,
  variable: string,
  time: number,
  lead: number,
): Promise<readonly [Float32Array, Float32Array]> {
  const [lower, upper] = await edges.read(variable, isoWeek(time), lead);
  return [lower!, upper!];
}

function requireFit(
  samples: Pick<Samples, "grid" | "variables" | "initialTimes" | "leads">,
  edges: TercileFile,
  files: string | readonly string[],
): void {
  const file = typeof files === "string" ? files : files.join(", ");
  if (!sameGrid(samples.grid, edges.grid)) throw new DataError("the edges are on another grid", { where: file });
  const have = edges.variables.map(({ name }) => name);
  const variable = samples.variables.find(({ name }) => !have.includes(name));
  if (variable)
    throw new DataError(`the edges have no "${variable.name}"`, { where: file, hint: `they have ${have.join(", ")}` });
  const lead = samples.leads.find((one) => !edges.leads.includes(one));
  if (lead !== undefined) throw new DataError(`the edges have no lead of ${lead / 86_400} days`, { where: file });
  const time = samples.initialTimes.find((one) => !edges.rows.includes(isoWeek(one)));
  if (time === undefined) return;
  throw new DataError(`the edges have no week ${isoWeek(time)}, which ${formatTime(time)} is in`, {
    where: file,
    hint: "make them of dates in the same weeks",
  });
}
