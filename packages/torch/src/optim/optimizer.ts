// Optimizer: base of all optimizers. PyTorch: torch.optim.Optimizer, with its names for settings and for state tensors.
// State lives on the parameter's device and is freed with the optimizer; one step leaves no other tensor behind.

import { emptyLike, tensor, zerosLike } from "../creation.js";
import { noGrad } from "../guards.js";
import { zeroGradients } from "../nn/module.js";
import { keep, scope } from "../scope.js";
import { Tensor } from "../tensor.js";

/** Settings that every group has. */
export interface GroupSettings {
  /** Learning rate; schedulers write it. */
  lr: number;
}

/** Parameters that share settings. */
export type ParamGroup<S extends GroupSettings> = S & { readonly params: readonly Tensor[] };

/** Parameters to optimise: tensors, or groups with settings of their own (others come from the optimizer's). */
export type Params<S extends GroupSettings> =
  | Iterable<Tensor>
  | Iterable<Partial<S> & { readonly params: Iterable<Tensor> }>;

/** State of an optimizer: what an exact resume needs. Tensors are named `<index>.<name>`, e.g. "3.exp_avg"; groups are plain JSON. */
export interface OptimizerState {
  readonly tensors: Map<string, Tensor>;
  readonly paramGroups: readonly Readonly<Record<string, unknown>>[];
}

/** State of one parameter by PyTorch's names: tensors of its shape, plain numbers, and the number of steps it has taken. */
export interface ParameterState {
  step: number;
  readonly tensors: Record<string, Tensor>;
  readonly numbers: Record<string, number>;
}

/** Base class: groups, gradients, state. Subclasses compute one group's step in `update`. */
export abstract class Optimizer<S extends GroupSettings> {
  /** Groups in the order given; settings may be changed between steps. */
  readonly paramGroups: ParamGroup<S>[] = [];
  protected readonly state = new Map<Tensor, ParameterState>();
  /** Names of state that is a number, not a tensor; with the value it starts from. */
  protected readonly numbers: Readonly<Record<string, number>> = {};
  readonly #defaults: S;

  protected constructor(params: Params<S>, defaults: S) {
    this.#defaults = defaults;
    const given = [...params];
    if (given.length === 0) throw new RangeError(`${this.constructor.name} got an empty parameter list`);
    if (given[0] instanceof Tensor)
      this.addParamGroup({ params: given as Tensor[] } as Partial<S> & { params: Tensor[] });
    else for (const group of given) this.addParamGroup(group as Partial<S> & { params: Iterable<Tensor> });
  }

  /** Adds a group; settings it lacks come from the optimizer's. */
  addParamGroup(group: Partial<S> & { readonly params: Iterable<Tensor> }): void {
    const params = [...group.params];
    const known = new Set(this.paramGroups.flatMap((other) => other.params));
    for (const parameter of params) {
      if (!(parameter instanceof Tensor)) throw new TypeError(`${this.constructor.name}: a parameter is not a Tensor`);
      if (known.has(parameter)) {
        throw new RangeError(
          `${this.constructor.name}: a parameter of shape [${parameter.shape.join(", ")}] is there twice`,
        );
      }
      known.add(parameter);
    }
    this.paramGroups.push({ ...this.#defaults, ...group, params } as ParamGroup<S>);
  }

  /** One update of all parameters that have a gradient, in place and outside autograd. */
  step(): void {
    noGrad(() =>
      scope(() => {
        for (const group of this.paramGroups) {
          const params: Tensor[] = [];
          const gradients: Tensor[] = [];
          for (const parameter of group.params) {
            const gradient = parameter.grad;
            if (gradient === null) continue;
            params.push(parameter);
            gradients.push(gradient);
          }
          if (params.length > 0) this.update(group, params, gradients);
        }
      }),
    );
  }

  /** Computes one group's step. Runs without autograd, inside a scope; state it creates must come from `stateOf`. */
  protected abstract update(group: ParamGroup<S>, params: readonly Tensor[], gradients: readonly Tensor[]): void;

  /** The state of each parameter, made on first use with zeros under the given names. */
  protected stateOf(params: readonly Tensor[], names: readonly string[]): ParameterState[] {
    return params.map((parameter) => {
      let state = this.state.get(parameter);
      if (state === undefined) {
        state = { step: 0, tensors: {}, numbers: { ...this.numbers } };
        for (const name of names) state.tensors[name] = keep(zerosLike(parameter).detach());
        this.state.set(parameter, state);
      }
      return state;
    });
  }

  /** Forgets all gradients (`setToNone`, the default) or fills them with zeros. */
  zeroGrad({ setToNone = true }: { readonly setToNone?: boolean } = {}): void {
    for (const group of this.paramGroups) zeroGradients(group.params, setToNone);
  }

  /** Settings and state. The tensors share memory with the optimizer, except the step counts: save them before the next step. */
  stateDict(): OptimizerState {
    const tensors = new Map<string, Tensor>();
    const paramGroups: Record<string, unknown>[] = [];
    let index = 0;
    for (const { params, ...settings } of this.paramGroups) {
      paramGroups.push({ ...settings, params: params.map((_, i) => index + i) });
      for (const parameter of params) {
        const state = this.state.get(parameter);
        if (state !== undefined) {
          tensors.set(`${index}.step`, tensor(state.step));
          for (const [name, value] of Object.entries(state.numbers))
            tensors.set(`${index}.${name}`, tensor(value, { dtype: "float64" }));
          for (const [name, tensor] of Object.entries(state.tensors)) tensors.set(`${index}.${name}`, tensor);
        }
        index++;
      }
    }
    return { tensors, paramGroups };
  }

  /**
   * Restores settings and state; tensors are copied to each parameter's device and dtype.
   * @throws RangeError when the groups, their sizes or a shape do not fit
   */
  loadStateDict({ tensors, paramGroups }: OptimizerState): void {
    const name = this.constructor.name;
    const sizes = (groups: readonly { params?: unknown }[]) =>
      groups.map((group) => (group.params as unknown[])?.length);
    const [own, given] = [sizes(this.paramGroups), sizes(paramGroups)];
    if (own.length !== given.length || own.some((size, i) => size !== given[i])) {
      throw new RangeError(
        `the state is of ${given.length} group(s) with [${given.join(", ")}] parameters; ${name} has ${own.length} with [${own.join(", ")}]`,
      );
    }
    const parameters = this.paramGroups.flatMap((group) => group.params);
    const loaded = new Map<Tensor, ParameterState>();
    for (const [key, tensor] of tensors) {
      const dot = key.indexOf(".");
      const parameter = parameters[Number(key.slice(0, dot))];
      if (dot < 1 || parameter === undefined) throw new RangeError(`${name}: state "${key}" belongs to no parameter`);
      const slot = key.slice(dot + 1);
      const isNumber = slot === "step" || slot in this.numbers;
      if (!isNumber && tensor.shape.join() !== parameter.shape.join()) {
        throw new RangeError(
          `${name}: state "${key}" has shape [${tensor.shape.join(", ")}], its parameter [${parameter.shape.join(", ")}]`,
        );
      }
      const state = loaded.get(parameter) ?? { step: 0, tensors: {}, numbers: { ...this.numbers } };
      loaded.set(parameter, state);
      if (slot === "step") state.step = tensor.item();
      else if (isNumber) state.numbers[slot] = tensor.item();
      else state.tensors[slot] = copyLike(tensor, parameter);
    }
    this.#freeState();
    for (const [parameter, state] of loaded) this.state.set(parameter, state);
    for (const [i, { params: _, ...settings }] of paramGroups.entries()) Object.assign(this.paramGroups[i]!, settings);
  }

  /** Frees the state tensors (not the parameters). */
  dispose(): void {
    this.#freeState();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #freeState(): void {
    for (const state of this.state.values()) for (const tensor of Object.values(state.tensors)) tensor.dispose();
    this.state.clear();
  }
}

/** A kept copy with the strides, dtype and device of the parameter, so that foreach kernels see the same layout. */
function copyLike(tensor: Tensor, parameter: Tensor): Tensor {
  return noGrad(() => scope(() => keep(emptyLike(parameter).detach().copy_(tensor))));
}
