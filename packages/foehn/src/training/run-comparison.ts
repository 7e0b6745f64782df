// Runs beside each other: the options in which they differ, and their scores by variable and lead with the ratio to the first. The scores
// are those of the latest tests; where a run has none, those of the best validations of all.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { DataError, StorageError } from "../core/errors.js";
import type { ErrorMetric } from "./error-sums.js";
import type { RunSummary } from "./run-summary.js";

const values = z.record(z.string(), z.array(z.number().nullable()));

/** The part of a test's scores.json that is compared and shown; null stands for a score that is not there. */
const testScoresSchema = z.looseObject({
  variables: z.array(z.string()),
  lead_hours: z.array(z.number()),
  n_dates: z.number(),
  checkpoint: z.string(),
  loss: z.number().nullable(),
  units: z.record(z.string(), z.string()),
  model: z.record(z.string(), values),
});

/** A run's scores, from a test or from its best validation. */
export interface RunScores {
  /** `test-001`, or `validation, epoch 3`. */
  readonly from: string;
  readonly kind: "test" | "validation";
  readonly variables: readonly string[];
  readonly leadHours: readonly number[];
  readonly units: Readonly<Record<string, string>>;
  /** Metric → variable → one value per lead. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
}

/** One variable at one lead, in the order of the runs; null where a run has no such score. */
export interface ComparedScore {
  readonly variable: string;
  readonly lead_hours: number;
  readonly values: readonly (number | null)[];
  /** Divided by the first run's value. */
  readonly ratios: readonly (number | null)[];
}

/** What `compareRuns` found. Plain JSON. */
export interface RunComparison {
  readonly runs: readonly string[];
  /** Option → its value in each run, where they differ. */
  readonly differences: Readonly<Record<string, readonly unknown[]>>;
  readonly metric: ErrorMetric;
  /** Where each run's scores are from. */
  readonly from: readonly string[];
  readonly units: Readonly<Record<string, string>>;
  readonly scores: readonly ComparedScore[];
}

/** Scores of a run's latest test; undefined when it has none. @throws StorageError for a damaged file */
export function latestTest(run: RunSummary): RunScores | undefined {
  const name = run.tests.at(-1);
  if (name === undefined) return undefined;
  const path = join(run.path, name, "scores.json");
  const scores = parse(path, testScoresSchema);
  return {
    from: name,
    kind: "test",
    variables: scores.variables,
    leadHours: scores.lead_hours,
    units: scores.units,
    metrics: scores.model,
  };
}

const historySchema = z.looseObject({
  best: z.looseObject({ epoch: z.number() }).nullable(),
  history: z.array(z.looseObject({ epoch: z.number(), val_rmse: values.nullable() })),
});
const datasetSchema = z.looseObject({
  stepSeconds: z.number(),
  features: z.array(z.looseObject({ name: z.string(), units: z.string() })),
});

/** RMSE of a run's best validation; undefined when nothing was validated. @throws StorageError for a damaged file */
export function bestValidation(run: RunSummary): RunScores | undefined {
  const path = join(run.path, "checkpoints/last/state.json");
  if (!existsSync(path)) return undefined;
  const { best, history } = parse(path, historySchema);
  const record = history.find(({ epoch }) => epoch === best?.epoch);
  if (!record?.val_rmse) return undefined;
  const { stepSeconds, features } = parse(join(run.path, "dataset.json"), datasetSchema);
  const leads = Math.max(...Object.values(record.val_rmse).map((list) => list.length));
  return {
    from: `validation, epoch ${record.epoch}`,
    kind: "validation",
    variables: Object.keys(record.val_rmse),
    leadHours: Array.from({ length: leads }, (_, i) => ((i + 1) * stepSeconds) / 3600),
    units: Object.fromEntries(features.map(({ name, units }) => [name, units])),
    metrics: { rmse: record.val_rmse },
  };
}

function parse<T>(path: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new StorageError(`${path} cannot be read`, { hint: "it is damaged or of another version", cause });
  }
}

/** @throws DataError when the runs have no scores of that metric to compare */
export function compareRuns(runs: readonly RunSummary[], metric: ErrorMetric = "rmse"): RunComparison {
  const scores = scoresOfAll(runs, metric);
  const variables = [...new Set(scores.flatMap((run) => run.variables))];
  const leads = [...new Set(scores.flatMap((run) => run.leadHours))].sort((a, b) => a - b);
  const compared = variables.flatMap((variable) =>
    leads.map((lead): ComparedScore => {
      const values = scores.map((run) => {
        const at = run.leadHours.indexOf(lead);
        return run.metrics[metric]?.[variable]?.[at] ?? null;
      });
      const [first] = values;
      const ratios = values.map((value) =>
        value === null || first === null || first === undefined || first === 0 ? null : value / first,
      );
      return { variable, lead_hours: lead, values, ratios };
    }),
  );
  return {
    runs: runs.map((run) => run.id),
    differences: differencesOf(runs.map((run) => run.options)),
    metric,
    from: scores.map((run) => run.from),
    units: Object.assign({}, ...scores.map((run) => run.units).reverse()) as Record<string, string>,
    scores: compared.filter((row) => row.values.some((value) => value !== null)),
  };
}

/** Tests where all runs have one, else validations: the two are not to be compared with each other. */
function scoresOfAll(runs: readonly RunSummary[], metric: ErrorMetric): RunScores[] {
  const tests = runs.map(latestTest);
  if (tests.every((test) => test !== undefined)) return tests;
  const untested = runs.filter((_, i) => tests[i] === undefined);
  if (metric !== "rmse") {
    const names = untested.map((run) => run.id).join(", ");
    throw new DataError(`there is no ${metric} of ${names}: validations record rmse only`, {
      hint: `make all scores with: foehn test ${untested[0]!.path}`,
    });
  }
  return runs.map((run) => {
    const found = bestValidation(run);
    if (found) return found;
    throw new DataError(`${run.id} has neither a test nor a validation to compare`, {
      hint: `foehn test ${run.id} makes scores`,
    });
  });
}

/** Options that are about the place and the name of a run say nothing about its skill. */
const ignored = new Set(["runs_dir", "run_name"]);

/** Nested options as `model_settings.num_filters`. */
function differencesOf(options: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown[]> {
  const flat = options.map((all) => new Map(flatten(all)));
  const keys = [...new Set(flat.flatMap((all) => [...all.keys()]))].filter((key) => !ignored.has(key));
  const differences: Record<string, unknown[]> = {};
  for (const key of keys) {
    const found = flat.map((all) => all.get(key) ?? null);
    if (found.some((value) => !isDeepStrictEqual(value, found[0]))) differences[key] = found;
  }
  return differences;
}

function flatten(value: Readonly<Record<string, unknown>>, prefix = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? flatten(inner as Record<string, unknown>, `${prefix}${key}.`)
      : [[`${prefix}${key}`, inner] as [string, unknown]],
  );
}
