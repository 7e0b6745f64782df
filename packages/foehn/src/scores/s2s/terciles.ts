// Terciles of sub-seasonal forecasts: below, near and above normal, by the edges of a climatology of the same ISO week; and the ranked
// probability score of their probabilities. Formulas: Weigel et al. 2007 (RPS, RPSS); the categories are those of the S2S AI challenge.

/** Names of the categories, in order. */
export const categories = ["below normal", "near normal", "above normal"] as const;

/** ISO 8601 week of a time, 1 to 53: weeks begin on Mondays, and the first one has the year's first Thursday. */
export function isoWeek(time: number): number {
  const day = 86_400;
  const days = Math.floor(time / day);
  // 1970-01-01 was a Thursday: the Thursday of the same week decides the year.
  const thursday = days - ((((days + 3) % 7) + 7) % 7) + 3;
  const year = new Date(thursday * day * 1000).getUTCFullYear();
  return Math.floor((thursday - Date.UTC(year, 0, 1) / 1000 / day) / 7) + 1;
}

/** The quantile of sorted values, linear between neighbours, as NumPy's default. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}

/** The 1/3 and 2/3 quantiles at every point; NaN where a sample is. */
export function tercileEdges(samples: readonly Float32Array[]): readonly [Float32Array, Float32Array] {
  const n = samples[0]!.length;
  const [lower, upper] = [new Float32Array(n), new Float32Array(n)];
  const values = new Float64Array(samples.length);
  for (let i = 0; i < n; i++) {
    let check = 0;
    for (let k = 0; k < samples.length; k++) {
      values[k] = samples[k]![i]!;
      check += values[k]! * 0;
    }
    values.sort();
    lower[i] = check === 0 ? quantile(values, 1 / 3) : Number.NaN;
    upper[i] = check === 0 ? quantile(values, 2 / 3) : Number.NaN;
  }
  return [lower, upper];
}

/** Probabilities of the three categories: P(x < e0), the rest, P(x ≥ e1); NaN where a member or an edge is. */
export function tercileProbabilities(
  members: readonly Float32Array[],
  [lower, upper]: readonly [Float32Array, Float32Array],
): readonly [Float32Array, Float32Array, Float32Array] {
  const n = lower.length;
  const [below, near, above] = [new Float32Array(n), new Float32Array(n), new Float32Array(n)];
  for (let i = 0; i < n; i++) {
    let [low, high, check] = [0, 0, lower[i]! * 0 + upper[i]! * 0];
    for (const member of members) {
      const x = member[i]!;
      check += x * 0;
      if (x < lower[i]!) low++;
      else if (x >= upper[i]!) high++;
    }
    const known = check === 0;
    below[i] = known ? low / members.length : Number.NaN;
    above[i] = known ? high / members.length : Number.NaN;
    near[i] = known ? 1 - below[i]! - above[i]! : Number.NaN;
  }
  return [below, near, above];
}

/**
 * The area mean of Σ_k (F_k − O_k)² over the cumulative probabilities of forecast and observation; points without one of them do not count.
 * NaN where none is left.
 */
export function rankedProbabilityScore(
  forecast: readonly ArrayLike<number>[],
  observed: readonly ArrayLike<number>[],
  weights: Float64Array,
): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    let [f, o, score] = [0, 0, 0];
    for (let k = 0; k < forecast.length; k++) {
      f += forecast[k]![i]!;
      o += observed[k]![i]!;
      score += (f - o) ** 2;
    }
    if (weights[i] === 0 || Number.isNaN(score)) continue;
    sum += weights[i]! * score;
    total += weights[i]!;
  }
  return sum / total;
}
