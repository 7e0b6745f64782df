// Pooling layers. PyTorch: torch.nn.MaxPool2d, AvgPool2d, AdaptiveAvgPool2d.
import * as ops from "../generated/functions.js";
import type { Tensor } from "../tensor.js";
import { Module } from "./module.js";
import { type Size2, toPair } from "./pair.js";

/** Settings that both kinds of pooling have; `stride` defaults to the kernel. */
export interface PoolOptions {
  readonly stride?: Size2;
  readonly padding?: Size2;
  /** Round the output size up instead of down. */
  readonly ceilMode?: boolean;
}

/** y = the largest value in each window: (N, C, H, W) → (N, C, H′, W′), H′ = ⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1. */
export class MaxPool2d extends Module {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;

  constructor(kernelSize: Size2, options: PoolOptions & { readonly dilation?: Size2 } = {}) {
    super();
    this.kernelSize = toPair(kernelSize);
    this.stride = toPair(options.stride ?? kernelSize);
    this.padding = toPair(options.padding ?? 0);
    this.dilation = toPair(options.dilation ?? 1);
    this.ceilMode = options.ceilMode ?? false;
  }

  override forward(x: Tensor): Tensor {
    const { stride, padding, dilation, ceilMode } = this;
    return ops.maxPool2d(x, this.kernelSize, { stride, padding, dilation, ceilMode });
  }

  override extraRepr(): string {
    return `kernelSize=[${this.kernelSize.join(", ")}], stride=[${this.stride.join(", ")}]`;
  }
}

/** y = the mean of each window: (N, C, H, W) → (N, C, H′, W′). */
export class AvgPool2d extends Module {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  constructor(kernelSize: Size2, options: PoolOptions & { readonly countIncludePad?: boolean } = {}) {
    super();
    this.kernelSize = toPair(kernelSize);
    this.stride = toPair(options.stride ?? kernelSize);
    this.padding = toPair(options.padding ?? 0);
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
  }

  override forward(x: Tensor): Tensor {
    const { stride, padding, ceilMode, countIncludePad } = this;
    return ops.avgPool2d(x, this.kernelSize, { stride, padding, ceilMode, countIncludePad });
  }

  override extraRepr(): string {
    return `kernelSize=[${this.kernelSize.join(", ")}], stride=[${this.stride.join(", ")}]`;
  }
}

/** y = means over windows chosen so that the output is `outputSize`: (N, C, H, W) → (N, C, *outputSize). */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: readonly [number, number];

  constructor(outputSize: Size2) {
    super();
    this.outputSize = toPair(outputSize);
  }

  override forward(x: Tensor): Tensor {
    return ops.adaptiveAvgPool2d(x, this.outputSize);
  }

  override extraRepr(): string {
    return `outputSize=[${this.outputSize.join(", ")}]`;
  }
}
