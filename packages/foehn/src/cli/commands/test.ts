// foehn test: the scores and figures of a run on the test split. The work is training/test-run.ts and the observers.

import { relative } from "node:path";
import { withInterrupt } from "../../core/interrupt.js";
import {
  choiceOption,
  deviceOption,
  integerOption,
  listOption,
  namedSettingOption,
  threadsOption,
} from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly checkpoint?: "best" | "last";
  readonly numPredSteps?: number;
  readonly dataset?: string;
  readonly datasetConf?: string;
  readonly data?: string;
  readonly batchSize?: number;
  readonly limitBatches?: number;
  readonly observers?: readonly string[];
  readonly observerSettings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly onlyPlots?: boolean;
  readonly device?: string;
  readonly precision?: "auto" | "fp32" | "bf16-mixed";
  readonly threads?: number;
}

/** foehn test */
export const define: DefineVerb = (command, run) => {
  command
    .usage("<run> [options]")
    .argument("<run>", "run folder")
    .optionsGroup("What to test:")
    .addOption(choiceOption("--checkpoint <name>", "whose weights; default best", ["best", "last"]))
    .addOption(integerOption("--num-pred-steps <n>", "steps to predict (default: as in validation)", { min: 1 }))
    .option("--dataset <name>", "another dataset than the run's")
    .option("--dataset-conf <file>", "what the dataset consists of: YAML, TOML or JSON")
    .option("--data <path>", "read this instead of the source that the dataset's file names")
    .addOption(integerOption("--batch-size <n>", "samples per batch (default: as in training)", { min: 1 }))
    .addOption(integerOption("--limit-batches <n>", "batches at most (default: all)", { min: 1 }));
  command
    .optionsGroup("What to draw:")
    .addOption(
      listOption(
        "--observers <names>",
        "state_error, spatial_error, prediction, spectra, score_card, all or none; default all",
      ),
    )
    .addOption(
      namedSettingOption("--observer-settings <name.key=value>", "such as prediction.num_samples=2; may be repeated"),
    )
    .option("--only-plots", "draw, but write and print no scores");
  command
    .optionsGroup("Machine:")
    .addOption(deviceOption())
    .addOption(choiceOption("--precision <name>", "arithmetic of the network", ["auto", "fp32", "bf16-mixed"]))
    .addOption(threadsOption())
    .addHelpText(
      "after",
      `
Examples:
  foehn test runs/<run>
  foehn test runs/<run> --checkpoint last --num-pred-steps 12 --observers state_error,spectra
  foehn test runs/<run> --dataset-conf another-year.yaml --json > scores.json

Writes test-001 (or the next number) into the run folder: scores.json, which foehn plot scores and foehn runs compare read, the
numbers of each observer as JSON, and the figures. Scores are root mean square and mean absolute error, bias and anomaly
correlation by variable and lead over all interior points, beside persistence.
`,
    )
    .action(
      run(async (console, flags: Flags, path: string) => {
        const [{ testRun }, { Trackers }, { formatScoreTable }] = await Promise.all([
          import("../../training/test-run.js"),
          import("../../tracking/trackers.js"),
          import("../../scores/table.js"),
          import("../../plots/observers/builtin.js"),
        ]);
        const { onlyPlots } = flags;
        const progress = console.progress();
        const trackers = await Trackers.ofTest(path, { progress });
        let reason: "completed" | "failed" = "failed";
        let result: Awaited<ReturnType<typeof testRun>>;
        try {
          result = await withInterrupt((signal) => testRun(path, flags, { signal, progress, callbacks: [trackers] }));
          reason = "completed";
        } finally {
          await trackers.onEnd({ runDir: path, reason });
          await trackers.close();
        }
        const { scores, files } = result;
        const folder = relative(process.cwd(), result.path) || result.path;
        const lines = [
          ...(onlyPlots ? [] : [formatScoreTable({ ...scores, n_missing: 0 }), ""]),
          `wrote ${files.length} file${files.length === 1 ? "" : "s"} to ${folder}`,
        ];
        console.result({ path: result.path, files, ...(onlyPlots ? {} : scores) }, lines.join("\n"));
      }),
    );
};
