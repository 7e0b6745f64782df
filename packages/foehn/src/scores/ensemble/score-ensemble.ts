// `foehn score-ensemble` as a function: ensembles on the disk against truth. Per domain a folder (none where the forecasts have no domains)
// with maps (mean, variance, squared errors, CRPS: Zarr, by initial time and lead), sums of area means per initial time, and scores.json of
// all of them; forecasts at points likewise, each point weighing the same. Every initial time is a unit of work: runs go on where they stopped, and shards fill the same folder.

import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError, UsageError } from "../../core/errors.js";
import { atomicWrite } from "../../core/files.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { type Progress, silentProgress } from "../../core/progress.js";
import { formatTime } from "../../core/time.js";
import { type StateReader, stateReader } from "../../forecast/initial-state.js";
import { type DataSpec, withData } from "../../forecast/open-data.js";
import type { FileHeader } from "../../forecast/outputs/cf-layout.js";
import type { OutputVariable } from "../../forecast/outputs/output.js";
import { chooseVariables } from "../../forecast/outputs/select-output.js";
import { ZarrOutput } from "../../forecast/outputs/zarr-output.js";
import { shardOf, type WorkUnit } from "../../forecast/work-plan.js";
import type { Region } from "../../grid/geometry.js";
import type { Grid } from "../../grid/grid.js";
import type { PointsGrid } from "../../grid/points-grid.js";
import { type ForecastStore, openForecasts } from "../../sources/forecast-store.js";
import type { Source } from "../../sources/source.js";
import { ensembleMaps, mapKinds, mapMeanings } from "./maps.js";
import { pointReader, pointWeights } from "./points.js";
import { regionByName, regionWeights } from "./regions.js";
import { EnsembleSums, type EnsembleSumsSettings } from "./sums.js";
import { type EnsembleTable, ensembleTable } from "./table.js";
import { type LeadWindow, leadWindows, meanField } from "./windows.js";

/** What to score. */
export interface ScoreEnsembleOptions {
  /** Zarr stores, NetCDF files, folders of them, globs. */
  readonly forecasts: string | readonly string[];
  /** Without it only mean and variance are made. */
  readonly truth?: DataSpec | undefined;
  /** Folder to write. */
  readonly output: string;
  /** Default: all. */
  readonly channels?: readonly string[] | undefined;
  /** Default: everything that the forecasts cover. See regions.ts. */
  readonly regions?: readonly string[] | undefined;
  /** Initial times, epoch seconds; default all. */
  readonly dates?: readonly number[] | undefined;
  /** Mean over windows of this many seconds first. */
  readonly averaging?: number | undefined;
  /** By variable: thresholds of the Brier score. */
  readonly thresholds?: Readonly<Record<string, readonly number[]>> | undefined;
  readonly energy?: boolean | undefined;
  /** CRPS maps as if the ensemble had members without end; scores.json has both. */
  readonly fair?: boolean | undefined;
  /** Write the maps; default true. */
  readonly maps?: boolean | undefined;
  /** Write the members too, as they were scored (ensemble.zarr). */
  readonly saveEnsemble?: boolean | undefined;
  readonly seed?: number | undefined;
  readonly overwrite?: boolean | undefined;
  readonly shard?: number | undefined;
  readonly nShards?: number | undefined;
  readonly cwd?: string | undefined;
  readonly history?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** What became of one domain. */
export interface ScoredDomain {
  readonly domain: string | undefined;
  /** Absolute. */
  readonly folder: string;
  /** Scores of the initial times that are done, by this call and others. Undefined without truth. */
  readonly table: EnsembleTable | undefined;
  /** False while other shards have work to do: scores.json and the maps then do not have their names yet. */
  readonly isComplete: boolean;
}

/** @throws UsageError, DataError, StorageError, InterruptedError: see the parts; what is done stays */
export async function scoreEnsemble(options: ScoreEnsembleOptions): Promise<ScoredDomain[]> {
  await using stores = await openForecasts(options.forecasts, options.cwd);
  const { truth } = options;
  const work = async (source: Source | undefined) => {
    const scored: ScoredDomain[] = [];
    const all: AnyStore[] = [...stores.domains, ...stores.points];
    for (const store of all) {
      const known = store.variables.map(({ name }) => name);
      // With several domains a channel need not be in each.
      const wanted = all.length === 1 ? options.channels : options.channels?.filter((name) => known.includes(name));
      if (wanted?.length === 0) continue;
      const names = chooseVariables(wanted, known);
      const variables = names.map((name) => store.variables.find((v) => v.name === name)!);
      scored.push(await scoreDomain(options, store, variables, source && truthReader(source, variables, store)));
    }
    return scored;
  };
  return truth === undefined ? await work(undefined) : await withData(truth, options, work);
}

type AnyStore = ForecastStore<Grid | PointsGrid>;

const truthReader = (source: Source, variables: readonly OutputVariable[], { grid }: AnyStore): StateReader =>
  grid.kind === "points" ? pointReader(source, variables, grid) : stateReader(source, variables, grid);

const weightsIn = ({ grid }: AnyStore, region: Region): Float64Array =>
  grid.kind === "points" ? pointWeights(grid, region) : regionWeights(grid, region);

async function scoreDomain(
  options: ScoreEnsembleOptions,
  store: AnyStore,
  variables: readonly OutputVariable[],
  reader: StateReader | undefined,
): Promise<ScoredDomain> {
  const { shard, nShards, signal, progress = silentProgress } = options;
  const folder = join(
    resolve(options.cwd ?? ".", options.output),
    ...(store.domain === undefined ? [] : [store.domain]),
  );
  const dates = datesOf(store, options.dates);
  const windows = leadWindows(store.leadTimes, options.averaging);
  const regions = options.regions?.map((name) => [name, weightsIn(store, regionByName(name))] as const) ?? [
    [store.domain ?? (store.grid.kind === "points" ? "points" : "global"), weightsIn(store, everywhere)] as const,
  ];
  const thresholds = Object.fromEntries(
    Object.entries(options.thresholds ?? {}).filter(([name]) => variables.some((v) => v.name === name)),
  );
  const settings: EnsembleSumsSettings = {
    variables: variables.map(({ name }) => name),
    regions: regions.map(([name]) => name),
    numLeads: windows.length,
    members: store.members,
    thresholds,
    energy: options.energy === true,
    seed: options.seed ?? 1,
  };
  const sumsFile = (date: number) => join(folder, "sums", `${formatTime(dates[date]!).replace(/[-:Z]/g, "")}.json`);
  // With shards the others may have begun: theirs is replaced as they come to it.
  if (options.overwrite && (nShards ?? 1) === 1) await rm(join(folder, "sums"), { recursive: true, force: true });
  const known = (date: number) => (options.overwrite ? undefined : readSums(sumsFile(date), settings));
  const outputs = await openMaps(options, store, { folder, dates, windows, variables, scored: reader !== undefined });
  let isComplete = true;
  try {
    const mine = shardOf([...dates.keys()], shard, nShards);
    progress.start(`scores${store.domain === undefined ? "" : ` of ${store.domain}`}`, mine.length * windows.length);
    let done = 0;
    for (const date of mine) {
      const unitOf = (kind: string): WorkUnit => ({
        index: date,
        dates: [date, date + 1],
        members: [0, kind === "ensemble" ? store.members : 1],
      });
      const finished = await Promise.all(outputs.map(({ kind, output }) => output.units!.isFinished(unitOf(kind))));
      if (!finished.includes(false) && (reader === undefined || known(date) !== undefined)) {
        done += windows.length;
        continue;
      }
      const sums = new EnsembleSums(settings);
      for (const [w, window] of windows.entries()) {
        throwIfInterrupted(signal, "scoring");
        const truth = reader && (await truthOf(reader, dates[date]!, window));
        const maps: Record<string, Float32Array>[] = [];
        const fields: Float32Array[][] = [];
        for (const [v, { name }] of variables.entries()) {
          const members = await membersOf(store, name, dates[date]!, window);
          fields.push(members);
          if (truth) {
            const one = { members, truth: truth[v]!, time: dates[date]! };
            sums.add(
              v,
              w,
              one,
              regions.map(([, weights]) => weights),
            );
          }
          if (outputs.length > 0) maps.push(ensembleMaps(members, truth?.[v], options.fair === true));
        }
        for (const { kind, output } of outputs) {
          const step = { initialIndex: date, leadIndex: w, validTime: dates[date]! + window.lead };
          if (kind !== "ensemble")
            await output.write({ ...step, memberIndex: 0, fields: maps.map((map) => map[kind]!) });
          else
            for (let m = 0; m < store.members; m++) {
              await output.write({ ...step, memberIndex: m, fields: fields.map((members) => members[m]!) });
            }
        }
        progress.update(++done, { from: formatTime(dates[date]!) });
      }
      for (const { kind, output } of outputs) await output.units!.finish(unitOf(kind));
      if (reader) await atomicWrite(sumsFile(date), `${JSON.stringify(sums.toJson())}\n`);
    }
    for (const { output } of outputs) if ((await output.close()) === undefined) isComplete = false;
    progress.finish();
  } catch (error) {
    await Promise.allSettled(outputs.map(({ output }) => output.abort()));
    progress.finish();
    throw error;
  }
  if (!reader) return { domain: store.domain, folder, table: undefined, isComplete };
  const all = [...dates.keys()].flatMap((date) => readSums(sumsFile(date), settings) ?? []);
  const total = new EnsembleSums(settings);
  for (const sums of all) total.merge(sums);
  const table = ensembleTable(total, {
    leadHours: windows.map(({ lead }) => lead / 3600),
    units: Object.fromEntries(variables.map(({ name, units }) => [name, units])),
    dates: all.length,
  });
  if (all.length < dates.length) return { domain: store.domain, folder, table, isComplete: false };
  const text = JSON.stringify(
    { ...table, first_date: formatTime(dates[0]!), last_date: formatTime(dates.at(-1)!) },
    null,
    1,
  );
  await atomicWrite(join(folder, "scores.json"), `${text}\n`);
  return { domain: store.domain, folder, table, isComplete };
}

interface MapPlan {
  readonly folder: string;
  readonly dates: readonly number[];
  readonly windows: readonly LeadWindow[];
  readonly variables: readonly OutputVariable[];
  readonly scored: boolean;
}

async function openMaps(options: ScoreEnsembleOptions, store: AnyStore, plan: MapPlan) {
  const { folder, dates, windows, variables, scored } = plan;
  const kinds = [
    ...(options.maps === false ? [] : mapKinds.slice(0, scored ? undefined : 2)),
    ...(options.saveEnsemble ? (["ensemble"] as const) : []),
  ];
  const bounds = windows.flatMap((window) => (window.bounds ? [window.bounds] : []));
  const outputs: { readonly kind: (typeof kinds)[number]; readonly output: ZarrOutput }[] = [];
  for (const kind of kinds) {
    const meaning = kind === "ensemble" ? undefined : mapMeanings[kind];
    const header: FileHeader = {
      variables: variables.map(({ name, units, longName, standardName }) => ({
        name,
        units: meaning?.squared ? `(${units})2` : units,
        longName: meaning ? `${meaning.text} ${longName}` : longName,
        ...(meaning ? {} : { standardName }),
      })),
      grid: store.grid,
      initialTimes: dates,
      members: kind === "ensemble" ? store.members : 1,
      hasMembers: kind === "ensemble",
      leadTimes: windows.map(({ lead }) => lead),
      ...(bounds.length > 0 ? { leadBounds: bounds } : {}),
      provenance: {
        title: `${kind} of an ensemble of ${store.members}`,
        source: store.description,
        ...(kind === "crps" ? { estimator: options.fair ? "fair" : "biased" } : {}),
        history: `${new Date().toISOString().slice(0, 19)}Z ${options.history ?? "foehn score-ensemble"}`,
      },
    };
    // One file of a store never belongs to two initial times, so any process may write any of them.
    const output = new ZarrOutput(join(folder, `${kind}.zarr`), {
      resume: true,
      overwrite: options.overwrite === true,
    });
    outputs.push({ kind, output });
    await output.open(header);
  }
  return outputs;
}

async function membersOf(store: AnyStore, name: string, time: number, window: LeadWindow): Promise<Float32Array[]> {
  const members: Float32Array[] = [];
  for (let m = 0; m < store.members; m++) {
    const leads = await Promise.all(window.leads.map((lead) => store.read(name, time, lead, m)));
    members.push(meanField(leads));
  }
  return members;
}

async function truthOf(reader: StateReader, time: number, window: LeadWindow): Promise<Float32Array[]> {
  const states: Float32Array[][] = [];
  for (const lead of window.leads) states.push(await reader.read(time + lead, { allowMissing: true }));
  return states[0]!.map((_, v) => meanField(states.map((fields) => fields[v]!)));
}

const everywhere: Region = { north: 90, south: -90, west: 0, east: 360 };

function datesOf(store: AnyStore, wanted: readonly number[] | undefined): readonly number[] {
  if (wanted === undefined) return store.initialTimes;
  const lacking = wanted.find((time) => !store.initialTimes.includes(time));
  if (lacking === undefined) return wanted;
  throw new UsageError(`there is no forecast from ${formatTime(lacking)}`, {
    hint: `the forecasts are from ${formatTime(store.initialTimes[0]!)} to ${formatTime(store.initialTimes.at(-1)!)}`,
  });
}

function readSums(path: string, settings: EnsembleSumsSettings): EnsembleSums | undefined {
  if (!existsSync(path)) return undefined;
  const sums = EnsembleSums.fromJson(JSON.parse(readFileSync(path, "utf8")));
  if (JSON.stringify(sums.settings) === JSON.stringify(settings)) return sums;
  throw new DataError(
    "the scores that are there were made with other variables, regions, leads, members or thresholds",
    {
      where: path,
      hint: "choose another folder, or give --overwrite",
    },
  );
}
