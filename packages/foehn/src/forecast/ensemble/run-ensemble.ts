// `foehn ensemble` as a function: a configuration becomes a folder with config.json and ensemble_out_<shard>.nc, a group for each domain of
// the weather event. A job is such a run for each of its initial times, in a folder of its own that appears when it is finished.
// Not here: the configuration (config.ts), perturbations, the file (outputs/domain-netcdf.ts).

import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { UsageError } from "../../core/errors.js";
import { atomicWrite } from "../../core/files.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { silentProgress } from "../../core/progress.js";
import { formatTime } from "../../core/time.js";
import { namedGrid } from "../../grid/json.js";
import { type Regridder, regridder } from "../../grid/regrid/regridder.js";
import { selection } from "../../grid/regrid/select.js";
import type { ExplainOptions } from "../explain/explain.js";
import { type ModelOptions, withModel } from "../model-on-data.js";
import type { DataSpec } from "../open-data.js";
import { DomainNetcdfOutput, type DomainOfOutput } from "../outputs/domain-netcdf.js";
import type { ForecastHeader, ForecastOutput, ForecastStep } from "../outputs/output.js";
import { PassingOutput } from "../outputs/pass-on.js";
import { SelectOutput } from "../outputs/select-output.js";
import { runForecast } from "../rollout.js";
import { shardOf } from "../work-plan.js";
import { configNotes, type EnsembleConfig, eventOf, perturbationOf } from "./config.js";
import { type EnsembleJob, isoTime, jobRun } from "./job.js";
import {
  domainChannels,
  folderTime,
  startOf,
  type WeatherDomain,
  type WeatherEvent,
  windowRegion,
} from "./weather-events.js";

/** How to run. */
export interface RunEnsembleOptions extends Omit<ModelOptions, "package" | "source"> {
  /** Initial states. Default: `data` of the configuration, else what the weather event names. */
  readonly source?: DataSpec | undefined;
  /** Folder; goes over the configuration's. */
  readonly output?: string | undefined;
  /** Table of events for `forecast_name`; default weather_events.json. */
  readonly eventsFile?: string | undefined;
  /** Initial time, epoch seconds; goes over the event's. */
  readonly start?: number | undefined;
  readonly overwrite?: boolean | undefined;
  /** This process runs part `shard` of the members, into a file of its own. */
  readonly shard?: number | undefined;
  readonly nShards?: number | undefined;
}

/** What was done. */
export interface EnsembleResult {
  /** Absolute. */
  readonly folder: string;
  /** Undefined when nothing is written (output_frequency 0). */
  readonly path: string | undefined;
  /** Members that this call ran: first and past the last. */
  readonly members: readonly [number, number];
  readonly initialTime: number;
  readonly steps: number;
}

/**
 * Runs an ensemble.
 * @throws ConfigError, UsageError, DataError, ModelError, StorageError, InterruptedError: see the parts. No file is left half-written.
 */
export async function runEnsemble(config: EnsembleConfig, options: RunEnsembleOptions = {}): Promise<EnsembleResult> {
  const { cwd = ".", progress = silentProgress, shard = 0, nShards = 1 } = options;
  const event = eventOf(config, options.eventsFile);
  const initialTime = options.start ?? startOf(event);
  const perturbation = perturbationOf(config);
  const members = shardOf([...new Array(config.ensemble_members).keys()], shard, nShards);
  if (members.length === 0) {
    throw new UsageError(`${config.ensemble_members} members do not make ${nShards} shards`, {
      hint: "ask for fewer shards",
    });
  }
  const folder = resolve(cwd, options.output ?? outputFolder(config, event, initialTime));
  const path = join(folder, `ensemble_out_${shard}.nc`);
  if (existsSync(path) && !options.overwrite) {
    throw new UsageError(`${path} exists`, { hint: "choose another folder, or give --overwrite" });
  }
  for (const note of configNotes(config)) progress.note(note);
  if (config.restart_frequency != null)
    progress.note("restart_frequency has no effect: members are what a run is divided into (--shard)");
  const model: ModelOptions = { ...options, package: config.weather_model, source: sourceOf(config, event, options) };
  return await withModel(model, async ({ loop, reader, variables, channelStds, provenance, notes }) => {
    for (const note of notes) progress.note(note);
    loop.requireData?.([initialTime], config.simulation_length);
    // What was run, with everything that was left out; made before the work, so that a stopped run can be told.
    await atomicWrite(
      join(folder, "config.json"),
      `${JSON.stringify(recordOf(config, event, initialTime), null, 2)}\n`,
    );
    const outputs: ForecastOutput[] = [];
    if (config.output_frequency > 0) {
      const file = new DomainNetcdfOutput(path, {
        domains: event.domains.map(domainOf),
        overwrite: options.overwrite === true,
        attributes: {
          model: config.weather_model,
          config: JSON.stringify(config),
          weather_event: JSON.stringify(event),
          date_created: new Date().toISOString(),
          perturbation: perturbation.description,
          first_member: members[0]!,
        },
      });
      const gridded = config.output_grid ? new OnGridOutput(file, config.output_grid) : file;
      outputs.push(new MembersOutput(new SelectOutput(gridded, { every: config.output_frequency }), members));
    }
    await runForecast({
      loop,
      reader,
      variables,
      channelStds,
      provenance,
      initialTimes: [initialTime],
      steps: config.simulation_length,
      members: config.ensemble_members,
      batchSize: config.ensemble_batch_size,
      perturbation,
      shard,
      nShards,
      outputs,
      signal: options.signal,
      progress,
    });
    return {
      folder,
      path: outputs.length === 0 ? undefined : path,
      members: [members[0]!, members.at(-1)! + 1] as const,
      initialTime,
      steps: config.simulation_length,
    };
  });
}

/** What `explain` takes of such a run. @throws as `runEnsemble` for a wrong event, shard or configuration */
export function ensembleToExplain(
  config: EnsembleConfig,
  options: RunEnsembleOptions,
): Omit<ExplainOptions, "borderSource"> {
  const { cwd, overwrite, regrid, trust, shard = 0 } = options;
  const event = eventOf(config, options.eventsFile);
  const start = options.start ?? startOf(event);
  const folder = options.output ?? outputFolder(config, event, start);
  return {
    ...{ verb: "ensemble", package: config.weather_model, source: sourceOf(config, event, options), start },
    ...{ cwd, overwrite, regrid, trust, steps: config.simulation_length },
    members: config.ensemble_members,
    batchSize: config.ensemble_batch_size,
    outputs: config.output_frequency > 0 ? [join(folder, `ensemble_out_${shard}.nc`)] : [],
    ...(config.output_frequency > 0 ? { outputFrequency: config.output_frequency } : {}),
  };
}

/** One initial time of a job. */
export interface JobStep {
  readonly initialTime: number;
  readonly folder: string;
  /** True when it was there already. */
  readonly wasDone: boolean;
}

/**
 * Works a job off: a run for each initial time, in <folder>.tmp, which gets its name when it is finished; folders that are there are done.
 * @param after called in the folder of a finished run before it gets its name: to score it
 * @throws as `runEnsemble`
 */
export async function runJob(
  job: EnsembleJob,
  options: Omit<RunEnsembleOptions, "output" | "start"> = {},
  after: (folder: string) => Promise<void> = async () => {},
): Promise<JobStep[]> {
  const { shard, nShards, progress = silentProgress, signal } = options;
  const done: JobStep[] = [];
  for (const initialTime of shardOf(job.times, shard, nShards)) {
    throwIfInterrupted(signal, "the job");
    const folder = join(job.folder, isoTime(initialTime));
    if (existsSync(folder)) {
      done.push({ initialTime, folder, wasDone: true });
      continue;
    }
    progress.note(`${formatTime(initialTime)} → ${folder}`);
    const work = `${folder}.tmp`;
    // What a stopped run left is of no use: members are made again in seconds of reading.
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true });
    await runEnsemble(jobRun(job, initialTime), { ...options, output: work, start: initialTime, shard: 0, nShards: 1 });
    await after(work);
    await rename(work, folder);
    done.push({ initialTime, folder, wasDone: false });
  }
  return done;
}

function outputFolder(config: EnsembleConfig, event: WeatherEvent, time: number): string {
  if (config.output_path !== undefined) return config.output_path;
  const model = basename(config.weather_model.replace(/[/\\]+$/, "")).replace(/[^\w.@-]+/g, "_");
  return join(config.output_dir ?? ".", `Output.${model}.${event.properties.name}.${folderTime(time)}`);
}

function recordOf(config: EnsembleConfig, event: WeatherEvent, time: number): EnsembleConfig {
  const { forecast_name: _, ...rest } = config;
  return { ...rest, weather_event: { ...event, properties: { ...event.properties, start_time: formatTime(time) } } };
}

function sourceOf(config: EnsembleConfig, event: WeatherEvent, options: RunEnsembleOptions): DataSpec {
  if (options.source !== undefined) return options.source;
  if (config.data !== undefined) return config.data;
  const { netcdf, initial_condition_source: name } = event.properties;
  if (netcdf !== "") return netcdf;
  if (name === "cds" || name === "gfs") return name;
  if (name === "ifs") return "ecmwf";
  if (name === "era5" && process.env.ERA5_HDF5) return process.env.ERA5_HDF5;
  throw new UsageError(`nothing says where the initial states are (initial_condition_source is "${name}")`, {
    hint: `give --data, or "data" in the configuration${name === "era5" ? ", or set ERA5_HDF5 to a folder in earth2mip's layout" : ""}`,
  });
}

function domainOf(domain: WeatherDomain): DomainOfOutput {
  const variables = domainChannels(domain);
  const { name } = domain;
  if (domain.type === "Window") return { type: "window", name, region: windowRegion(domain), variables };
  return { type: "points", name, latitudes: domain.lat, longitudes: domain.lon, variables };
}

/** A file with some of the members, counted from 0 in it. */
class MembersOutput extends PassingOutput {
  constructor(
    inner: ForecastOutput,
    readonly members: readonly number[],
  ) {
    super(inner);
  }

  open(header: ForecastHeader): Promise<void> {
    return this.inner.open({ ...header, members: this.members.length });
  }

  write(step: ForecastStep): Promise<void> {
    return this.inner.write({ ...step, memberIndex: step.memberIndex - this.members[0]! });
  }
}

/** Fields on another grid: its points are taken where the model has them, and interpolated (bilinear) where it does not. */
class OnGridOutput extends PassingOutput {
  #apply: (field: Float32Array) => Float32Array = (field) => field;

  constructor(
    inner: ForecastOutput,
    readonly grid: string,
  ) {
    super(inner);
  }

  open(header: ForecastHeader): Promise<void> {
    const grid = namedGrid(this.grid);
    const take = selection(header.grid, grid);
    const weights: Regridder | undefined = take ? undefined : regridder(header.grid, grid, "bilinear");
    this.#apply = take ?? ((field) => weights!.apply(field));
    return this.inner.open({ ...header, grid });
  }

  write(step: ForecastStep): Promise<void> {
    return this.inner.write({ ...step, fields: step.fields.map((field) => this.#apply(field)) });
  }
}
