// The configuration of an ensemble run: earth2mip's `EnsembleRun` (its keys, defaults and meanings), as a file or as JSON text.
// Keys that it no longer has are taken with a note; keys that it never had are refused with the nearest known one.
// A few keys more than it has: how to breed, lags, and where the data are.

import { z } from "zod";
import { loadConfig, parseConfigText, validateSettings } from "../../core/config.js";
import { ConfigError } from "../../core/errors.js";
import { parseDuration } from "../../core/time.js";
import { gridNames } from "../../grid/json.js";
import type { Perturbation } from "../perturbations/perturbation.js";
import { createPerturbation, perturbationNames } from "../perturbations/registry.js";
import { type WeatherEvent, weatherEvent, weatherEventSchema } from "./weather-events.js";

const lag = z.union([z.number(), z.string()]).transform((value, context) => {
  if (typeof value === "number") return value;
  try {
    return parseDuration(value);
  } catch {
    context.addIssue({ code: "custom", message: 'not a lag; write it like "-6h"' });
    return z.NEVER;
  }
});

/** Schema of the configuration. */
export const ensembleConfigSchema = z
  .strictObject({
    weather_model: z.string().min(1).describe("what getModel takes: a package or a built-in name"),
    simulation_length: z.int().nonnegative().describe("steps of the model"),
    weather_event: weatherEventSchema.optional(),
    forecast_name: z.string().optional().describe("name of an event in weather_events.json, instead of weather_event"),
    output_path: z.string().optional().describe("the folder to write"),
    output_dir: z.string().optional().describe("where to make the folder Output.<model>.<event>.<time>"),
    ensemble_members: z.int().positive().default(1),
    ensemble_batch_size: z.int().positive().default(1).describe("members that the model computes at once"),
    seed: z.int().default(1),
    output_frequency: z.int().nonnegative().default(1).describe("write every n-th step; 0: never"),
    output_grid: z
      .enum(gridNames() as [string, ...string[]])
      .nullish()
      .describe("grid of the output; default: that of the model"),
    perturbation_strategy: z.enum(perturbationNames as [string, ...string[]]).default("correlated"),
    perturbation_channels: z.array(z.string()).min(1).nullish().describe("default: all"),
    noise_amplitude: z.number().nonnegative().default(0.05).describe("in standard deviations of each channel"),
    noise_reddening: z.number().default(2),
    grf_noise_alpha: z.number().default(2),
    grf_noise_sigma: z.number().nullable().default(5),
    grf_noise_tau: z.number().default(2),
    restart_frequency: z
      .int()
      .nonnegative()
      .nullish()
      .describe("keep the state every n steps, and at the end; 0: at the end only"),
    bred_cycles: z.int().positive().optional().describe("bred_vector: steps of breeding; default 20"),
    bred_around: z.enum(["fixed", "analyses"]).optional(),
    bred_norm: z.enum(["global", "hemispheric"]).optional(),
    bred_centred: z.boolean().optional(),
    lags: z.array(lag).min(1).optional().describe('lagged: by member, 0 first, like [0, "-6h", "-12h"]'),
    data: z
      .union([z.string(), z.array(z.string()).min(1)])
      .optional()
      .describe("initial states, as for foehn forecast"),
    // No longer there in earth2mip, still in its examples
    use_cuda_graphs: z.boolean().optional(),
    autocast_fp16: z.boolean().optional(),
    ic_perturbed_channels: z.array(z.string()).optional(),
    single_value_perturbation: z.boolean().optional(),
  })
  .superRefine((config, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (config.weather_event !== undefined && config.forecast_name !== undefined) {
      problem("forecast_name", "weather_event is given too; keep one of them");
    }
    if (config.output_path !== undefined && config.output_dir !== undefined) {
      problem("output_dir", "output_path is given too; keep one of them");
    }
    if (config.perturbation_strategy === "lagged" && config.lags === undefined) {
      problem("lags", 'perturbation_strategy "lagged" needs the lags of the members, such as [0, "-6h", "-12h"]');
    }
  });

/** A checked configuration. */
export type EnsembleConfig = z.output<typeof ensembleConfigSchema>;

/** What the keys may be written as. */
export type EnsembleConfigInput = z.input<typeof ensembleConfigSchema>;

/**
 * Reads a configuration: JSON text (it begins with a brace), or a .json, .yaml or .toml file.
 * @param overrides go over what is written
 * @throws ConfigError with the place of everything that is wrong
 */
export function readEnsembleConfig(text: string, overrides: Partial<EnsembleConfigInput> = {}): EnsembleConfig {
  if (!text.trimStart().startsWith("{")) return loadConfig(text, ensembleConfigSchema, overrides);
  const { value } = parseConfigText(text, "json", "the configuration");
  return checkEnsembleConfig({ ...(value as object), ...defined(overrides) });
}

/** Checks a configuration that is an object already. @throws ConfigError */
export function checkEnsembleConfig(config: unknown): EnsembleConfig {
  return validateSettings(ensembleConfigSchema, config, "the configuration");
}

/** Lines for people about keys that are taken and do nothing, or do something else now. */
export function configNotes(config: EnsembleConfig): string[] {
  const notes: string[] = [];
  if (config.use_cuda_graphs !== undefined) notes.push("use_cuda_graphs has no effect");
  if (config.autocast_fp16 !== undefined) notes.push("autocast_fp16 has no effect; --precision says how to compute");
  if (config.single_value_perturbation !== undefined) notes.push("single_value_perturbation has no effect");
  if (config.ic_perturbed_channels !== undefined) notes.push("ic_perturbed_channels is read as perturbation_channels");
  return notes;
}

/** The event of a run. @param eventsFile where `forecast_name` is looked up @throws ConfigError, UsageError */
export function eventOf(config: EnsembleConfig, eventsFile?: string): WeatherEvent {
  if (config.weather_event !== undefined) return config.weather_event;
  if (config.forecast_name !== undefined) return weatherEvent(config.forecast_name, eventsFile);
  throw new ConfigError("the configuration says neither weather_event nor forecast_name", {
    hint: "weather_event says when to start and what to keep: { properties: { name, start_time }, domains: [ … ] }",
  });
}

/** The perturbation of a run. */
export function perturbationOf(config: EnsembleConfig): Perturbation {
  const older = config.ic_perturbed_channels;
  const channels = config.perturbation_channels ?? (older?.includes("all_channels") ? undefined : older);
  return createPerturbation(config.perturbation_strategy, {
    seed: config.seed,
    amplitude: config.noise_amplitude,
    channels,
    reddening: config.noise_reddening,
    matern: { alpha: config.grf_noise_alpha, sigma: config.grf_noise_sigma, tau: config.grf_noise_tau },
    breeding: {
      cycles: config.bred_cycles,
      around: config.bred_around,
      norm: config.bred_norm,
      centred: config.bred_centred,
    },
    lags: config.lags,
  });
}

function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
