// foehn plot: figures and the report from the files that the other verbs wrote. The drawing is in plots/.

import { extname, resolve } from "node:path";
import { DataError, UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { Figure } from "../../plots/figure.js";
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

/** foehn plot training | scores | map | gif | report */
export const define: DefineVerb = (command, run) => {
  command.usage("training | scores | map | gif | report <input> -o <file>");
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
    .description("Draw scores by lead time, beside persistence.")
    .argument("<scores>", "what foehn score wrote: scores.nc, or its --json output as a .json file")
    .requiredOption("-o, --output <file>", outputHelp)
    .addOption(choiceOption("--metric <name>", "which score; default rmse", ["rmse", "mae", "bias", "acc"]))
    .addOption(listOption("--variables <names>", "which variables, separated by commas (default: all)"))
    .option("--card", "a table with colours instead of curves")
    .option("--title <text>", "title of the figure")
    .addHelpText("after", "\nExample:\n  foehn plot scores scores.nc --metric acc -o acc.svg\n")
    .action(run(plotScores));
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
    .description("Draw every step of a forecast as an animation.")
    .argument("<forecast>", "what foehn forecast wrote: .nc or .zarr")
    .requiredOption("-o, --output <file>", "a name ending in .gif")
    .option("--variable <name>", "which variable (default: the first)")
    .addOption(truthOption())
    .addOption(integerOption("--delay <ms>", "milliseconds per step (default: 250)", { min: 20 }))
    .addHelpText("after", "\nExample:\n  foehn plot gif forecast.nc --variable t2m -o forecast.gif\n")
    .action(run(plotGif));
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
    readonly card?: boolean;
    readonly title?: string;
  },
  path: string,
): Promise<void> {
  const { readScores } = await import("../score-file.js");
  const scores = await readScores(path);
  for (const name of flags.variables ?? []) {
    if (scores.variables.includes(name)) continue;
    throw new UsageError(`${path} has no scores of "${name}"`, {
      hint: didYouMean(name, scores.variables) || `it has ${scores.variables.join(", ")}`,
    });
  }
  const options = {
    ...(flags.metric === undefined ? {} : { metric: flags.metric }),
    ...(flags.variables === undefined ? {} : { variables: flags.variables }),
    ...(flags.title === undefined ? {} : { title: flags.title }),
  };
  const figure = flags.card
    ? (await import("../../plots/score-card.js")).drawScoreCard(scores, options)
    : (await import("../../plots/scores.js")).drawScoreByLead(scores, options);
  await saveFigure(console, figure, flags.output);
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

async function plotGif(console: Console, flags: FieldFlags, path: string): Promise<void> {
  if (!flags.output.toLowerCase().endsWith(".gif")) {
    throw new UsageError(`--output: expected a name ending in .gif, got "${flags.output}"`);
  }
  const { readForecast } = await import("../forecast-file.js");
  const { forecastGif } = await import("../../plots/gif.js");
  const { atomicWrite } = await import("../../core/files.js");
  const shown = await readForecast(path, { variable: flags.variable, lead: "all", truth: flags.truth });
  await atomicWrite(flags.output, forecastGif(shown, flags.delay === undefined ? {} : { delayMs: flags.delay }));
  done(console, [flags.output]);
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
