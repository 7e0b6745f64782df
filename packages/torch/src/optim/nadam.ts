// NAdam: Adam with Nesterov momentum. PyTorch: torch.optim.NAdam; paper: Dozat 2016.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { checkSettings, decayWeights, prepareGradients } from "./gradients.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of NAdam; PyTorch's defaults. */
export interface NAdamSettings extends GroupSettings {
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  momentumDecay: number;
  decoupledWeightDecay: boolean;
  maximize: boolean;
}

const DEFAULTS: NAdamSettings = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  decoupledWeightDecay: false,
  maximize: false,
};

/** With μₜ = β₁(1 − ½·0.96^(t·decay)) and M = Πμ:  p ← p − lr·[(1−μₜ)/(1−M)·g + μₜ₊₁/(1−M·μₜ₊₁)·m] / (√v̂ + ε) */
export class NAdam extends Optimizer<NAdamSettings> {
  protected override readonly numbers = { mu_product: 1 };

  constructor(params: Params<NAdamSettings>, options: Readonly<Partial<NAdamSettings>> = {}) {
    super(params, checkSettings("NAdam", { ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<NAdamSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, eps, weightDecay, momentumDecay, decoupledWeightDecay, maximize } = group;
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

    const sizes = states.map((state) => {
      state.step++;
      const mu = (step: number) => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
      const [now, next] = [mu(state.step), mu(state.step + 1)];
      const product = state.numbers.mu_product! * now;
      state.numbers.mu_product = product;
      return { gradient: (-lr * (1 - now)) / (1 - product), mean: (-lr * next) / (1 - product * next) };
    });
    const denominators = aten("_foreach_sqrt", v) as Tensor[];
    const rootCorrections = states.map(({ step }) => Math.sqrt(1 - beta2 ** step));
    aten("_foreach_div_.ScalarList", denominators, rootCorrections);
    aten("_foreach_add_.Scalar", denominators, eps);
    const byGradient = sizes.map(({ gradient }) => gradient);
    const byMean = sizes.map(({ mean }) => mean);
    aten("_foreach_addcdiv_.ScalarList", params, g, denominators, byGradient);
    aten("_foreach_addcdiv_.ScalarList", params, m, denominators, byMean);
  }
}
