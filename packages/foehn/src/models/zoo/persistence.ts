// Persistence: tomorrow is like today. The network answers zero increments, so with the strategy `diff_ar` (new state =
// last state + output) the forecast repeats its last state. It has no weights: the yardstick that a model must beat.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { type ModelType, Network } from "../network.js";

/** A network that answers zeros. Use it with `diff_ar`. */
export class Persistence extends Network {
  static readonly modelName = "persistence";
  static readonly modelType: ModelType = "identity";
  static readonly onnxSupported = true;
  static readonly settings = z.strictObject({});

  override forward(x: Tensor): Tensor {
    return torch.zeros([...x.shape.slice(0, -1), this.numOutputFeatures], { dtype: x.dtype, device: x.device });
  }
}
