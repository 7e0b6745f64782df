// The continuous ranked probability score of an ensemble at one point, exactly, by sorting. Kernel form of Gneiting & Raftery 2007
// (eq. 21); fair estimator: Ferro 2014. Not here: area means and sums over cases (sums.ts), and the loss of the training.

/** The two parts from which both estimators follow, so that parts can be averaged first. */
export interface CrpsParts {
  /** mean |x_i − y| */
  readonly skill: number;
  /** ½ Σ_{i,j} |x_i − x_j| = Σ_i (2i − m + 1) x_(i), i from 0. Not yet divided by the number of pairs. */
  readonly pairs: number;
}

/**
 * Parts of the CRPS.
 * @param sorted members, ascending
 */
export function crpsParts(sorted: ArrayLike<number>, truth: number): CrpsParts {
  const m = sorted.length;
  let [skill, pairs] = [0, 0];
  for (let i = 0; i < m; i++) {
    skill += Math.abs(sorted[i]! - truth);
    pairs += (2 * i - m + 1) * sorted[i]!;
  }
  return { skill: skill / m, pairs };
}

/**
 * CRPS from its parts, or from their means over points and cases.
 * @param fair as if the ensemble had members without end: pairs of a member with itself do not count. NaN for one member.
 */
export function crpsOf({ skill, pairs }: CrpsParts, members: number, fair: boolean): number {
  if (!fair) return skill - pairs / (members * members);
  return members < 2 ? Number.NaN : skill - pairs / (members * (members - 1));
}

/** CRPS of members, in any order, for one truth; smaller is better, in the variable's units. */
export function crps(members: ArrayLike<number>, truth: number, options: { readonly fair?: boolean } = {}): number {
  const sorted = Float64Array.from(members).sort();
  return crpsOf(crpsParts(sorted, truth), sorted.length, options.fair === true);
}
