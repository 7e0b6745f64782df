// Module: base of every network. PyTorch: torch.nn.Module, with its names, order and state-dict keys, without hooks.
// Fields that hold a Module or a Parameter are found by themselves (own enumerable properties, in order of assignment), so a
// field's name IS its state-dict key. Plain tensors are not state: register them as buffers.
import { noGrad } from "../guards.js";
import { scope, tensorsOf } from "../scope.js";
import { Tensor } from "../tensor.js";
import { Parameter } from "./parameter.js";
import { compareStateDict, type LoadResult } from "./state-dict.js";

/** Where `Module.to` moves a module. `dtype` applies to floating-point tensors only, `memoryFormat` to 4-D tensors only. */
export interface ModuleTarget {
  readonly device?: string;
  readonly dtype?: "float32" | "float64" | "float16" | "bfloat16";
  readonly memoryFormat?: "contiguous" | "channels_last";
}

/** A module from one tensor to one tensor: what `Sequential` chains and `activation` makes. */
export interface UnaryModule extends Module {
  forward(x: Tensor): Tensor;
}

/**
 * Base class of networks and layers.
 *
 * ```ts
 * class Net extends nn.Module {
 *   readonly conv = new nn.Conv2d(1, 8, 3);       // state-dict keys "conv.weight", "conv.bias"
 *   override forward(x: Tensor): Tensor { return this.conv.forward(x).relu(); }
 * }
 * ```
 */
export abstract class Module {
  /** True in training, false in evaluation; dropout and batch normalisation look at it. Set it with `train()` and `eval()`. */
  training = true;
  readonly #buffers = new Map<string, { readonly persistent: boolean }>();
  readonly #modules = new Map<string, Module>();

  /** The computation; subclasses give it its real argument types. */
  abstract forward(...inputs: never[]): unknown;

  // -- registration -------------------------------------------------------------------------------------------------

  /**
   * Makes `this[name]` a buffer: state that is saved and moved but not trained.
   * @param persistent false keeps it out of the state dict
   */
  registerBuffer(
    name: string,
    tensor: Tensor | null,
    { persistent = true }: { readonly persistent?: boolean } = {},
  ): void {
    checkName(this, name);
    this.#buffers.set(name, { persistent });
    this.#set(name, tensor);
  }

  /** Makes `this[name]` a parameter; the same as assigning the field. `null` leaves the field there and out of the state. */
  registerParameter(name: string, parameter: Parameter | null): void {
    checkName(this, name);
    this.#set(name, parameter);
  }

  /** Adds a child under a name that need not be a field (containers use it). */
  registerModule(name: string, module: Module): void {
    checkName(this, name);
    this.#modules.set(name, module);
  }

  #set(name: string, value: unknown): void {
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
  }

  // -- walking ------------------------------------------------------------------------------------------------------

  /** Direct children by name: fields first, in order of assignment, then registered ones. */
  namedChildren(): Map<string, Module> {
    const children = new Map<string, Module>();
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) children.set(name, value);
      else if (Array.isArray(value) && value.some((item) => item instanceof Module || item instanceof Parameter)) {
        throw new TypeError(
          `${this.constructor.name}.${name} is a plain array of modules or parameters, which would not be trained or saved; ` +
            `use new nn.ModuleList([...])`,
        );
      }
    }
    for (const [name, module] of this.#modules) children.set(name, module);
    return children;
  }

  /** Direct children. */
  children(): Module[] {
    return [...this.namedChildren().values()];
  }

  /** This module (under the name "") and all modules below it, each once, parents first. */
  namedModules(): Map<string, Module> {
    const modules = new Map<string, Module>();
    const seen = new Set<Module>();
    const walk = (prefix: string, module: Module): void => {
      if (seen.has(module)) return;
      seen.add(module);
      modules.set(prefix, module);
      for (const [name, child] of module.namedChildren()) walk(join(prefix, name), child);
    };
    walk("", this);
    return modules;
  }

  /** This module and all modules below it, each once. */
  modules(): Module[] {
    return [...this.namedModules().values()];
  }

  /** The module at a dotted path such as "down.0.conv". */
  getSubmodule(path: string): Module {
    let module: Module = this;
    for (const name of path === "" ? [] : path.split(".")) {
      const child = module.namedChildren().get(name);
      if (child === undefined) {
        const known = [...module.namedChildren().keys()].join(", ") || "no children";
        throw new RangeError(
          `no module "${path}": ${module.constructor.name} has no child "${name}" (it has ${known})`,
        );
      }
      module = child;
    }
    return module;
  }

  /** Parameters by dotted name, each tensor once: a module's own before those of its children. */
  namedParameters(): Map<string, Parameter> {
    return this.#collect((module) => module.#ownParameters());
  }

  /** Parameters, each once, in the order of `namedParameters`. */
  parameters(): Parameter[] {
    return [...this.namedParameters().values()];
  }

  /** Buffers by dotted name, each tensor once. */
  namedBuffers(): Map<string, Tensor> {
    return this.#collect((module) => module.#ownBuffers());
  }

  /** Buffers, each once. */
  buffers(): Tensor[] {
    return [...this.namedBuffers().values()];
  }

  /** Number of trainable and frozen parameter values. */
  numParameters(): number {
    return this.parameters().reduce((sum, parameter) => sum + parameter.numel(), 0);
  }

  #collect<T extends Tensor>(own: (module: Module) => Iterable<readonly [string, T]>): Map<string, T> {
    const found = new Map<string, T>();
    const seen = new Set<T>();
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, tensor] of own(module)) {
        if (seen.has(tensor)) continue;
        seen.add(tensor);
        found.set(join(prefix, name), tensor);
      }
    }
    return found;
  }

  *#ownParameters(): Generator<[string, Parameter]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Parameter && !this.#buffers.has(name)) yield [name, value];
    }
  }

  *#ownBuffers(persistentOnly = false): Generator<[string, Tensor]> {
    for (const [name, { persistent }] of this.#buffers) {
      const value = (this as unknown as Record<string, unknown>)[name];
      if (value instanceof Tensor && (persistent || !persistentOnly)) yield [name, value];
    }
  }

  /** Lets `torch.scope` see what a returned module keeps alive: parameters, buffers, and plain tensors in fields. */
  *[tensorsOf](): Iterable<Tensor> {
    for (const module of this.modules()) {
      for (const value of Object.values(module)) {
        if (value instanceof Tensor) yield value;
        else if (Array.isArray(value)) for (const item of value) if (item instanceof Tensor) yield item;
      }
    }
  }

  // -- state --------------------------------------------------------------------------------------------------------

  /**
   * Parameters and persistent buffers by dotted name, detached but sharing memory with the module, in PyTorch's order.
   * A tensor used in two places appears under both names.
   */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.#state()].map(([name, tensor]) => [name, tensor.detach()]));
  }

  *#state(prefix = ""): Generator<[string, Tensor]> {
    for (const [name, tensor] of this.#ownParameters()) yield [join(prefix, name), tensor];
    for (const [name, tensor] of this.#ownBuffers(true)) yield [join(prefix, name), tensor];
    for (const [name, child] of this.namedChildren()) yield* child.#state(join(prefix, name));
  }

  /**
   * Copies values into this module's own tensors (types and devices are converted, memory stays where it is).
   * @param state as `stateDict()` gives it, also as a plain record
   * @param options `strict` (default true) also refuses missing and unexpected names
   * @returns the names that were missing and unexpected (empty when strict)
   * @throws StateDictError listing every missing, unexpected and mis-shaped name; nothing is copied then
   */
  loadStateDict(
    state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
    { strict = true }: { readonly strict?: boolean } = {},
  ): LoadResult {
    const given = state instanceof Map ? (state as ReadonlyMap<string, Tensor>) : new Map(Object.entries(state));
    const own = new Map(this.#state());
    const result = compareStateDict(this.constructor.name, own, given, strict);
    noGrad(() => {
      for (const [name, tensor] of own) {
        const value = given.get(name);
        if (value !== undefined) tensor.copy_(value);
      }
    });
    return result;
  }

  // -- modes, places, gradients -------------------------------------------------------------------------------------

  /** Sets training mode (or evaluation mode with false) here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` on every module below and then on this one (for initialisation). */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /**
   * Moves all parameters, their gradients and all buffers, in place: the same Parameter objects stay valid, so an optimizer
   * made before keeps working.
   */
  to(target: ModuleTarget): this {
    const moved = (tensor: Tensor): Tensor => {
      const isFloating = /^(float|bfloat|complex)/.test(tensor.dtype);
      return tensor.to({
        ...(target.device !== undefined && { device: target.device }),
        ...(target.dtype !== undefined && isFloating && { dtype: target.dtype }),
        ...(target.memoryFormat !== undefined && tensor.ndim === 4 && { memoryFormat: target.memoryFormat }),
      });
    };
    noGrad(() =>
      scope(() => {
        for (const parameter of this.parameters()) {
          const gradient = parameter.grad;
          parameter.setData(moved(parameter));
          if (gradient !== null) parameter.grad = moved(gradient);
        }
        for (const buffer of this.buffers()) buffer.setData(moved(buffer));
      }),
    );
    return this;
  }

  /** Turns gradients of all parameters on or off (to freeze a module). */
  requiresGrad_(on = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(on);
    return this;
  }

  /** Forgets all gradients (`setToNone`, the default) or fills them with zeros. */
  zeroGrad({ setToNone = true }: { readonly setToNone?: boolean } = {}): void {
    zeroGradients(this.parameters(), setToNone);
  }

  /** Frees all parameters and buffers. */
  dispose(): void {
    for (const tensor of [...this.parameters(), ...this.buffers()]) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  // -- printing -----------------------------------------------------------------------------------------------------

  /** What `toString` shows between the parentheses of this layer; subclasses override it. */
  extraRepr(): string {
    return "";
  }

  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    const name = this.constructor.name;
    const children = [...this.namedChildren()];
    if (children.length === 0) return `${name}(${this.extraRepr()})`;
    const lines = children.map(([key, child]) => `(${key}): ${child}`.replaceAll("\n", "\n  "));
    return `${name}(\n  ${lines.join("\n  ")}\n)`;
  }
}

/** Forgets the gradients of parameters, or fills them with zeros. */
export function zeroGradients(parameters: Iterable<Tensor>, setToNone: boolean): void {
  noGrad(() =>
    scope(() => {
      for (const parameter of parameters) {
        if (setToNone) parameter.grad = null;
        else parameter.grad?.zero_();
      }
    }),
  );
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}

function checkName(module: Module, name: string): void {
  if (name === "" || name.includes(".")) {
    throw new RangeError(`${module.constructor.name}: "${name}" cannot be a name in a module (empty or with a dot)`);
  }
}
