// Parameter: a tensor that a Module trains. PyTorch: torch.nn.parameter.Parameter.
import type { Device, DType } from "../dtype.js";
import { track } from "../handles.js";
import { native } from "../native.js";
import { Tensor } from "../tensor.js";

/** Where and in which type a layer makes its parameters; float32 on the CPU by default. */
export interface ParameterOptions {
  readonly device?: Device;
  readonly dtype?: DType;
}

/**
 * A leaf tensor that shares memory with `data` and collects gradients. In a field of a Module it is trained, saved and moved with it.
 * Like any tensor it belongs to the `torch.scope` it was made in.
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, { requiresGrad = true }: { readonly requiresGrad?: boolean } = {}) {
    const detached = data.detach();
    super(native.share(detached.handle));
    track(this);
    detached.dispose();
    if (requiresGrad) this.requiresGrad_();
  }
}

/** A parameter that takes over a tensor made for it. */
export function makeParameter(data: Tensor): Parameter {
  const parameter = new Parameter(data);
  data.dispose();
  return parameter;
}
