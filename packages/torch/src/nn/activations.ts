// Activation layers, with PyTorch's names and defaults (torch.nn, "Non-linear Activations"), and `activation(name)`.
// Each maps a tensor of any shape to one of the same shape unless it says otherwise.
import { full } from "../creation.js";
import { didYouMean } from "../errors.js";
import * as ops from "../generated/functions.js";
import type { Tensor } from "../tensor.js";
import { Identity } from "./linear.js";
import { Module, type UnaryModule } from "./module.js";
import { makeParameter, type Parameter, type ParameterOptions } from "./parameter.js";

/** Options of activations that can overwrite their input, which saves its memory where autograd does not need it. */
export interface InplaceOptions {
  readonly inplace?: boolean;
}

/** max(0, x). */
export class ReLU extends Module {
  readonly inplace: boolean;
  constructor({ inplace = false }: InplaceOptions = {}) {
    super();
    this.inplace = inplace;
  }
  override forward(x: Tensor): Tensor {
    return this.inplace ? x.relu_() : x.relu();
  }
}

/** min(max(0, x), 6). */
export class ReLU6 extends Module {
  override forward(x: Tensor): Tensor {
    return ops.relu6(x);
  }
}

/** x for x ≥ 0, slope·x below. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;
  readonly inplace: boolean;
  constructor({ negativeSlope = 0.01, inplace = false }: { readonly negativeSlope?: number } & InplaceOptions = {}) {
    super();
    this.negativeSlope = negativeSlope;
    this.inplace = inplace;
  }
  override forward(x: Tensor): Tensor {
    const { negativeSlope } = this;
    return this.inplace ? x.leakyRelu_({ negativeSlope }) : ops.leakyRelu(x, { negativeSlope });
  }
  override extraRepr(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/** x for x ≥ 0, a·x below, with learned a: one for all channels, or one per channel of (N, C, …). */
export class PReLU extends Module {
  readonly weight: Parameter;
  constructor({
    numParameters = 1,
    init = 0.25,
    ...options
  }: { readonly numParameters?: number; readonly init?: number } & ParameterOptions = {}) {
    super();
    this.weight = makeParameter(full([numParameters], init, { dtype: "float32", ...options }));
  }
  override forward(x: Tensor): Tensor {
    return ops.prelu(x, this.weight);
  }
}

/** x for x > 0, α(eˣ − 1) below. */
export class ELU extends Module {
  readonly alpha: number;
  readonly inplace: boolean;
  constructor({ alpha = 1, inplace = false }: { readonly alpha?: number } & InplaceOptions = {}) {
    super();
    this.alpha = alpha;
    this.inplace = inplace;
  }
  override forward(x: Tensor): Tensor {
    const { alpha } = this;
    return this.inplace ? x.elu_({ alpha }) : ops.elu(x, { alpha });
  }
}

/** max(0, x) + min(0, α(e^{x/α} − 1)). */
export class CELU extends Module {
  readonly alpha: number;
  constructor({ alpha = 1 }: { readonly alpha?: number } = {}) {
    super();
    this.alpha = alpha;
  }
  override forward(x: Tensor): Tensor {
    return ops.celu(x, { alpha: this.alpha });
  }
}

/** Scaled ELU, with the constants of Klambauer et al. 2017. */
export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return ops.selu(x);
  }
}

/** x·Φ(x), with Φ the normal distribution function, exactly or by the tanh formula. */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";
  constructor({ approximate = "none" }: { readonly approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = approximate;
  }
  override forward(x: Tensor): Tensor {
    return ops.gelu(x, { approximate: this.approximate });
  }
}

/** x·σ(x). */
export class SiLU extends Module {
  readonly inplace: boolean;
  constructor({ inplace = false }: InplaceOptions = {}) {
    super();
    this.inplace = inplace;
  }
  override forward(x: Tensor): Tensor {
    return this.inplace ? x.silu_() : ops.silu(x);
  }
}

/** x·tanh(softplus(x)). */
export class Mish extends Module {
  override forward(x: Tensor): Tensor {
    return ops.mish(x);
  }
}

/** x·min(max(x + 3, 0), 6)/6. */
export class Hardswish extends Module {
  override forward(x: Tensor): Tensor {
    return ops.hardswish(x);
  }
}

/** min(max(x + 3, 0), 6)/6. */
export class Hardsigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return ops.hardsigmoid(x);
  }
}

/** x limited to [minVal, maxVal], by default [−1, 1]. */
export class Hardtanh extends Module {
  readonly minVal: number;
  readonly maxVal: number;
  constructor({ minVal = -1, maxVal = 1 }: { readonly minVal?: number; readonly maxVal?: number } = {}) {
    super();
    this.minVal = minVal;
    this.maxVal = maxVal;
  }
  override forward(x: Tensor): Tensor {
    return ops.hardtanh(x, { minVal: this.minVal, maxVal: this.maxVal });
  }
}

/** x where |x| > λ, else 0. */
export class Hardshrink extends Module {
  readonly lambd: number;
  constructor({ lambd = 0.5 }: { readonly lambd?: number } = {}) {
    super();
    this.lambd = lambd;
  }
  override forward(x: Tensor): Tensor {
    return ops.hardshrink(x, { lambd: this.lambd });
  }
}

/** x moved towards 0 by λ, 0 where |x| ≤ λ. */
export class Softshrink extends Module {
  readonly lambd: number;
  constructor({ lambd = 0.5 }: { readonly lambd?: number } = {}) {
    super();
    this.lambd = lambd;
  }
  override forward(x: Tensor): Tensor {
    return ops.softshrink(x, { lambd: this.lambd });
  }
}

/** σ(x) = 1/(1 + e^{−x}). */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** log σ(x). */
export class LogSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return ops.logSigmoid(x);
  }
}

/** tanh(x). */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** x − tanh(x). */
export class Tanhshrink extends Module {
  override forward(x: Tensor): Tensor {
    return x.sub(x.tanh());
  }
}

/** log(1 + e^{βx})/β; x itself where βx > threshold. */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;
  constructor({ beta = 1, threshold = 20 }: { readonly beta?: number; readonly threshold?: number } = {}) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  override forward(x: Tensor): Tensor {
    return ops.softplus(x, { beta: this.beta, threshold: this.threshold });
  }
}

/** x/(1 + |x|). */
export class Softsign extends Module {
  override forward(x: Tensor): Tensor {
    return x.div(x.abs().add(1));
  }
}

/** First half of `dim` times σ of the second half: (…, 2n, …) → (…, n, …). */
export class GLU extends Module {
  constructor(readonly dim = -1) {
    super();
  }
  override forward(x: Tensor): Tensor {
    return ops.glu(x, { dim: this.dim });
  }
}

/** e^{x_i}/Σ_j e^{x_j} along `dim`. Without `dim`: 0 for 0, 1 and 3 dimensions, else 1, as PyTorch chooses. */
export class Softmax extends Module {
  constructor(readonly dim: number | null = null) {
    super();
  }
  override forward(x: Tensor): Tensor {
    return ops.softmax(x, this.dim ?? implicitDim(x));
  }
}

/** Softmax of −x. */
export class Softmin extends Module {
  constructor(readonly dim: number | null = null) {
    super();
  }
  override forward(x: Tensor): Tensor {
    return ops.softmax(x.neg(), this.dim ?? implicitDim(x));
  }
}

/** Softmax over the channels of (N, C, H, W) or (C, H, W). */
export class Softmax2d extends Module {
  override forward(x: Tensor): Tensor {
    return ops.softmax(x, -3);
  }
}

/** Logarithm of `Softmax`. */
export class LogSoftmax extends Module {
  constructor(readonly dim: number | null = null) {
    super();
  }
  override forward(x: Tensor): Tensor {
    return ops.logSoftmax(x, this.dim ?? implicitDim(x));
  }
}

function implicitDim(x: Tensor): number {
  return x.ndim === 0 || x.ndim === 1 || x.ndim === 3 ? 0 : 1;
}

/** Activations that need no argument, by PyTorch class name. */
const ACTIVATIONS: Readonly<Record<string, new () => UnaryModule>> = {
  Identity,
  ReLU,
  ReLU6,
  LeakyReLU,
  PReLU,
  ELU,
  CELU,
  SELU,
  GELU,
  SiLU,
  Mish,
  Hardswish,
  Hardsigmoid,
  Hardtanh,
  Hardshrink,
  Softshrink,
  Sigmoid,
  LogSigmoid,
  Tanh,
  Tanhshrink,
  Softplus,
  Softsign,
  GLU,
  Softmax,
  Softmin,
  Softmax2d,
  LogSoftmax,
};

/** Names that `activation` knows. */
export const activationNames: readonly string[] = Object.keys(ACTIVATIONS);

/**
 * A new activation layer with default settings, by PyTorch class name ("ReLU", "Identity", …), as model settings name it.
 * @throws RangeError with the nearest known name
 */
export function activation(name: string): UnaryModule {
  if (!Object.hasOwn(ACTIVATIONS, name)) {
    throw new RangeError(
      `unknown activation "${name}"${didYouMean(name, activationNames) || "."} Known are ${activationNames.join(", ")}.`,
    );
  }
  return new ACTIVATIONS[name]!();
}
