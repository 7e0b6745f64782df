// foehn forecast: a package, data and a start to a file. The work is forecast/forecast.ts.

import { type Command, Option } from "commander";
import { UsageError } from "../../core/errors.js";
import { formatDuration, formatTimeShort } from "../../core/time.js";
import type { ForecastOptions, ForecastResult } from "../../forecast/forecast.js";
import type { PointMethod } from "../../forecast/outputs/domains.js";
import { type Console, table } from "../io.js";
import { addMachineOptions, type ModelRunFlags, oneOrMany, runModel } from "../model-run.js";
import {
  borderDataOption,
  choiceOption,
  dataChoiceOptions,
  dataOption,
  explainOption,
  integerOption,
  listOption,
  numberOption,
  overwriteOption,
  pathsOption,
  regridOption,
  shardOptions,
  stepsOption,
  timeOption,
  timesOption,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags extends ModelRunFlags {
  readonly data: readonly string[];
  readonly dataMember?: number;
  readonly dataRun?: number;
  readonly start?: number;
  readonly dates?: readonly number[];
  readonly steps: number | string;
  readonly members?: number;
  readonly perturbation?: string;
  readonly amplitude?: number;
  readonly perturb?: readonly string[];
  readonly seed?: number;
  readonly batchSize?: number;
  readonly output: readonly string[];
  readonly variables?: readonly string[];
  readonly region?: readonly string[];
  readonly points?: readonly string[];
  readonly pointMethod?: PointMethod;
  readonly average?: string;
  readonly outputFrequency?: number;
  readonly chunks?: string;
  readonly shards?: string;
  readonly gribBits?: number;
  readonly overwrite?: boolean;
  readonly compression?: string;
  readonly zarrFormat?: "2" | "3";
  readonly resume?: boolean;
  readonly outputStd?: boolean;
  readonly diagnostic?: readonly string[];
  readonly dummy?: boolean;
  readonly explain?: boolean;
}

/** foehn forecast */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<package> --data <path> --steps <n> -o <file>")
    .argument("<package>", "folder, address (https, s3, hf, ngc), or a name in MODEL_REGISTRY")
    .optionsGroup("Forecast:")
    .addOption(dataOption("initial conditions").makeOptionMandatory())
    .addOption(
      timeOption("--start <time>", "initial time (default: the newest that the data allow)").conflicts("dates"),
    )
    .addOption(timesOption("--dates <times>", "several initial times: a/b/c, or a/to/b/by/6h"))
    .addOption(stepsOption("-n, --steps <n>", "number of steps, or a lead time such as 10d").makeOptionMandatory())
    .addOption(
      pathsOption(
        "--diagnostic <what>",
        "append wind_speed:<levels>, relative_humidity:<levels>, surface_pressure:<levels>, … or what a package gives; may be repeated",
      ),
    )
    .option("--output-std", "the model's standard deviation of each variable too, as <name>_std; see foehn train")
    .addOption(borderDataOption())
    .addOption(regridOption())
    .addOption(
      // What stands for --data, which is otherwise mandatory; nobody reads it.
      new Option("--dummy", "no data and no weights: dummy fields, every slot of the model checked").implies({
        data: [],
      }),
    )
    .addOption(explainOption());
  for (const option of dataChoiceOptions()) command.addOption(option);
  command
    .optionsGroup("Ensemble:")
    .addOption(integerOption("--members <n>", "forecasts from each initial time; the first is unperturbed", { min: 1 }))
    .option(
      "--perturbation <kind>",
      "what makes them differ: correlated (default), gaussian, spherical_grf, bred_vector, none",
    )
    .addOption(numberOption("--amplitude <x>", "in standard deviations of each variable; default 0.05", { min: 0 }))
    .addOption(listOption("--perturb <names>", "the variables to perturb, separated by commas; default all"))
    .addOption(integerOption("--seed <n>", "of the random numbers; default 1", { min: 0 }));
  outputOptions(command);
  command
    .optionsGroup("Large forecasts:")
    .addOption(integerOption("--batch-size <n>", "forecasts that the model computes at once; default 1", { min: 1 }))
    .option("--resume", "keep what is finished when stopped; the same command goes on from there");
  for (const option of shardOptions()) command.addOption(option);
  addMachineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  foehn forecast my-model --data era5.grib --start 2019-03-28T00 --steps 12 -o forecast.nc
  foehn forecast my-model --data 'era5/*.nc' --dates 2019-03-01/to/2019-03-10/by/1d -n 10d -o forecast.zarr
  foehn forecast my-model --data era5.zarr --dates 2018-01-01/to/2018-12-01/by/12h --members 16 --batch-size 8 \\
    -n 10d --shards ensemble=16,lead=8 --compression zstd --shard 0 --n-shards 4 -o hindcast.zarr

A file holds the initial condition and every step, in physical units, with CF coordinates: xarray.open_dataset reads it.
Members and shards do not change a forecast: the same seed, date and member give the same fields in any batch.
`,
    )
    .action(
      run(async (console, flags: Flags, name: string) => {
        const options = await optionsOf(flags);
        if (flags.explain) {
          const { printExplanation } = await import("../explain.js");
          const { borderData: borderSource, output: outputs, regrid, trust } = flags;
          const what = { ...options, regrid, trust, borderSource, outputs };
          return printExplanation(console, { ...what, verb: "forecast", package: name });
        }
        const { forecast } = await import("../../forecast/forecast.js");
        const result = await runModel(console, flags, (model) => forecast({ ...options, ...model, package: name }));
        report(console, result);
      }),
    );
};

function outputOptions(command: Command): void {
  command
    .optionsGroup("Output:")
    .addOption(
      pathsOption(
        "-o, --output <file>",
        "where it goes: a name ending in .zarr, .nc or .grib2; may be repeated",
      ).makeOptionMandatory(),
    )
    .addOption(listOption("--variables <names>", "what to keep, separated by commas (default: all)"))
    .addOption(
      pathsOption("--region <box>", "north,west,south,east in degrees; several as name=… are groups of a .nc file"),
    )
    .addOption(
      pathsOption("--points <places>", "lat,lon;lat,lon or a CSV file with the columns name, lat, lon; as --region"),
    )
    .addOption(choiceOption("--point-method <how>", "how points are found; default nearest", ["nearest", "bilinear"]))
    .option("--average <window>", "means over windows such as 7d or 2w instead of steps; not of the initial condition")
    .addOption(
      integerOption("--output-frequency <n>", "keep every n-th step, from the initial condition; default 1", {
        min: 1,
      }),
    )
    .option("--compression <how>", "Zarr: none, gzip, zstd or blosc; NetCDF: none or 1 to 9 (default: none)")
    .option("--chunks <sizes>", "Zarr: sizes of chunks, such as lead=4,lat=181 (default: one field)")
    .option("--shards <sizes>", "Zarr: chunks that share a file, such as ensemble=all,lead=8 (default: one)")
    .addOption(choiceOption("--zarr-format <n>", "version of the Zarr format; default 3", ["2", "3"]))
    .addOption(integerOption("--grib-bits <n>", "GRIB: bits of each value; default 16", { min: 1, max: 32 }))
    .addOption(overwriteOption());
}

async function optionsOf(flags: Flags): Promise<Omit<ForecastOptions, "package">> {
  const { parseAxisSizes } = await import("../../forecast/outputs/chunk-shapes.js");
  const { parsePoints, parseWindow } = await import("../../forecast/outputs/domain-text.js");
  const domains = [...(flags.region ?? []).map((text) => within("--region", () => parseWindow(text)))];
  const points = [];
  for (const text of flags.points ?? []) points.push(await parsePoints(text, flags.pointMethod));
  const sizes = (flag: string, text: string | undefined) =>
    text === undefined ? undefined : within(flag, () => parseAxisSizes(text));
  return {
    source: oneOrMany(flags.data),
    dataMember: flags.dataMember,
    dataRun: flags.dataRun,
    start: flags.start,
    dates: flags.dates,
    steps: flags.steps,
    members: flags.members,
    perturbation: await perturbationOf(flags),
    batchSize: flags.batchSize,
    resume: flags.resume === true,
    output: flags.output,
    overwrite: flags.overwrite === true,
    variables: flags.variables,
    domains: [...domains, ...points],
    average: flags.average,
    outputFrequency: flags.outputFrequency,
    compression: flags.compression,
    chunks: sizes("--chunks", flags.chunks),
    shards: sizes("--shards", flags.shards),
    gribBits: flags.gribBits,
    zarrFormat: flags.zarrFormat === undefined ? undefined : flags.zarrFormat === "2" ? 2 : 3,
    outputStd: flags.outputStd,
    diagnostics: flags.diagnostic,
    dummy: flags.dummy === true,
  };
}

async function perturbationOf({ members, perturbation, amplitude, perturb, seed }: Flags) {
  const isEnsemble = members !== undefined;
  const given = perturbation !== undefined || amplitude !== undefined || perturb !== undefined || seed !== undefined;
  if (!isEnsemble && given) {
    throw new UsageError("a single forecast is not perturbed", { hint: "give --members, such as --members 16" });
  }
  if (!isEnsemble) return undefined;
  const { createPerturbation } = await import("../../forecast/perturbations/registry.js");
  return createPerturbation(perturbation ?? "correlated", { seed, amplitude, channels: perturb });
}

/** Says which flag is wrong. */
function within<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${flag}: ${error.message}`, { hint: error.hint });
    throw error;
  }
}

function report(console: Console, result: ForecastResult): void {
  const { initialTimes, members, steps, stepSeconds, paths } = result;
  const value = {
    path: result.path,
    paths,
    variables: result.variables,
    initial_times: initialTimes.map((time) => new Date(time * 1000).toISOString()),
    ...(members === undefined ? {} : { members }),
    steps,
    step_hours: stepSeconds / 3600,
    ...(result.checkedSlots === undefined ? {} : { checked_slots: result.checkedSlots }),
    seconds: result.seconds,
  };
  const from =
    initialTimes.length === 1
      ? formatTimeShort(initialTimes[0]!)
      : `${initialTimes.length} dates from ${formatTimeShort(initialTimes[0]!)}`;
  console.result(
    value,
    table([
      ...paths.map((path) => ["forecast", path ?? "this part is finished; the other shards are not"]),
      ["from", from],
      ...(members === undefined ? [] : [["members", String(members)]]),
      ["to", `+${formatDuration(steps * stepSeconds)}, ${steps} steps of ${formatDuration(stepSeconds)}`],
      ["variables", result.variables.join(", ")],
      ...(result.checkedSlots === undefined ? [] : [["dummy", `${result.checkedSlots} slots checked, all right`]]),
      ["took", `${result.seconds.toFixed(1)} s`],
    ]),
  );
}
