// Linear and Identity. PyTorch: torch.nn.Linear, torch.nn.Identity.
import { empty } from "../creation.js";
import * as ops from "../generated/functions.js";
import type { Tensor } from "../tensor.js";
import { calculateFanInAndFanOut, kaimingUniform_, uniform_ } from "./init.js";
import { Module } from "./module.js";
import { makeParameter, type Parameter, type ParameterOptions } from "./parameter.js";

/** y = x·Wᵀ + b: (…, in) → (…, out). W [out, in] and b [out] start from U(−1/√in, 1/√in). */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    { bias = true, ...options }: { readonly bias?: boolean } & ParameterOptions = {},
  ) {
    super();
    this.weight = makeParameter(empty([outFeatures, inFeatures], options));
    this.bias = bias ? makeParameter(empty([outFeatures], options)) : null;
    this.resetParameters();
  }

  /** Draws new initial values. */
  resetParameters(): void {
    initWeightAndBias(this.weight, this.bias);
  }

  override forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, { bias: this.bias });
  }

  override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, outFeatures=${this.outFeatures}, bias=${this.bias !== null}`;
  }
}

/** y = x. Takes and ignores any arguments, so that it can stand in for any layer. */
export class Identity extends Module {
  constructor(..._ignored: readonly unknown[]) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return x;
  }
}

/** PyTorch's default for linear and convolution layers: both from U(−1/√fan_in, 1/√fan_in), the weight first. */
export function initWeightAndBias(weight: Tensor, bias: Tensor | null): void {
  kaimingUniform_(weight, { a: Math.sqrt(5) });
  if (bias === null) return;
  const { fanIn } = calculateFanInAndFanOut(weight);
  if (fanIn > 0) uniform_(bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
}
