// Gradient clipping. PyTorch: torch.nn.utils.clip_grad_norm_ and clip_grad_value_; paper: Pascanu et al. 2013.

import * as ops from "../generated/functions.js";
import { noGrad } from "../guards.js";
import { aten } from "../operators.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";

/** Options of `clipGradNorm`. */
export interface ClipGradNormOptions {
  /** Order of the norm; default 2, `Infinity` for the largest absolute value. */
  readonly normType?: number;
  /** Throw when the norm is NaN or infinite, instead of scaling by it. Default false. */
  readonly errorIfNonfinite?: boolean;
}

/**
 * Scales all gradients by min(1, maxNorm / (‖g‖ + 1e-6)), where ‖g‖ is the norm of all of them as one vector.
 * @returns ‖g‖ before clipping
 */
export function clipGradNorm(params: Iterable<Tensor>, maxNorm: number, options: ClipGradNormOptions = {}): number {
  const { normType = 2, errorIfNonfinite = false } = options;
  return noGrad(() =>
    scope(() => {
      const gradients = gradientsOf(params);
      const total = normOf(gradients, normType);
      if (errorIfNonfinite && !Number.isFinite(total)) {
        throw new RangeError(`the norm of the gradients is ${total}: the loss diverged, lower the learning rate`);
      }
      const factor = maxNorm / (total + 1e-6);
      // NaN must pass through, as in PyTorch, so that a diverged step is seen and not hidden.
      if (gradients.length > 0 && !(factor >= 1)) aten("_foreach_mul_.Scalar", gradients, factor);
      return total;
    }),
  );
}

/** The norm of all gradients as one vector; 0 without any. */
export function gradNorm(params: Iterable<Tensor>, normType = 2): number {
  return noGrad(() => scope(() => normOf(gradientsOf(params), normType)));
}

function normOf(gradients: readonly Tensor[], normType: number): number {
  const first = gradients[0];
  if (first === undefined) return 0;
  const dtype = gradients.some((gradient) => gradient.dtype === "float64") ? "float64" : "float32";
  const norms = (aten("_foreach_norm.Scalar", gradients, normType) as Tensor[]).map((norm) =>
    norm.to({ device: first.device, dtype }),
  );
  return (aten("linalg_vector_norm", ops.stack(norms), normType) as Tensor).item();
}

/** Limits every value of every gradient to [−limit, limit]. */
export function clipGradValue(params: Iterable<Tensor>, limit: number): void {
  noGrad(() =>
    scope(() => {
      for (const gradient of gradientsOf(params)) gradient.clamp_({ min: -limit, max: limit });
    }),
  );
}

function gradientsOf(params: Iterable<Tensor>): Tensor[] {
  return [...params].map((parameter) => parameter.grad).filter((gradient) => gradient !== null);
}
