// `foehn lagged` as a function: forecasts from neighbouring dates are an ensemble that costs nothing more (Brenowitz et al. 2024; window.ts
// says which ones). Per nominal initial time and lead: CRPS, error and variance of the ensemble, error of the forecast itself, as CSV.

import { DataError, UsageError } from "../../core/errors.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { silentProgress } from "../../core/progress.js";
import { formatDuration, formatTime } from "../../core/time.js";
import { hasTime, stateReader } from "../../forecast/initial-state.js";
import { type ModelOnData, type ModelOptions, persistenceOnData, withModel } from "../../forecast/model-on-data.js";
import { withData } from "../../forecast/open-data.js";
import type { ForecastOutput } from "../../forecast/outputs/output.js";
import { chooseVariables } from "../../forecast/outputs/select-output.js";
import { runForecast } from "../../forecast/rollout.js";
import { shardOf } from "../../forecast/work-plan.js";
import type { Grid } from "../../grid/grid.js";
import { chooseDomain, openForecasts } from "../../sources/forecast-store.js";
import type { Source } from "../../sources/source.js";
import { regionByName, regionWeights } from "../ensemble/regions.js";
import { EnsembleSums } from "../ensemble/sums.js";
import { MetricCsv, type MetricRow, shardCsv } from "../metric-csv.js";
import { RecentStates } from "../recent-states.js";
import { type LaggedEnsemble, LaggedWindow } from "./window.js";

/** What to score. One of `package`, `forecasts` and `persistence` says whose forecasts. */
export interface LaggedOptions extends Omit<ModelOptions, "package"> {
  readonly package?: ModelOptions["package"] | undefined;
  /** Forecasts on the disk instead of a model: stores, files or folders of many initial times. */
  readonly forecasts?: string | readonly string[] | undefined;
  /** The forecast that repeats its initial state, of the data themselves. */
  readonly persistence?: boolean | undefined;
  /** Initial times, equally far apart, at least two; epoch seconds. Default for `forecasts`: all of them. */
  readonly dates?: readonly number[] | undefined;
  /** Lags in steps between the dates: a number n for −n … n, or the first and the last; 0 is among them. Default 4. */
  readonly lags?: number | readonly [number, number] | undefined;
  /** Longest lead in steps between the dates; default 54. */
  readonly leads?: number | undefined;
  /** Default: all. */
  readonly channels?: readonly string[] | undefined;
  /** CRPS as if the ensemble had members without end; undefined (nan) for one member. */
  readonly fair?: boolean | undefined;
  /** Folder of the CSV files. */
  readonly output: string;
  readonly shard?: number | undefined;
  readonly nShards?: number | undefined;
}

/** What was done. */
export interface LaggedResult {
  /** The CSV file of this shard. */
  readonly path: string;
  readonly channels: readonly string[];
  /** Initial times in it, and how many of them were there before. */
  readonly times: number;
  readonly resumed: number;
}

type Fields = readonly Float32Array[];

/** Whose forecasts, whatever they come from. */
interface Forecasts {
  readonly grid: Grid;
  readonly variables: readonly { readonly name: string; readonly units: string }[];
  /** Streams the fields of the chosen variables from an initial time at multiples of the step. */
  each(time: number, leads: number, use: (lead: number, fields: Fields) => Promise<void>): Promise<void>;
}

/**
 * Scores lagged ensembles.
 * @throws UsageError for dates, lags or leads that make no sense; whatever models, data and disks throw. What was written stays, and a
 * second call goes on from there.
 */
export async function scoreLagged(options: LaggedOptions): Promise<LaggedResult> {
  const given = [options.package, options.forecasts, options.persistence || undefined].filter((x) => x !== undefined);
  if (given.length !== 1) {
    throw new UsageError("name one of: a package, forecasts on the disk, persistence", {
      hint: given.length === 0 ? "foehn lagged my-model --data …" : "leave out the others",
    });
  }
  if (options.forecasts !== undefined) return scoreStored(options, options.forecasts);
  const { dates } = options;
  if (dates === undefined) {
    throw new UsageError("lagged ensembles need initial times", { hint: "give --dates a/to/b/by/12h" });
  }
  const step = spacing(dates);
  const use = (model: ModelOnData, source: Source) => score(options, source, dates, fromModel(model, step, options));
  if (options.package !== undefined) return withModel({ ...options, package: options.package }, use);
  return withData(options.source, { ...options, regrid: undefined }, (source) =>
    use(persistenceOnData(source, step, options.channels), source),
  );
}

async function scoreStored(options: LaggedOptions, paths: string | readonly string[]): Promise<LaggedResult> {
  await using stores = await openForecasts(paths, options.cwd);
  const store = chooseDomain(stores, undefined);
  const dates = options.dates ?? store.initialTimes;
  const step = spacing(dates);
  const variables = chosen(store.variables, options.channels);
  const forecasts: Forecasts = {
    grid: store.grid,
    variables,
    each: async (time, leads, use) => {
      for (let lead = 0; lead <= leads; lead++) {
        const read = variables.map(({ name }) => store.read(name, time, lead * step, 0));
        await use(lead, await Promise.all(read));
      }
    },
  };
  return await withData(options.source, { ...options, regrid: undefined }, (source) =>
    score(options, source, dates, forecasts),
  );
}

function fromModel(model: ModelOnData, step: number, options: LaggedOptions): Forecasts {
  const { loop } = model;
  if (step % loop.timeStep !== 0) {
    throw new UsageError(
      `the dates are ${formatDuration(step)} apart, which is not a whole number of the model's steps of ${formatDuration(loop.timeStep)}`,
    );
  }
  for (const note of model.notes) options.progress?.note(note);
  const every = step / loop.timeStep;
  const variables = chosen(model.variables, options.channels);
  const places = variables.map(({ name }) => model.variables.findIndex((v) => v.name === name));
  return {
    grid: loop.grid,
    variables,
    async each(time, leads, use) {
      loop.requireData?.([time], leads * every);
      const output: ForecastOutput = {
        open: async () => {},
        write: async ({ leadIndex, fields }) => {
          // The rollout uses its arrays again.
          if (leadIndex % every === 0)
            await use(
              leadIndex / every,
              places.map((p) => fields[p]!.slice()),
            );
        },
        close: async () => undefined,
        abort: async () => {},
      };
      await runForecast({
        ...model,
        initialTimes: [time],
        steps: leads * every,
        outputs: [output],
        signal: options.signal,
      });
    },
  };
}

async function score(
  options: LaggedOptions,
  source: Source,
  dates: readonly number[],
  forecasts: Forecasts,
): Promise<LaggedResult> {
  const { leads = 54, output, shard = 0, nShards = 1, fair = false, signal, progress = silentProgress } = options;
  const [minLag, maxLag] = lagRange(options.lags ?? 4);
  const { variables, grid } = forecasts;
  const truth = stateReader(source, variables, grid);
  const mine = shardOf([...dates.keys()], shard, nShards);
  const perLead = 4 * variables.length + 1;
  const count = (i: number) => Math.min(dates.length - 1 - i, leads) + 1;
  const csv = await MetricCsv.open(shardCsv(output, shard), (time) => count(dates.indexOf(time)) * perLead);
  const todo = new Set(mine.filter((i) => !csv.has(dates[i]!)));
  const resumed = mine.length - todo.size;
  const window = new LaggedWindow<Fields>({
    times: dates.length,
    leads,
    minLag,
    maxLag,
    wants: (valid, lead) => lead >= 0 && lead <= leads && todo.has(valid - lead),
  });
  const lags = Array.from({ length: maxLag - minLag + 1 }, (_, n) => minLag + n);
  const initials = [...dates.keys()].filter((i) => lags.some((lag) => todo.has(i - lag)));
  requireTruth(source, dates, initials, leads);
  const weights = [regionWeights(grid, regionByName("global"))];
  const rows = new Map<number, MetricRow[]>();
  // Each initial time verifies at all but one of the times of the one before it. The window holds a multiple of that many states.
  const observed = new RecentStates((time) => truth.read(time, { allowMissing: true }), leads + 1);
  progress.start("lagged ensembles", initials.length);
  for (const [n, i] of initials.entries()) {
    throwIfInterrupted(signal, "scoring lagged ensembles");
    await forecasts.each(dates[i]!, window.longestLead(i), async (lead, fields) => {
      for (const ensemble of window.add(i, lead, fields)) {
        const nominal = ensemble.valid - ensemble.lead;
        const list = rows.get(nominal) ?? [];
        rows.set(nominal, list);
        list.push(...rowsOf(ensemble, await observed.at(dates[ensemble.valid]!)));
      }
    });
    for (const [nominal, list] of rows) {
      if (list.length < count(nominal) * perLead) continue;
      rows.delete(nominal);
      await csv.add(
        dates[nominal]!,
        list.sort((a, b) => a.leadHours - b.leadHours),
      );
    }
    progress.update(n + 1, { from: formatTime(dates[i]!) });
  }
  progress.finish();
  return { path: csv.path, channels: variables.map(({ name }) => name), times: mine.length, resumed };

  function rowsOf({ valid, lead, members }: LaggedEnsemble<Fields>, observations: Fields): MetricRow[] {
    const control = members.get(0)!;
    const ensemble = [control, ...[...members].filter(([lag]) => lag !== 0).map(([, fields]) => fields)];
    const row = (channel: string, metric: string, value: number): MetricRow => ({
      initialTime: dates[valid - lead]!,
      leadHours: (dates[valid]! - dates[valid - lead]!) / 3600,
      channel,
      metric,
      value,
    });
    const perChannel = variables.flatMap(({ name }, v) => {
      const sums = new EnsembleSums({ variables: [name], regions: ["global"], numLeads: 1, members: ensemble.length });
      const one = {
        members: ensemble.map((fields) => fields[v]!),
        truth: observations[v]!,
        time: dates[valid - lead]!,
      };
      sums.add(0, 0, one, weights);
      const scores = sums.scores(0, 0, 0);
      return [
        row(name, "crps", fair ? scores.crpsFair : scores.crps),
        row(name, "MSE_mean", scores.rmse ** 2),
        row(name, "variance", scores.spread ** 2),
        row(name, "MSE_det", scores.rmseControl ** 2),
      ];
    });
    return [...perChannel, row("", "ensemble_size", ensemble.length)];
  }
}

function requireTruth(source: Source, dates: readonly number[], initials: readonly number[], leads: number): void {
  const valid = new Set(initials.flatMap((i) => dates.slice(i, i + leads + 1)));
  const lacking = [...valid].filter((time) => !hasTime(source.times, time));
  if (lacking.length === 0) return;
  throw new DataError(
    `the truth lacks ${lacking.length} of ${valid.size} times, the first one ${formatTime(Math.min(...lacking))}`,
    {
      where: source.description,
      hint: "lagged ensembles verify at the initial times themselves: choose dates that the data have",
    },
  );
}

function lagRange(lags: number | readonly [number, number]): readonly [number, number] {
  const [first, last] = typeof lags === "number" ? [-Math.abs(lags), Math.abs(lags)] : lags;
  if (Number.isInteger(first) && Number.isInteger(last) && first <= 0 && last >= 0) return [first, last];
  throw new UsageError(`lags from ${first} to ${last} do not include 0, the forecast itself`, {
    hint: "give a number n for -n to n, or two numbers such as -2:0",
  });
}

function spacing(dates: readonly number[]): number {
  const step = dates[1]! - dates[0]!;
  const odd = dates.findIndex((time, i) => i > 0 && time - dates[i - 1]! !== step);
  if (dates.length > 1 && step > 0 && odd < 0) return step;
  throw new UsageError(
    dates.length < 2
      ? "lagged ensembles need at least two initial times"
      : `the initial times are not equally far apart: ${formatTime(dates[Math.max(1, odd)]!)} breaks the row`,
    { hint: "write them as a/to/b/by/12h" },
  );
}

function chosen<T extends { readonly name: string }>(
  variables: readonly T[],
  channels: readonly string[] | undefined,
): readonly T[] {
  const names = chooseVariables(
    channels,
    variables.map(({ name }) => name),
  );
  return names.map((name) => variables.find((v) => v.name === name)!);
}
