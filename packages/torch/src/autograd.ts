// Gradients of several outputs with respect to several inputs, without touching the `grad` of leaves.
import { adopt } from "./handles.js";
import { native } from "./native.js";
import type { BackwardOptions, Tensor } from "./tensor.js";

/** Options of {@link grad}. */
export interface GradOptions {
  /** Seeds, one per output; needed for outputs that are not scalars. */
  readonly gradOutputs?: Tensor | readonly (Tensor | null)[] | undefined;
  readonly retainGraph?: boolean | undefined;
  readonly createGraph?: boolean | undefined;
  /** Give null for inputs that no output depends on, instead of an error. */
  readonly allowUnused?: boolean | undefined;
}

const list = (value: Tensor | readonly Tensor[]): readonly Tensor[] => ("handle" in value ? [value] : value);
const handles = (value: readonly (Tensor | null)[]): number[] => value.map((t) => (t === null ? 0 : t.handle));

/** Gradients of the sum of `outputs` with respect to each of `inputs`. */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions & { readonly allowUnused: true },
): (Tensor | null)[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options?: GradOptions,
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const seeds = options.gradOutputs;
  const result = native.gradients(
    handles(list(outputs)),
    handles(list(inputs)),
    seeds === undefined ? null : handles("handle" in seeds ? [seeds] : seeds),
    options.retainGraph ?? options.createGraph ?? false,
    options.createGraph ?? false,
    options.allowUnused ?? false,
  );
  return result.map((handle) => (handle === 0 ? null : (adopt(handle) as Tensor)));
}

/** `backward` from several tensors at once. */
export function backward(
  outputs: readonly Tensor[],
  grads?: readonly (Tensor | null)[] | null,
  options: BackwardOptions = {},
): void {
  native.backward(
    handles(outputs),
    grads ? handles(grads) : null,
    options.retainGraph ?? options.createGraph ?? false,
    options.createGraph ?? false,
    options.inputs ? handles(options.inputs) : null,
  );
}
