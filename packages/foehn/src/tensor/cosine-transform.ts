// The discrete cosine transform as a matrix: spectra of limited areas, whose edges do not meet (Denis, Côté & Laprise 2002, Monthly Weather
// Review 130), in losses and in scores.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";

/**
 * The orthonormal DCT-II of length n: row k holds the cosine of k half waves over the n points. `C · x` transforms a column.
 * @returns (n, n), float32
 */
export function cosineTransform(n: number, device: torch.Device = "cpu"): Tensor {
  const values = new Float32Array(n * n);
  for (let k = 0; k < n; k++) {
    const scale = Math.sqrt((k === 0 ? 1 : 2) / n);
    for (let i = 0; i < n; i++) values[k * n + i] = scale * Math.cos((Math.PI * (2 * i + 1) * k) / (2 * n));
  }
  return torch.tensor(values, { shape: [n, n], device });
}
