// Lagged initial states: member i starts from the analysis at the initial time plus its lag, as if it were that of the initial time
// (Hoffman & Kalnay 1983; Earth2Studio's LaggedEnsemble). Nothing random. Not the lagged ensembles that scores/lagged makes of forecasts
// from different dates.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { UsageError } from "../../core/errors.js";
import { formatDuration } from "../../core/time.js";
import type { Perturbation } from "./perturbation.js";

/**
 * @param lags seconds, by member, mostly negative; that of member 0, the control, is 0
 * @throws UsageError without lags, or with one for the control; on use, for more members than lags
 */
export function laggedStates(lags: readonly number[]): Perturbation {
  if (lags.length === 0)
    throw new UsageError("lagged initial states need the lags of the members, such as 0h,-6h,-12h");
  if (lags[0] !== 0) {
    throw new UsageError(`the lag of member 0, the control, is ${formatDuration(lags[0]!)}, which must be 0`, {
      hint: "begin the list of lags with 0",
    });
  }
  return {
    description: `lagged initial states, ${lags.map((lag) => formatDuration(lag)).join(" ")}`,
    async perturb(x, rows, { readState }) {
      const most = Math.max(...rows.map((row) => row.member));
      if (most >= lags.length) {
        throw new UsageError(`there are lags for ${lags.length} members, and member ${most} is wanted`, {
          hint: "give as many lags as members, 0 for the control included",
        });
      }
      if (readState === undefined) throw new UsageError("lagged initial states need a source of initial states");
      const result = torch.inferenceMode(() => x.clone());
      // Dates that follow each other meet the same states.
      const states = new Map<number, Tensor>();
      try {
        for (const [r, { time, member }] of rows.entries()) {
          const lag = lags[member]!;
          if (lag === 0) continue;
          const state = states.get(time + lag) ?? (await readState(time + lag));
          states.set(time + lag, state);
          torch.inferenceMode(() => torch.scope(() => void result.select(0, r).copy_(state.select(0, 0))));
        }
        return result;
      } catch (error) {
        result.dispose();
        throw error;
      } finally {
        for (const state of states.values()) state.dispose();
      }
    },
  };
}
