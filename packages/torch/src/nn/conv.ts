// Two-dimensional convolution and its transpose. PyTorch: torch.nn.Conv2d, torch.nn.ConvTranspose2d.
import { empty } from "../creation.js";
import * as ops from "../generated/functions.js";
import type { Tensor } from "../tensor.js";
import { initWeightAndBias } from "./linear.js";
import { isChannelsLast } from "./memory-order.js";
import { Module } from "./module.js";
import { type Size2, toPair } from "./pair.js";
import { makeParameter, type Parameter, type ParameterOptions } from "./parameter.js";

/** How a convolution fills beyond the border. */
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Settings of `Conv2d`; PyTorch's defaults. */
export interface Conv2dOptions extends ParameterOptions {
  readonly stride?: Size2;
  /** Cells added on each side, or `"same"` (output as large as input, stride 1) or `"valid"` (none). Default 0. */
  readonly padding?: Size2 | "same" | "valid";
  readonly dilation?: Size2;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly paddingMode?: PaddingMode;
}

/**
 * y[n,o] = b[o] + Σ_c W[o,c] ⋆ x[n,c]: (N, in, H, W) → (N, out, H′, W′) with
 * H′ = ⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1. W is [out, in/groups, kH, kW].
 */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number] | "same" | "valid";
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly paddingMode: PaddingMode;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Size2,
    options: Conv2dOptions = {},
  ) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, paddingMode = "zeros", ...rest } = options;
    checkGroups("Conv2d", inChannels, outChannels, groups);
    this.kernelSize = toPair(kernelSize);
    this.stride = toPair(stride);
    this.padding = typeof padding === "string" ? padding : toPair(padding);
    this.dilation = toPair(dilation);
    this.groups = groups;
    this.paddingMode = paddingMode;
    if (padding === "same" && this.stride.some((s) => s !== 1)) {
      throw new RangeError(`Conv2d: padding "same" needs stride 1, got [${this.stride.join(", ")}]`);
    }
    this.weight = makeParameter(empty([outChannels, inChannels / groups, ...this.kernelSize], rest));
    this.bias = bias ? makeParameter(empty([outChannels], rest)) : null;
    this.resetParameters();
  }

  /** Draws new initial values. */
  resetParameters(): void {
    initWeightAndBias(this.weight, this.bias);
  }

  override forward(x: Tensor): Tensor {
    const { weight, bias, stride, padding, dilation, groups } = this;
    if (this.paddingMode === "zeros") {
      return typeof padding === "string"
        ? ops.conv2d(x, weight, { bias, stride, padding, dilation, groups })
        : ops.conv2d(x, weight, { bias, stride, padding, dilation, groups });
    }
    const padded = ops.pad(x, this.#borders(), { mode: this.paddingMode });
    return ops.conv2d(padded, weight, { bias, stride, dilation, groups });
  }

  /** Border widths [left, right, top, bottom], as `pad` wants them. "same" puts the odd cell at the end, as PyTorch does. */
  #borders(): number[] {
    const sides = (axis: 0 | 1): [number, number] => {
      if (this.padding === "valid") return [0, 0];
      if (this.padding !== "same") return [this.padding[axis], this.padding[axis]];
      const total = this.dilation[axis] * (this.kernelSize[axis] - 1);
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    };
    return [...sides(1), ...sides(0)];
  }

  override extraRepr(): string {
    const padding = typeof this.padding === "string" ? this.padding : `[${this.padding.join(", ")}]`;
    return (
      `${this.inChannels}, ${this.outChannels}, kernelSize=[${this.kernelSize.join(", ")}], stride=[${this.stride.join(", ")}], ` +
      `padding=${padding}, dilation=[${this.dilation.join(", ")}], groups=${this.groups}, bias=${this.bias !== null}`
    );
  }
}

/** Settings of `ConvTranspose2d`; PyTorch's defaults. */
export interface ConvTranspose2dOptions extends ParameterOptions {
  readonly stride?: Size2;
  readonly padding?: Size2;
  readonly outputPadding?: Size2;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly dilation?: Size2;
}

/**
 * The gradient of `Conv2d` with respect to its input, as a layer: (N, in, H, W) → (N, out, H′, W′) with
 * H′ = (H − 1)·stride − 2·padding + dilation·(kernel − 1) + outputPadding + 1. W is [in, out/groups, kH, kW].
 */
export class ConvTranspose2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly outputPadding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Size2,
    options: ConvTranspose2dOptions = {},
  ) {
    super();
    const { stride = 1, padding = 0, outputPadding = 0, groups = 1, bias = true, dilation = 1, ...rest } = options;
    checkGroups("ConvTranspose2d", inChannels, outChannels, groups);
    this.kernelSize = toPair(kernelSize);
    this.stride = toPair(stride);
    this.padding = toPair(padding);
    this.outputPadding = toPair(outputPadding);
    this.dilation = toPair(dilation);
    this.groups = groups;
    this.weight = makeParameter(empty([inChannels, outChannels / groups, ...this.kernelSize], rest));
    this.bias = bias ? makeParameter(empty([outChannels], rest)) : null;
    this.resetParameters();
  }

  /** Draws new initial values. */
  resetParameters(): void {
    initWeightAndBias(this.weight, this.bias);
  }

  override forward(x: Tensor): Tensor {
    const { weight, bias, stride, padding, outputPadding, groups, dilation } = this;
    if (this.#isTiling() && isChannelsLast(x)) return tiles(x, weight, bias);
    return ops.convTranspose2d(x, weight, { bias, stride, padding, outputPadding, groups, dilation });
  }

  /** Whether each place of the input becomes a tile of its own. */
  #isTiling(): boolean {
    const { kernelSize, stride, padding, outputPadding, dilation, groups } = this;
    const isPlain = (axis: 0 | 1) =>
      stride[axis] === kernelSize[axis] && padding[axis] === 0 && outputPadding[axis] === 0 && dilation[axis] === 1;
    return groups === 1 && isPlain(0) && isPlain(1);
  }

  override extraRepr(): string {
    return (
      `${this.inChannels}, ${this.outChannels}, kernelSize=[${this.kernelSize.join(", ")}], stride=[${this.stride.join(", ")}], ` +
      `padding=[${this.padding.join(", ")}], groups=${this.groups}, bias=${this.bias !== null}`
    );
  }
}

/**
 * A transposed convolution whose tiles do not overlap, as a 1×1 convolution that computes whole tiles and one copy that lays them
 * out. On the CPU several times as fast, and in bfloat16 under autocast, where libtorch 1.13 leaves the other in float32.
 */
function tiles(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const [inputs, outputs, tall, wide] = weight.shape as [number, number, number, number];
  const kernel = weight.permute([2, 3, 1, 0]).reshape([tall * wide * outputs, inputs, 1, 1]);
  const y = ops.conv2d(x, kernel, { bias: bias === null ? null : bias.repeat([tall * wide]) });
  return y
    .permute([0, 2, 3, 1])
    .reshape([batch, height, width, tall, wide, outputs])
    .permute([0, 1, 3, 2, 4, 5])
    .reshape([batch, height * tall, width * wide, outputs])
    .permute([0, 3, 1, 2]);
}

function checkGroups(layer: string, inChannels: number, outChannels: number, groups: number): void {
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new RangeError(
      `${layer}: ${inChannels} input and ${outChannels} output channels must both divide by groups ${groups}`,
    );
  }
}
