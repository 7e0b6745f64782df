// Which of two models is better: their RMSE over the dates that both have, and how sure the difference is. Dates are drawn again and again
// with replacement, the same ones for both models (paired bootstrap; Efron & Tibshirani 1993, chapter 13), so that weather which is hard
// for both does not blur the difference. Neighbouring dates are not independent: intervals are rather too narrow than too wide.

import { DataError } from "../core/errors.js";
import { eachDate, type ScoresConfig } from "./score-shards.js";

/** One variable at one lead. */
export interface ComparedScore {
  readonly variable: string;
  readonly leadHours: number;
  readonly rmse: readonly [first: number, second: number];
  /** How much lower the second's is, as a part of the first's: 0.05 is 5 %. */
  readonly gain: number;
  /** The middle 95 % of the gains of resampled dates. */
  readonly interval: readonly [low: number, high: number];
}

/** What came out. */
export interface ScoreComparison {
  readonly models: readonly [string, string];
  /** Dates that both have, epoch seconds. */
  readonly initialTimes: readonly number[];
  readonly scores: readonly ComparedScore[];
}

/** Options of `compareScores`. */
export interface CompareOptions {
  /** Resamplings. Default 1000. */
  readonly samples?: number;
  /** Of the random numbers; the same seed gives the same intervals. Default 0. */
  readonly seed?: number;
}

/**
 * Compares two folders of CSV scores (`scoreForecast` with a folder).
 * @throws DataError when they have no date, variable or lead in common; FormatError
 */
export async function compareScores(
  first: string,
  second: string,
  { samples = 1000, seed = 0 }: CompareOptions = {},
): Promise<ScoreComparison> {
  const [a, b] = [await squaredErrors(first), await squaredErrors(second)];
  const initialTimes = [...a.byDate.keys()].filter((time) => b.byDate.has(time));
  const variables = a.config.variables.map((v) => v.name).filter((name) => indexOf(b.config, name) >= 0);
  const leads = a.config.lead_hours.filter((hours) => b.config.lead_hours.includes(hours));
  if (initialTimes.length === 0 || variables.length === 0 || leads.length === 0) {
    throw new DataError("the two have no date, variable or lead in common", { where: `${first}; ${second}` });
  }
  const draws = drawDates(initialTimes.length, samples, seed);
  const scores = variables.flatMap((variable) =>
    leads.map((leadHours): ComparedScore => {
      const [x, y] = [a, b].map(({ config, byDate }) => {
        const [v, lead] = [indexOf(config, variable), config.lead_hours.indexOf(leadHours)];
        return Float64Array.from(initialTimes, (time) => byDate.get(time)![v]![lead]!);
      }) as [Float64Array, Float64Array];
      const gain = (dates: Iterable<number>) => {
        let [sx, sy] = [0, 0];
        for (const d of dates) {
          // A date without truth for one of the two counts for neither.
          if (Number.isNaN(x[d]! + y[d]!)) continue;
          sx += x[d]!;
          sy += y[d]!;
        }
        return 1 - Math.sqrt(sy / sx);
      };
      // Typed arrays sort numbers as such, NaN (no date with both, or no error at all) last.
      const gains = Float64Array.from(draws, gain).sort();
      const at = (share: number) => gains[Math.round(share * (gains.length - 1))]!;
      const both = [...x.keys()].filter((d) => !Number.isNaN(x[d]! + y[d]!));
      const rmse = (values: Float64Array) => Math.sqrt(both.reduce((sum, d) => sum + values[d]!, 0) / both.length);
      return { variable, leadHours, rmse: [rmse(x), rmse(y)], gain: gain(x.keys()), interval: [at(0.025), at(0.975)] };
    }),
  );
  return { models: [a.config.model, b.config.model], initialTimes, scores };
}

const indexOf = (config: ScoresConfig, name: string): number => config.variables.findIndex((v) => v.name === name);

/** Mean squared errors of the model on the whole grid by date, variable and lead. */
async function squaredErrors(folder: string) {
  const byDate = new Map<number, number[][]>();
  const { config } = await eachDate([folder], (time, { model }) => {
    byDate.set(
      time,
      model[0]!.map((leads) => leads.map(({ mse }) => mse)),
    );
  });
  return { config, byDate };
}

/** Samples of n dates with replacement; a small generator of our own keeps them the same everywhere (mulberry32). */
function drawDates(n: number, samples: number, seed: number): Int32Array[] {
  let state = seed >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Array.from({ length: samples }, () => Int32Array.from({ length: n }, () => Math.floor(random() * n)));
}

/** The comparison for a terminal. */
export function formatComparison({ models, initialTimes, scores }: ScoreComparison): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const rows = [
    ["variable", "lead", `RMSE ${models[0]}`, `RMSE ${models[1]}`, "lower by", "95 % of resamplings"],
    ...scores.map(({ variable, leadHours, rmse, gain, interval }) => [
      variable,
      `+${leadHours} h`,
      rmse[0].toPrecision(4),
      rmse[1].toPrecision(4),
      percent(gain),
      `${percent(interval[0])} to ${percent(interval[1])}`,
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
  return [...lines, `${initialTimes.length} dates that both have`].join("\n");
}
