// Lion: steps by the sign of a mean gradient, with one state tensor instead of Adam's two. Paper: Chen et al. 2023, Algorithm 2.
// PyTorch has none; names and defaults are those of the authors' program.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { checkSettings, decayWeights, prepareGradients } from "./gradients.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of Lion. */
export interface LionSettings extends GroupSettings {
  betas: readonly [number, number];
  weightDecay: number;
  maximize: boolean;
}

const DEFAULTS: LionSettings = { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0, maximize: false };

/** p ← p·(1 − lr·λ) − lr·sign(β₁m + (1−β₁)g);  m ← β₂m + (1−β₂)g */
export class Lion extends Optimizer<LionSettings> {
  constructor(params: Params<LionSettings>, options: Readonly<Partial<LionSettings>> = {}) {
    super(params, checkSettings("Lion", { ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<LionSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, weightDecay, maximize } = group;
    const [beta1, beta2] = group.betas;
    decayWeights(params, lr, weightDecay);
    const g = prepareGradients(params, gradients, { maximize, weightDecay: 0 });
    const states = this.stateOf(params, ["exp_avg"]);
    const m = states.map(({ tensors }) => tensors.exp_avg!);
    for (const state of states) state.step++;
    const directions = aten("_foreach_mul.Scalar", m, beta1) as Tensor[];
    aten("_foreach_add_.List", directions, g, { alpha: 1 - beta1 });
    for (const direction of directions) direction.sign_();
    aten("_foreach_add_.List", params, directions, { alpha: -lr });
    aten("_foreach_mul_.Scalar", m, beta2);
    aten("_foreach_add_.List", m, g, { alpha: 1 - beta2 });
  }
}
