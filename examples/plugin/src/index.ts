// A network of one's own: 3×3 convolutions with residual connections at full resolution. Everything that Foehn needs to know is in the
// static members; the names of the fields are the keys of the weights.

import { nn, type Tensor } from "@foehn/torch";
import { type InputShape, type ModelType, PaddedNetwork } from "foehn";
import { z } from "zod";

const settings = z.strictObject({
  width: z.int().positive().default(32).describe("features inside"),
  num_layers: z.int().positive().default(4).describe("residual layers"),
});

/** (B, H, W, F) → (B, H, W, Fout). */
export class ResidualConv extends PaddedNetwork {
  static readonly modelName = "residualconv";
  static readonly modelType: ModelType = "convolutional";
  static readonly onnxSupported = true;
  static readonly settings = settings;

  readonly first: nn.Conv2d;
  readonly layers: nn.ModuleList<nn.Sequential>;
  readonly last: nn.Conv2d;

  constructor(inputs: number, outputs: number, given: z.infer<typeof settings>, inputShape: InputShape) {
    super(inputs, outputs, given, inputShape, { multiple: 1, autopad: true, normStride: 0 });
    const { width, num_layers: count } = given;
    const conv = () => new nn.Conv2d(width, width, 3, { padding: 1 });
    this.first = new nn.Conv2d(inputs, width, 1);
    this.layers = new nn.ModuleList(
      Array.from({ length: count }, () => new nn.Sequential(conv(), new nn.SiLU(), conv())),
    );
    this.last = new nn.Conv2d(width, outputs, 1);
  }

  /** Takes and gives channels in the second place, as convolutions want them. */
  protected override compute(x: Tensor): Tensor {
    let y = this.first.forward(x);
    for (const layer of this.layers) y = y.add(layer.forward(y));
    return this.last.forward(y);
  }
}
