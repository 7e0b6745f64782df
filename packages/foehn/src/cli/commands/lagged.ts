// foehn lagged: scores of the ensembles that forecasts from neighbouring dates make. The work is scores/lagged/lagged.ts.

import { UsageError } from "../../core/errors.js";
import { table } from "../io.js";
import { addMachineOptions, type ModelRunFlags, oneOrMany, runModel } from "../model-run.js";
import {
  borderDataOption,
  dataOption,
  integerOption,
  listOption,
  pathsOption,
  regridOption,
  shardOptions,
  timesOption,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags extends ModelRunFlags {
  readonly data: readonly string[];
  readonly dates?: readonly number[];
  readonly forecastDir?: readonly string[];
  readonly persistence?: boolean;
  readonly lags?: string;
  readonly leads?: number;
  readonly channels?: readonly string[];
  readonly crpsUnbiased?: boolean;
  readonly output?: string;
}

/** foehn lagged */
export const define: DefineVerb = (command, run) => {
  command
    .usage("[package] --data <path> --dates <a/to/b/by/12h> [options]")
    .argument("[package]", "the model; or --forecast-dir, or --persistence")
    .optionsGroup("Forecasts:")
    .addOption(dataOption("initial states and truth").makeOptionMandatory())
    .addOption(timesOption("--dates <times>", "initial times, equally far apart: a/to/b/by/12h"))
    .addOption(pathsOption("--forecast-dir <path>", "forecasts on the disk instead of a model; may be repeated"))
    .option("--persistence", "the forecast that repeats its initial state")
    .optionsGroup("Scores:")
    .option("--lags <n>", "lags in steps between the dates: n for -n to n, or first:last (default: 4)")
    .addOption(integerOption("--leads <n>", "longest lead in steps between the dates; default 54", { min: 0 }))
    .addOption(listOption("--channels <names>", "variables to score, separated by commas; default all"))
    .option("--crps-unbiased", "CRPS as if the ensemble had members without end (fair)")
    .option("-o, --output <folder>", "where the CSV goes, one file per shard (default: here)")
    .addOption(regridOption())
    .addOption(borderDataOption());
  for (const option of shardOptions()) command.addOption(option);
  addMachineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  foehn lagged my-model --data era5.zarr --dates 2018-01-01/to/2018-12-01/by/12h --channels z500,t850 -o lagged
  foehn lagged --persistence --data era5.zarr --dates 2018-01-01/to/2018-02-01/by/12h --lags 2 --leads 10

Lines of <output>/000.csv: initial time, lead hours, channel, metric, value; metrics crps, MSE_mean, variance, MSE_det and, without
a channel, ensemble_size. A second call goes on after the initial times that are complete.
`,
    )
    .action(
      run(async (console, flags: Flags, name: string | undefined) => {
        const { scoreLagged } = await import("../../scores/lagged/lagged.js");
        const result = await runModel(console, flags, (model) =>
          scoreLagged({
            ...model,
            package: name,
            forecasts: flags.forecastDir,
            persistence: flags.persistence,
            source: oneOrMany(flags.data),
            dates: flags.dates,
            lags: parseLags(flags.lags),
            leads: flags.leads,
            channels: flags.channels,
            fair: flags.crpsUnbiased,
            output: flags.output ?? ".",
          }),
        );
        console.result(
          result,
          table([
            ["scores", result.path],
            ["initial times", `${result.times}${result.resumed > 0 ? `, ${result.resumed} of them from before` : ""}`],
            ["channels", result.channels.join(", ")],
          ]),
        );
      }),
    );
};

function parseLags(text: string | undefined): number | readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(":");
  if (parts.length <= 2 && parts.every((part) => /^-?\d+$/.test(part))) {
    return parts.length === 1 ? Number(parts[0]) : [Number(parts[0]), Number(parts[1])];
  }
  throw new UsageError(`--lags: expected a number such as 4, or first:last such as -2:0, got "${text}"`);
}
