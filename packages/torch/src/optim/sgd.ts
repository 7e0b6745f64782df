// Stochastic gradient descent with momentum. PyTorch: torch.optim.SGD; paper: Sutskever et al. 2013.
import { aten } from "../operators.js";
import { keep } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of SGD; PyTorch's defaults, except that `lr` must be given. */
export interface SgdSettings extends GroupSettings {
  momentum: number;
  dampening: number;
  weightDecay: number;
  nesterov: boolean;
  maximize: boolean;
}

/**
 * g ← ∇ + λ·p;  b ← μ·b + (1−τ)·g (b = g at first);  g ← nesterov ? g + μ·b : b;  p ← p − lr·g
 */
export class SGD extends Optimizer<SgdSettings> {
  constructor(params: Params<SgdSettings>, options: Readonly<Partial<SgdSettings> & Pick<SgdSettings, "lr">>) {
    const settings = { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false, ...options };
    if (settings.nesterov && (settings.momentum <= 0 || settings.dampening !== 0)) {
      throw new RangeError("SGD: nesterov needs momentum > 0 and dampening 0");
    }
    super(params, settings);
  }

  protected override update(
    group: ParamGroup<SgdSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, momentum, dampening, weightDecay, nesterov, maximize } = group;
    let steps = gradients;
    if (maximize) steps = aten("_foreach_neg", steps) as Tensor[];
    if (weightDecay !== 0) steps = aten("_foreach_add.List", steps, params, { alpha: weightDecay }) as Tensor[];
    if (momentum !== 0) {
      const buffers = this.#momentum(params, steps, momentum, dampening);
      steps = nesterov ? (aten("_foreach_add.List", steps, buffers, { alpha: momentum }) as Tensor[]) : buffers;
    }
    aten("_foreach_add_.List", params, steps, { alpha: -lr });
  }

  /** The momentum buffers after this step. A buffer starts as its first gradient, without dampening. */
  #momentum(params: readonly Tensor[], steps: readonly Tensor[], momentum: number, dampening: number): Tensor[] {
    const old: Tensor[] = [];
    const oldSteps: Tensor[] = [];
    const buffers = this.stateOf(params, []).map(({ tensors }, i) => {
      const buffer = tensors.momentum_buffer;
      if (buffer === undefined) {
        tensors.momentum_buffer = keep(steps[i]!.clone().detach());
        return tensors.momentum_buffer;
      }
      old.push(buffer);
      oldSteps.push(steps[i]!);
      return buffer;
    });
    if (old.length > 0) {
      aten("_foreach_mul_.Scalar", old, momentum);
      aten("_foreach_add_.List", old, oldSteps, { alpha: 1 - dampening });
    }
    return buffers;
  }
}
