// foehn score: forecasts of a package from many dates, verified against data; merge: shards to one result; compare: two models.
// The work is scores/score.ts and scores/compare.ts.

import { Option } from "commander";
import { UsageError } from "../../core/errors.js";
import { formatTime, parseDuration } from "../../core/time.js";
import { type NamedRegion, regionByName } from "../../scores/ensemble/regions.js";
import type { ScoreFormat } from "../../scores/scores-file.js";
import { addMachineOptions, type ModelRunFlags, oneOrMany, runModel } from "../model-run.js";
import {
  borderDataOption,
  choiceOption,
  dataChoiceOptions,
  dataOption,
  explainOption,
  integerOption,
  overwriteOption,
  regridOption,
  shardOptions,
  stepsOption,
  timeOption,
  timesOption,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags extends ModelRunFlags {
  readonly data?: readonly string[];
  readonly dataMember?: number;
  readonly dataRun?: number;
  readonly start?: number;
  readonly dates?: readonly number[];
  readonly startTime?: number;
  readonly endTime?: number;
  readonly timeStep?: number;
  readonly steps?: number | string;
  readonly output?: string;
  readonly format?: ScoreFormat;
  readonly batchSize?: number;
  readonly forecastOutput?: string;
  readonly overwrite?: boolean;
  readonly explain?: boolean;
  readonly acc?: "uncentred" | "centred";
  readonly climatology?: string;
  readonly region?: readonly NamedRegion[];
}

const accOption = () =>
  choiceOption("--acc <convention>", "anomalies of the ACC; default uncentred", ["uncentred", "centred"]);

/** foehn score | foehn score merge | foehn score compare */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<package> --data <path> --steps <n> [options] | merge <folder>… | compare <a> <b>")
    .argument("<package>", "folder, address (https, s3, hf, ngc), or a name in MODEL_REGISTRY")
    .optionsGroup("Scores:")
    .addOption(dataOption("initial states and truth"))
    .addOption(
      timesOption(
        "--dates <times>",
        "initial times: a/b/c, or a/to/b/by/6h (default: all outside of the training and validation periods, 6h apart)",
      ),
    )
    .addOption(timeOption("--start <time>", "one initial time").conflicts("dates"))
    .addOption(timeOption("--start-time <time>", "first initial time, with --end-time").conflicts(["dates", "start"]))
    .addOption(timeOption("--end-time <time>", "last initial time, included"))
    .addOption(timeStepOption())
    .addOption(stepsOption("-n, --steps <n>", "number of steps, or a lead time such as 2d"))
    .option("-o, --output <file>", "scores.nc, .zarr or .json; or a folder for CSV, which is gone on with")
    .addOption(choiceOption("--format <name>", "where the name does not say it", ["nc", "zarr", "json", "csv"]));
  for (const option of shardOptions()) command.addOption(option);
  command
    .option("--forecast-output <file>", "write the forecasts too, in the same pass: .zarr or .nc")
    .addOption(accOption())
    .option(
      "--climatology <file>",
      "means for the anomalies, of all times or by dayofyear and hour: .npy, NetCDF or Zarr (default: the package's)",
    )
    .addOption(regionOption())
    .addOption(borderDataOption())
    .addOption(regridOption())
    .addOption(explainOption())
    .addOption(overwriteOption());
  for (const option of dataChoiceOptions()) command.addOption(option);
  command
    .optionsGroup("Machine:")
    .addOption(integerOption("--batch-size <n>", "forecasts computed at once; default 1", { min: 1 }));
  addMachineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  foehn score my-model --data era5.grib -n 12 -o scores.nc
  foehn score my-model --data era5.grib --dates 2019-03-25/to/2019-03-29/by/6h -n 12h --json > scores.json
  foehn score my-model --data era5.zarr --start-time 2018-01-01 --end-time 2018-12-01 -n 56 -o scores/ --shard 0 --n-shards 4
  foehn score merge scores/ -o scores.nc

Prints RMSE, MAE, bias and ACC by variable and lead, beside persistence. With --json: { variables, lead_hours,
model: { rmse, mae, bias, acc }, persistence: { … } }, each metric a list per variable with one value per lead.
`,
    )
    .action(
      run(async (console, flags: Flags, name: string) => {
        // Not commander's own check: `merge` below needs neither.
        const { data, steps } = flags;
        if (data === undefined) throw required("-d, --data <path>");
        if (steps === undefined) throw required("-n, --steps <n>");
        const dates = datesOf(flags);
        if (flags.explain) {
          const { printExplanation } = await import("../explain.js");
          const { defaultDates } = await import("../../scores/score.js");
          const { borderData: borderSource, output, forecastOutput, regrid, overwrite, batchSize, trust } = flags;
          return printExplanation(console, {
            ...{ verb: "score", package: name, source: data, borderSource, dates, steps, regrid, batchSize, trust },
            ...{ dataMember: flags.dataMember, dataRun: flags.dataRun },
            overwrite: overwrite === true,
            outputs: [forecastOutput ?? []].flat(),
            // A folder of CSV files is gone on with.
            otherOutputs: [output ?? []].flat().filter((file) => /\.\w+$/.test(file)),
            defaultDates: ({ times }, facts, n) => defaultDates(times, facts, facts.numInputSteps, n),
          });
        }
        const [{ scoreForecast }, { formatScoreTable }] = await Promise.all([
          import("../../scores/score.js"),
          import("../../scores/table.js"),
        ]);
        const result = await runModel(console, flags, (model) =>
          scoreForecast({
            ...model,
            package: name,
            source: oneOrMany(data),
            dataMember: flags.dataMember,
            dataRun: flags.dataRun,
            dates,
            steps,
            output: flags.output,
            format: flags.format,
            batchSize: flags.batchSize,
            forecastOutput: flags.forecastOutput,
            overwrite: flags.overwrite === true,
            accConvention: flags.acc,
            climatology: flags.climatology,
            regions: flags.region,
          }),
        );
        const { table, path, forecastPath, seconds } = result;
        const written = [path, forecastPath].filter((file) => file !== undefined);
        const lines = [
          formatScoreTable(table),
          "",
          ...written.map((file) => `wrote ${file}`),
          `took ${seconds.toFixed(1)} s`,
        ];
        console.result(
          { ...table, path: path ?? null, forecast_path: forecastPath ?? null, seconds },
          lines.join("\n"),
        );
      }),
    );
  command
    .command("merge")
    .description("Add up folders of CSV scores: one result, the same however many processes made them.")
    .argument("<folders...>", "folders that `foehn score … -o FOLDER` has filled")
    .option("-o, --output <file>", "scores.nc, .zarr or .json")
    .addOption(choiceOption("--format <name>", "where the name does not say it", ["nc", "zarr", "json"]))
    .addOption(accOption())
    .addOption(overwriteOption())
    .action(
      run(async (console, flags: Pick<Flags, "output" | "overwrite" | "acc"> & MergeFlags, folders: string[]) => {
        const [{ mergeScores }, { formatScoreTable }] = await Promise.all([
          import("../../scores/score.js"),
          import("../../scores/table.js"),
        ]);
        const { table, incomplete, path } = await mergeScores({
          folders,
          output: flags.output,
          format: flags.format,
          overwrite: flags.overwrite === true,
          accConvention: flags.acc,
        });
        const lines = [
          formatScoreTable(table),
          ...(incomplete.length > 0 ? [`left out, not complete: ${incomplete.map(formatTime).join(", ")}`] : []),
          ...(path === undefined ? [] : ["", `wrote ${path}`]),
        ];
        console.result({ ...table, path: path ?? null, incomplete: incomplete.map(formatTime) }, lines.join("\n"));
      }),
    );
  command
    .command("compare")
    .description("Compare two folders of CSV scores date by date: which has the lower RMSE, and how sure that is.")
    .argument("<first>", "a folder that `foehn score … -o FOLDER` has filled")
    .argument("<second>", "another one")
    .addOption(integerOption("--samples <n>", "resamplings of the dates; default 1000", { min: 10 }))
    .addOption(integerOption("--seed <n>", "of the resampling; default 0", { min: 0 }))
    .action(
      run(async (console, flags: { samples?: number; seed?: number }, first: string, second: string) => {
        const { compareScores, formatComparison } = await import("../../scores/compare.js");
        const result = await compareScores(first, second, flags);
        const value = {
          models: result.models,
          initial_times: result.initialTimes.map(formatTime),
          scores: result.scores.map(({ leadHours, ...score }) => ({ ...score, lead_hours: leadHours })),
        };
        console.result(value, formatComparison(result));
      }),
    );
};

interface MergeFlags {
  readonly format?: Exclude<ScoreFormat, "csv">;
}

const required = (flags: string) => new UsageError(`required option '${flags}' not specified`);

/** Dates in the spelling of `inference_medium_range`, or in ours. */
function datesOf({ start, dates, startTime, endTime, timeStep }: Flags): readonly number[] | undefined {
  if (start !== undefined) return [start];
  if (startTime === undefined && endTime === undefined) {
    if (timeStep !== undefined) throw new UsageError("--time-step needs --start-time and --end-time");
    return dates;
  }
  if (startTime === undefined || endTime === undefined) {
    throw new UsageError(`--${startTime === undefined ? "end" : "start"}-time alone is no period`, {
      hint: "give both --start-time and --end-time, or --dates a/to/b/by/12h",
    });
  }
  const step = timeStep ?? 12 * 3600;
  if (startTime > endTime || step <= 0) throw new UsageError("--start-time must not be after --end-time");
  return Array.from({ length: Math.floor((endTime - startTime) / step) + 1 }, (_, i) => startTime + i * step);
}

/** A bare number is of hours, as there. */
function timeStepOption(): Option {
  return new Option("--time-step <hours>", "between initial times: hours, or 6h, 1d; default 12").argParser((text) => {
    try {
      const seconds = parseDuration(/^\d+$/.test(text) ? `${text}h` : text);
      if (seconds > 0) return seconds;
    } catch {
      // said below
    }
    throw new UsageError(`--time-step: expected hours or a duration such as 6h, got "${text}"`);
  });
}

/** `--region tropics`, or `--region alps=44,48,5,16`: south, north, west, east. */
function regionOption(): Option {
  return new Option(
    "--region <area>",
    "score an area too: tropics, northern_hemisphere, …, or name=south,north,west,east; may be repeated",
  ).argParser((text: string, before: readonly NamedRegion[] = []): readonly NamedRegion[] => {
    const [name = "", box] = text.split("=");
    if (box === undefined) return [...before, regionByName(name)];
    const edges = box.split(",").map((edge) => (edge.trim() === "" ? Number.NaN : Number(edge)));
    const [south, north, west, east] = edges;
    if (!/^[\w.-]+$/.test(name) || edges.length !== 4 || !edges.every(Number.isFinite) || !(south! <= north!)) {
      throw new UsageError(`--region: expected name=south,north,west,east in degrees, got "${text}"`);
    }
    return [...before, { name, south: south!, north: north!, west: west!, east: east! }];
  });
}
