// How many steps a training unrolls, epoch by epoch: short forecasts first, longer ones when the network knows the short ones.
// It follows from the options and the epoch alone, so a resumed run goes on exactly where it was.

import { ConfigError } from "../core/errors.js";

/** The options that decide it. */
export interface UnrollPlan {
  readonly num_pred_steps_train: number;
  /** [epoch, steps]: from that epoch on (0 is the first), ascending. */
  readonly num_pred_steps_schedule: readonly (readonly [number, number])[] | null;
  readonly pushforward_steps: number;
}

/** Steps to unroll in an epoch, counted from 0. */
export function unrolledSteps(plan: UnrollPlan, epoch: number): number {
  const stage = plan.num_pred_steps_schedule?.findLast(([from]) => from <= epoch);
  return stage?.[1] ?? plan.num_pred_steps_train;
}

/** The most steps that any epoch unrolls: what samples must have. */
export function longestUnroll(plan: UnrollPlan): number {
  const stages = plan.num_pred_steps_schedule ?? [];
  return Math.max(plan.num_pred_steps_train, ...stages.map(([, steps]) => steps));
}

/** @throws ConfigError when the options contradict each other */
export function checkUnrollPlan(plan: UnrollPlan): void {
  const { num_pred_steps_schedule: schedule, num_pred_steps_train: constant, pushforward_steps: pushforward } = plan;
  for (const [i, [epoch]] of (schedule ?? []).entries()) {
    const before = schedule![i - 1]?.[0];
    if (i === 0 && epoch !== 0) {
      throw new ConfigError(`num_pred_steps_schedule begins with epoch ${epoch}; the first epoch is 0`);
    }
    if (before !== undefined && epoch <= before) {
      throw new ConfigError(`num_pred_steps_schedule: epoch ${epoch} comes after epoch ${before}; epochs must ascend`);
    }
  }
  if (schedule !== null && constant !== 1 && constant !== longestUnroll({ ...plan, num_pred_steps_train: 1 })) {
    throw new ConfigError(`num_pred_steps_train ${constant} contradicts num_pred_steps_schedule ${show(schedule)}`, {
      hint: "leave num_pred_steps_train out: the schedule says how many steps each epoch unrolls",
    });
  }
  const shortest = Math.min(...(schedule === null ? [constant] : schedule.map(([, steps]) => steps)));
  if (pushforward < shortest) return;
  throw new ConfigError(
    `pushforward_steps ${pushforward} leaves nothing for the loss where ${shortest} step${shortest === 1 ? " is" : "s are"} unrolled`,
    { hint: `use at most ${shortest - 1}, or unroll more steps (num_pred_steps_train, num_pred_steps_schedule)` },
  );
}

const show = (schedule: readonly (readonly [number, number])[]): string =>
  schedule.map(([epoch, steps]) => `${epoch}:${steps}`).join(",");
