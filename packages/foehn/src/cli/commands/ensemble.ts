// foehn ensemble: an ensemble from a configuration in earth2mip's form, or a whole job of them. The work is forecast/ensemble/.

import { UsageError } from "../../core/errors.js";
import { formatTimeShort } from "../../core/time.js";
import { type Console, table } from "../io.js";
import { addMachineOptions, type ModelRunFlags, oneOrMany, runModel } from "../model-run.js";
import {
  borderDataOption,
  dataOption,
  explainOption,
  overwriteOption,
  pathsOption,
  regridOption,
  shardOptions,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags extends ModelRunFlags {
  readonly job?: string;
  readonly weatherModel?: string;
  readonly data?: readonly string[];
  readonly output?: string;
  readonly events?: string;
  readonly truth?: readonly string[];
  readonly overwrite?: boolean;
  readonly explain?: boolean;
}

/** foehn ensemble */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<config> | --job <folder> [options]")
    .argument("[config]", "configuration: a .json, .yaml or .toml file, or JSON text")
    .optionsGroup("Ensemble:")
    .option("--job <folder>", "work off the job in this folder (foehn make-job): a folder for each initial time")
    .option("--weather-model <package>", "goes over the configuration's weather_model")
    .addOption(dataOption("initial states (default: what the configuration says)"))
    .option("-o, --output <folder>", "goes over the configuration's output_path and output_dir")
    .option("--events <file>", "table of events for forecast_name (default: weather_events.json)")
    .addOption(pathsOption("--truth <path>", "with --job: score each run against these data; may be repeated"))
    .addOption(regridOption())
    .addOption(borderDataOption())
    .addOption(explainOption().conflicts("job"))
    .addOption(overwriteOption());
  for (const option of shardOptions()) command.addOption(option);
  addMachineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  foehn ensemble config.json
  foehn ensemble config.json --weather-model my-model --data era5.zarr -o out
  foehn ensemble config.json --shard 0 --n-shards 4
  foehn ensemble --job job --data era5.zarr

Writes config.json (what was run) and ensemble_out_<shard>.nc, a group for each domain of the weather event. Members are the same
in any number of shards and batches. In a job, shards share the initial times, and a folder that is there is done.
`,
    )
    .action(
      run(async (console, flags: Flags, config: string | undefined) => {
        if ((config === undefined) === (flags.job === undefined)) {
          throw new UsageError("give either a configuration or --job", { hint: "foehn ensemble config.json" });
        }
        if (flags.explain && config !== undefined) return explainEnsemble(console, config, flags);
        const { runEnsemble, runJob } = await import("../../forecast/ensemble/run-ensemble.js");
        await runModel(console, flags, async (model) => {
          const options = {
            ...model,
            source: flags.data && oneOrMany(flags.data),
            eventsFile: flags.events,
            overwrite: flags.overwrite,
          };
          if (flags.job !== undefined) {
            const { readJob } = await import("../../forecast/ensemble/job.js");
            const job = readJob(flags.job);
            const steps = await runJob(job, options, await scoring(job, flags.truth, model.signal));
            const skipped = steps.filter((step) => step.wasDone).length;
            console.result(
              { folder: job.folder, runs: steps.length, already_done: skipped },
              table([
                ["job", job.folder],
                ["runs", `${steps.length}${skipped > 0 ? `, ${skipped} of them done before` : ""}`],
              ]),
            );
            return;
          }
          const { readEnsembleConfig } = await import("../../forecast/ensemble/config.js");
          const read = readEnsembleConfig(
            config!,
            flags.weatherModel === undefined ? {} : { weather_model: flags.weatherModel },
          );
          const result = await runEnsemble(read, { ...options, output: flags.output });
          const [first, end] = result.members;
          console.result(
            { ...result, initialTime: new Date(result.initialTime * 1000).toISOString() },
            table([
              ["ensemble", result.path ?? `${result.folder} (output_frequency 0: no fields)`],
              ["from", formatTimeShort(result.initialTime)],
              ["steps", String(result.steps)],
              ["members", `${first} to ${end - 1} of ${read.ensemble_members}`],
            ]),
          );
        });
      }),
    );
};

async function explainEnsemble(console: Console, config: string, flags: Flags): Promise<void> {
  const { readEnsembleConfig } = await import("../../forecast/ensemble/config.js");
  const { ensembleToExplain } = await import("../../forecast/ensemble/run-ensemble.js");
  const { printExplanation } = await import("../explain.js");
  const model = flags.weatherModel === undefined ? {} : { weather_model: flags.weatherModel };
  const { data: source, events: eventsFile, borderData: borderSource, ...rest } = flags;
  const what = ensembleToExplain(readEnsembleConfig(config, model), { ...rest, source, eventsFile });
  return printExplanation(console, { ...what, borderSource });
}

/** What a job does with a finished run: scores it, when truth is given and the protocol asks for it. */
async function scoring(
  { protocol }: { protocol: { score: boolean; save_ensemble: boolean; time_averaging_window: string } },
  truth: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<(folder: string) => Promise<void>> {
  const [{ scoreEnsemble }, { averagingSeconds }, { rm }, { join }] = await Promise.all([
    import("../../scores/ensemble/score-ensemble.js"),
    import("../../forecast/ensemble/job.js"),
    import("node:fs/promises"),
    import("node:path"),
  ]);
  const { time_averaging_window: window } = protocol;
  const scored = protocol.score && truth !== undefined;
  return async (folder) => {
    const file = join(folder, "ensemble_out_0.nc");
    await scoreEnsemble({
      forecasts: file,
      truth: scored ? truth : undefined,
      output: folder,
      averaging: window === "" ? undefined : averagingSeconds(window),
      saveEnsemble: window !== "" && protocol.save_ensemble,
      signal,
    });
    // The fields of all members are the largest part, and what was made of them is there.
    if (!protocol.save_ensemble) await rm(file);
  };
}
