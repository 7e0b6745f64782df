// Scores for figures from whatever a user has: a run folder (its latest test, else its best validation), a test folder, or what
// `foehn score` wrote.

import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UsageError } from "../core/errors.js";
import type { Metric, ScoredModel, ScoreTableData } from "../plots/scores.js";
import { bestValidation, latestTest, type RunScores } from "../training/run-comparison.js";
import { looksLikeRun, summariseRun } from "../training/run-summary.js";
import { readScores } from "./score-file.js";

/** The scores behind a path, and a name for them. @throws UsageError when there are none */
export async function readScoredModel(path: string): Promise<ScoredModel> {
  const name = basename(resolve(path)).replace(/\.(nc|json)$/, "");
  if (!existsSync(path) || !statSync(path).isDirectory()) return { name, table: await readScores(path) };
  const inTest = join(path, "scores.json");
  if (existsSync(inTest)) return { name: join(basename(resolve(path, "..")), name), table: await readScores(inTest) };
  if (!looksLikeRun(path)) {
    throw new UsageError(`${path} is neither a run nor a file with scores`, {
      hint: "give a run folder, or what foehn score -o wrote",
    });
  }
  return { name, table: await runScores(path) };
}

/** The latest test of a run, else its best validation. @throws UsageError when it has neither */
export async function runScores(runDir: string): Promise<ScoreTableData> {
  const run = summariseRun(runDir);
  const test = run.tests.at(-1);
  if (test !== undefined) return readScores(join(runDir, test, "scores.json"));
  const validation = bestValidation(run);
  if (validation) return tableOf(validation);
  throw new UsageError(`${runDir} has no scores`, { hint: `foehn test ${runDir} makes them` });
}

/** True when a run has anything to draw scores from. */
export function hasScores(runDir: string): boolean {
  const run = summariseRun(runDir);
  return latestTest(run) !== undefined || bestValidation(run) !== undefined;
}

function tableOf(scores: RunScores): ScoreTableData {
  const numbers = (values: Readonly<Record<string, readonly (number | null)[]>>) =>
    Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.map((value) => value ?? Number.NaN)]));
  const model = Object.fromEntries(
    Object.entries(scores.metrics).map(([metric, values]) => [metric as Metric, numbers(values)]),
  );
  return { variables: scores.variables, lead_hours: scores.leadHours, units: scores.units, model };
}
