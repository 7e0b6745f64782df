// A part of a forecast: some variables, every n-th step, a box or points.

import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { FileHeader } from "./cf-layout.js";
import { type Domain, type PlacedDomain, placeDomain } from "./domains.js";
import type { ForecastHeader, ForecastOutput, ForecastStep } from "./output.js";
import { PassingOutput } from "./pass-on.js";

/** What to keep; everything where nothing is said. */
export interface Selection {
  /** In this order. */
  readonly variables?: readonly string[] | undefined;
  /** Steps: 1 is all of them; the initial condition counts as step 0. */
  readonly every?: number | undefined;
  readonly domain?: Domain | undefined;
}

/** Passes a part on. */
export class SelectOutput extends PassingOutput {
  #fields: readonly number[] = [];
  #placed: PlacedDomain | undefined;

  constructor(
    inner: ForecastOutput,
    readonly selection: Selection,
  ) {
    super(inner);
  }

  /** @throws UsageError for a variable that the forecast does not have, points outside of the grid; DataError for an empty box */
  async open(header: ForecastHeader): Promise<void> {
    const { variables, every = 1, domain } = this.selection;
    const names = header.variables.map((variable) => variable.name);
    this.#fields = chooseVariables(variables, names).map((name) => names.indexOf(name));
    this.#placed = domain && placeDomain(header.grid, domain);
    const { grid, pointNames } = this.#placed ?? { grid: header.grid, pointNames: undefined };
    const passed: FileHeader = {
      ...header,
      variables: this.#fields.map((v) => header.variables[v]!),
      grid,
      pointNames,
      stepSeconds: (header.leadTimes[1] ?? 0) - header.leadTimes[0]!,
      leadTimes: header.leadTimes.filter((_, i) => i % every === 0),
    };
    // Outputs of files take points too; others are never given any.
    await this.inner.open(passed as ForecastHeader);
  }

  async write(step: ForecastStep): Promise<void> {
    const { every = 1 } = this.selection;
    if (step.leadIndex % every !== 0) return;
    const fields = this.#fields.map((v) => {
      const field = step.fields[v]!;
      return this.#placed ? this.#placed.take(field) : field;
    });
    await this.inner.write({ ...step, leadIndex: step.leadIndex / every, fields });
  }
}

/** The variables to look at, checked against those of a model. @throws UsageError with the nearest names */
export function chooseVariables(wanted: readonly string[] | undefined, known: readonly string[]): readonly string[] {
  if (!wanted || wanted.length === 0) return known;
  for (const name of wanted) {
    if (known.includes(name)) continue;
    throw new UsageError(`the model has no variable "${name}"`, {
      hint: `${didYouMean(name, known)} It has ${known.join(", ")}.`.trim(),
    });
  }
  return [...new Set(wanted)];
}
