// Normalisation layers. PyTorch: torch.nn.BatchNorm2d, InstanceNorm2d, GroupNorm, LayerNorm.
// Papers: Ioffe & Szegedy 2015, Ulyanov et al. 2016, Wu & He 2018, Ba et al. 2016.
import { ones, zeros } from "../creation.js";
import * as ops from "../generated/functions.js";
import { noGrad } from "../guards.js";
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { recorder } from "../trace/recorder.js";
import { isChannelsLast } from "./memory-order.js";
import { Module } from "./module.js";
import { makeParameter, type Parameter, type ParameterOptions } from "./parameter.js";

/** Settings of `BatchNorm2d`; PyTorch's defaults. */
export interface BatchNormOptions extends ParameterOptions {
  readonly eps?: number;
  /** Weight of the new batch in the running statistics; null averages over all batches. Default 0.1. */
  readonly momentum?: number | null;
  readonly affine?: boolean;
  readonly trackRunningStats?: boolean;
}

/**
 * y = (x − μ_c)/√(σ²_c + ε)·γ_c + β_c over N, H, W of each channel: (N, C, H, W) → same. Training uses the batch's μ, σ² and
 * updates `running_mean`, `running_var` (unbiased) and `num_batches_tracked`; evaluation uses the running ones.
 */
export class BatchNorm2d extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  declare readonly running_mean: Tensor | null;
  declare readonly running_var: Tensor | null;
  declare readonly num_batches_tracked: Tensor | null;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(
    readonly numFeatures: number,
    { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, ...options }: BatchNormOptions = {},
  ) {
    super();
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? makeParameter(ones([numFeatures], options)) : null;
    this.bias = affine ? makeParameter(zeros([numFeatures], options)) : null;
    const device = options.device !== undefined ? { device: options.device } : {};
    this.registerBuffer("running_mean", trackRunningStats ? zeros([numFeatures], options) : null);
    this.registerBuffer("running_var", trackRunningStats ? ones([numFeatures], options) : null);
    this.registerBuffer("num_batches_tracked", trackRunningStats ? zeros([], { dtype: "int64", ...device }) : null);
  }

  override forward(x: Tensor): Tensor {
    if (x.ndim !== 4) {
      throw new RangeError(`BatchNorm2d: expected (N, ${this.numFeatures}, H, W), got [${x.shape.join(", ")}]`);
    }
    if (this.training && x.numel() === this.numFeatures) {
      // The unbiased variance of one value is 0/0, and the running one would never recover.
      throw new RangeError(`BatchNorm2d: training needs more than one value per channel, got [${x.shape.join(", ")}]`);
    }
    const { running_mean, running_var, num_batches_tracked } = this;
    let momentum = this.momentum ?? 0;
    if (this.training && num_batches_tracked !== null) {
      noGrad(() => num_batches_tracked.add_(1));
      momentum = this.momentum ?? 1 / num_batches_tracked.item();
    }
    const useBatch = this.training || running_mean === null;
    return ops.batchNorm(x, this.weight, this.bias, running_mean, running_var, useBatch, momentum, this.eps, true);
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}, affine=${this.weight !== null}, trackRunningStats=${this.running_mean !== null}`;
  }
}

/**
 * As batch normalisation, but over H, W of each channel of each sample: (N, C, H, W) → same. With `trackRunningStats` (not the
 * default) evaluation uses running statistics, as batch normalisation does.
 */
export class InstanceNorm2d extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  declare readonly running_mean: Tensor | null;
  declare readonly running_var: Tensor | null;
  declare readonly num_batches_tracked: Tensor | null;
  readonly eps: number;
  readonly momentum: number;

  constructor(
    readonly numFeatures: number,
    {
      eps = 1e-5,
      momentum = 0.1,
      affine = false,
      trackRunningStats = false,
      ...options
    }: Omit<BatchNormOptions, "momentum"> & { readonly momentum?: number } = {},
  ) {
    super();
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? makeParameter(ones([numFeatures], options)) : null;
    this.bias = affine ? makeParameter(zeros([numFeatures], options)) : null;
    const device = options.device !== undefined ? { device: options.device } : {};
    this.registerBuffer("running_mean", trackRunningStats ? zeros([numFeatures], options) : null);
    this.registerBuffer("running_var", trackRunningStats ? ones([numFeatures], options) : null);
    this.registerBuffer("num_batches_tracked", trackRunningStats ? zeros([], { dtype: "int64", ...device }) : null);
  }

  override forward(x: Tensor): Tensor {
    const { weight, bias, running_mean, running_var, eps, momentum } = this;
    if (x.ndim !== 4 || x.size(1) !== this.numFeatures) {
      throw new RangeError(`InstanceNorm2d: expected (N, ${this.numFeatures}, H, W), got [${x.shape.join(", ")}]`);
    }
    const useInput = this.training || running_mean === null;
    if (useInput && x.size(2) * x.size(3) === 1) {
      throw new RangeError(`InstanceNorm2d: needs more than one place per channel, got [${x.shape.join(", ")}]`);
    }
    if (running_mean === null && isChannelsLast(x) && recorder === null) {
      // instance_norm reorders channels-last memory; batch_norm over one sample computes the same in place.
      const one = (sample: Tensor) => ops.batchNorm(sample, weight, bias, null, null, true, momentum, eps, true);
      return x.size(0) === 1 ? one(x) : ops.cat(x.split(1, { dim: 0 }).map(one), { dim: 0 });
    }
    return aten("instance_norm", x, weight, bias, running_mean, running_var, useInput, momentum, eps, true) as Tensor;
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}, affine=${this.weight !== null}, trackRunningStats=${this.running_mean !== null}`;
  }
}

/**
 * As batch normalisation, but over each sample's groups of channels: (N, C, …) → same, the same in training and evaluation.
 */
export class GroupNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    {
      eps = 1e-5,
      affine = true,
      ...options
    }: { readonly eps?: number; readonly affine?: boolean } & ParameterOptions = {},
  ) {
    super();
    if (numChannels % numGroups !== 0) {
      throw new RangeError(`GroupNorm: ${numChannels} channels do not divide by ${numGroups} groups`);
    }
    this.eps = eps;
    this.weight = affine ? makeParameter(ones([numChannels], options)) : null;
    this.bias = affine ? makeParameter(zeros([numChannels], options)) : null;
  }

  override forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return accurately(x, (values) =>
      ops.groupNorm(values, this.numGroups, { weight: matching(weight, values), bias: matching(bias, values), eps }),
    );
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}

/** y = (x − μ)/√(σ² + ε)·γ + β over the last dimensions, whose sizes are `normalizedShape`: (…, *normalizedShape) → same. */
export class LayerNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;

  constructor(
    normalizedShape: number | readonly number[],
    {
      eps = 1e-5,
      elementwiseAffine = true,
      ...options
    }: { readonly eps?: number; readonly elementwiseAffine?: boolean } & ParameterOptions = {},
  ) {
    super();
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    this.eps = eps;
    this.weight = elementwiseAffine ? makeParameter(ones(this.normalizedShape, options)) : null;
    this.bias = elementwiseAffine ? makeParameter(zeros(this.normalizedShape, options)) : null;
  }

  override forward(x: Tensor): Tensor {
    const { normalizedShape, weight, bias, eps } = this;
    return accurately(x, (values) =>
      ops.layerNorm(values, normalizedShape, { weight: matching(weight, values), bias: matching(bias, values), eps }),
    );
  }

  override extraRepr(): string {
    return `[${this.normalizedShape.join(", ")}], eps=${this.eps}, elementwiseAffine=${this.weight !== null}`;
  }
}

/**
 * On the CPU, 16-bit values are normalised in float32 and given back in their type: libtorch 1.13 takes seven times as long for them
 * as for float32, casts included.
 */
function accurately(x: Tensor, normalise: (values: Tensor) => Tensor): Tensor {
  const { dtype } = x;
  if (x.device !== "cpu" || (dtype !== "bfloat16" && dtype !== "float16")) return normalise(x);
  return normalise(x.to("float32")).to(dtype);
}

/** On the CPU, libtorch before 2.0 wants parameters in the type of the input. */
function matching(parameter: Tensor | null, x: Tensor): Tensor | null {
  return parameter === null || parameter.dtype === x.dtype || x.device !== "cpu" ? parameter : parameter.to(x.dtype);
}
