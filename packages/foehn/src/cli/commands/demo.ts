// foehn demo: the whole chain on a small example, from data to a report, printing each step as the command that does the same.
// It keeps no arithmetic of its own: every step is the library call behind a verb.

import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { ModelError, UsageError } from "../../core/errors.js";
import { atomicWrite } from "../../core/files.js";
import { withInterrupt } from "../../core/interrupt.js";
import { formatTime } from "../../core/time.js";
import type { ScoreTable } from "../../scores/table.js";
import type { Console } from "../io.js";
import { integerOption, threadsOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly data?: string;
  readonly output?: string;
  readonly epochs?: number;
  readonly threads?: number;
}

const steps = 12;
/** A file that tells a folder of an earlier demo, which may be replaced, from one of the user's. */
const marker = "dataset.yaml";

/** foehn demo */
export const define: DefineVerb = (command, run) => {
  command
    .usage("[--data <path>] [-o <folder>]")
    .option("-d, --data <path>", "use this file (GRIB, NetCDF or Zarr) instead of a simulated atmosphere")
    .option("-o, --output <folder>", "where everything goes (default: foehn-demo)")
    .addOption(integerOption("--epochs <n>", "passes over the training data (default: 8)", { min: 1 }))
    .addOption(threadsOption())
    .addHelpText(
      "after",
      `
Examples:
  foehn demo
  foehn demo --data era5.grib -o era5-demo

Takes about three minutes on two cores. Everything it makes stays in the folder; a second run replaces it.
`,
    )
    .action(run((console, flags: Flags) => withInterrupt((signal) => demo(console, flags, signal))));
};

async function demo(console: Console, flags: Flags, signal: AbortSignal): Promise<void> {
  const folder = resolve(flags.output ?? "foehn-demo");
  if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, marker))) {
    throw new UsageError(`${folder} exists and was not made by foehn demo`, { hint: "choose another folder with -o" });
  }
  const began = performance.now();
  await mkdir(folder, { recursive: true });
  const show = (path: string): string => relative(process.cwd(), path) || ".";
  const inFolder = (name: string): string => join(folder, name);
  const commands: string[] = [];
  const announce = (title: string, command?: string): void => {
    console.info(`\n${title}`);
    if (command === undefined) return;
    commands.push(command);
    console.info(`  $ ${command}`);
  };
  const { useThreads } = await import("../../training/threads.js");
  useThreads(flags.threads ?? null);

  // 1. Data
  const { describeFile, simulate } = await import("../demo-data.js");
  let data: Awaited<ReturnType<typeof simulate>>;
  if (flags.data === undefined) {
    announce("1. Data: hourly states of a rotating shallow-water basin, simulated now");
    data = await simulate(folder, console.progress(), signal);
  } else {
    announce("1. Data", `foehn dataset inspect ${flags.data}`);
    const { openData } = await import("../data.js");
    const source = await openData([flags.data]);
    try {
      console.info(`  ${source.description}`);
      data = await describeFile(folder, source, flags.data);
    } finally {
      await source.close();
    }
  }

  // 2. Training and 3. package
  const { train } = await import("../../training/train.js");
  const { packageRun } = await import("../../hub/package-run.js");
  const { tensorboardCallback } = await import("../../tracking/tensorboard-callback.js");
  const options = {
    dataset: "gridded",
    dataset_conf: data.config,
    model: "halfunet",
    model_settings: { num_filters: 32 },
    strategy: "scaled_ar" as const,
    num_input_steps: 2,
    num_pred_steps_train: 2,
    num_pred_steps_val_test: steps,
    batch_size: 4,
    epochs: flags.epochs ?? 8,
    limit_val_batches: 8,
    lr: 2e-3,
    scheduler: "cosine" as const,
    warmup_steps: 20,
    runs_dir: inFolder("runs"),
    run_name: "demo",
  };
  announce(
    "2. Training: a HalfUNet that sees two states and learns the change to the next",
    `foehn train --dataset gridded --dataset-conf ${show(data.config)} --model halfunet --model-settings num_filters=32 --strategy scaled_ar --num-pred-steps-train 2 --num-pred-steps-val-test ${steps} --batch-size 4 --epochs ${options.epochs} --limit-val-batches 8 --lr 0.002 --scheduler cosine --warmup-steps 20 --output ${show(inFolder("package"))}`,
  );
  const result = await train(options, { signal, progress: console.progress(), callbacks: [tensorboardCallback()] });
  console.info(`  ${result.network.numParameters()} parameters; run folder ${show(result.runDir)}`);
  result.network.dispose();
  announce("3. Package: weights, normalisation, grid and hashes in one folder");
  const packagePath = await packageRun(result, inFolder("package"), { overwrite: true, name: "demo" });
  console.info(`  ${show(packagePath)}`);

  // 4. Forecast
  const { forecast } = await import("../../forecast/forecast.js");
  const start = firstStart(data.periods.test.start, result.info.stepSeconds);
  const forecastPath = inFolder("forecast.nc");
  announce(
    "4. Forecast: twelve steps from the first time that the network has not seen",
    `foehn forecast ${show(packagePath)} --data ${show(data.path)} --start ${formatTime(start)} --steps ${steps} -o ${show(forecastPath)}`,
  );
  const { path } = await forecast({
    package: packagePath,
    source: data.path,
    start,
    steps,
    output: forecastPath,
    overwrite: true,
    signal,
    progress: console.progress(),
  });

  // 5. Scores
  const { scoreForecast } = await import("../../scores/score.js");
  const { formatScoreTable } = await import("../../scores/table.js");
  const scoresPath = inFolder("scores.nc");
  announce(
    "5. Scores: forecasts from the whole test period, against what happened, beside persistence",
    `foehn score ${show(packagePath)} --data ${show(data.path)} -n ${steps} -o ${show(scoresPath)}`,
  );
  const scored = await scoreForecast({
    package: packagePath,
    source: data.path,
    steps,
    output: scoresPath,
    overwrite: true,
    signal,
    progress: console.progress(),
  });

  // 6. Figures and 7. report
  announce("6. Figures and report");
  const { runReport } = await import("../run-report.js");
  const { readForecast } = await import("../forecast-file.js");
  const { writeReport } = await import("../../plots/report.js");
  const shown = await readForecast(path!, { lead: "all", truth: [data.path] });
  const report = await runReport(result.runDir, {
    scores: scored.table,
    forecast: shown,
    coastlines: data.isOfThisEarth,
    package: packagePath,
    commands,
  });
  const figures = await saveFigures(report.figures ?? [], inFolder("figures"));
  const reportPath = inFolder("report.html");
  await writeReport(reportPath, report);

  const paths = {
    dataset: data.config,
    run: result.runDir,
    package: packagePath,
    forecast: path!,
    scores: scoresPath,
    figures,
    report: reportPath,
  };
  const lines = Object.entries(paths).map(([name, at]) => `  ${name.padEnd(9)} ${show(at)}`);
  const seconds = Math.round((performance.now() - began) / 1000);
  console.result(
    { ...scored.table, paths, seconds },
    `\n${formatScoreTable(scored.table)}\n\n${lines.join("\n")}\n\nDone in ${seconds} s. Open ${show(reportPath)} in a browser.`,
  );
  checkSkill(scored.table);
}

/** The first initial time whose history lies in the test period too. */
const firstStart = (testStart: number, stepSeconds: number): number => testStart + stepSeconds;

/** Saves the report's figures one by one, named by their titles. */
async function saveFigures(
  figures: readonly { title: string; figure: Uint8Array | { save(base: string): Promise<unknown> } }[],
  folder: string,
): Promise<string> {
  for (const { title, figure } of figures) {
    const base = join(folder, title.toLowerCase().replace(/[^a-z0-9]+/g, "-"));
    if (figure instanceof Uint8Array) await atomicWrite(`${base}.gif`, figure);
    else await figure.save(base);
  }
  return folder;
}

/** The demo promises a model that beats persistence; where it does not, its exit status says so. */
function checkSkill({ variables, lead_hours, model, persistence }: ScoreTable): void {
  for (const name of variables) {
    const lead = lead_hours.findIndex((_, i) => !(model.rmse[name]![i]! < persistence.rmse[name]![i]!));
    if (lead < 0) continue;
    throw new ModelError(`the model does not beat persistence for ${name} at +${lead_hours[lead]} h`, {
      hint: "train for longer: foehn demo --epochs 20",
    });
  }
}
