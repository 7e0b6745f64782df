// Weighted means and variances of plain lists, and the weights that go with latitudes. Earth2Studio's `mean`, `variance`, `lat_weight`.
// Not here: scores over cases (sums.ts) and the weights of a whole grid (grid/geometry.ts).

/** cos φ divided by its mean over the latitudes; degrees. */
export function latitudeWeights(latitudes: ArrayLike<number>): Float64Array {
  const cosines = Float64Array.from(latitudes, (lat) => Math.cos((lat * Math.PI) / 180));
  const mean = cosines.reduce((sum, c) => sum + c, 0) / cosines.length;
  return cosines.map((c) => c / mean);
}

/** Σ w x / Σ w. */
export function weightedMean(values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const w = weights === undefined ? 1 : weights[i]!;
    sum += w * values[i]!;
    total += w;
  }
  return sum / total;
}

/** Σ w (x − mean)² / (Σ w − Σ w² / Σ w): unbiased for reliability weights, NumPy's cov(aweights). NaN for one value. */
export function weightedVariance(values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  const mean = weightedMean(values, weights);
  let [sum, total, squares] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const w = weights === undefined ? 1 : weights[i]!;
    sum += w * (values[i]! - mean) ** 2;
    total += w;
    squares += w * w;
  }
  return sum / (total - squares / total);
}
