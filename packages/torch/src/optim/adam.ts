// Adam and AdamW. PyTorch: torch.optim.Adam, AdamW; papers: Kingma & Ba 2015 (Algorithm 1), Loshchilov & Hutter 2019 (Algorithm 2).
// On the CPU in float32 a step is one pass over the memory (native/adam.cc); otherwise about ten foreach operators over all parameters.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { type GroupSettings, Optimizer, type ParamGroup, type Params } from "./optimizer.js";

/** Settings of Adam and AdamW; PyTorch's defaults. */
export interface AdamSettings extends GroupSettings {
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  amsgrad: boolean;
  maximize: boolean;
}

const DEFAULTS: AdamSettings = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/**
 * m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p − lr·m̂ / (√v̂ + ε), with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).
 * Weight decay adds λ·p to the gradient.
 */
export class Adam extends Optimizer<AdamSettings> {
  constructor(params: Params<AdamSettings>, options: Readonly<Partial<AdamSettings>> = {}) {
    super(params, check({ ...DEFAULTS, ...options }));
  }

  protected override update(
    group: ParamGroup<AdamSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    const { weightDecay } = group;
    if (this.onePass(group, params, gradients, { kept: 1, l2: weightDecay })) return;
    let g = group.maximize ? (aten("_foreach_neg", gradients) as Tensor[]) : gradients;
    if (weightDecay !== 0) g = aten("_foreach_add.List", g, params, { alpha: weightDecay }) as Tensor[];
    this.moments(group, params, g);
  }

  /** The whole update in one native pass, where there is one. `kept` is what decoupled decay leaves of a weight, `l2` is added to gradients. */
  protected onePass(
    group: ParamGroup<AdamSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
    { kept, l2 }: { readonly kept: number; readonly l2: number },
  ): boolean {
    const isPlain = (tensor: Tensor) =>
      tensor.dtype === "float32" && tensor.device === "cpu" && tensor.layout === "strided";
    if (group.amsgrad || !params.every(isPlain) || !gradients.every(isPlain)) return false;
    const { lr, eps, maximize } = group;
    const [beta1, beta2] = group.betas;
    const states = this.stateOf(params, ["exp_avg", "exp_avg_sq"]);
    const sizes = states.map(({ step }) => lr / (1 - beta1 ** (step + 1)));
    const roots = states.map(({ step }) => Math.sqrt(1 - beta2 ** (step + 1)));
    const m = states.map(({ tensors }) => tensors.exp_avg!);
    const v = states.map(({ tensors }) => tensors.exp_avg_sq!);
    if (!aten("foehn::adam_", params, gradients, m, v, sizes, roots, beta1, beta2, eps, kept, l2, maximize))
      return false;
    for (const state of states) state.step++;
    return true;
  }

  /** The update from the moments, common to Adam and AdamW. */
  protected moments(group: ParamGroup<AdamSettings>, params: readonly Tensor[], gradients: readonly Tensor[]): void {
    const { lr, eps, amsgrad } = group;
    const [beta1, beta2] = group.betas;
    const states = this.stateOf(params, ["exp_avg", "exp_avg_sq", ...(amsgrad ? ["max_exp_avg_sq"] : [])]);
    const m = states.map(({ tensors }) => tensors.exp_avg!);
    const v = states.map(({ tensors }) => tensors.exp_avg_sq!);
    for (const state of states) state.step++;

    aten("_foreach_mul_.Scalar", m, beta1);
    aten("_foreach_add_.List", m, gradients, { alpha: 1 - beta1 });
    aten("_foreach_mul_.Scalar", v, beta2);
    aten("_foreach_addcmul_.Scalar", v, gradients, gradients, 1 - beta2);

    let second = v;
    if (amsgrad) {
      second = states.map(({ tensors }) => tensors.max_exp_avg_sq!);
      aten("_foreach_maximum_.List", second, v);
    }
    const denominators = aten("_foreach_sqrt", second) as Tensor[];
    const rootCorrections = states.map(({ step }) => Math.sqrt(1 - beta2 ** step));
    aten("_foreach_div_.ScalarList", denominators, rootCorrections);
    aten("_foreach_add_.Scalar", denominators, eps);
    const sizes = states.map(({ step }) => -(lr / (1 - beta1 ** step)));
    aten("_foreach_addcdiv_.ScalarList", params, m, denominators, sizes);
  }
}

/** Adam with decoupled weight decay: p ← p·(1 − lr·λ) before the step. Default λ = 0.01. */
export class AdamW extends Adam {
  constructor(params: Params<AdamSettings>, options: Readonly<Partial<AdamSettings>> = {}) {
    super(params, { weightDecay: 1e-2, ...options });
  }

  protected override update(
    group: ParamGroup<AdamSettings>,
    params: readonly Tensor[],
    gradients: readonly Tensor[],
  ): void {
    if (this.onePass(group, params, gradients, { kept: 1 - group.lr * group.weightDecay, l2: 0 })) return;
    const g = group.maximize ? (aten("_foreach_neg", gradients) as Tensor[]) : gradients;
    if (group.weightDecay !== 0) aten("_foreach_mul_.Scalar", params, 1 - group.lr * group.weightDecay);
    this.moments(group, params, g);
  }
}

function check(settings: AdamSettings): AdamSettings {
  const { lr, betas, eps, weightDecay } = settings;
  const valid = lr >= 0 && eps >= 0 && weightDecay >= 0 && betas.every((beta) => beta >= 0 && beta < 1);
  if (!valid) {
    throw new RangeError(
      `Adam: lr ${lr}, eps ${eps} and weightDecay ${weightDecay} must be ≥ 0, betas [${betas.join(", ")}] in [0, 1)`,
    );
  }
  return settings;
}
