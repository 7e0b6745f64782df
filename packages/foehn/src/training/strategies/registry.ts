// Strategies by the name that `--strategy` and `metadata.json` use.

import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { DiffAr } from "./diff-ar.js";
import { ScaledAr } from "./scaled-ar.js";
import type { Strategy } from "./strategy.js";

const strategies = { scaled_ar: new ScaledAr(), diff_ar: new DiffAr() } as const satisfies Record<string, Strategy>;

/** Name of a strategy. */
export type StrategyName = keyof typeof strategies;

/** All names. */
export const strategyNames = Object.keys(strategies) as StrategyName[];

/** The strategy of a name. @throws UsageError for an unknown one */
export function getStrategy(name: string): Strategy {
  if (Object.hasOwn(strategies, name)) return strategies[name as StrategyName];
  throw new UsageError(`unknown strategy "${name}"`, {
    hint: `${didYouMean(name, strategyNames)} Known strategies: ${strategyNames.join(", ")}.`.trim(),
  });
}
