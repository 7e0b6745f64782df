// The energy score: the CRPS of a vector, here of whatever belongs together (the points of a field, the components of a wind).
// mean ‖x_i − y‖ − ½ Σ_{i,j} ‖x_i − x_j‖ / pairs, Gneiting & Raftery 2007, eq. 22. For one number it is the CRPS.

import { type CrpsParts, crpsOf } from "./crps.js";

/**
 * Parts of the energy score, to be averaged over cases before `crpsOf` makes a score of them.
 * @param weights of the numbers of a vector, in the norm √Σ w v²; default 1
 */
export function energyParts(
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  weights?: ArrayLike<number>,
): CrpsParts {
  const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < truth.length; i++) {
      const w = weights === undefined ? 1 : weights[i]!;
      if (w > 0) sum += w * (a[i]! - b[i]!) ** 2;
    }
    return Math.sqrt(sum);
  };
  let [skill, pairs] = [0, 0];
  for (const [i, member] of members.entries()) {
    skill += distance(member, truth);
    for (let j = 0; j < i; j++) pairs += distance(member, members[j]!);
  }
  return { skill: skill / members.length, pairs };
}

/** The energy score of vectors. @param options.fair NaN for one member */
export function energyScore(
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  options: { readonly weights?: ArrayLike<number>; readonly fair?: boolean } = {},
): number {
  return crpsOf(energyParts(members, truth, options.weights), members.length, options.fair === true);
}
