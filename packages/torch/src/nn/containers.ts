// Containers of modules. PyTorch: torch.nn.Sequential, ModuleList, ModuleDict.
import type { Tensor } from "../tensor.js";
import { Module, type UnaryModule } from "./module.js";

/** Modules that run one after the other, named "0", "1", … or by the keys of a record or Map. */
export class Sequential extends Module {
  readonly #layers: UnaryModule[] = [];

  constructor(
    ...modules:
      | readonly UnaryModule[]
      | readonly [Readonly<Record<string, UnaryModule>> | ReadonlyMap<string, UnaryModule>]
  ) {
    super();
    const [first] = modules;
    const named: Iterable<readonly [string, UnaryModule]> =
      modules.length === 1 && first !== undefined && !(first instanceof Module)
        ? first instanceof Map
          ? first
          : Object.entries(first)
        : (modules as readonly UnaryModule[]).map((module, i) => [String(i), module] as const);
    for (const [name, module] of named) this.#add(name, module);
  }

  #add(name: string, module: UnaryModule): void {
    this.registerModule(name, module);
    this.#layers.push(module);
  }

  /** Adds a module at the end, named by its position. */
  append(module: UnaryModule): this {
    this.#add(String(this.#layers.length), module);
    return this;
  }

  get length(): number {
    return this.#layers.length;
  }

  /** The module at a position; negative counts from the end. */
  at(index: number): UnaryModule {
    return pick(this.#layers, index, "Sequential");
  }

  [Symbol.iterator](): Iterator<UnaryModule> {
    return this.#layers[Symbol.iterator]();
  }

  override forward(x: Tensor): Tensor {
    return this.#layers.reduce((value, layer) => layer.forward(value), x);
  }
}

/** A list of modules, named "0", "1", …; it computes nothing itself. */
export class ModuleList<M extends Module = Module> extends Module {
  readonly #items: M[] = [];

  constructor(modules: Iterable<M> = []) {
    super();
    for (const module of modules) this.append(module);
  }

  append(module: M): this {
    this.registerModule(String(this.#items.length), module);
    this.#items.push(module);
    return this;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The module at a position; negative counts from the end. */
  at(index: number): M {
    return pick(this.#items, index, "ModuleList");
  }

  [Symbol.iterator](): Iterator<M> {
    return this.#items[Symbol.iterator]();
  }

  override forward(): never {
    throw new TypeError("ModuleList has no forward: call its modules");
  }
}

/** Modules by name; it computes nothing itself. */
export class ModuleDict<M extends Module = Module> extends Module {
  readonly #items = new Map<string, M>();

  constructor(modules: Readonly<Record<string, M>> | ReadonlyMap<string, M> = {}) {
    super();
    const entries = modules instanceof Map ? (modules as ReadonlyMap<string, M>) : Object.entries(modules);
    for (const [name, module] of entries) this.set(name, module);
  }

  set(name: string, module: M): this {
    this.registerModule(name, module);
    this.#items.set(name, module);
    return this;
  }

  has(name: string): boolean {
    return this.#items.has(name);
  }

  /** The module of that name. */
  get(name: string): M {
    const module = this.#items.get(name);
    if (module === undefined) {
      throw new RangeError(`ModuleDict has no "${name}"; it has ${[...this.#items.keys()].join(", ") || "nothing"}`);
    }
    return module;
  }

  [Symbol.iterator](): Iterator<[string, M]> {
    return this.#items[Symbol.iterator]();
  }

  override forward(): never {
    throw new TypeError("ModuleDict has no forward: call its modules");
  }
}

function pick<M>(items: readonly M[], index: number, container: string): M {
  const item = items.at(index);
  if (item === undefined) throw new RangeError(`${container} has ${items.length} modules; there is no ${index}`);
  return item;
}
