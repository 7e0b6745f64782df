// One step of UNETR++'s decoder: upsampling, the encoder's map added, then blocks. Names of layers are those of mfai's UNetRUpBlock.

import { nn, type Tensor } from "@foehn/torch";

/** How a decoder step upsamples. */
export interface UpsamplingOptions {
  readonly factor: number;
  /** Bilinear and a 3×3 convolution, instead of a transposed convolution. */
  readonly linear: boolean;
}

/** (B, in, H, W), (B, out, f·H, f·W) or null → (B, out, f·H, f·W). */
export class UpBlock extends nn.Module {
  readonly transp_conv: nn.UnaryModule;
  readonly decoder_block: nn.ModuleList<nn.UnaryModule>;

  /** @param block what follows the sum */
  constructor(from: number, to: number, { factor, linear }: UpsamplingOptions, block: nn.UnaryModule) {
    super();
    this.transp_conv = linear
      ? new nn.Sequential(
          new nn.UpsamplingBilinear2d({ scaleFactor: factor }),
          new nn.Conv2d(from, to, 3, { padding: 1 }),
        )
      : new nn.ConvTranspose2d(from, to, factor, { stride: factor });
    this.decoder_block = new nn.ModuleList([block]);
  }

  override forward(x: Tensor, skip: Tensor | null): Tensor {
    const up = this.transp_conv.forward(x);
    return this.decoder_block.at(0).forward(skip === null ? up : up.add(skip));
  }
}
