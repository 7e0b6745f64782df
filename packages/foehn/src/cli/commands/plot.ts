// foehn plot: figures and the report from the files that the other verbs wrote. The drawing is in plots/.

import { basename, extname, join, resolve } from "node:path";
import { DataError, UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { Figure } from "../../plots/figure.js";
import type { ScoredModel } from "../../plots/scores.js";
import type { Console } from "../io.js";
import { choiceOption, durationOption, integerOption, listOption, truthOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

interface FieldFlags {
  readonly variable?: string;
  readonly lead?: number;
  readonly truth?: readonly string[];
  readonly output: string;
  readonly delay?: number;
}

const outputHelp = "a name ending in .png or .svg; without an ending, both are written";

/** foehn plot training | scores | ensemble | map | gif | run | report */
export const define: DefineVerb = (command, run) => {
  command.usage("training | scores | ensemble | map | gif | run | report <input> -o <file>");
  command
    .command("training")
    .description("Draw the losses and the learning rate of a run.")
    .argument("<run>", "run folder, or its metrics.jsonl")
    .requiredOption("-o, --output <file>", outputHelp)
    .option("--title <text>", "title of the figure")
    .addHelpText("after", "\nExample:\n  foehn plot training runs/<run> -o training.png\n")
    .action(
      run(async (console, flags: { output: string; title?: string }, path: string) => {
        const [{ drawTrainingCurve }, { readRunMetrics }] = await Promise.all([
          import("../../plots/training-curve.js"),
          import("../run-files.js"),
        ]);
        const figure = drawTrainingCurve(readRunMetrics(path), flags.title === undefined ? {} : { title: flags.title });
        await saveFigure(console, figure, flags.output);
      }),
    );
  command
    .command("scores")
    .description("Draw scores by lead time, beside persistence; several models in one figure.")
    .argument("<scores...>", "run or test folders, or what foehn score wrote: scores.nc, or its --json output as .json")
    .requiredOption("-o, --output <file>", outputHelp)
    .addOption(choiceOption("--metric <name>", "which score; default rmse", ["rmse", "mae", "bias", "acc"]))
    .addOption(listOption("--variables <names>", "which variables, separated by commas (default: all)"))
    .addOption(listOption("--names <names>", "names of the models, in the order of the scores"))
    .option("--card", "a table with colours instead of curves, for one model")
    .option("--title <text>", "title of the figure")
    .addHelpText(
      "after",
      "\nExamples:\n  foehn plot scores scores.nc --metric acc -o acc.svg\n  foehn plot scores runs/<run> runs/<other> --names graph,convolution -o rmse.png\n",
    )
    .action(run(plotScores));
  command
    .command("ensemble")
    .description(
      "Draw the scores of an ensemble: spread beside the error of the mean, or where the truth lies among the members.",
    )
    .argument("<scores>", "scores.json that foehn score-ensemble wrote")
    .requiredOption("-o, --output <file>", outputHelp)
    .addOption(choiceOption("--kind <name>", "which figure; default spread-skill", ["spread-skill", "ranks"]))
    .option("--region <name>", "which region (default: the first)")
    .addOption(listOption("--variables <names>", "which variables, separated by commas (default: all)"))
    .addOption(durationOption("--lead <duration>", "which lead time of the ranks, such as 12h (default: the last)"))
    .option("--title <text>", "title of the figure")
    .addHelpText("after", "\nExample:\n  foehn plot ensemble scores/scores.json --kind ranks --lead 24h -o ranks.png\n")
    .action(run(plotEnsemble));
  command
    .command("map")
    .description("Draw one step of a forecast on a map; with truth, the error beside it.")
    .argument("<forecast>", "what foehn forecast wrote: .nc or .zarr")
    .requiredOption("-o, --output <file>", outputHelp)
    .option("--variable <name>", "which variable (default: the first)")
    .addOption(durationOption("--lead <duration>", "which lead time, such as 12h (default: the last)"))
    .addOption(truthOption())
    .addHelpText(
      "after",
      "\nExample:\n  foehn plot map forecast.nc --variable t2m --lead 12h --truth era5.grib -o map.png\n",
    )
    .action(run(plotMap));
  command
    .command("gif")
    .description("Draw every step of a forecast as an animation; several forecasts beside each other.")
    .argument("<forecasts...>", "what foehn forecast wrote: .nc or .zarr; or any data, such as another model's")
    .requiredOption("-o, --output <file>", "a name ending in .gif")
    .option("--variable <name>", "which variable (default: the first)")
    .addOption(truthOption())
    .addOption(listOption("--names <names>", "what stands above several forecasts, in their order"))
    .addOption(integerOption("--delay <ms>", "milliseconds per step (default: 250; 500 for several)", { min: 20 }))
    .addHelpText(
      "after",
      "\nExamples:\n  foehn plot gif forecast.nc --variable t2m -o forecast.gif\n  foehn plot gif a.nc b.nc --names graph,convolution --truth era5.grib -o both.gif\n",
    )
    .action(run(plotGif));
  command
    .command("run")
    .description("Everything that a run folder holds as one page: training curve, scores, figures of its latest test.")
    .argument("<run>", "run folder")
    .option("-o, --output <file>", "a name ending in .html (default: report.html in the run folder)")
    .addHelpText("after", "\nExample:\n  foehn plot run runs/<run>\n")
    .action(run(plotRun));
  command
    .command("report")
    .description("Write everything about a run into one HTML file that needs nothing else.")
    .argument("<run>", "run folder")
    .requiredOption("-o, --output <file>", "a name ending in .html")
    .option("--scores <file>", "what foehn score wrote")
    .option("--forecast <file>", "a forecast to draw: .nc or .zarr")
    .option("--variable <name>", "which variable of the forecast (default: the first)")
    .addOption(truthOption())
    .addHelpText(
      "after",
      "\nExample:\n  foehn plot report runs/<run> --scores scores.nc --forecast forecast.nc --truth era5.grib -o report.html\n",
    )
    .action(run(plotReport));
};

async function plotScores(
  console: Console,
  flags: {
    readonly output: string;
    readonly metric?: "rmse" | "mae" | "bias" | "acc";
    readonly variables?: readonly string[];
    readonly names?: readonly string[];
    readonly card?: boolean;
    readonly title?: string;
  },
  paths: readonly string[],
): Promise<void> {
  const { readScoredModel } = await import("../scored-models.js");
  checkNames(flags.names, paths);
  if (flags.card && paths.length > 1) throw new UsageError("--card draws the scores of one model, not of several");
  const metric = flags.metric ?? "rmse";
  const models: ScoredModel[] = [];
  for (const [i, path] of paths.entries()) {
    const { name, table } = await readScoredModel(path);
    models.push({ name: flags.names?.[i] ?? (paths.length === 1 ? "model" : name), table });
    if (table.model[metric]) continue;
    throw new UsageError(`${path} has no ${metric}`, { hint: `it has ${Object.keys(table.model).join(", ")}` });
  }
  const known = [...new Set(models.flatMap(({ table }) => table.variables))];
  for (const name of flags.variables ?? []) {
    if (known.includes(name)) continue;
    throw new UsageError(`${paths.join(", ")}: there are no scores of "${name}"`, {
      hint: didYouMean(name, known) || `there are ${known.join(", ")}`,
    });
  }
  const options = {
    ...(flags.metric === undefined ? {} : { metric: flags.metric }),
    ...(flags.variables === undefined ? {} : { variables: flags.variables }),
    ...(flags.title === undefined ? {} : { title: flags.title }),
  };
  const figure = flags.card
    ? (await import("../../plots/score-card.js")).drawScoreCard(models[0]!.table, options)
    : (await import("../../plots/scores.js")).drawScoreComparison(models, options);
  await saveFigure(console, figure, flags.output);
}

async function plotEnsemble(
  console: Console,
  flags: {
    readonly output: string;
    readonly kind?: "spread-skill" | "ranks";
    readonly region?: string;
    readonly variables?: readonly string[];
    readonly lead?: number;
    readonly title?: string;
  },
  path: string,
): Promise<void> {
  const [{ readEnsembleTable }, { drawRankHistogram, drawSpreadSkill }] = await Promise.all([
    import("../../scores/ensemble/table.js"),
    import("../../plots/ensemble-scores.js"),
  ]);
  const table = readEnsembleTable(path);
  const { region, variables, title } = flags;
  const check = (name: string | undefined, known: readonly string[], what: string) => {
    if (name === undefined || known.includes(name)) return;
    throw new UsageError(`${path} has no ${what} "${name}"`, {
      hint: didYouMean(name, known) || `it has ${known.join(", ")}`,
    });
  };
  check(region, table.regions, "region");
  for (const name of variables ?? []) check(name, table.variables, "variable");
  const leadHours = flags.lead === undefined ? undefined : flags.lead / 3600;
  const draw = flags.kind === "ranks" ? drawRankHistogram : drawSpreadSkill;
  await saveFigure(console, draw(table, { region, variables, title, leadHours }), flags.output);
}

async function plotMap(console: Console, flags: FieldFlags, path: string): Promise<void> {
  const { readForecast } = await import("../forecast-file.js");
  const { drawForecastMap } = await import("../../plots/forecast-map.js");
  const shown = await readForecast(path, {
    variable: flags.variable,
    lead: flags.lead ?? "last",
    truth: flags.truth,
  });
  const { frames, ...field } = shown;
  const [frame] = frames;
  if (frame === undefined) throw new DataError(`${path} holds no steps`);
  await saveFigure(console, drawForecastMap({ ...field, ...frame }), flags.output);
}

/** As many names as things to name. */
function checkNames(names: readonly string[] | undefined, paths: readonly string[]): void {
  if (names === undefined || names.length === paths.length) return;
  throw new UsageError(`--names: expected ${paths.length} name${paths.length === 1 ? "" : "s"}, got ${names.length}`);
}

async function plotGif(
  console: Console,
  flags: FieldFlags & { readonly names?: readonly string[] },
  paths: readonly string[],
): Promise<void> {
  if (!flags.output.toLowerCase().endsWith(".gif")) {
    throw new UsageError(`--output: expected a name ending in .gif, got "${flags.output}"`);
  }
  checkNames(flags.names, paths);
  const { readForecast, readForecasts } = await import("../forecast-file.js");
  const { atomicWrite } = await import("../../core/files.js");
  const { variable, truth, delay: delayMs } = flags;
  if (paths.length === 1) {
    const { forecastGif } = await import("../../plots/gif.js");
    const shown = await readForecast(paths[0]!, { variable, lead: "all", truth });
    await atomicWrite(flags.output, forecastGif(shown, { delayMs, model: flags.names?.[0] }));
  } else {
    const { comparisonGif } = await import("../../plots/comparison-gif.js");
    const { frames, ...field } = await readForecasts(paths, { variable, truth });
    const names = flags.names ?? paths.map((path) => basename(path, extname(path)));
    const columns = [...(truth === undefined ? [] : ["Truth"]), ...names];
    const fields = frames.map((frame) => ({
      ...frame,
      fields: [...(truth === undefined ? [] : [frame.truth]), ...frame.forecasts],
    }));
    await atomicWrite(flags.output, comparisonGif({ ...field, columns, frames: fields }, { delayMs }));
  }
  done(console, [flags.output]);
}

async function plotRun(console: Console, flags: { readonly output?: string }, path: string): Promise<void> {
  const output = flags.output ?? join(path, "report.html");
  if (!/\.html?$/i.test(output)) throw new UsageError(`--output: expected a name ending in .html, got "${output}"`);
  const [{ readRunMetrics }, { runReport }, { writeReport }, { hasScores, runScores }] = await Promise.all([
    import("../run-files.js"),
    import("../run-report.js"),
    import("../../plots/report.js"),
    import("../scored-models.js"),
  ]);
  readRunMetrics(path); // says what is wrong with a folder that is no run
  const scores = hasScores(path) ? await runScores(path) : undefined;
  await writeReport(output, await runReport(path, { scores, withFigures: true }));
  done(console, [output]);
}

async function plotReport(
  console: Console,
  flags: FieldFlags & { readonly scores?: string; readonly forecast?: string },
  path: string,
): Promise<void> {
  if (!/\.html?$/i.test(flags.output)) {
    throw new UsageError(`--output: expected a name ending in .html, got "${flags.output}"`);
  }
  const [{ runReport }, { writeReport }] = await Promise.all([
    import("../run-report.js"),
    import("../../plots/report.js"),
  ]);
  const scores =
    flags.scores === undefined ? undefined : await (await import("../score-file.js")).readScores(flags.scores);
  const forecast =
    flags.forecast === undefined
      ? undefined
      : await (await import("../forecast-file.js")).readForecast(flags.forecast, {
          variable: flags.variable,
          lead: "all",
          truth: flags.truth,
        });
  await writeReport(flags.output, await runReport(path, { scores, forecast }));
  done(console, [flags.output]);
}

/** Writes a figure as PNG, as SVG, or, when the name has neither ending, as both. */
async function saveFigure(console: Console, figure: Figure, output: string): Promise<void> {
  const { atomicWrite } = await import("../../core/files.js");
  const ending = extname(output).toLowerCase();
  if (ending === ".png") await atomicWrite(output, figure.png());
  else if (ending === ".svg") await atomicWrite(output, figure.svg);
  else if (ending === "") {
    const { png, svg } = await figure.save(output);
    done(console, [png, svg]);
    return;
  } else throw new UsageError(`--output: expected ${outputHelp}, got "${output}"`);
  done(console, [output]);
}

function done(console: Console, files: readonly string[]): void {
  console.result({ files: files.map((file) => resolve(file)) }, files.map((file) => `wrote ${file}`).join("\n"));
}
