// Strategies by the name that `--strategy` and `metadata.json` use. Foehn's own are registered here; a project adds a class of
// its own with `strategies.register`, and every option, flag and package takes its name then.

import { z } from "zod";
import { validateSettings } from "../../core/config.js";
import { ConfigError, UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { DiffAr } from "./diff-ar.js";
import { DownscalingOnly } from "./downscaling-only.js";
import { ScaledAr } from "./scaled-ar.js";
import type { Strategy, StrategyClass, StrategySettings } from "./strategy.js";

/** Strategies by name. */
export class StrategyRegistry {
  readonly #classes = new Map<string, StrategyClass>();
  readonly #origins = new Map<StrategyClass, string>();

  /**
   * Adds a class under its `strategyName`.
   * @param origin the plugin it comes from
   * @throws ConfigError when another class has the name
   */
  register<S extends StrategySettings>(registered: StrategyClass<S>, origin?: string): void {
    // Only createStrategy calls the constructor, with settings that this class's own schema has checked.
    const strategy = registered as unknown as StrategyClass;
    const known = this.#classes.get(strategy.strategyName);
    if (known !== undefined && known !== strategy) {
      const from = (place: string | undefined) => (origin === undefined ? "" : ` of ${place ?? "Foehn itself"}`);
      const both = `${known.name}${from(this.#origins.get(known))} and ${strategy.name}${from(origin)}`;
      throw new ConfigError(`two strategies are called "${strategy.strategyName}": ${both}`, {
        hint: "rename one: change its static strategyName",
      });
    }
    this.#classes.set(strategy.strategyName, strategy);
    if (origin !== undefined) this.#origins.set(strategy, origin);
  }

  /** Whether a name is known. */
  has(name: string): boolean {
    return this.#classes.has(name);
  }

  /** The plugin that brought a strategy; undefined for Foehn's own and for unknown names. */
  originOf(name: string): string | undefined {
    const strategy = this.#classes.get(name);
    return strategy && this.#origins.get(strategy);
  }

  /** The class of a name. @throws UsageError for an unknown name, with the nearest ones */
  get(name: string): StrategyClass {
    const strategy = this.#classes.get(name);
    if (strategy === undefined) throw new UsageError(this.#unknown(name), { hint: this.#known(name) });
    return strategy;
  }

  /** All classes, in the order in which they came. */
  list(): StrategyClass[] {
    return [...this.#classes.values()];
  }

  /** Schema of a name: text that must be registered. */
  nameSchema(): z.ZodString {
    return z.string().refine((name) => this.#classes.has(name), {
      error: ({ input }) => `${this.#unknown(String(input))}. ${this.#known(String(input))}`,
    });
  }

  #unknown(name: string): string {
    return `unknown strategy, got "${name}"`;
  }

  #known(name: string): string {
    const names = [...this.#classes.keys()];
    return `${didYouMean(name, names)} Known strategies: ${names.join(", ")}.`.trim();
  }
}

/** The registry that training, packages and the command line use. */
export const strategies = new StrategyRegistry();
strategies.register(ScaledAr);
strategies.register(DiffAr);
strategies.register(DownscalingOnly);

/**
 * Makes a strategy.
 * @param settings raw settings (from a file, flags or `metadata.json`); missing keys take their defaults
 * @throws UsageError for an unknown name, ConfigError for settings that do not fit the schema
 */
export function createStrategy(name: string, settings: unknown = {}): Strategy {
  const strategy = strategies.get(name);
  return new strategy(validateSettings(strategy.settings, settings, `strategy_settings of ${name}`));
}
