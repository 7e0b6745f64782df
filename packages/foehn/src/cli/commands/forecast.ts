// foehn forecast: a package, data and a start to a file. The work is forecast/forecast.ts.

import { Option } from "commander";
import { withInterrupt } from "../../core/interrupt.js";
import { formatDuration, formatTimeShort } from "../../core/time.js";
import { commandLine } from "../command-line.js";
import { withOptionalData } from "../data.js";
import { table } from "../io.js";
import {
  borderDataOption,
  choiceOption,
  dataOption,
  deviceOption,
  overwriteOption,
  pathsOption,
  regridOption,
  stepsOption,
  threadsOption,
  timeOption,
  timesOption,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly data: readonly string[];
  readonly start?: number;
  readonly dates?: readonly number[];
  readonly steps: number | string;
  readonly output: string;
  readonly overwrite?: boolean;
  readonly compression?: string;
  readonly zarrFormat?: "2" | "3";
  readonly borderData?: readonly string[];
  readonly regrid?: { readonly method: string };
  readonly diagnostic?: readonly string[];
  readonly dummy?: boolean;
  readonly device?: string;
  readonly precision?: "auto" | "fp32" | "bf16-mixed";
  readonly threads?: number;
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
    .requiredOption("-o, --output <file>", "where it goes: a name ending in .zarr or .nc")
    .option("--compression <how>", "Zarr: none, gzip, zstd or blosc; NetCDF: none or 1 to 9 (default: none)")
    .addOption(choiceOption("--zarr-format <n>", "version of the Zarr format; default 3", ["2", "3"]))
    .addOption(borderDataOption())
    .addOption(regridOption())
    .addOption(
      pathsOption(
        "--diagnostic <what>",
        "append wind_speed:<levels>, relative_humidity:<levels>, surface_pressure:<levels>, … or what a package gives; may be repeated",
      ),
    )
    .addOption(
      // What stands for --data, which is otherwise mandatory; nobody reads it.
      new Option("--dummy", "no data and no weights: dummy fields, every slot of the model checked").implies({
        data: [],
      }),
    )
    .addOption(overwriteOption());
  command
    .optionsGroup("Machine:")
    .addOption(deviceOption())
    .addOption(choiceOption("--precision <name>", "arithmetic of the network", ["auto", "fp32", "bf16-mixed"]))
    .addOption(threadsOption())
    .addHelpText(
      "after",
      `
Examples:
  foehn forecast my-model --data era5.grib --start 2019-03-28T00 --steps 12 -o forecast.nc
  foehn forecast my-model --data 'era5/*.nc' --dates 2019-03-01/to/2019-03-10/by/1d -n 10d -o forecast.zarr

The file holds the initial condition and every step, in physical units, with CF coordinates: xarray.open_dataset reads it.
`,
    )
    .action(
      run(async (console, flags: Flags, name: string) => {
        (await import("../../training/threads.js")).useThreads(flags.threads ?? null);
        const { forecast } = await import("../../forecast/forecast.js");
        const result = await withInterrupt((signal) =>
          withOptionalData(flags.borderData, (borderSource) =>
            forecast({
              package: name,
              source: flags.data.length === 1 ? flags.data[0]! : flags.data,
              start: flags.start,
              dates: flags.dates,
              steps: flags.steps,
              output: flags.output,
              overwrite: flags.overwrite === true,
              compression: flags.compression,
              zarrFormat: flags.zarrFormat === undefined ? undefined : flags.zarrFormat === "2" ? 2 : 3,
              device: flags.device,
              precision: flags.precision,
              history: commandLine(),
              signal,
              progress: console.progress(),
              borderSource,
              regrid: flags.regrid,
              diagnostics: flags.diagnostic,
              dummy: flags.dummy === true,
            }),
          ),
        );
        const { initialTimes, steps, stepSeconds } = result;
        const value = {
          path: result.path,
          variables: result.variables,
          initial_times: initialTimes.map((time) => new Date(time * 1000).toISOString()),
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
            ["forecast", result.path ?? ""],
            ["from", from],
            ["to", `+${formatDuration(steps * stepSeconds)}, ${steps} steps of ${formatDuration(stepSeconds)}`],
            ["variables", result.variables.join(", ")],
            ...(result.checkedSlots === undefined
              ? []
              : [["dummy", `${result.checkedSlots} slots checked, all right`]]),
            ["took", `${result.seconds.toFixed(1)} s`],
          ]),
        );
      }),
    );
};
