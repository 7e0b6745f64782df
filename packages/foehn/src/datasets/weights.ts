// Default state weights w_v: how much each feature counts in the losses when the configuration does not say.
// py4cast's rule for its current titan dataset: pressure levels 1 + level / 1000 hPa, everything else 2.
// The weighted loss divides by the variance of differences besides, so equal weights only scale the loss.

import { lookupVariable } from "../variables/catalogue.js";

/** The weight of a feature by its name: `z500` 1.5, `t850` 1.85, `t2m` 2. */
export function defaultWeight(feature: string): number {
  const level = lookupVariable(feature)?.level;
  return level === undefined ? 2 : 1 + level / 1000;
}
