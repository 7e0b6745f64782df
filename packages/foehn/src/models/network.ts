// Network: the contract of a model that Foehn trains, packages and rolls out. It maps features to features on one grid and
// knows nothing of time, variables or units: those belong to training/step.ts and to the package.
// The same contract as py4cast's ModelABC and mfai's BaseModel, with settings as a zod schema.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import type { z } from "zod";
import type { ItemBatch } from "../datasets/dataset.js";
import type { NamedTensor } from "../tensor/named-tensor.js";

/** Family of a network, as mfai's `ModelType` names them. */
export type ModelType = "convolutional" | "vision_transformer" | "graph" | "identity";

/** Spatial size of the inputs: (H, W) on a grid. */
export type InputShape = readonly number[];

/** Settings as they stand in a file: snake_case keys, JSON values. */
export type NetworkSettings = Readonly<Record<string, unknown>>;

/** The static part of the inputs, on the device, as `transformStatics` may reshape it (a graph network flattens the grid). */
export interface StaticTensors {
  /** (H, W, S) static features. */
  readonly features: NamedTensor<readonly string[]>;
  /** (H, W, 1): 1 on the frame that borders force, 0 inside. */
  readonly borderMask: NamedTensor<readonly string[]>;
  /** (H, W, 1): 1 − border mask. */
  readonly interiorMask: NamedTensor<readonly string[]>;
}

/** Layout in which a convolutional network computes. Features-last data IS channels-last, so that one costs no copy. */
export type ActivationLayout = "channels_last" | "contiguous";

/**
 * The faster layout on this machine. oneDNN's channels-last convolutions are made for AVX-512 and AMX, cuDNN's for tensor cores; with AVX2
 * alone they take up to twice as long as contiguous ones (HalfUNet's whole step 1.7 times).
 */
function fasterLayout(): ActivationLayout {
  const { avx2, avx512 } = torch.cpuCapabilities();
  return avx2 && !avx512 && !torch.cuda.isAvailable() ? "contiguous" : "channels_last";
}

/**
 * Base class of networks. A subclass has the static members of `NetworkClass`, builds its layers in the constructor and
 * implements `forward`; names of its fields are its state-dict keys.
 */
export abstract class Network extends nn.Module {
  /** Layout of activations inside `forward`; only convolutional networks look at it. */
  activationLayout: ActivationLayout = fasterLayout();

  /**
   * @param numInputFeatures features of `forward`'s argument: what the strategy puts together of past states, statics, forcings and a mask of gaps
   * @param numOutputFeatures features of its result
   * @param settings validated settings
   * @param inputShape spatial size of the inputs, (H, W)
   */
  constructor(
    readonly numInputFeatures: number,
    readonly numOutputFeatures: number,
    readonly settings: NetworkSettings,
    readonly inputShape: InputShape,
  ) {
    super();
  }

  /** From (B, H, W, F) to (B, H, W, Fout): features last on both sides. Graph networks: (B, N, F) to (B, N, Fout). */
  abstract override forward(x: Tensor): Tensor;

  /**
   * Reads the weights that the settings name, such as a pretrained encoder. Called once, before a training that starts from nothing;
   * checkpoints and packages bring all weights with them. Default: none.
   */
  loadInitialWeights(): void {}

  /**
   * Refuses batches that it cannot be trained on, such as those with a single value to normalise over. Called before a training, with
   * the sizes of its batches. Default: takes all.
   * @throws ConfigError
   */
  checkTrainingBatch(_batchSize: number): void {}

  /** Reshapes the static tensors once, before training or a forecast. Default: unchanged. */
  transformStatics(statics: StaticTensors): StaticTensors {
    return statics;
  }

  /** Reshapes each batch to what `forward` takes. Default: unchanged. */
  transformBatch(batch: ItemBatch): ItemBatch {
    return batch;
  }

  override extraRepr(): string {
    return `${this.numInputFeatures}→${this.numOutputFeatures}, ${this.inputShape.join("×")}`;
  }
}

/** A network's class: what the registry holds. */
export interface NetworkClass<S extends NetworkSettings = NetworkSettings> {
  /** Name in `--model` and in `metadata.json`: lower case, without separators. */
  readonly modelName: string;
  readonly modelType: ModelType;
  /** True when every operator of `forward` has an ONNX counterpart and no size depends on data. */
  readonly onnxSupported: boolean;
  /** Schema of the settings; every key has a default, unknown keys are refused. */
  readonly settings: z.ZodType<S>;
  new (numInputFeatures: number, numOutputFeatures: number, settings: S, inputShape: InputShape): Network;
}
