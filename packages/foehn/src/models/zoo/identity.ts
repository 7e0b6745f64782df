// Identity: the first features of the input times one learned number, py4cast's example of a plugin. It shows that data reach a network
// and that gradients come back.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import { type InputShape, type ModelType, Network } from "../network.js";

const settingsSchema = z.strictObject({
  name: z.string().default("Identity").describe("a label, without effect"),
});

/** Settings of `Identity`. */
export type IdentitySettings = z.infer<typeof settingsSchema>;

/** (…, F) → (…, Fout), Fout ≤ F. */
export class Identity extends Network {
  static readonly modelName = "identity";
  static readonly modelType: ModelType = "identity";
  static readonly onnxSupported = true;
  static readonly settings = settingsSchema;

  /** The number, drawn from U(0, 1). */
  readonly scaler: nn.Parameter;

  constructor(numInputFeatures: number, numOutputFeatures: number, settings: IdentitySettings, inputShape: InputShape) {
    super(numInputFeatures, numOutputFeatures, settings, inputShape);
    if (numOutputFeatures > numInputFeatures) {
      throw new ConfigError(`identity cannot make ${numOutputFeatures} features of ${numInputFeatures}`, {
        hint: "it copies features of its input: give it at least as many",
      });
    }
    this.scaler = new nn.Parameter(torch.rand([1]));
  }

  override forward(x: Tensor): Tensor {
    return x.narrow(-1, 0, this.numOutputFeatures).mul(this.scaler);
  }
}
