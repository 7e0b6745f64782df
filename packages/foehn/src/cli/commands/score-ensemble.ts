// foehn score-ensemble: ensembles on the disk against truth. The work is scores/ensemble/score-ensemble.ts.

import { Option } from "commander";
import { UsageError } from "../../core/errors.js";
import { withInterrupt } from "../../core/interrupt.js";
import { commandLine } from "../command-line.js";
import { listOption, overwriteOption, shardOptions, timesOption, truthOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly truth?: readonly string[];
  readonly output: string;
  readonly channels?: readonly string[];
  readonly regions?: readonly string[];
  readonly dates?: readonly number[];
  readonly timeAveragingWindow?: string;
  readonly threshold?: Readonly<Record<string, readonly number[]>>;
  readonly energy?: boolean;
  readonly fair?: boolean;
  readonly maps: boolean;
  readonly score: boolean;
  readonly saveEnsemble?: boolean;
  readonly overwrite?: boolean;
  readonly shard?: number;
  readonly nShards?: number;
}

/** foehn score-ensemble */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<forecasts...> --truth <path> -o <folder>")
    .argument("<forecasts...>", "Zarr stores, NetCDF files, or folders of them")
    .optionsGroup("Scores:")
    .addOption(truthOption())
    .requiredOption("-o, --output <folder>", "where maps and scores.json go")
    .addOption(listOption("--channels <names>", "variables to score, separated by commas; default all"))
    .addOption(listOption("--regions <names>", "global, tropics, northern_extratropics, …; default all points"))
    .addOption(timesOption("--dates <times>", "initial times; default all"))
    .option("--time-averaging-window <length>", "mean over this long first, such as 2W or 14d")
    .addOption(
      new Option("--threshold <name=values>", "Brier score of t2m=273.15,298.15; may be repeated").argParser(threshold),
    )
    .option("--energy", "energy score of the fields too (costs members × members)")
    .option("--fair", "CRPS maps as if the ensemble had members without end")
    .optionsGroup("Output:")
    .option("--no-maps", "scores only, no maps")
    .option("--no-score", "mean and variance only, no truth")
    .option("--save-ensemble", "write the members as they were scored, too")
    .addOption(overwriteOption());
  for (const option of shardOptions()) command.addOption(option);
  command
    .addHelpText(
      "after",
      `
Examples:
  foehn score-ensemble ensemble.zarr --truth era5.zarr -o scores --regions global,tropics
  foehn score-ensemble job --truth era5.zarr -o scores --time-averaging-window 2W

Forecasts with domains get a folder for each. Maps: mean, variance, ensemble_mse, deterministic_mse, crps (.zarr).
A second call goes on where the first one stopped; shards fill the same folder, and the last one writes scores.json.
`,
    )
    .action(
      run(async (console, flags: Flags, forecasts: readonly string[]) => {
        if (flags.score && flags.truth === undefined) {
          throw new UsageError("scores need --truth", { hint: "give --no-score for mean and variance only" });
        }
        const [{ scoreEnsemble }, { formatEnsembleTable }, { averagingSeconds }] = await Promise.all([
          import("../../scores/ensemble/score-ensemble.js"),
          import("../../scores/ensemble/table.js"),
          import("../../forecast/ensemble/job.js"),
        ]);
        const averaging =
          flags.timeAveragingWindow === undefined ? undefined : averagingSeconds(flags.timeAveragingWindow);
        if (averaging !== undefined && !(averaging > 0)) {
          throw new UsageError(
            `--time-averaging-window: expected a length such as 2W or 14d, got "${flags.timeAveragingWindow}"`,
          );
        }
        const domains = await withInterrupt((signal) =>
          scoreEnsemble({
            forecasts,
            truth: flags.score ? flags.truth : undefined,
            output: flags.output,
            channels: flags.channels,
            regions: flags.regions,
            dates: flags.dates,
            averaging,
            thresholds: flags.threshold,
            energy: flags.energy,
            fair: flags.fair,
            maps: flags.maps,
            saveEnsemble: flags.saveEnsemble,
            overwrite: flags.overwrite,
            shard: flags.shard,
            nShards: flags.nShards,
            history: commandLine(),
            signal,
            progress: console.progress(),
          }),
        );
        const text = domains.map(({ folder, table, isComplete }) =>
          [
            ...(table === undefined ? [] : [formatEnsembleTable(table)]),
            `${isComplete ? "wrote" : "not complete, other shards have work to do:"} ${folder}`,
          ].join("\n"),
        );
        console.result({ domains: domains.map((one) => ({ ...one, domain: one.domain ?? null })) }, text.join("\n\n"));
      }),
    );
};

function threshold(text: string, before: Readonly<Record<string, readonly number[]>> = {}) {
  const [name, list] = text.split("=");
  const values = list?.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (name && values?.every(Number.isFinite)) return { ...before, [name]: values };
  throw new UsageError(`--threshold: expected a variable and its thresholds such as t2m=273.15,298.15, got "${text}"`);
}
