// What a conformance check works on: a network class with settings, and inputs that are the same at every call.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { validateSettings } from "../../core/config.js";
import type { InputShape, Network, NetworkClass, NetworkSettings } from "../network.js";

/** Options of a subject; the defaults are small enough for a check to take seconds. */
export interface SubjectOptions {
  /** Raw settings; missing keys take their defaults. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Default 5. */
  readonly numInputFeatures?: number;
  /** Default 3. */
  readonly numOutputFeatures?: number;
  /** (H, W); default 64×64. */
  readonly inputShape?: InputShape;
  /** Of weights and inputs; default 42. */
  readonly seed?: number;
}

/** A network class under test. */
export class Subject {
  readonly settings: NetworkSettings;
  readonly inputs: number;
  readonly outputs: number;
  readonly shape: InputShape;
  readonly seed: number;

  /** @throws ConfigError for settings that do not fit the schema */
  constructor(
    readonly network: NetworkClass,
    options: SubjectOptions = {},
  ) {
    this.settings = validateSettings(network.settings, options.settings ?? {}, `settings of ${network.modelName}`);
    this.inputs = options.numInputFeatures ?? 5;
    this.outputs = options.numOutputFeatures ?? 3;
    this.shape = options.inputShape ?? [64, 64];
    this.seed = options.seed ?? 42;
  }

  /** A network with the weights of a seed, in training mode. */
  make(
    options: { readonly shape?: InputShape; readonly seed?: number; readonly settings?: NetworkSettings } = {},
  ): Network {
    torch.manualSeed(options.seed ?? this.seed);
    const { shape = this.shape, settings = this.settings } = options;
    return new this.network(this.inputs, this.outputs, settings, shape);
  }

  /** Sizes between batch and features: (H, W), or (H·W) for a graph network. */
  points(shape: InputShape = this.shape): readonly number[] {
    return this.network.modelType === "graph" ? [shape.reduce((a, b) => a * b, 1)] : shape;
  }

  /** A normal input, (batch, …points, F). */
  input(batch: number, shape: InputShape = this.shape): Tensor {
    torch.manualSeed(this.seed + 1);
    return torch.randn([batch, ...this.points(shape), this.inputs]);
  }
}

/** A network's output without gradients, float32. */
export function outputOf(network: Network, x: Tensor): Tensor {
  return torch.noGrad(() => network.forward(x)).to("float32");
}

/** Largest |a − b|, relative to the largest |b|; infinite where shapes differ or a value is not finite. */
export function relativeDifference(a: Tensor, b: Tensor): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  const scale = b.abs().max().item() as number;
  const difference = a.sub(b).abs().max().item() as number;
  if (!Number.isFinite(scale) || !Number.isFinite(difference)) return Number.POSITIVE_INFINITY;
  return difference === 0 ? 0 : difference / scale;
}
