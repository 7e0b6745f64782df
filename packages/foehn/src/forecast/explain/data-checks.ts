// Whether data can serve a model: variables, units, grid, times, border, each looked at for itself so that all mismatches are told at once.
// Sources are opened, which reads their headers and indexes; no field is read.

import { ConfigError, DataError } from "../../core/errors.js";
import { formatTime } from "../../core/time.js";
import { borderMask } from "../../grid/geometry.js";
import type { Grid } from "../../grid/grid.js";
import { describeTimes } from "../../sources/resolve.js";
import type { Source } from "../../sources/source.js";
import { Boundary } from "../boundary.js";
import { hasTime, historyTimes, requireVariables, stateReader, type WantedVariable } from "../initial-state.js";
import { onGrid } from "../on-grid.js";
import type { FieldRole, FieldsPart, Problems } from "./explanation.js";
import type { ModelFacts } from "./model-facts.js";

/** A run, as far as it is known. */
export interface RunFacts {
  readonly facts: ModelFacts;
  readonly initialTimes: readonly number[];
  readonly steps: number;
}

/** Names, grid and units. A reader of all would stop at the first mismatch. */
async function checkVariables(
  source: Source,
  variables: readonly WantedVariable[],
  grid: Grid,
  problems: Problems,
): Promise<void> {
  await problems.try(() => requireVariables(source, variables));
  await problems.try(() => void onGrid(source.grid, grid));
  for (const variable of variables) {
    try {
      requireVariables(source, [variable]);
    } catch {
      continue; // said above, with the others
    }
    await problems.try(() => void stateReader(source, [variable], grid));
  }
}

/** Which fields of `source` are needed, after noting what it cannot give. */
export async function checkFields(
  role: FieldRole,
  source: Source,
  variables: readonly WantedVariable[],
  times: readonly number[],
  { grid }: ModelFacts,
  problems: Problems,
): Promise<FieldsPart> {
  await checkVariables(source, variables, grid, problems);
  const wanted = ascending(times);
  const lacking = wanted.filter((time) => !hasTime(source.times, time));
  if (lacking.length > 0 && variables.length > 0) {
    const shown = lacking.slice(0, 5).map(formatTime).join(", ");
    problems.add(
      new DataError(
        `the data lack ${lacking.length} of ${wanted.length} times for the ${role}: ${shown}${lacking.length > 5 ? ", …" : ""}`,
        { where: source.description, hint: `they have ${describeTimes(source.times)}` },
      ),
    );
  }
  return { role, from: source.description, variables: variables.map(({ name }) => name), times: wanted };
}

/** The fields of a forecast or score. */
export async function modelFields(
  { facts, initialTimes, steps }: RunFacts,
  source: Source,
  { border, truth }: { readonly border: Source | undefined; readonly truth: boolean },
  problems: Problems,
): Promise<FieldsPart[]> {
  const { initial, forcing, numInputSteps, historySeconds, stepSeconds, interpolates } = facts;
  const valid = initialTimes.flatMap((time) => Array.from({ length: steps }, (_, n) => time + (n + 1) * stepSeconds));
  const starts = initialTimes.flatMap((time) => historyTimes(time, numInputSteps, historySeconds));
  const parts: FieldsPart[] = [];
  if (initial.length > 0) parts.push(await checkFields("initial state", source, initial, starts, facts, problems));
  if (forcing.variables.length > 0) {
    const wanted = forcing.variables.map((name) => ({
      name,
      units: source.variables.find((variable) => variable.name === name)?.units ?? "",
    }));
    const times = interpolates ? [...initialTimes, ...valid] : valid;
    parts.push(await checkFields("forcing", source, wanted, times, facts, problems));
  }
  if (truth) {
    parts.push(await checkFields("truth", source, facts.features, [...initialTimes, ...valid], facts, problems));
  }
  if (border) parts.push(...(await borderFields(facts, border, valid, problems)));
  return parts;
}

async function borderFields(
  facts: ModelFacts,
  source: Source,
  valid: readonly number[],
  problems: Problems,
): Promise<FieldsPart[]> {
  const { borderSize, initial, grid, stepSeconds, strategy } = facts;
  if (borderSize === 0) {
    const why = strategy === undefined ? "it forces none" : `it has no border, or its strategy ${strategy} forces none`;
    problems.add(
      new ConfigError(`border data were given, but the model has no use for them: ${why}`, {
        where: source.description,
        hint: "leave the border data out",
      }),
    );
    return [];
  }
  await checkVariables(source, initial, grid, problems);
  await problems.try(() => {
    const mask = borderMask(grid.shape, borderSize);
    // Variables and grid were looked at above; this is about times alone, which may lie between those of the data.
    const boundary = new Boundary({ source, features: [], grid: source.grid, mask, stepSeconds });
    boundary.requireTimes(valid);
  });
  const variables = initial.map(({ name }) => name);
  return [{ role: "border", from: source.description, variables, times: ascending(valid) }];
}

const ascending = (times: readonly number[]): number[] => [...new Set(times)].sort((a, b) => a - b);
