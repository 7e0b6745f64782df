// Initialisation of parameters, in place and outside autograd. PyTorch: torch.nn.init; the same seed gives the same bits.
// Papers: Glorot & Bengio 2010 (xavier), He et al. 2015 (kaiming).

import { noGrad } from "../guards.js";
import type { Tensor } from "../tensor.js";

/** Non-linearities that `calculateGain` knows. */
export type Nonlinearity = "linear" | "conv2d" | "sigmoid" | "tanh" | "relu" | "leaky_relu" | "selu";

/** Which side of the weight keeps its variance: the forward pass (`fan_in`) or the backward pass (`fan_out`). */
export type FanMode = "fan_in" | "fan_out";

/** Fills with U(low, high). */
export function uniform_(tensor: Tensor, low = 0, high = 1): Tensor {
  noGrad(() => tensor.uniform_({ from: low, to: high }));
  return tensor;
}

/** Fills with N(mean, std²). */
export function normal_(tensor: Tensor, mean = 0, std = 1): Tensor {
  noGrad(() => tensor.normal_({ mean, std }));
  return tensor;
}

/** Fills with N(mean, std²) cut at [a, b] by inverting the normal distribution function. */
export function truncNormal_(tensor: Tensor, mean = 0, std = 1, a = -2, b = 2): Tensor {
  const cdf = (x: number) => (1 + erf(x / Math.SQRT2)) / 2;
  const low = cdf((a - mean) / std);
  const high = cdf((b - mean) / std);
  noGrad(() => {
    tensor.uniform_({ from: 2 * low - 1, to: 2 * high - 1 });
    tensor.erfinv_();
    tensor.mul_(std * Math.SQRT2);
    tensor.add_(mean);
    tensor.clamp_({ min: a, max: b });
  });
  return tensor;
}

/** Fills with one value. */
export function constant_(tensor: Tensor, value: number): Tensor {
  noGrad(() => tensor.fill_(value));
  return tensor;
}

/** Fills with ones. */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

/** Fills with zeros. */
export function zeros_(tensor: Tensor): Tensor {
  noGrad(() => tensor.zero_());
  return tensor;
}

/** Recommended factor on the standard deviation after a non-linearity (`a`: negative slope of `leaky_relu`). */
export function calculateGain(nonlinearity: Nonlinearity, a = 0.01): number {
  switch (nonlinearity) {
    case "linear":
    case "conv2d":
    case "sigmoid":
      return 1;
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.sqrt(2);
    case "leaky_relu":
      return Math.sqrt(2 / (1 + a ** 2));
    case "selu":
      return 3 / 4;
    default:
      return nonlinearity satisfies never;
  }
}

/**
 * Inputs and outputs per unit of a weight [out, in, …kernel]: fan_in = in·∏kernel, fan_out = out·∏kernel.
 * @throws RangeError for fewer than two dimensions
 */
export function calculateFanInAndFanOut(tensor: Tensor): { fanIn: number; fanOut: number } {
  const [outputs, inputs, ...kernel] = tensor.shape;
  if (outputs === undefined || inputs === undefined) {
    throw new RangeError(
      `fan-in and fan-out need at least 2 dimensions; the tensor has shape [${tensor.shape.join(", ")}]`,
    );
  }
  const receptive = kernel.reduce((n, size) => n * size, 1);
  return { fanIn: inputs * receptive, fanOut: outputs * receptive };
}

/** Options of the kaiming initialisations. */
export interface KaimingOptions {
  /** Negative slope of the rectifier; default 0. */
  readonly a?: number;
  readonly mode?: FanMode;
  readonly nonlinearity?: Nonlinearity;
}

function kaimingStd(tensor: Tensor, { a = 0, mode = "fan_in", nonlinearity = "leaky_relu" }: KaimingOptions): number {
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor);
  return calculateGain(nonlinearity, a) / Math.sqrt(mode === "fan_in" ? fanIn : fanOut);
}

/** U(−b, b) with b = √3·gain/√fan (He et al. 2015, eq. 14). */
export function kaimingUniform_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  if (tensor.numel() === 0) return tensor;
  const bound = Math.sqrt(3) * kaimingStd(tensor, options);
  return uniform_(tensor, -bound, bound);
}

/** N(0, gain²/fan) (He et al. 2015). */
export function kaimingNormal_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  if (tensor.numel() === 0) return tensor;
  return normal_(tensor, 0, kaimingStd(tensor, options));
}

/** U(−b, b) with b = gain·√(6/(fan_in+fan_out)) (Glorot & Bengio 2010, eq. 16). */
export function xavierUniform_(tensor: Tensor, gain = 1): Tensor {
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor);
  const bound = Math.sqrt(3) * (gain * Math.sqrt(2 / (fanIn + fanOut)));
  return uniform_(tensor, -bound, bound);
}

/** N(0, gain²·2/(fan_in+fan_out)) (Glorot & Bengio 2010). */
export function xavierNormal_(tensor: Tensor, gain = 1): Tensor {
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor);
  return normal_(tensor, 0, gain * Math.sqrt(2 / (fanIn + fanOut)));
}

/**
 * The error function to double precision: series for small arguments, continued fraction for large ones
 * (Abramowitz & Stegun 7.1.6 and 7.1.14).
 */
function erf(x: number): number {
  const z = Math.abs(x);
  let value: number;
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    value = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  } else {
    let fraction = z;
    for (let k = 60; k > 0; k--) fraction = z + k / 2 / fraction;
    value = 1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction);
  }
  return Math.sign(x) * value;
}
