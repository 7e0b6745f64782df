// Correlated ("brown", red) noise: white noise whose spectrum falls off with wave number, so neighbours vary together. On the index
// plane of the grid, periodic in both directions, as earth2mip's strategy of this name and Earth2Studio's Brown; hence not isotropic near
// the poles: spherical.ts is.

import * as torch from "@foehn/torch";
import type { NoiseField } from "./noise.js";

/** Noise of unit mean variance; `reddening` is the power of the wave number. */
export function correlatedField(reddening = 2): NoiseField {
  return {
    description: `correlated, reddening ${reddening}`,
    on({ shape: [ny, nx] }) {
      const spectrum = torch.keep(
        torch.scope(() =>
          torch
            .tensor(correlatedSpectrum(ny, nx, reddening), { dtype: "float32" })
            .reshape([ny, nx])
            .narrow(1, 0, Math.floor(nx / 2) + 1)
            .contiguous(),
        ),
      );
      return (streams) =>
        torch.stack(
          streams.map((random) => {
            const white = torch.fromTypedArray(random.normals(ny * nx), [ny, nx]);
            return torch.fftIrfft2(torch.fftRfft2(white).mul(spectrum), { s: [ny, nx] });
          }),
        );
    },
  };
}

/**
 * What the Fourier coefficients of white noise are multiplied with, (ny, nx) in the order of the transform:
 * S = 1 / (|f_y|^r + |f_x|^r), 0 at frequency zero, scaled to mean(S²) = 1. Frequencies are cycles per grid point.
 */
export function correlatedSpectrum(ny: number, nx: number, reddening: number): Float64Array {
  const frequency = (i: number, n: number) => Math.min(i, n - i) / n;
  const spectrum = Float64Array.from({ length: ny * nx }, (_, n) => {
    if (n === 0) return 0;
    const [fy, fx] = [frequency(Math.floor(n / nx), ny), frequency(n % nx, nx)];
    return 1 / (fy ** reddening + fx ** reddening);
  });
  const size = Math.sqrt(spectrum.reduce((sum, s) => sum + s * s, 0) / spectrum.length);
  // A grid of one point has no frequency but zero.
  return size === 0 ? spectrum : spectrum.map((s) => s / size);
}
