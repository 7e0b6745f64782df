// foehn score: forecasts of a package from many dates, verified against data. The work is scores/score.ts.

import { withInterrupt } from "../../core/interrupt.js";
import { commandLine } from "../command-line.js";
import { withOptionalData } from "../data.js";
import {
  borderDataOption,
  choiceOption,
  dataOption,
  deviceOption,
  overwriteOption,
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
  readonly output?: string;
  readonly forecastOutput?: string;
  readonly overwrite?: boolean;
  readonly borderData?: readonly string[];
  readonly regrid?: { readonly method: string };
  readonly acc?: "uncentred" | "centred";
  readonly device?: string;
  readonly precision?: "auto" | "fp32" | "bf16-mixed";
  readonly threads?: number;
}

/** foehn score */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<package> --data <path> --steps <n> [options]")
    .argument("<package>", "folder, address (https, s3, hf, ngc), or a name in MODEL_REGISTRY")
    .optionsGroup("Scores:")
    .addOption(dataOption("initial states and truth").makeOptionMandatory())
    .addOption(
      timesOption(
        "--dates <times>",
        "initial times: a/b/c, or a/to/b/by/6h (default: all outside of the training and validation periods, 6h apart)",
      ),
    )
    .addOption(timeOption("--start <time>", "one initial time").conflicts("dates"))
    .addOption(stepsOption("-n, --steps <n>", "number of steps, or a lead time such as 2d").makeOptionMandatory())
    .option("-o, --output <file>", "NetCDF file for the scores (scores.nc)")
    .option("--forecast-output <file>", "write the forecasts too, in the same pass: .zarr or .nc")
    .addOption(choiceOption("--acc <convention>", "anomalies of the ACC; default uncentred", ["uncentred", "centred"]))
    .addOption(borderDataOption())
    .addOption(regridOption())
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
  foehn score my-model --data era5.grib -n 12 -o scores.nc
  foehn score my-model --data era5.grib --dates 2019-03-25/to/2019-03-29/by/6h -n 12h --json > scores.json

Prints RMSE, MAE, bias and ACC by variable and lead, beside persistence. With --json: { variables, lead_hours,
model: { rmse, mae, bias, acc }, persistence: { … } }, each metric a list per variable with one value per lead.
`,
    )
    .action(
      run(async (console, flags: Flags, name: string) => {
        (await import("../../training/threads.js")).useThreads(flags.threads ?? null);
        const [{ scoreForecast }, { formatScoreTable }] = await Promise.all([
          import("../../scores/score.js"),
          import("../../scores/table.js"),
        ]);
        const result = await withInterrupt((signal) =>
          withOptionalData(flags.borderData, (borderSource) =>
            scoreForecast({
              package: name,
              source: flags.data.length === 1 ? flags.data[0]! : flags.data,
              dates: flags.start === undefined ? flags.dates : [flags.start],
              steps: flags.steps,
              output: flags.output,
              forecastOutput: flags.forecastOutput,
              overwrite: flags.overwrite === true,
              accConvention: flags.acc,
              device: flags.device,
              precision: flags.precision,
              history: commandLine(),
              signal,
              progress: console.progress(),
              borderSource,
              regrid: flags.regrid,
            }),
          ),
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
};
