// foehn s2s: terciles of sub-seasonal forecasts. The work is scores/s2s/.

import type { Command } from "commander";
import { UsageError } from "../../core/errors.js";
import { withInterrupt } from "../../core/interrupt.js";
import { formatDuration } from "../../core/time.js";
import { commandLine } from "../command-line.js";
import { openData } from "../data.js";
import { type Console, table } from "../io.js";
import {
  dataOption,
  durationsOption,
  listOption,
  overwriteOption,
  pathsOption,
  shardOptions,
  timesOption,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly data?: readonly string[];
  readonly dates?: readonly number[];
  readonly leads?: readonly number[];
  readonly edges: readonly string[];
  readonly shard?: number;
  readonly nShards?: number;
  readonly channels?: readonly string[];
  readonly output: string;
  readonly overwrite?: boolean;
}

/** foehn s2s edges | apply | score */
export const define: DefineVerb = (command, run) => {
  command.usage("edges | apply | score");
  const leads = "begins of the two weeks, separated by commas; default 14d,28d";
  const shared = (sub: Command, what: string) =>
    sub
      .addOption(listOption("--channels <names>", "variables, separated by commas; default all"))
      .requiredOption("-o, --output <file>", what)
      .addOption(overwriteOption());
  shared(
    command
      .command("edges")
      .description(
        "Edges of the terciles of two-week means, by ISO week of the initial time and lead (14 and 28 days).",
      )
      .argument("[forecasts...]", "forecasts of many years; or --data with --dates")
      .addOption(dataOption("what happened, instead of forecasts"))
      .addOption(timesOption("--dates <times>", "initial times: with --data needed, of forecasts default all"))
      .addOption(durationsOption("--leads <durations>", leads))
      .addOption(shardOptions()[0]!)
      .addOption(shardOptions()[1]!),
    "NetCDF file for the edges",
  )
    .addHelpText(
      "after",
      "\nExample:\n  foehn s2s edges --data era5.zarr --dates 2000-01-02/to/2019-12-31/by/7d -o edges.nc\n",
    )
    .action(
      run(async (console, flags: Flags, forecasts: readonly string[]) => {
        const { computeEdges } = await import("../../scores/s2s/s2s.js");
        const result = await withSamples(forecasts, flags, (samples, signal) =>
          computeEdges(samples, settings(console, flags, signal)),
        );
        const [least, most] = result.samples;
        console.result(
          result,
          table([
            ["edges", result.path],
            ["weeks", String(result.weeks)],
            ["samples", least === most ? String(least) : `${least} to ${most}`],
          ]),
        );
      }),
    );
  shared(
    command
      .command("apply")
      .description("Probabilities of the three categories, from forecasts and edges.")
      .argument("<forecasts...>", "ensemble forecasts: Zarr, NetCDF, or folders of them")
      .addOption(
        pathsOption(
          "--edges <file>",
          "what foehn s2s edges wrote, of forecasts of the same model; may be repeated",
        ).makeOptionMandatory(),
      )
      .addOption(durationsOption("--leads <durations>", leads))
      .addOption(shardOptions()[0]!)
      .addOption(shardOptions()[1]!),
    "NetCDF file for the probabilities",
  )
    .addHelpText("after", "\nExample:\n  foehn s2s apply ensemble.zarr --edges edges.nc -o terciles.nc\n")
    .action(
      run(async (console, flags: Flags, forecasts: readonly string[]) => {
        const { applyEdges } = await import("../../scores/s2s/s2s.js");
        const path = await withSamples(forecasts, flags, (samples, signal) =>
          applyEdges(samples, flags.edges, settings(console, flags, signal)),
        );
        console.result({ path }, table([["probabilities", path]]));
      }),
    );
  shared(
    command
      .command("score")
      .description("Ranked probability scores of probabilities, beside a climatology of a third each.")
      .argument("<probabilities...>", "what foehn s2s apply wrote, all shards of it")
      .addOption(dataOption("what happened").makeOptionMandatory())
      .addOption(
        pathsOption(
          "--edges <file>",
          "edges of what happened (foehn s2s edges --data); may be repeated",
        ).makeOptionMandatory(),
      ),
    "CSV file: a line per initial time, lead, source and region",
  )
    .addHelpText(
      "after",
      "\nExample:\n  foehn s2s score terciles.nc --data era5.zarr --edges observed-edges.nc -o rps.csv\n",
    )
    .action(
      run(async (console, flags: Flags, probabilities: readonly string[]) => {
        const [{ scoreTerciles }, { dataSamples }, { openTercileFiles }] = await Promise.all([
          import("../../scores/s2s/s2s.js"),
          import("../../scores/s2s/samples.js"),
          import("../../scores/s2s/files.js"),
        ]);
        const result = await withInterrupt(async (signal) => {
          const source = await openData(flags.data ?? [], { signal, progress: console.progress() });
          try {
            using file = await openTercileFiles(probabilities, "probabilities");
            const names = file.variables.map(({ name }) => name);
            const truth = dataSamples(source, {
              initialTimes: file.rows,
              leads: file.leads,
              grid: file.grid,
              variables: names,
            });
            return await scoreTerciles(probabilities, truth, flags.edges, settings(console, flags, signal));
          } finally {
            await source.close();
          }
        });
        const rows = result.scores.map((s) => [
          s.variable,
          s.region,
          `+${s.leadDays} d`,
          ...[s.rps, s.rpsClimatology, s.rpss].map((x) => x.toFixed(4)),
        ]);
        console.result(
          result,
          `${table([["variable", "region", "lead", "RPS", "climatology", "RPSS"], ...rows])}\n\nwrote ${result.path}`,
        );
      }),
    );
};

const settings = (console: Console, { output, overwrite }: Flags, signal: AbortSignal) => ({
  output,
  overwrite,
  history: commandLine(),
  signal,
  progress: console.progress(),
});

type SamplesUse<T> = (samples: import("../../scores/s2s/samples.js").Samples, signal: AbortSignal) => Promise<T>;

/** Opens forecasts, or data at the dates. */
async function withSamples<T>(forecasts: readonly string[], flags: Flags, use: SamplesUse<T>): Promise<T> {
  const { dataSamples, forecastSamples, shardSamples } = await import("../../scores/s2s/samples.js");
  if ((forecasts.length === 0) === (flags.data === undefined)) {
    throw new UsageError("give either forecasts or --data", {
      hint: `lead times of two weeks begin at +${formatDuration(14 * 86_400)}`,
    });
  }
  return withInterrupt(async (signal) => {
    if (flags.data !== undefined) {
      if (flags.dates === undefined)
        throw new UsageError("--data needs --dates, the initial times", { hint: "--dates a/to/b/by/7d" });
      const source = await openData(flags.data, { signal });
      try {
        const samples = dataSamples(source, {
          initialTimes: flags.dates,
          variables: flags.channels,
          leads: flags.leads,
        });
        return await use(shardSamples(samples, flags.shard, flags.nShards), signal);
      } finally {
        await source.close();
      }
    }
    const { chooseDomain, openForecasts } = await import("../../sources/forecast-store.js");
    await using stores = await openForecasts(forecasts);
    const samples = forecastSamples(chooseDomain(stores, undefined), { variables: flags.channels, leads: flags.leads });
    const chosen = flags.dates === undefined ? samples : { ...samples, initialTimes: flags.dates };
    return await use(shardSamples(chosen, flags.shard, flags.nShards), signal);
  });
}
