// StateErrorPlot: the error of every variable at every lead as numbers, as JSON and as a coloured table. The sums are those that
// every pass keeps anyway, so this observer costs nothing until the end.

import { z } from "zod";
import { type ErrorMetric, errorMetrics } from "../../training/error-sums.js";
import type { ErrorObserver, ObserverReport, PassInfo } from "../../training/observer.js";
import { scoreTableOf } from "./score-table.js";

/** Settings of `state_error`. */
export const stateErrorSettings = z.strictObject({
  metrics: z
    .array(z.enum(errorMetrics))
    .nullable()
    .default(null)
    .describe("which scores; default: mae in validation; mae, rmse and bias in a test"),
});

/**
 * One score card per metric: rows are variables, columns lead times, colours grow with the row's largest value. Also writes
 * `<phase>_<metric>_scores.json`, `{ variable: [per lead] }`, and scalars `<metric>/<variable>/lead_<k>`.
 */
export class StateErrorPlot implements ErrorObserver {
  readonly #metrics: readonly ErrorMetric[];

  constructor({ phase }: PassInfo, settings: z.output<typeof stateErrorSettings>) {
    this.#metrics = settings.metrics ?? (phase === "val" ? ["mae"] : ["mae", "rmse", "bias"]);
  }

  update(): void {
    // The pass itself sums the errors.
  }

  async finish(report: ObserverReport): Promise<void> {
    const { phase } = report.pass;
    // Beside persistence the colours would show skill; that is the score card's part.
    const { persistence: _, ...table } = scoreTableOf(report);
    for (const metric of this.#metrics) {
      const scores = report.errors.score(metric);
      for (const [name, values] of Object.entries(scores)) {
        for (const [lead, value] of values.entries()) report.scalar(`${metric}/${name}/lead_${lead + 1}`, value);
      }
      await report.json(`${phase}_${metric}_scores.json`, scores);
      await report.figure(`state_error_${metric}.png`, async () => {
        const [{ drawScoreCard }, { metricNames }] = await Promise.all([
          import("../score-card.js"),
          import("../scores.js"),
        ]);
        const samples = `${table.n_dates} sample${table.n_dates === 1 ? "" : "s"}`;
        const title = `${metricNames[metric]}, ${phase === "val" ? "validation" : "test"} of ${samples}`;
        return drawScoreCard(table, { metric, title }).png();
      });
    }
  }
}
