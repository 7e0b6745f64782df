// Spectral loss: differences of amplitude by wave number, blind to where things are. It keeps forecasts from blurring, which a
// point-wise error rewards. Spectra are binned by true radius: the distance from the mean in the plane of both wave numbers, each
// over its own number of points (Denis et al. 2002). By Parseval and Cauchy–Schwarz it is never more than the mean squared error.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { cosineTransform } from "../../tensor/cosine-transform.js";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { LossDefinition } from "./definition.js";
import { featureSettings, featureWeights } from "./feature-weights.js";
import { ensembleMean, type Loss, type LossContext } from "./loss.js";

const settings = z.strictObject({
  transform: z
    .enum(["dct", "fft"])
    .default("dct")
    .describe("dct: for limited areas, no jump at the edges; fft: for fields that go on at the other side"),
  log: z.boolean().default(false).describe("compare log10 of power instead of amplitudes: every scale counts alike"),
  ...featureSettings,
});

/** Settings of `spectral`. */
export type SpectralSettings = z.output<typeof settings>;

const tiny = 1e-10;

/** Σ_v weight · Σ_k (A_k − Â_k)²; with `log`, mean over k of (log10 P_k − log10 P̂_k)². */
export class SpectralLoss implements Loss {
  readonly #weights: Tensor;
  readonly #spectrum: RadialSpectrum;

  constructor(
    readonly settings: SpectralSettings,
    context: LossContext,
  ) {
    const { device } = context.interiorMask;
    // log10 of power has no units: nothing to scale.
    const scaling = settings.log ? "none" : settings.scaling;
    const weights = featureWeights(context, { ...settings, scaling }, 2);
    this.#weights = torch.keep(torch.tensor(weights, { device }));
    this.#spectrum = new RadialSpectrum(interiorBox(context.interiorMask), settings.transform, device);
  }

  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const [predicted, known] = [ensembleMean(prediction), target.tensor].map((tensor) => {
      // A hole is a hole in both.
      const filled = mask === undefined ? tensor : torch.where(mask.ne(0), tensor, 0);
      return this.#spectrum.power(filled);
    }) as [Tensor, Tensor];
    const { log } = this.settings;
    const error = log
      ? predicted
          .add(tiny)
          .log10()
          .sub(known.add(tiny).log10())
          .square()
          .mean({ dim: [-1] })
      : predicted
          .add(tiny)
          .sqrt()
          .sub(known.add(tiny).sqrt())
          .square()
          .sum({ dim: [-1] });
    return error.matmul(this.#weights);
  }

  dispose(): void {
    this.#weights.dispose();
    this.#spectrum.dispose();
  }
}

/** A rectangle of points. */
interface Box {
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
}

/** Rows and columns with interior points: the border is a frame. */
function interiorBox(mask: Tensor): Box {
  const [ny, nx] = mask.shape as [number, number];
  const values = torch.scope(() => mask.to("float32").toTypedArray());
  const rows = new Set<number>();
  const columns = new Set<number>();
  for (let i = 0; i < ny * nx; i++) {
    if (values[i] === 0) continue;
    rows.add(Math.floor(i / nx));
    columns.add(i % nx);
  }
  return { row: Math.min(...rows), column: Math.min(...columns), height: rows.size, width: columns.size };
}

/** Power of a field by radial wave number. The bins sum to the mean square. */
export class RadialSpectrum {
  readonly #box: Box;
  readonly #kind: "dct" | "fft";
  readonly #bins: Tensor;
  readonly #numBins: number;
  /** Cosine matrices (H, H) and (W, W); empty for fft. */
  readonly #matrices: readonly Tensor[];

  constructor(box: Box, kind: "dct" | "fft", device: string) {
    this.#box = box;
    this.#kind = kind;
    const { height, width } = box;
    const bins = radialBins(height, width, kind);
    this.#numBins = Math.max(...bins) + 1;
    this.#bins = torch.keep(torch.tensor(bins, { dtype: "int64", device }));
    this.#matrices = kind === "dct" ? [height, width].map((size) => torch.keep(cosineTransform(size, device))) : [];
  }

  /** (…, H, W, F) → (…, F, K): mean square by wave number. */
  power(field: Tensor): Tensor {
    const { row, column, height, width } = this.#box;
    const lead = field.shape.slice(0, -3);
    const features = field.size(-1);
    const inner = field.narrow(-3, row, height).narrow(-2, column, width).movedim([-1], [-3]);
    const flat = inner.reshape([-1, height, width]);
    const points = height * width;
    const square = this.#squares(flat).reshape([-1, points]).div(points);
    const sums = torch.zeros([square.size(0), this.#numBins], { device: field.device }).indexAdd(1, this.#bins, square);
    return sums.reshape([...lead, features, this.#numBins]);
  }

  /** Squared coefficients of an orthonormal transform. */
  #squares(fields: Tensor): Tensor {
    const [rows, columns] = this.#matrices;
    if (this.#kind === "dct") return rows!.matmul(fields).matmul(columns!.t()).square();
    return torch
      .viewAsReal(torch.fftFft2(fields, { norm: "ortho" }))
      .square()
      .sum({ dim: [-1] });
  }

  dispose(): void {
    this.#bins.dispose();
    for (const matrix of this.#matrices) matrix.dispose();
  }
}

/** The bin of each coefficient, row-major: its radius in waves over the shorter side (half waves for dct), rounded. */
export function radialBins(height: number, width: number, kind: "dct" | "fft"): number[] {
  const size = Math.min(height, width);
  const wave = (i: number, count: number) => (kind === "dct" ? i : Math.min(i, count - i)) / count;
  return Array.from({ length: height * width }, (_, n) =>
    Math.round(size * Math.hypot(wave(Math.floor(n / width), height), wave(n % width, width))),
  );
}

/** spectral */
export const spectralLoss: LossDefinition<SpectralSettings> = {
  name: "spectral",
  summary: "difference of amplitudes by wave number",
  settings,
  create: (checked, context) => new SpectralLoss(checked, context),
};
