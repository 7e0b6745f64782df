// What a report says about a run, collected from the run folder, its package, scores and a forecast. The page is plots/report.ts.

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { formatDuration } from "../core/time.js";
import { describeGrid } from "../grid/grid.js";
import { drawForecastMap } from "../plots/forecast-map.js";
import { forecastGif } from "../plots/gif.js";
import type { Report, ReportFigure } from "../plots/report.js";
import { drawScoreCard } from "../plots/score-card.js";
import { drawScoreByLead, type ScoreTableData } from "../plots/scores.js";
import { drawTrainingCurve } from "../plots/training-curve.js";
import { readDatasetRecord } from "../training/dataset-record.js";
import { readRunFolder } from "../training/run-folder.js";
import { completeTests } from "../training/run-summary.js";
import type { ForecastFields } from "./forecast-file.js";
import { readRunMetrics } from "./run-files.js";

/** What there is besides the run folder. */
export interface RunReportParts {
  readonly scores?: ScoreTableData | undefined;
  readonly forecast?: ForecastFields | undefined;
  /** Default: `package` in the run folder, where it is there. */
  readonly package?: string | undefined;
  /** Commands that do it again, in order. */
  readonly commands?: readonly string[] | undefined;
  /** False for fields that lie on no map of this Earth. Default: what the run's data say. */
  readonly coastlines?: boolean | undefined;
  /** Also the figures that observers left in the run folder. Default false. */
  readonly withFigures?: boolean | undefined;
}

/** Collects the report of a run. @throws StorageError when the folder is no run */
export async function runReport(runDir: string, parts: RunReportParts = {}): Promise<Report> {
  const { options, provenance } = await readRunFolder(runDir);
  const { info } = await readDatasetRecord(runDir);
  const history = readRunMetrics(runDir);
  const epochs = history.filter((record) => record.kind === "epoch");
  const best = epochs.filter((record) => record.val_loss !== null).sort((a, b) => a.val_loss! - b.val_loss!)[0];
  const inRun = join(runDir, "package");
  const packagePath = parts.package ?? (existsSync(inRun) ? inRun : undefined);
  const seconds = epochs.reduce((sum, record) => sum + record.seconds, 0);
  return {
    title: `${options.model} on ${info.name}`,
    subtitle: resolve(runDir),
    run: {
      model: options.model,
      strategy: options.strategy,
      epochs: epochs.length,
      steps: history.at(-1)?.step ?? 0,
      "best epoch": best?.epoch ?? "none validated",
      "best validation loss": best?.val_loss ?? "none",
      "training time": formatDuration(Math.round(seconds)),
    },
    data: {
      dataset: info.name,
      variables: info.features.map((f) => `${f.name} (${f.units})`),
      forcings: info.forcingNames,
      "static fields": info.statics.names,
      grid: describeGrid(info.grid),
      "time step": formatDuration(info.stepSeconds),
    },
    settings: { ...options },
    history,
    units: Object.fromEntries(info.features.map((f) => [f.name, f.units])),
    figures: [
      ...figures(history, { coastlines: info.isOfThisEarth, ...parts }),
      ...(parts.withFigures ? await observedFigures(runDir) : []),
    ],
    provenance: { ...provenance },
    ...(packagePath === undefined ? {} : { package: await packageFacts(packagePath) }),
    ...(parts.scores === undefined ? {} : { scores: parts.scores }),
    ...(parts.commands === undefined ? {} : { commands: parts.commands }),
  };
}

async function packageFacts(path: string): Promise<Record<string, unknown>> {
  const { openPackage } = await import("../hub/model-package.js");
  const pkg = await openPackage(path);
  const files = Object.entries(pkg.manifest.files ?? {}).map(([name, { sha256 }]) => [`sha256 of ${name}`, sha256]);
  return { name: pkg.name, version: pkg.manifest.version, folder: pkg.path, ...Object.fromEntries(files) };
}

/** Most figures of one kind in a report: a page of two hundred maps is not read. */
const maxOfAKind = 8;

/** The figures of the latest test, else of the last validation that drew: one sample at its last lead, animations, spectra. */
async function observedFigures(runDir: string): Promise<ReportFigure[]> {
  const test = completeTests(runDir).at(-1);
  const validations = join(runDir, "figures", "val");
  const epoch = existsSync(validations) ? readdirSync(validations).sort().at(-1) : undefined;
  const folder = test !== undefined ? join(runDir, test) : epoch === undefined ? undefined : join(validations, epoch);
  if (folder === undefined) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
  const lastLeads = new Map(
    names
      .filter((name) => /_?lead_\d+\.png$/.test(name))
      .sort()
      .map((name) => [name.replace(/lead_\d+\.png$/, ""), name]),
  );
  const maps = [...lastLeads.values()].filter((name) => /^prediction\/.*sample_1_/.test(name));
  const animations = names.filter((name) => /sample_1\.gif$/.test(name)).sort();
  const chosen: [string, string][] = [
    ...names.filter((name) => name === "spectra.png").map((name): [string, string] => ["Power spectra", name]),
    ...[...lastLeads.values()]
      .filter((name) => name.startsWith("spatial_error/"))
      .map((name): [string, string] => ["Where errors gather, at the last lead", name]),
    ...maps.slice(0, maxOfAKind).map((name): [string, string] => [`Forecast and truth: ${name.split("/")[1]}`, name]),
    ...animations.slice(0, maxOfAKind).map((name): [string, string] => [`Animation: ${name.split("/")[1]}`, name]),
  ];
  const from = test ?? `validation, ${epoch}`;
  return Promise.all(
    chosen.map(async ([title, name]) => ({ title, caption: from, figure: await readFile(join(folder, name)) })),
  );
}

function figures(history: ReturnType<typeof readRunMetrics>, parts: RunReportParts): ReportFigure[] {
  const { scores, forecast, coastlines = true } = parts;
  const found: ReportFigure[] = [{ title: "Training", figure: drawTrainingCurve(history) }];
  if (scores) {
    found.push({ title: "RMSE by lead time, beside persistence", figure: drawScoreByLead(scores, { metric: "rmse" }) });
    if (scores.model.acc)
      found.push({ title: "Anomaly correlation by lead time", figure: drawScoreByLead(scores, { metric: "acc" }) });
    found.push({ title: "Score card", figure: drawScoreCard(scores) });
  }
  const last = forecast?.frames.at(-1);
  if (forecast && last) {
    const { frames, ...field } = forecast;
    found.push({ title: "A forecast", figure: drawForecastMap({ ...field, ...last }, { coastlines }) });
    if (frames.length > 1)
      found.push({ title: "The forecast, step by step", figure: forecastGif(forecast, { coastlines }) });
  }
  return found;
}
