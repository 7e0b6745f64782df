// Strategies by the name that `--strategy` and `metadata.json` use. Foehn's own are registered here; a project adds a class of
// its own with `strategies.register`, and every option, flag and package takes its name then.

import { z } from "zod";
import { validateSettings } from "../../core/config.js";
import { Registry } from "../../core/registry.js";
import { DiffAr } from "./diff-ar.js";
import { DownscalingOnly } from "./downscaling-only.js";
import { ScaledAr } from "./scaled-ar.js";
import type { Strategy, StrategyClass, StrategySettings } from "./strategy.js";

/** Strategies by name; `strategies.register` adds a class under its static `strategyName`. */
export class StrategyRegistry extends Registry<StrategyClass> {
  constructor() {
    super({
      one: "strategy",
      many: "strategies",
      names: (strategy) => [strategy.strategyName],
      describe: (strategy) => strategy.name,
      rename: "change the static strategyName of one",
    });
  }

  // Only createStrategy calls the constructor, with settings that the class's own schema has checked.
  override register<S extends StrategySettings>(strategy: StrategyClass<S>, origin?: string): void {
    super.register(strategy as unknown as StrategyClass, origin);
  }

  /** Schema of a name: text that must be registered. */
  nameSchema(): z.ZodString {
    return z.string().refine((name) => this.has(name), {
      error: ({ input }) => `unknown strategy, got "${input}". ${this.known(String(input))}`,
    });
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
