// Adagrad. PyTorch: torch.optim.Adagrad; paper: Duchi et al. 2011.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { checkSettings, prepareGradients } from "./gradients.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of Adagrad; PyTorch's defaults. */
export interface AdagradSettings extends GroupSettings {
  lrDecay: number;
  weightDecay: number;
  initialAccumulatorValue: number;
  eps: number;
  maximize: boolean;
}

const DEFAULTS: AdagradSettings = {
  lr: 1e-2,
  lrDecay: 0,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
  maximize: false,
};

/** s ← s + g²;  p ← p − lr / (1 + (t−1)·decay) · g / (√s + ε) */
export class Adagrad extends Optimizer<AdagradSettings> {
  constructor(params: Params<AdagradSettings>, options: Readonly<Partial<AdagradSettings>> = {}) {
    super(params, checkSettings("Adagrad", { ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<AdagradSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, lrDecay, eps, initialAccumulatorValue } = group;
    const g = prepareGradients(params, gradients, group);
    const states = this.stateOf(params, ["sum"]);
    const sums = states.map(({ tensors }) => tensors.sum!);
    for (const [i, state] of states.entries()) {
      if (state.step === 0 && initialAccumulatorValue !== 0) sums[i]!.fill_(initialAccumulatorValue);
      state.step++;
    }
    aten("_foreach_addcmul_.Scalar", sums, g, g, 1);
    const denominators = aten("_foreach_sqrt", sums) as Tensor[];
    aten("_foreach_add_.Scalar", denominators, eps);
    const sizes = states.map(({ step }) => -lr / (1 + (step - 1) * lrDecay));
    aten("_foreach_addcdiv_.ScalarList", params, g, denominators, sizes);
  }
}
