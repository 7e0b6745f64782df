// foehn runs list | show | compare: what stands in the run folders, read from JSON only, so that they answer at once.
// foehn runs sync: what a run still keeps for MLflow.

import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { StorageError, UsageError } from "../../core/errors.js";
import { formatDuration, formatTimeShort } from "../../core/time.js";
import type { RunComparison } from "../../training/run-comparison.js";
import type { RunSummary } from "../../training/run-summary.js";
import type { Console } from "../io.js";
import { table } from "../io.js";
import { choiceOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

const sortKeys = ["age", "name", "loss", "epochs", "size"] as const;
type SortKey = (typeof sortKeys)[number];

interface PlaceFlags {
  readonly runsDir?: string;
}

const runsDirFlag = ["--runs-dir <folder>", "where run folders are, campaigns included (default: runs)"] as const;

/** foehn runs list | show | compare | sync */
export const define: DefineVerb = (command, run) => {
  command.usage("list | show | compare | sync [runs]");
  command
    .command("list")
    .description("List the runs of a folder and of the folders in it.")
    .option(...runsDirFlag)
    .addOption(choiceOption("--sort <key>", "order; default age, the newest first", sortKeys))
    .option("--reverse", "turn the order round")
    .addHelpText("after", "\nExample:\n  foehn runs list --sort loss\n")
    .action(run(listRuns));
  command
    .command("show")
    .description("Show a run: options, scores, figures, where it comes from.")
    .argument("<run>", "run folder, or a part of its name")
    .option(...runsDirFlag)
    .addHelpText(
      "after",
      "\nExample:\n  foehn runs show 20190301T120000Z-synthetic-halfunet-3f9a\n  foehn runs show 3f9a\n",
    )
    .action(run(showRun));
  command
    .command("compare")
    .description("Compare runs: options that differ, scores by variable and lead, ratios to the first.")
    .argument("<runs...>", "two or more run folders, or parts of their names")
    .option(...runsDirFlag)
    .addOption(choiceOption("--metric <name>", "which score; default rmse", ["rmse", "mae", "bias", "acc"]))
    .addHelpText("after", "\nExample:\n  foehn runs compare 3f9a 81c2 --metric mae\n")
    .action(run(compare));
  command
    .command("sync")
    .description("Send MLflow what it missed while it was down: nothing of a run with --trackers mlflow is lost.")
    .argument("<run>", "run folder, or a part of its name")
    .option(...runsDirFlag)
    .option("--mlflow-uri <uri>", "MLflow server (default: MLFLOW_TRACKING_URI, else that of the run)")
    .addHelpText("after", "\nExample:\n  foehn runs sync 3f9a --mlflow-uri http://localhost:5000\n")
    .action(run(sync));
};

async function listRuns(
  console: Console,
  flags: PlaceFlags & { readonly sort?: SortKey; readonly reverse?: boolean },
): Promise<void> {
  const { findRuns } = await import("../../training/run-summary.js");
  const root = flags.runsDir ?? "runs";
  const { runs, damaged } = findRuns(root);
  const sorted = [...runs].sort(orders[flags.sort ?? "age"]);
  if (flags.reverse) sorted.reverse();
  for (const { path, problem } of damaged)
    console.warn(`${relative(process.cwd(), path) || path} is left out: ${problem}`);
  const now = Math.floor(Date.now() / 1000);
  const rows = sorted.map((run) => [
    join(run.campaign, run.id),
    run.dataset,
    run.model,
    run.strategy,
    `${run.epochs}/${run.epochsWanted}`,
    run.best === null ? "–" : run.best.value.toPrecision(4),
    run.state,
    formatSize(run.size),
    ageOf(run, now),
  ]);
  const header = ["run", "dataset", "model", "strategy", "epochs", "best loss", "state", "size", "age"];
  const text = rows.length === 0 ? `there are no runs in ${root}` : table([header, ...rows]);
  console.result({ runs: sorted.map(toJson), damaged }, text);
}

async function sync(
  console: Console,
  flags: PlaceFlags & { readonly mlflowUri?: string },
  word: string,
): Promise<void> {
  const [{ resolveRun }, { readRunFolder }, { syncMlflow }] = await Promise.all([
    import("../../training/run-summary.js"),
    import("../../training/run-folder.js"),
    import("../../tracking/mlflow/sync.js"),
  ]);
  const path = resolveRun(word, flags.runsDir ?? "runs");
  const uri = flags.mlflowUri ?? process.env.MLFLOW_TRACKING_URI ?? (await readRunFolder(path)).options.mlflow_uri;
  if (uri === null) throw new UsageError("which MLflow?", { hint: "pass --mlflow-uri, or set MLFLOW_TRACKING_URI" });
  const { pending, left } = await syncMlflow(path, { uri, note: (line) => console.warn(line) });
  if (left > 0) {
    throw new StorageError(`${left} of ${pending} records could not be sent`, {
      hint: "they stay in the run folder; try again later",
    });
  }
  console.result({ run: path, sent: pending }, pending === 0 ? "MLflow has everything" : `sent ${pending} records`);
}

const orders: Readonly<Record<SortKey, (a: RunSummary, b: RunSummary) => number>> = {
  age: (a, b) => b.created - a.created,
  name: (a, b) => join(a.campaign, a.id).localeCompare(join(b.campaign, b.id)),
  loss: (a, b) => (a.best?.value ?? Number.POSITIVE_INFINITY) - (b.best?.value ?? Number.POSITIVE_INFINITY),
  epochs: (a, b) => b.epochs - a.epochs,
  size: (a, b) => b.size - a.size,
};

async function showRun(console: Console, flags: PlaceFlags, word: string): Promise<void> {
  const [{ resolveRun, summariseRun }, { bestValidation, latestTest }] = await Promise.all([
    import("../../training/run-summary.js"),
    import("../../training/run-comparison.js"),
  ]);
  const run = summariseRun(resolveRun(word, flags.runsDir ?? "runs"), flags.runsDir ?? "runs");
  const { readFileSync } = await import("node:fs");
  const provenance = JSON.parse(readFileSync(join(run.path, "provenance.json"), "utf8")) as Record<string, unknown>;
  const scores = latestTest(run) ?? bestValidation(run);
  const figures = figuresOf(run.path);
  const now = Math.floor(Date.now() / 1000);
  const facts = [
    ["run", run.path],
    ["state", run.state],
    ["created", `${formatTimeShort(run.created)} UTC (${ageOf(run, now)} ago)`],
    ["epochs", `${run.epochs} of ${run.epochsWanted} (${run.steps} steps)`],
    ["best loss", run.best === null ? "–" : `${run.best.value.toPrecision(4)} at epoch ${run.best.epoch}`],
    ["tests", run.tests.join(", ") || "none"],
    ["size", formatSize(run.size)],
  ];
  const section = (title: string, body: string) => (body === "" ? [] : [`\n${title}`, body]);
  const lines = [
    table(facts),
    ...section("options", table(flat(run.options))),
    ...section("provenance", table(flat(provenance))),
    ...section(scores === undefined ? "" : `RMSE (${scores.from})`, scores === undefined ? "" : scoreLines(scores)),
    ...section("figures", figures.slice(0, 20).join("\n")),
    ...(figures.length > 20 ? [`and ${figures.length - 20} more`] : []),
  ];
  console.result({ ...toJson(run), provenance, scores: scores ?? null, figures }, lines.join("\n"));
}

function scoreLines(scores: {
  readonly variables: readonly string[];
  readonly leadHours: readonly number[];
  readonly units: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
}): string {
  const header = ["", ...scores.leadHours.map((lead) => `+${Number(lead.toFixed(2))} h`)];
  const rows = scores.variables.map((name) => [
    named(name, scores.units),
    ...scores.leadHours.map((_, i) => showNumber(scores.metrics.rmse?.[name]?.[i] ?? null)),
  ]);
  return numberTable([header, ...rows], 1);
}

async function compare(
  console: Console,
  flags: PlaceFlags & { readonly metric?: "rmse" | "mae" | "bias" | "acc" },
  words: readonly string[],
): Promise<void> {
  const [{ resolveRun, summariseRun }, { compareRuns }] = await Promise.all([
    import("../../training/run-summary.js"),
    import("../../training/run-comparison.js"),
  ]);
  const root = flags.runsDir ?? "runs";
  const paths = [...new Set(words.map((word) => resolveRun(word, root)))];
  if (paths.length < 2)
    throw new UsageError("a comparison needs two runs", { hint: "foehn runs list shows what there is" });
  const runs = paths.map((path) => summariseRun(path, root));
  const comparison = compareRuns(runs, flags.metric);
  console.result(comparison, comparisonText(runs, comparison));
}

function comparisonText(runs: readonly RunSummary[], comparison: RunComparison): string {
  // A letter for each run keeps the columns narrow.
  const letters = runs.map((_, i) => String.fromCharCode(65 + i));
  const legend = runs.map((run, i) => [letters[i]!, join(run.campaign, run.id), comparison.from[i]!, run.state]);
  const differences = Object.entries(comparison.differences).map(([key, values]) => [key, ...values.map(showValue)]);
  const scores = comparison.scores.map((row, i) => [
    row.variable === comparison.scores[i - 1]?.variable ? "" : named(row.variable, comparison.units),
    `+${Number(row.lead_hours.toFixed(2))} h`,
    ...row.values.flatMap((value, k) =>
      k === 0 ? [showNumber(value)] : [showNumber(value), showRatio(row.ratios[k]!)],
    ),
  ]);
  const scoreHeader = [
    comparison.metric.toUpperCase(),
    "lead",
    ...letters.flatMap((x, k) => (k === 0 ? [x] : [x, `${x}/A`])),
  ];
  return [
    table(legend),
    "",
    ...(differences.length === 0 ? ["the options are the same"] : [table([["option", ...letters], ...differences])]),
    "",
    numberTable([scoreHeader, ...scores], 1),
  ].join("\n");
}

/** PNG and GIF files of the run's figures and tests, as paths from here. */
function figuresOf(runDir: string): string[] {
  const found = readdirSync(runDir, { recursive: true, encoding: "utf8" });
  return found
    .filter((name) => /\.(png|gif)$/.test(name) && /^(figures|test-\d+)$/.test(name.split(sep)[0]!))
    .sort()
    .map((name) => relative(process.cwd(), join(runDir, name)));
}

function toJson(run: RunSummary) {
  const { epochsWanted, created, ...rest } = run;
  return { ...rest, epochs_wanted: epochsWanted, created: new Date(created * 1000).toISOString() };
}

function flat(facts: Readonly<Record<string, unknown>>): string[][] {
  return Object.entries(facts)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, showValue(value)]);
}

function showValue(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function named(variable: string, units: Readonly<Record<string, string>>): string {
  const unit = units[variable];
  return unit === undefined || unit === "" || unit === "1" ? variable : `${variable} (${unit})`;
}

/** A table whose columns from `first` on stand to the right. */
function numberTable(rows: readonly (readonly string[])[], first: number): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return table(rows.map((row) => row.map((cell, i) => (i < first ? cell : cell.padStart(widths[i]!)))));
}

function showNumber(value: number | null): string {
  return value === null ? "–" : String(Number(value.toPrecision(4)));
}

function showRatio(value: number | null): string {
  return value === null ? "–" : value.toFixed(3);
}

function ageOf(run: RunSummary, now: number): string {
  const seconds = Math.max(0, now - run.created);
  const unit = seconds >= 2 * 86_400 ? 86_400 : seconds >= 7200 ? 3600 : 60;
  return seconds < 60 ? `${seconds}s` : formatDuration(Math.floor(seconds / unit) * unit);
}

function formatSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
