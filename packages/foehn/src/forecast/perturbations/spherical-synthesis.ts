// Fields from coefficients of spherical harmonics, at the latitudes and longitudes of any latitude–longitude grid: no quadrature and no
// special grid is needed in this direction. Orthonormal real harmonics, recursion in the degree for each order in float64:
// Holmes & Featherstone 2002, J. Geodesy 76, eq. 11 (good beyond degree 1000). Not here: analysis, and what the coefficients are.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { Grid } from "../../grid/grid.js";

/** Legendre tables up to this size are kept between calls. */
const keptBytes = 128 << 20;

/**
 * Prepares the synthesis of degrees 0 to `degrees` − 1.
 * @returns a function of coefficient sets to fields (sets, ny, nx), float32. A set has `degrees`·(`degrees` + 1) numbers: for degree l and
 * order m ≤ l, at 2·(l(l+1)/2 + m), the coefficients of P̄_lm cos mλ and P̄_lm sin mλ; that of the sine is without effect for m = 0.
 */
export function sphericalSynthesis(grid: Grid, degrees: number): (sets: readonly Float32Array[]) => Tensor {
  const [ny, nx] = grid.shape;
  const radians = (values: Float64Array) => Array.from(values, (value) => (value * Math.PI) / 180);
  const sines = Float64Array.from(radians(grid.latitudes), Math.sin);
  const orders = Array.from({ length: degrees }, (_, m) => m);
  const table = (m: number) =>
    torch.tensor(legendre(m, degrees, sines), { dtype: "float32" }).reshape([degrees - m, ny]);
  const kept = (ny * degrees * degrees * 4) / 2 <= keptBytes ? orders.map((m) => torch.keep(table(m))) : undefined;
  // (orders, nx): the factor 2^½ makes cos mλ and sin mλ orthonormal.
  const angles = radians(grid.longitudes);
  const wave = (of: (angle: number) => number) =>
    torch.keep(
      torch
        .tensor(
          orders.flatMap((m) => angles.map((angle) => (m === 0 ? 1 : Math.SQRT2) * of(m * angle))),
          { dtype: "float32" },
        )
        .reshape([degrees, nx]),
    );
  const [cosines, sinesOfLongitude] = [wave(Math.cos), wave(Math.sin)];
  return (sets) =>
    torch.scope(() => {
      const n = sets.length;
      // (orders, 2 · sets, ny)
      const byOrder = torch.empty([degrees, 2 * n, ny]);
      for (const m of orders) {
        const width = degrees - m;
        const coefficients = new Float32Array(2 * n * width);
        for (const [s, set] of sets.entries()) {
          for (let l = m; l < degrees; l++) {
            const from = l * (l + 1) + 2 * m;
            coefficients[s * width + l - m] = set[from]!;
            coefficients[(n + s) * width + l - m] = set[from + 1]!;
          }
        }
        torch.scope(() =>
          byOrder.select(0, m).copy_(torch.fromTypedArray(coefficients, [2 * n, width]).matmul(kept?.[m] ?? table(m))),
        );
      }
      // (2 · sets, ny, orders)
      const rows = byOrder.permute([1, 2, 0]);
      return rows
        .narrow(0, 0, n)
        .matmul(cosines)
        .add(rows.narrow(0, n, n).matmul(sinesOfLongitude));
    });
}

/** P̄_lm(sin φ) for l = m … `degrees` − 1 at all latitudes, row-major (degree, latitude); ∫(P̄_lm Y_m)² dΩ = 1. */
export function legendre(m: number, degrees: number, sines: Float64Array): Float64Array {
  const n = sines.length;
  const table = new Float64Array((degrees - m) * n);
  for (let j = 0; j < n; j++) {
    const x = sines[j]!;
    const cosine = Math.sqrt(Math.max(0, 1 - x * x));
    let value = Math.sqrt(1 / (4 * Math.PI));
    for (let k = 1; k <= m; k++) value *= Math.sqrt((2 * k + 1) / (2 * k)) * cosine;
    table[j] = value;
  }
  for (let l = m + 1; l < degrees; l++) {
    const a = Math.sqrt((4 * l * l - 1) / (l * l - m * m));
    const b = Math.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1));
    const row = (l - m) * n;
    for (let j = 0; j < n; j++) {
      const before = l - 2 < m ? 0 : b * table[row - 2 * n + j]!;
      table[row + j] = a * (sines[j]! * table[row - n + j]! - before);
    }
  }
  return table;
}
