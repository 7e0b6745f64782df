// Adamax. PyTorch: torch.optim.Adamax; paper: Kingma & Ba 2015, section 7.1.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { checkSettings, prepareGradients } from "./gradients.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of Adamax; PyTorch's defaults. */
export interface AdamaxSettings extends GroupSettings {
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  maximize: boolean;
}

const DEFAULTS: AdamaxSettings = { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false };

/** m ← β₁m + (1−β₁)g;  u ← max(β₂u, |g| + ε);  p ← p − lr / (1−β₁ᵗ) · m / u */
export class Adamax extends Optimizer<AdamaxSettings> {
  constructor(params: Params<AdamaxSettings>, options: Readonly<Partial<AdamaxSettings>> = {}) {
    super(params, checkSettings("Adamax", { ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<AdamaxSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, eps } = group;
    const [beta1, beta2] = group.betas;
    const g = prepareGradients(params, gradients, group);
    const states = this.stateOf(params, ["exp_avg", "exp_inf"]);
    const m = states.map(({ tensors }) => tensors.exp_avg!);
    const u = states.map(({ tensors }) => tensors.exp_inf!);
    for (const state of states) state.step++;
    aten("_foreach_mul_.Scalar", m, beta1);
    aten("_foreach_add_.List", m, g, { alpha: 1 - beta1 });
    const sizes = aten("_foreach_abs", g) as Tensor[];
    aten("_foreach_add_.Scalar", sizes, eps);
    aten("_foreach_mul_.Scalar", u, beta2);
    aten("_foreach_maximum_.List", u, sizes);
    const rates = states.map(({ step }) => -lr / (1 - beta1 ** step));
    aten("_foreach_addcdiv_.ScalarList", params, m, u, rates);
  }
}
