// Schedules of the learning rate by the names of `--scheduler`. All move on with every optimiser step, except `plateau`, which
// waits for the results of validations.

import { optim } from "@foehn/torch";
import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { ConfigError } from "../core/errors.js";
import { camelCase, type Optimizer } from "./optimizers.js";
import type { TrainOptions } from "./options.js";

/** Values of `--scheduler`. */
export const schedulerNames = [
  "constant",
  "step",
  "multistep",
  "exponential",
  "cosine",
  "inverse_sqrt",
  "one_cycle",
  "plateau",
] as const;
/** A value of `--scheduler`. */
export type SchedulerName = (typeof schedulerNames)[number];

const above = z.number().positive();
const share = z.number().gt(0).lt(1);
const count = z.int().nonnegative();

/** Settings besides warmup_steps, min_lr, step_size and gamma; PyTorch's names and defaults. */
const settingsOf = {
  constant: z.strictObject({}),
  step: z.strictObject({}),
  multistep: z.strictObject({ milestones: z.array(z.int().positive()).min(1).describe("optimiser steps") }),
  exponential: z.strictObject({}),
  cosine: z.strictObject({}),
  inverse_sqrt: z.strictObject({ timescale: above.optional().describe("default: warmup_steps, or 10000") }),
  one_cycle: z.strictObject({
    pct_start: share.default(0.3),
    div_factor: above.default(25),
    final_div_factor: above.default(1e4),
    anneal_strategy: z.enum(["cos", "linear"]).default("cos"),
    three_phase: z.boolean().default(false),
  }),
  plateau: z.strictObject({
    factor: share.default(0.1),
    patience: count.default(10).describe("validations"),
    threshold: z.number().nonnegative().default(1e-4),
    threshold_mode: z.enum(["rel", "abs"]).default("rel"),
    cooldown: count.default(0).describe("validations"),
  }),
} as const satisfies Record<SchedulerName, z.ZodType>;

/** State of a schedule, plain JSON. */
export type ScheduleState = optim.SchedulerState | optim.PlateauState;

/** What training tells a schedule. */
export interface Schedule {
  /** After every optimiser step. */
  stepped(): void;
  /** After every validation, with the value that decides which checkpoint is best. */
  validated(value: number): void;
  stateDict(): ScheduleState;
  loadStateDict(state: ScheduleState): void;
}

/** Options that a schedule is made of. */
export type ScheduleOptions = Pick<
  TrainOptions,
  "scheduler" | "scheduler_settings" | "warmup_steps" | "min_lr" | "step_size" | "gamma"
>;

/** The schedule's own settings with their defaults. @throws ConfigError for what does not go together */
export function scheduleSettings(options: ScheduleOptions): Readonly<Record<string, unknown>> {
  const { scheduler, warmup_steps } = options;
  if (warmup_steps > 0 && (scheduler === "one_cycle" || scheduler === "plateau")) {
    throw new ConfigError(`the scheduler ${scheduler} takes no warmup_steps, got ${warmup_steps}`, {
      hint: scheduler === "one_cycle" ? "its growth is scheduler_settings.pct_start" : "leave warmup_steps out",
    });
  }
  return validateSettings<Readonly<Record<string, unknown>>>(
    settingsOf[scheduler],
    options.scheduler_settings,
    `scheduler_settings of ${scheduler}`,
  );
}

/** Makes the schedule of an optimiser. @param totalSteps optimiser steps of the whole training */
export function createSchedule(optimizer: Optimizer, options: ScheduleOptions, totalSteps: number): Schedule {
  const target = optimizer as optim.Optimizer<optim.GroupSettings>;
  const settings = camelCase(scheduleSettings(options));
  if (options.scheduler === "plateau") {
    return byResults(new optim.ReduceLROnPlateau(target, { ...settings, minLr: options.min_lr }));
  }
  return bySteps(stepSchedule(target, options, settings, totalSteps));
}

function stepSchedule(
  optimizer: optim.Optimizer<optim.GroupSettings>,
  options: ScheduleOptions & { readonly scheduler: SchedulerName },
  settings: Record<string, unknown>,
  totalSteps: number,
): optim.LRScheduler {
  const { scheduler, gamma, warmup_steps, min_lr: minLr } = options;
  const warmupSteps = Math.min(warmup_steps, totalSteps);
  const warmed = (schedule: optim.LRScheduler) =>
    warmupSteps === 0 ? schedule : new optim.WarmupLR(schedule, { warmupSteps });
  switch (scheduler) {
    case "step":
      return warmed(new optim.StepLR(optimizer, { stepSize: options.step_size, gamma }));
    case "multistep":
      return warmed(new optim.MultiStepLR(optimizer, { milestones: settings.milestones as number[], gamma }));
    case "exponential":
      return warmed(new optim.ExponentialLR(optimizer, { gamma }));
    case "cosine":
      return new optim.CosineWarmup(optimizer, { warmupSteps, totalSteps, minLr });
    case "inverse_sqrt":
      return new optim.InverseSqrt(optimizer, { ...settings, warmupSteps });
    case "one_cycle":
      return new optim.OneCycle(optimizer, { ...settings, totalSteps: Math.max(2, totalSteps) });
    default:
      return warmed(new optim.ConstantLR(optimizer, { factor: 1 }));
  }
}

function bySteps(schedule: optim.LRScheduler): Schedule {
  return {
    stepped: () => schedule.step(),
    validated: () => {},
    stateDict: () => schedule.stateDict(),
    loadStateDict: (state) => schedule.loadStateDict(state as optim.SchedulerState),
  };
}

function byResults(schedule: optim.ReduceLROnPlateau): Schedule {
  return {
    stepped: () => {},
    validated: (value) => schedule.step(value),
    stateDict: () => schedule.stateDict(),
    loadStateDict: (state) => schedule.loadStateDict(state as optim.PlateauState),
  };
}
