// ImageNet weights of a ResNet into an encoder with any number of input features. The kernels of red, green and blue are adapted as
// mfai adapts them: one input feature takes their sum, others take them in turn, scaled by 3/inputs to keep the size of the activations.

import { existsSync } from "node:fs";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError, StorageError } from "../../core/errors.js";
import { readStateDict } from "../state-dict-files.js";
import type { ResNetEncoder } from "./resnet-encoder.js";

const COLOURS = 3;
const FIRST = "conv1.weight";

/**
 * Loads a torchvision state dict (`.pth`, `.safetensors`).
 * @throws StorageError for a missing file, ModelError when the weights are those of another network
 */
export function loadPretrainedResNet(encoder: ResNetEncoder, path: string): void {
  if (!existsSync(path)) {
    throw new StorageError(`encoder_weights: there is no file ${path}`, {
      hint: "give the path of torchvision's weights of the encoder, such as resnet18-f37072fd.pth, or false",
    });
  }
  torch.scope(() => {
    const state = readStateDict(path, new Set(encoder.stateDict().keys()));
    for (const name of ["fc.weight", "fc.bias"]) state.delete(name);
    const first = state.get(FIRST);
    if (first !== undefined && first.ndim === 4 && first.size(1) === COLOURS) {
      state.set(FIRST, adaptColours(first, encoder.inFeatures));
    }
    try {
      encoder.loadStateDict(state);
    } catch (error) {
      throw new ModelError(error instanceof Error ? error.message : String(error), {
        where: path,
        hint: "encoder_weights must be torchvision's weights of the network that encoder_name names",
        cause: error,
      });
    }
  });
}

/** Kernels [out, 3, kH, kW] → [out, inputs, kH, kW]. */
export function adaptColours(weight: Tensor, inputs: number): Tensor {
  if (inputs === COLOURS) return weight;
  if (inputs === 1) return weight.sum(1, { keepdim: true });
  const turns = torch.cat(
    Array.from({ length: Math.ceil(inputs / COLOURS) }, () => weight),
    { dim: 1 },
  );
  return turns.narrow(1, 0, inputs).mul(COLOURS / inputs);
}
