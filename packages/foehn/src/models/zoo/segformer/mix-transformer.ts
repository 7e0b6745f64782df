// The encoder of Segformer ("MiT"): four stages, each a patch embedding that shrinks the grid and some transformer layers.
// Paper: Xie et al. 2021, "SegFormer" (arXiv 2105.15203).

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { TransformerLayer } from "./layers.js";
import { eachStage, type SegformerSettings } from "./settings.js";

/** Kernel, stride and padding of each stage's patches. */
const PATCHES = [
  [7, 4, 3],
  [3, 2, 1],
  [3, 2, 1],
  [3, 2, 1],
] as const;

/** What each stage divides the size of the encoder's input by. */
export const STAGE_STRIDES = [4, 8, 16, 32] as const;

/**
 * Overlapping patches, each mapped to a vector. Weights have the shape that unfolding and a 1×1 convolution give them,
 * [out, in·k·k, 1, 1]; seen as [out, in, k, k] the two are one strided convolution.
 */
class PatchEmbedding extends nn.Conv2d {
  readonly #kernel: readonly number[];
  readonly #geometry: { readonly stride: readonly number[]; readonly padding: readonly number[] };

  constructor(inFeatures: number, width: number, [kernel, stride, padding]: readonly [number, number, number]) {
    super(inFeatures * kernel * kernel, width, 1);
    this.#kernel = [width, inFeatures, kernel, kernel];
    this.#geometry = { stride: [stride, stride], padding: [padding, padding] };
  }

  override forward(x: Tensor): Tensor {
    return torch.conv2d(x, this.weight.reshape(this.#kernel), { bias: this.bias, ...this.#geometry });
  }
}

/** (B, F, H, W) → (B, width, H/stride, W/stride). Children "1" and "2": "0" is the unfolding, which has no weights. */
class Stage extends nn.Module {
  readonly #embedding: PatchEmbedding;
  readonly #layers: nn.ModuleList<TransformerLayer>;

  constructor(embedding: PatchEmbedding, layers: readonly TransformerLayer[]) {
    super();
    this.#embedding = embedding;
    this.#layers = new nn.ModuleList(layers);
    this.registerModule("1", this.#embedding);
    this.registerModule("2", this.#layers);
  }

  override forward(x: Tensor): Tensor {
    return [...this.#layers].reduce((value, layer) => layer.forward(value), this.#embedding.forward(x));
  }
}

/** (B, F, H, W) → the outputs of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the size. */
export class MixTransformer extends nn.Module {
  readonly stages: nn.ModuleList<Stage>;

  constructor(inFeatures: number, settings: SegformerSettings) {
    super();
    const dims = eachStage(settings.dims);
    const heads = eachStage(settings.heads);
    const expansions = eachStage(settings.ff_expansion);
    const reductions = eachStage(settings.reduction_ratio ?? settings.kernel_and_stride);
    const counts = eachStage(settings.num_layers);
    this.stages = new nn.ModuleList(
      dims.map((width, i) => {
        const options = { width, heads: heads[i]!, reduction: reductions[i]!, expansion: expansions[i]! };
        const layers = Array.from({ length: counts[i]! }, () => new TransformerLayer(options));
        return new Stage(new PatchEmbedding(i === 0 ? inFeatures : dims[i - 1]!, width, PATCHES[i]!), layers);
      }),
    );
  }

  override forward(x: Tensor): Tensor[] {
    const outputs: Tensor[] = [];
    for (const stage of this.stages) outputs.push(stage.forward(outputs.at(-1) ?? x));
    return outputs;
  }
}
