// What terciles are made of: two-week means by initial time, lead and member, from forecasts on the disk or from data (whose only member is
// what happened at the same valid times).

import { DataError, UsageError } from "../../core/errors.js";
import { formatDuration, formatTime } from "../../core/time.js";
import { stateReader } from "../../forecast/initial-state.js";
import type { OutputVariable } from "../../forecast/outputs/output.js";
import { chooseVariables } from "../../forecast/outputs/select-output.js";
import { shardOf } from "../../forecast/work-plan.js";
import type { Grid } from "../../grid/grid.js";
import type { ForecastStore } from "../../sources/forecast-store.js";
import type { Source } from "../../sources/source.js";
import { leadWindows, meanField } from "../ensemble/windows.js";
import { isoWeek } from "./terciles.js";

/** The leads of the S2S AI challenge: weeks 3–4 and 5–6, seconds. */
export const challengeLeads: readonly number[] = [14 * 86_400, 28 * 86_400];

/** Length of a mean, seconds. */
export const twoWeeks = 14 * 86_400;

/** Means over two weeks. */
export interface Samples {
  readonly description: string;
  readonly grid: Grid;
  readonly variables: readonly OutputVariable[];
  readonly initialTimes: readonly number[];
  /** Begin of the two weeks after the initial time, seconds. */
  readonly leads: readonly number[];
  /** The members' fields. */
  read(variable: string, initialTime: number, lead: number): Promise<Float32Array[]>;
}

/** @throws UsageError when the forecasts do not reach the leads or lack a variable */
export function forecastSamples(
  store: ForecastStore,
  options: { readonly variables?: readonly string[] | undefined; readonly leads?: readonly number[] | undefined } = {},
): Samples {
  const { leads = challengeLeads } = options;
  const spacing = store.leadTimes.length > 1 ? store.leadTimes[1]! - store.leadTimes[0]! : 0;
  // Means that were made before (score-ensemble --time-averaging-window 2W) are as far apart as they are long.
  const windows = leadWindows(store.leadTimes, spacing >= twoWeeks ? undefined : twoWeeks);
  const lacking = leads.find((lead) => !windows.some((window) => window.lead === lead));
  if (lacking !== undefined) {
    throw new UsageError(`the forecasts have no two weeks from +${formatDuration(lacking)}`, {
      hint: `they have ${windows.map(({ lead }) => `+${formatDuration(lead)}`).join(", ")}`,
    });
  }
  return {
    description: store.description,
    grid: store.grid,
    variables: pick(store.variables, options.variables),
    initialTimes: store.initialTimes,
    leads,
    read: (variable, initialTime, lead) =>
      Promise.all(
        Array.from({ length: store.members }, async (_, m) => {
          const { leads: all } = windows.find((window) => window.lead === lead)!;
          return meanField(await Promise.all(all.map((one) => store.read(variable, initialTime, one, m))));
        }),
      ),
  };
}

/** @throws DataError (from `read`) when the data have no times in the two weeks */
export function dataSamples(
  source: Source,
  options: {
    readonly initialTimes: readonly number[];
    readonly grid?: Grid | undefined;
    readonly variables?: readonly string[] | undefined;
    readonly leads?: readonly number[] | undefined;
  },
): Samples {
  const { leads = challengeLeads, grid = source.grid } = options;
  const variables = pick(source.variables, options.variables);
  const reader = new Map(variables.map((variable) => [variable.name, stateReader(source, [variable], grid)]));
  return {
    description: source.description,
    grid,
    variables,
    initialTimes: options.initialTimes,
    leads,
    async read(variable, initialTime, lead) {
      const from = initialTime + lead;
      const times = source.times.filter((time) => time >= from && time < from + twoWeeks);
      if (times.length === 0 || times[0]! - from > 86_400 || from + twoWeeks - times.at(-1)! > 2 * 86_400) {
        throw new DataError(`the data do not cover the two weeks from ${formatTime(from)}`, {
          where: source.description,
        });
      }
      const fields: Float32Array[] = [];
      for (const time of times) fields.push((await reader.get(variable)!.read(time, { allowMissing: true }))[0]!);
      return [meanField(fields)];
    },
  };
}

/**
 * Part `shard` of `nShards` of the initial times: whole ISO weeks, so that edges and probabilities can be made of the same parts.
 * @throws UsageError for a shard that does not exist, or has no week
 */
export function shardSamples(samples: Samples, shard = 0, nShards = 1): Samples {
  const weeks = [...new Set(samples.initialTimes.map(isoWeek))].sort((a, b) => a - b);
  const mine = new Set(shardOf(weeks, shard, nShards));
  if (mine.size === 0) {
    throw new UsageError(`shard ${shard} of ${nShards} has nothing to do: the dates are in ${weeks.length} ISO weeks`, {
      hint: `use at most ${weeks.length} shards`,
    });
  }
  return { ...samples, initialTimes: samples.initialTimes.filter((time) => mine.has(isoWeek(time))) };
}

function pick<T extends OutputVariable>(variables: readonly T[], wanted: readonly string[] | undefined): readonly T[] {
  const names = chooseVariables(
    wanted,
    variables.map(({ name }) => name),
  );
  return names.map((name) => variables.find((v) => v.name === name)!);
}
