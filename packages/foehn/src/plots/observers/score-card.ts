// ScoreCard: several scores of a pass on one page, coloured by what the model gains over persistence where the pass knows it.

import { z } from "zod";
import { errorMetrics } from "../../training/error-sums.js";
import type { ErrorObserver, ObserverReport } from "../../training/observer.js";
import { scoreTableOf } from "./score-table.js";

/** Settings of `score_card`. */
export const scoreCardSettings = z.strictObject({
  metrics: z
    .array(z.enum(errorMetrics))
    .min(1)
    .default(["rmse", "mae", "bias", "acc"])
    .describe("which scores, in this order; acc only where the pass has a climatology"),
});

/** Draws `score_card.png`. */
export class ScoreCard implements ErrorObserver {
  readonly #settings: z.output<typeof scoreCardSettings>;

  constructor(settings: z.output<typeof scoreCardSettings>) {
    this.#settings = settings;
  }

  update(): void {
    // The pass itself sums the errors.
  }

  async finish(report: ObserverReport): Promise<void> {
    await report.figure("score_card.png", async () => {
      const [{ drawScoreCard }, { stackFigures }] = await Promise.all([
        import("../score-card.js"),
        import("../stack.js"),
      ]);
      const table = scoreTableOf(report);
      const metrics = this.#settings.metrics.filter((metric) => table.model[metric] !== undefined);
      return stackFigures(metrics.map((metric) => drawScoreCard(table, { metric }))).png();
    });
  }
}
