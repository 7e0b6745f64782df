import { describe, expect, it } from "vitest";
import { judgeEpoch } from "./judge-epoch.js";
import { initialState } from "./state.js";

/** Epochs that were the best so far (from 1), and the epoch after which training stopped. */
function follow(values: readonly number[], minDelta: number, patience: number | null) {
  const state = initialState();
  const best: number[] = [];
  for (const [i, value] of values.entries()) {
    state.epoch = i + 1;
    const options = { early_stopping_patience: patience, early_stopping_min_delta: minDelta };
    if (judgeEpoch(state, value, options)) best.push(state.epoch);
    if (state.is_stopped_early) return { best, value: state.best?.value, stopped: state.epoch };
  }
  return { best, value: state.best?.value, stopped: null };
}

describe("judgeEpoch", () => {
  it("takes the lowest value for the best, however little lower", () => {
    expect(follow([5, 4.9, 4.8, 4.85], 1, null)).toEqual({ best: [1, 2, 3], value: 4.8, stopped: null });
  });

  it("asks early stopping for a fall of more than min_delta since the last one that counted", () => {
    // Small steps add up: 5 → 3.9 is more than 1.
    expect(follow([5, 4.5, 3.9, 3.8, 3.7, 3.6], 1, 3)).toEqual({ best: [1, 2, 3, 4, 5, 6], value: 3.6, stopped: 6 });
    expect(follow([5, 5, 5], 0, 2)).toEqual({ best: [1], value: 5, stopped: 3 });
  });

  it("never takes NaN for the best, and goes on from a state without a patience value", () => {
    expect(follow([Number.NaN, 3, 2], 0, null)).toEqual({ best: [2, 3], value: 2, stopped: null });
    const old = { ...initialState(), epoch: 4, best: { value: 2, epoch: 3, step: 9 } };
    const options = { early_stopping_patience: 1, early_stopping_min_delta: 0 };
    expect(judgeEpoch(old, 2.5, options)).toBe(false);
    expect(old.is_stopped_early).toBe(true);
  });
});
