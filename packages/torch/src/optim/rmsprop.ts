// RMSprop. PyTorch: torch.optim.RMSprop; origin: Hinton's lecture 6e; centred form: Graves 2013.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { checkSettings, prepareGradients } from "./gradients.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of RMSprop; PyTorch's defaults. */
export interface RMSpropSettings extends GroupSettings {
  alpha: number;
  eps: number;
  weightDecay: number;
  momentum: number;
  centered: boolean;
  maximize: boolean;
}

const DEFAULTS: RMSpropSettings = {
  lr: 1e-2,
  alpha: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
  maximize: false,
};

/** v ← αv + (1−α)g²;  p ← p − lr·g / (√v + ε); centred: v less the square of the mean gradient; with momentum b ← μb + g / (√v + ε). */
export class RMSprop extends Optimizer<RMSpropSettings> {
  constructor(params: Params<RMSpropSettings>, options: Readonly<Partial<RMSpropSettings>> = {}) {
    super(params, checkSettings("RMSprop", { ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<RMSpropSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { lr, alpha, eps, momentum, centered } = group;
    const g = prepareGradients(params, gradients, group);
    const names = ["square_avg", ...(centered ? ["grad_avg"] : []), ...(momentum > 0 ? ["momentum_buffer"] : [])];
    const states = this.stateOf(params, names);
    for (const state of states) state.step++;
    const squares = states.map(({ tensors }) => tensors.square_avg!);
    aten("_foreach_mul_.Scalar", squares, alpha);
    aten("_foreach_addcmul_.Scalar", squares, g, g, 1 - alpha);
    let variance: readonly Tensor[] = squares;
    if (centered) {
      const means = states.map(({ tensors }) => tensors.grad_avg!);
      aten("_foreach_mul_.Scalar", means, alpha);
      aten("_foreach_add_.List", means, g, { alpha: 1 - alpha });
      variance = aten("_foreach_addcmul.Scalar", squares, means, means, -1) as Tensor[];
    }
    const denominators = aten("_foreach_sqrt", variance) as Tensor[];
    aten("_foreach_add_.Scalar", denominators, eps);
    if (momentum > 0) {
      const buffers = states.map(({ tensors }) => tensors.momentum_buffer!);
      aten("_foreach_mul_.Scalar", buffers, momentum);
      aten("_foreach_addcdiv_.Scalar", buffers, g, denominators, 1);
      aten("_foreach_add_.List", params, buffers, { alpha: -lr });
    } else aten("_foreach_addcdiv_.Scalar", params, g, denominators, -lr);
  }
}
