// The pooled errors of a pass in the shape that score figures draw and `foehn score --json` prints.

import type { ErrorSums } from "../../training/error-sums.js";
import type { ObserverReport } from "../../training/observer.js";
import type { MetricTable, ScoreTableData } from "../scores.js";

/** Scores of a pass by variable and lead, beside persistence where the pass has it. */
export function scoreTableOf(report: ObserverReport): ScoreTableData {
  const { info, leadHours, numSamples } = report.pass;
  const all = (sums: ErrorSums): MetricTable => ({
    rmse: sums.score("rmse"),
    mae: sums.score("mae"),
    bias: sums.score("bias"),
    ...(sums.hasAcc && { acc: sums.score("acc") }),
  });
  return {
    variables: info.features.map((feature) => feature.name),
    lead_hours: leadHours,
    n_dates: numSamples,
    units: Object.fromEntries(info.features.map(({ name, units }) => [name, units])),
    model: all(report.errors),
    ...(report.persistence && { persistence: all(report.persistence) }),
  };
}
