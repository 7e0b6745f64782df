// No perturbation: every member is the control. For models that are random themselves, and to check that members are what they should be.

import * as torch from "@foehn/torch";
import type { Perturbation } from "./perturbation.js";

/** Leaves the states as they are. */
export function noPerturbation(): Perturbation {
  return { description: "none", perturb: async (x) => torch.inferenceMode(() => x.clone()) };
}
