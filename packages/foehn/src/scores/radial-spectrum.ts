// How a field's variance is spread over wavelengths: two-dimensional discrete cosine transform, squared, summed in rings of equal
// wave number. The transform suits a limited area, whose edges do not meet (Denis, Côté & Laprise 2002, Monthly Weather Review 130).
// Wave numbers are in cycles per kilometre at the middle latitude of the grid.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError } from "../core/errors.js";
import { cellSizes } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";
import { cosineTransform } from "../tensor/cosine-transform.js";

/** Rows, columns and their distances. */
export interface SpectrumShape {
  readonly ny: number;
  readonly nx: number;
  /** Kilometres between rows and between columns. */
  readonly dy: number;
  readonly dx: number;
}

/** The shape of a grid without its frame of `border` cells, with the distances at its middle row. */
export function spectrumShape(grid: Grid, border = 0): SpectrumShape {
  const [ny, nx] = grid.shape;
  const { dx, dy } = cellSizes(grid);
  const middle = grid.isGlobal ? nearestToEquator(grid) : Math.floor(ny / 2);
  return { ny: ny - 2 * border, nx: nx - 2 * border, dy: dy[middle]! / 1000, dx: dx[middle]! / 1000 };
}

function nearestToEquator({ latitudes }: Grid): number {
  let best = 0;
  for (const [i, latitude] of latitudes.entries()) if (Math.abs(latitude) < Math.abs(latitudes[best]!)) best = i;
  return best;
}

/** Spectra of many fields of one shape. Holds three tensors until `dispose`. */
export class RadialSpectrum {
  /** Wavelength at the middle of each ring, kilometres, descending. */
  readonly wavelengths: readonly number[];
  readonly #rows: Tensor;
  readonly #columns: Tensor;
  /** (ny · nx): the ring of each coefficient; what is outside of all rings goes to one more. */
  readonly #rings: Tensor;
  /** Width of a ring, cycles per kilometre. */
  readonly #width: number;

  /** @throws DataError when the field is too small for a single ring */
  constructor(
    readonly shape: SpectrumShape,
    device: torch.Device = "cpu",
  ) {
    const { ny, nx, dy, dx } = shape;
    this.#width = 1 / (2 * Math.min(ny * dy, nx * dx));
    // Beyond the shortest wave that both axes resolve a ring would be cut by the corner of the spectrum.
    const count = Math.floor(1 / (2 * Math.max(dy, dx)) / this.#width + 1e-9);
    if (!(count >= 1)) throw new DataError(`a field of ${ny}×${nx} points is too small for a spectrum`);
    this.wavelengths = Array.from({ length: count }, (_, i) => 1 / ((i + 1) * this.#width));
    const rings = new Float64Array(ny * nx);
    for (let k = 0; k < ny; k++) {
      for (let l = 0; l < nx; l++) {
        const ring = Math.round(Math.hypot(k / (2 * ny * dy), l / (2 * nx * dx)) / this.#width) - 1;
        rings[k * nx + l] = ring >= 0 && ring < count ? ring : count;
      }
    }
    this.#rows = torch.keep(cosineTransform(ny, device));
    this.#columns = torch.keep(torch.scope(() => cosineTransform(nx, device).t().contiguous()));
    this.#rings = torch.keep(torch.scope(() => torch.tensor(rings, { dtype: "int64", device })));
  }

  /**
   * Spectral density of fields: variance per cycle per kilometre; times the ring's width, it adds up to the variance in the rings.
   * @param fields (N, ny, nx) float32
   * @returns (N, rings) float64
   */
  density(fields: Tensor): Tensor {
    const { ny, nx } = this.shape;
    const coefficients = this.#rows.matmul(fields).matmul(this.#columns);
    const variance = coefficients
      .to("float64")
      .square()
      .div(ny * nx);
    const flat = variance.reshape([fields.size(0), ny * nx]);
    const rings = this.wavelengths.length;
    const sums = torch.zeros([fields.size(0), rings + 1], { dtype: "float64", device: fields.device });
    return sums.indexAdd(1, this.#rings, flat).narrow(1, 0, rings).div(this.#width);
  }

  dispose(): void {
    torch.dispose([this.#rows, this.#columns, this.#rings]);
  }
}

/**
 * How far two spectra are from each other: √ mean (log₁₀ a − log₁₀ b)² over the rings where both have power. 1 is a factor of ten.
 * NaN when there is no such ring.
 */
export function logSpectrumError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (!(a[i]! > 0 && b[i]! > 0)) continue;
    sum += Math.log10(a[i]! / b[i]!) ** 2;
    count++;
  }
  return Math.sqrt(sum / count);
}

/**
 * Log-spectral distance of two spectra in decibels, Earth2Studio's `log_spectral_distance`: 10 √mean(log₁₀(a / b)²). A field of twice the
 * size has four times the power and is 6.02 dB away.
 */
export function logSpectralDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return 10 * logSpectrumError(a, b);
}
