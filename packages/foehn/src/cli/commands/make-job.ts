// foehn make-job: a protocol becomes a folder whose config.json says which ensembles to run. The work is forecast/ensemble/job.ts.

import { formatTimeShort } from "../../core/time.js";
import { table } from "../io.js";
import { integerOption, overwriteOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly nShards?: number;
  readonly overwrite?: boolean;
}

/** foehn make-job */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<model> <protocol> <folder> [options]")
    .argument("<model>", "package: what `foehn ensemble` runs")
    .argument("<protocol>", "file: { inference_template, times, time_averaging_window?, score?, save_ensemble? }")
    .argument("<folder>", "where config.json and the results go")
    .addOption(integerOption("--n-shards <n>", "processes that share the work; default 1", { min: 1 }))
    .addOption(overwriteOption())
    .addHelpText(
      "after",
      `
Examples:
  foehn make-job my-model protocol.json job
  foehn make-job my-model protocol.json job --n-shards 4

times is a list of ISO 8601 times, a range a/to/b/by/12h, 2018 (728 times) or s2s_test (53 Thursdays of 2020).
Prints the commands that work the job off, one per shard.
`,
    )
    .action(
      run(async (console, flags: Flags, model: string, protocol: string, folder: string) => {
        const { isoTime, makeJob, shardCommands } = await import("../../forecast/ensemble/job.js");
        const job = await makeJob(model, protocol, folder, { overwrite: flags.overwrite });
        const commands = shardCommands(folder, flags.nShards ?? 1, "");
        const rows = [
          ["job", `${job.folder}/config.json`],
          ["model", model],
          ["times", `${job.times.length}, ${formatTimeShort(job.times[0]!)} to ${formatTimeShort(job.times.at(-1)!)}`],
        ];
        console.result(
          { folder: job.folder, model, times: job.times.map(isoTime), commands },
          `${table(rows)}\n\nRun:\n${commands.map((line) => `  ${line}`).join("\n")}`,
        );
      }),
    );
};
