// The fields of a forecast file for figures: one variable, one or all steps, beside the truth where there is one.

import { DataError, UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { formatDuration } from "../core/time.js";
import { type Grid, sameGrid } from "../grid/grid.js";
import type { Source } from "../sources/source.js";
import { openData } from "./data.js";

/** What to read. */
export interface ForecastFileOptions {
  /** Default: the first. */
  readonly variable?: string | undefined;
  /** Seconds after the initial time, the last step, or all steps. */
  readonly lead: number | "last" | "all";
  readonly truth?: readonly string[] | undefined;
}

/** One step. */
export interface ForecastFrame {
  readonly forecast: Float32Array;
  readonly truth?: Float32Array;
  /** Epoch seconds UTC. */
  readonly validTime: number;
  readonly leadHours: number;
}

/** Steps of one variable: what the map and animation functions draw. */
export interface ForecastFields {
  readonly grid: Grid;
  readonly variable: string;
  readonly longName: string;
  readonly units: string;
  readonly frames: readonly ForecastFrame[];
}

/** @throws UsageError for a variable or lead that is not there; DataError when the truth is on another grid or lacks a time */
export async function readForecast(path: string, options: ForecastFileOptions): Promise<ForecastFields> {
  const source = await openData([path]);
  let truth: Source | undefined;
  try {
    if (options.truth !== undefined) truth = await openData(options.truth);
    const names = source.variables.map((v) => v.name);
    const name = options.variable ?? names[0];
    const info = source.variables.find((v) => v.name === name);
    if (!info) {
      throw new UsageError(`${path} has no variable "${name}"`, {
        hint: didYouMean(name ?? "", names) || `it has ${names.join(", ")}`,
      });
    }
    if (truth && !sameGrid(truth.grid, source.grid)) {
      throw new DataError("the truth is on another grid than the forecast", {
        hint: "interpolate it to the forecast's grid first",
      });
    }
    const times = source.timesOf?.(info.name) ?? source.times;
    const start = times[0];
    if (start === undefined) throw new DataError(`${path} has no times`);
    const frames: ForecastFrame[] = [];
    for (const time of chooseTimes(times, options.lead)) {
      const request = { time, variables: [info.name] };
      const [forecast] = await source.read(request);
      const [real] = (await truth?.read(request)) ?? [];
      frames.push({
        forecast: forecast!.values,
        ...(real === undefined ? {} : { truth: real.values }),
        validTime: time,
        leadHours: (time - start) / 3600,
      });
    }
    return { grid: source.grid, variable: info.name, longName: info.longName, units: info.units, frames };
  } finally {
    await source.close();
    await truth?.close();
  }
}

/** Forecasts of one variable at the times that all of them have. */
export interface ComparedForecasts extends Omit<ForecastFields, "frames"> {
  readonly frames: readonly {
    readonly validTime: number;
    /** Where all forecasts began at the same time. */
    readonly leadHours: number | undefined;
    readonly truth: Float32Array | undefined;
    readonly forecasts: readonly Float32Array[];
  }[];
}

/** @throws as `readForecast`; DataError when the forecasts are on different grids or have no valid time in common */
export async function readForecasts(
  paths: readonly string[],
  options: Omit<ForecastFileOptions, "lead">,
): Promise<ComparedForecasts> {
  const all: ForecastFields[] = [];
  for (const [i, path] of paths.entries()) {
    // The first decides the variable, and reads the truth for all.
    const variable = all[0]?.variable ?? options.variable;
    all.push(await readForecast(path, { variable, lead: "all", truth: i === 0 ? options.truth : undefined }));
    if (sameGrid(all[0]!.grid, all[i]!.grid)) continue;
    throw new DataError(`${path} is on another grid than ${paths[0]}`, { hint: "interpolate one to the other first" });
  }
  const { frames: first, ...field } = all[0]!;
  const frames = first.flatMap((frame) => {
    const same = all.map(({ frames }) => frames.find(({ validTime }) => validTime === frame.validTime));
    if (same.some((found) => found === undefined)) return [];
    const isShared = same.every((found) => found!.leadHours === frame.leadHours);
    return [
      {
        validTime: frame.validTime,
        leadHours: isShared ? frame.leadHours : undefined,
        truth: frame.truth,
        forecasts: same.map((found) => found!.forecast),
      },
    ];
  });
  if (frames.length === 0) {
    throw new DataError(`the forecasts have no valid time in common: ${paths.join(", ")}`, {
      hint: "choose forecasts of the same days",
    });
  }
  return { ...field, frames };
}

function chooseTimes(times: readonly number[], lead: number | "last" | "all"): readonly number[] {
  if (lead === "all") return times;
  if (lead === "last") return times.slice(-1);
  const time = times[0]! + lead;
  if (times.includes(time)) return [time];
  const leads = times.map((t) => formatDuration(t - times[0]!));
  const shown = leads.length > 12 ? [...leads.slice(0, 10), "…", leads.at(-1)] : leads;
  throw new UsageError(`--lead: the forecast has no step at ${formatDuration(lead)}`, {
    hint: `it has ${shown.join(", ")}`,
  });
}
