// UNetRPP (UNETR++): a U-Net of transformer blocks with efficient paired attention, and convolutions at full resolution.
// Paper: Shaker et al. 2024, "UNETR++: delving into efficient and accurate 3D medical image segmentation" (arXiv 2212.04497).
// Settings and state-dict keys are those of mfai's UNetRPP. Numbers are its numbers with `compat: "mfai"`; without, the output of spatial
// attention goes to the places it belongs to. Forecasts have no dropout here; the reference's have.

import { nn, type Tensor } from "@foehn/torch";
import { ConfigError } from "../../../core/errors.js";
import type { InputShape, ModelType } from "../../network.js";
import { PaddedNetwork } from "../../padded-network.js";
import { OutBlock, ResBlock } from "../res-block.js";
import { Encoder, stageWidths } from "./encoder.js";
import { type UNetRPPSettings, unetRPPSettings } from "./settings.js";
import { TransformerBlock } from "./transformer-block.js";
import { UpBlock } from "./up-block.js";

/** Transformer blocks of each decoder step. */
const DECODER_DEPTH = 3;

/** (B, H, W, F) → (B, H, W, Fout); H and W are fixed. */
export class UNetRPP extends PaddedNetwork {
  static readonly modelName = "unetrpp";
  static readonly modelType: ModelType = "vision_transformer";
  static readonly onnxSupported = true;
  static readonly settings = unetRPPSettings;

  readonly unetr_pp_encoder: Encoder;
  readonly encoder1: ResBlock;
  readonly decoder5: UpBlock;
  readonly decoder4: UpBlock;
  readonly decoder3: UpBlock;
  readonly decoder2: UpBlock;
  readonly out1: OutBlock;
  readonly #hasSkips: boolean;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: UNetRPPSettings, inputShape: InputShape) {
    const { downsampling_rate: rate, linear_upsampling: linear, norm_name: norm, hidden_size } = settings;
    super(numInputFeatures, numOutputFeatures, settings, inputShape, {
      multiple: 8 * rate,
      autopad: settings.autopad_enabled,
    });
    this.#hasSkips = settings.add_skip_connections;
    const kind = {
      learnedTemperature: settings.attention_code === "manual",
      scrambled: settings.compat === "mfai",
      dropout: settings.transformer_dropout_rate,
    };
    const [height, columns] = this.paddedShape;
    const places = [1, 2, 4, 8].map((shrunk) => (height / rate / shrunk) * (columns / rate / shrunk));
    const [w1, w2, w3, w4] = stageWidths(settings);
    const width = hidden_size / 16;
    const [heads, projected] = [settings.num_heads_decoder, settings.decoder_proj_size];
    const up = (from: number, to: number, stage: number) => {
      const block = () => new TransformerBlock({ ...kind, places: places[stage]!, width: to, heads, projected });
      const blocks = new nn.Sequential(...Array.from({ length: DECODER_DEPTH }, block));
      return new UpBlock(from, to, { factor: 2, linear }, blocks);
    };
    this.unetr_pp_encoder = new Encoder(numInputFeatures, settings, kind, places);
    this.encoder1 = new ResBlock(numInputFeatures, width, norm);
    this.decoder5 = up(w4, w3, 2);
    this.decoder4 = up(w3, w2, 1);
    this.decoder3 = up(w2, w1, 0);
    this.decoder2 = new UpBlock(w1, width, { factor: rate, linear }, new ResBlock(width, width, norm));
    this.out1 = new OutBlock(width, numOutputFeatures);
  }

  protected override compute(x: Tensor): Tensor {
    this.#checkSize(x.shape.slice(2));
    const [e1, e2, e3, e4] = this.unetr_pp_encoder.forward(x) as [Tensor, Tensor, Tensor, Tensor];
    const skip = (map: Tensor) => (this.#hasSkips ? map : null);
    const d3 = this.decoder5.forward(e4, skip(e3));
    const d2 = this.decoder4.forward(d3, skip(e2));
    const d1 = this.decoder3.forward(d2, skip(e1));
    const full = this.#hasSkips ? this.encoder1.forward(x) : null;
    return this.out1.forward(this.decoder2.forward(d1, full));
  }

  /** Position embeddings and projections have a weight for each place. */
  #checkSize(shape: readonly number[]): void {
    if (shape.every((cells, i) => cells === this.paddedShape[i])) return;
    throw new ConfigError(
      `unetrpp was made for ${this.inputShape.join("×")} grids, and got one of ${shape.join("×")}`,
      {
        hint: "its position embeddings have a weight for each cell: make another network for another grid",
      },
    );
  }
}
