// RAdam: Adam whose adaptive rate waits until its variance is known. PyTorch: torch.optim.RAdam; paper: Liu et al. 2020, Algorithm 2.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { checkSettings, decayWeights, prepareGradients } from "./gradients.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of RAdam; PyTorch's defaults. */
export interface RAdamSettings extends GroupSettings {
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  decoupledWeightDecay: boolean;
  maximize: boolean;
}

const DEFAULTS: RAdamSettings = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  decoupledWeightDecay: false,
  maximize: false,
};

/** ρ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ): when ρ > 5, p ← p − lr·m̂·r·√(1−β₂ᵗ)/(√v + ε) with the rectification r; before that p ← p − lr·m̂. */
export class RAdam extends Optimizer<RAdamSettings> {
  constructor(params: Params<RAdamSettings>, options: Readonly<Partial<RAdamSettings>> = {}) {
    super(params, checkSettings("RAdam", { ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<RAdamSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, eps, weightDecay, decoupledWeightDecay, maximize } = group;
    const [beta1, beta2] = group.betas;
    if (decoupledWeightDecay) decayWeights(params, lr, weightDecay);
    const g = prepareGradients(params, gradients, { maximize, weightDecay: decoupledWeightDecay ? 0 : weightDecay });
    const states = this.stateOf(params, ["exp_avg", "exp_avg_sq"]);
    const m = states.map(({ tensors }) => tensors.exp_avg!);
    const v = states.map(({ tensors }) => tensors.exp_avg_sq!);
    aten("_foreach_mul_.Scalar", m, beta1);
    aten("_foreach_add_.List", m, g, { alpha: 1 - beta1 });
    aten("_foreach_mul_.Scalar", v, beta2);
    aten("_foreach_addcmul_.Scalar", v, g, g, 1 - beta2);

    const denominators = aten("_foreach_sqrt", v) as Tensor[];
    aten("_foreach_add_.Scalar", denominators, eps);
    const limit = 2 / (1 - beta2) - 1;
    for (const [i, state] of states.entries()) {
      const step = ++state.step;
      const correction = 1 - beta2 ** step;
      const length = limit - (2 * step * beta2 ** step) / correction;
      const size = -lr / (1 - beta1 ** step);
      if (length > 5) {
        const rectification = Math.sqrt(((length - 4) * (length - 2) * limit) / ((limit - 4) * (limit - 2) * length));
        params[i]!.addcdiv_(m[i]!, denominators[i]!, { value: size * rectification * Math.sqrt(correction) });
      } else params[i]!.add_(m[i]!, { alpha: size });
    }
  }
}
