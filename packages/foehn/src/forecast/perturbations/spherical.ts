// A Gaussian random field on the sphere with Matérn covariance: every spherical harmonic of degree l has an independent normal
// coefficient of standard deviation σ (l(l+1) + τ²)^(−α/2). Isotropic: the poles are points like others. Lindgren et al. 2011, and
// earth2mip's `spherical_grf`, whose real and imaginary parts both have full variance, so that its fields are half as variable at the poles.

import type { Grid } from "../../grid/grid.js";
import type { NoiseField } from "./noise.js";
import { sphericalSynthesis } from "./spherical-synthesis.js";

/** Shape of the covariance. */
export interface MaternSettings {
  /** Smoothness; default 2. */
  readonly alpha?: number | undefined;
  /** Inverse length scale; default 2. */
  readonly tau?: number | undefined;
  /** Size; null is τ^(α − 1). Default 5. */
  readonly sigma?: number | null | undefined;
}

/** Higher degrees add nothing that could be seen: with α = 2 the variance beyond this one is below a millionth. */
const mostDegrees = 720;

/** Random fields of this covariance on any latitude–longitude grid, to the degree that its rows resolve. */
export function sphericalField(settings: MaternSettings = {}): NoiseField {
  const { alpha = 2, tau = 2, sigma = 5 } = settings;
  return {
    description: `spherical random field, alpha ${alpha}, tau ${tau}, sigma ${sigma ?? `tau^${alpha - 1}`}`,
    on(grid) {
      const degrees = resolvedDegrees(grid);
      const weights = maternWeights(degrees, settings);
      weights[0] = 0; // the global mean stays
      const synthesise = sphericalSynthesis(grid, degrees);
      return (streams) =>
        synthesise(
          streams.map((random) => {
            const coefficients = random.normals(degrees * (degrees + 1));
            // Degree by degree, so a finer grid sees the same field with more detail.
            for (let l = 0; l < degrees; l++) {
              for (let i = l * (l + 1); i < (l + 1) * (l + 2); i++) coefficients[i]! *= weights[l]!;
            }
            return coefficients;
          }),
        );
    },
  };
}

/** σ (l(l+1) + τ²)^(−α/2) for l = 0 … `degrees` − 1. */
export function maternWeights(degrees: number, { alpha = 2, tau = 2, sigma = 5 }: MaternSettings = {}): Float64Array {
  const size = sigma ?? tau ** (alpha - 1);
  return Float64Array.from({ length: degrees }, (_, l) => size * (l * (l + 1) + tau * tau) ** (-alpha / 2));
}

/** N for grids of N or N + 1 rows from pole to pole; elsewhere what the spacing of the rows resolves. */
export function resolvedDegrees({ shape: [ny, nx], latitudes, longitudes }: Grid): number {
  const axis = ny > 1 ? latitudes : longitudes;
  const spacing = axis.length > 1 ? Math.abs(axis.at(-1)! - axis[0]!) / ((ny > 1 ? ny : nx) - 1) : 180;
  return Math.max(2, Math.min(mostDegrees, Math.round(180 / spacing)));
}
