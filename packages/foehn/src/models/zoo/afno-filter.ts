// The token mixer of AFNO: a small complex network on the Fourier coefficients of the field, the same at every wave number, block-diagonal
// over features, with soft shrinkage. Paper: Guibas et al. 2022, "Adaptive Fourier neural operators" (arXiv 2111.13587), section 4.
// Weights are FourCastNet's AFNO2D: w1, b1, w2, b2, real and imaginary parts along the first dimension.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";

const INITIAL_SCALE = 0.02;

/** What the filter is made of. */
export interface AfnoFilterOptions {
  readonly features: number;
  /** Blocks of features that are mixed among themselves; divides `features`. */
  readonly numBlocks: number;
  /** Real and imaginary parts smaller than this become zero, others shrink by it. */
  readonly sparsityThreshold: number;
  /** Share of the meridional wave numbers that pass; the others become zero. */
  readonly hardThresholdingFraction: number;
}

/** x + filtered x: (B, H, W, C) → (B, H, W, C). The transforms are float32. */
export class AfnoFilter extends nn.Module {
  readonly w1: nn.Parameter;
  readonly b1: nn.Parameter;
  readonly w2: nn.Parameter;
  readonly b2: nn.Parameter;
  readonly #options: AfnoFilterOptions;

  constructor(options: AfnoFilterOptions) {
    super();
    this.#options = options;
    const { features, numBlocks } = options;
    const size = features / numBlocks;
    const draw = (...shape: number[]) => new nn.Parameter(torch.randn(shape).mul(INITIAL_SCALE));
    this.w1 = draw(2, numBlocks, size, size);
    this.b1 = draw(2, numBlocks, size);
    this.w2 = draw(2, numBlocks, size, size);
    this.b2 = draw(2, numBlocks, size);
  }

  override forward(x: Tensor): Tensor {
    const [, height, width, features] = x.shape as [number, number, number, number];
    const { numBlocks, sparsityThreshold, hardThresholdingFraction } = this.#options;
    // Which coefficients pass follows from the height alone, as in FourCastNet: on a 90×180 field half of the zonal ones.
    const total = Math.floor(height / 2) + 1;
    const kept = Math.floor(total * hardThresholdingFraction);
    const [north, south] = [total - kept, Math.min(total + kept, height)];
    const zonal = Math.floor(width / 2) + 1;
    const east = Math.min(kept, zonal);

    const spectrum = torch.viewAsReal(torch.fftRfft2(x.to("float32"), { dim: [1, 2], norm: "ortho" }));
    const passing = spectrum.narrow(1, north, south - north).narrow(2, 0, east);
    // (wave numbers, blocks, 2·size), real and imaginary parts side by side, so that a complex product is one real one.
    const modes = passing.reshape([-1, numBlocks, (2 * features) / numBlocks]).transpose(0, 1);
    const hidden = torch.baddbmm(asRealBias(this.b1), modes, asRealMatrix(this.w1)).relu();
    const mixed = torch.softshrink(torch.baddbmm(asRealBias(this.b2), hidden, asRealMatrix(this.w2)), {
      lambd: sparsityThreshold,
    });
    const parts = mixed
      .transpose(0, 1)
      .reshape([-1, south - north, east, features, 2])
      .to("float32");
    const padded = torch.constantPadNd(parts, [0, 0, 0, 0, 0, zonal - east, north, height - south]);
    const y = torch.fftIrfft2(torch.viewAsComplex(padded), { s: [height, width], dim: [1, 2], norm: "ortho" });
    return x.add(y.to(x.dtype));
  }
}

/** [2, blocks, in, out] → [blocks, 2·in, 2·out]: (a + ib)(w + iv) as a product of (a, b) with [[w, v], [−v, w]]. */
function asRealMatrix(weight: Tensor): Tensor {
  const [real, imaginary] = [weight.select(0, 0), weight.select(0, 1)];
  const fromReal = torch.stack([real, imaginary], { dim: -1 });
  const fromImaginary = torch.stack([imaginary.neg(), real], { dim: -1 });
  const [, blocks, inputs, outputs] = weight.shape as [number, number, number, number];
  return torch.stack([fromReal, fromImaginary], { dim: 2 }).reshape([blocks, 2 * inputs, 2 * outputs]);
}

/** [2, blocks, out] → [blocks, 1, 2·out]. */
function asRealBias(bias: Tensor): Tensor {
  return bias.permute([1, 2, 0]).reshape([bias.size(1), 1, -1]);
}
