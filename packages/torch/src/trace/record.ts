// Records the operator calls of one forward. In-place calls are renamed on the way (their target becomes a new value), so what is
// recorded assigns each value once. Sizes are plain numbers here; trace.ts compares two recordings and finds those that follow the batch.
import { type DType, dtypeName, formatName } from "../dtype.js";
import { TorchError } from "../errors.js";
import { adopt, TensorHandle } from "../handles.js";
import { native } from "../native.js";
import type { Module } from "../nn/module.js";
import { findOverload } from "../operators.js";
import { type Argument, GeneratorHandle, type Overload } from "../schema.js";
import { dispose, shareHandle } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { type Recorder, withRecorder } from "./recorder.js";

/** A reference to a recorded value. */
export class Slot {
  constructor(readonly index: number) {}
}

/** A recorded argument: {@link Slot} for a tensor, nested lists, plain values. */
export type RecordedArgument = Slot | RecordedArgument[] | number | bigint | boolean | string | null | object;

export interface RecordedValue {
  readonly kind: "input" | "constant" | "result";
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly memory: number;
  /** Of constants: the module's name for it, and the values. */
  readonly name: string | null;
  readonly tensor: Tensor | null;
}

export interface RecordedCall {
  readonly overload: Overload;
  readonly inPlace: Overload | null;
  readonly args: readonly RecordedArgument[];
  readonly outputs: readonly (number | null)[];
  readonly path: string;
}

export interface Recording {
  readonly values: readonly RecordedValue[];
  readonly calls: readonly RecordedCall[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Handles that the recording made and owns. */
  readonly owned: readonly Tensor[];
}

function fail(message: string, operator?: string): never {
  throw new TorchError(message, { code: "ERR_TORCH_TRACE", ...(operator === undefined ? {} : { operator }) });
}

/** Where a call was made, for messages. */
export const inModule = (path: string): string => (path === "" ? "" : ` in ${path}`);

/** Runs `fn` on `inputs` and records its calls; `root` gives constants and places their names. */
export function record(
  fn: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  root: Module | null,
): Recording {
  const tracer = new Tracer(root);
  const recordedInputs = inputs.map((tensor) => tracer.add(tensor, "input"));
  const unwrap = root === null ? () => {} : wrapForwards(root, tracer.path);
  try {
    const result = withRecorder(tracer, () => fn(...inputs));
    const outputs = (Array.isArray(result) ? result : [result]).map((tensor: unknown) =>
      tensor instanceof TensorHandle
        ? tracer.slotOf(tensor).index
        : fail("a traced function must return a tensor, or an array of tensors"),
    );
    const { values, calls, owned } = tracer;
    return { values, calls, inputs: recordedInputs, outputs, owned };
  } catch (error) {
    dispose(tracer.owned);
    throw error;
  } finally {
    unwrap();
  }
}

/** While it lasts, `path` ends in the dotted name of the module whose forward runs. Returns the function that ends it. */
function wrapForwards(root: Module, path: string[]): () => void {
  const wrapped: Module[] = [];
  for (const [name, module] of root.namedModules()) {
    if (Object.hasOwn(module, "forward")) continue;
    const forward = module.forward as (...args: unknown[]) => unknown;
    // Not enumerable: modules find their children among the enumerable fields.
    Object.defineProperty(module, "forward", {
      configurable: true,
      enumerable: false,
      value: (...args: unknown[]): unknown => {
        path.push(name);
        try {
          return forward.apply(module, args);
        } finally {
          path.pop();
        }
      },
    });
    wrapped.push(module);
  }
  return () => {
    for (const module of wrapped) Reflect.deleteProperty(module, "forward");
  };
}

class Tracer implements Recorder {
  readonly values: RecordedValue[] = [];
  readonly calls: RecordedCall[] = [];
  readonly owned: Tensor[] = [];
  readonly path: string[] = [];
  readonly #slots = new Map<number, Slot>();
  readonly #names = new Map<number, string>();
  /** Whether a value follows from the inputs. */
  readonly #variable: boolean[] = [];
  /** Handles that saw an in-place call through another handle: what they hold now is not what was recorded. */
  readonly #stale = new Map<number, string>();
  readonly #sharing = new Map<number, Set<TensorHandle>>();
  /** Memory number by address, of values made so far; libtorch may use an address again once its tensor is gone. */
  readonly #memoryOf = new Map<number, bigint | null>();
  #memories = 0;

  constructor(root: Module | null) {
    for (const [name, tensor] of root?.namedParameters() ?? []) this.#names.set(tensor.handle, name);
    for (const [name, tensor] of root?.namedBuffers() ?? []) this.#names.set(tensor.handle, name);
  }

  add(handle: TensorHandle, kind: RecordedValue["kind"], memory?: number): number {
    const tensor = handle as Tensor;
    const index = this.values.length;
    const number = memory ?? this.#memories++;
    const name = kind === "constant" ? (this.#names.get(tensor.handle) ?? null) : null;
    let kept: Tensor | null = null;
    if (kind === "constant") {
      kept = tensor;
      if (name === null) {
        kept = adopt(shareHandle(tensor)) as Tensor;
        this.owned.push(kept);
      }
    }
    this.values.push({
      kind,
      dtype: dtypeName(native.dtype(tensor.handle)),
      shape: tensor.shape,
      memory: number,
      name,
      tensor: kept,
    });
    this.#slots.set(tensor.handle, new Slot(index));
    this.#variable.push(kind === "input");
    this.#memoryOf.set(index, native.storageAddress(tensor.handle));
    const sharing = this.#sharing.get(number);
    if (sharing === undefined) this.#sharing.set(number, new Set([tensor]));
    else sharing.add(tensor);
    return index;
  }

  slotOf(tensor: TensorHandle): Slot {
    const slot = this.#slots.get(tensor.handle);
    if (slot === undefined) return new Slot(this.add(tensor, "constant"));
    const writer = this.#stale.get(tensor.handle);
    if (writer !== undefined) {
      fail(
        `a tensor is used after ${writer} wrote into memory that it shares; a trace cannot follow that. Write the result into a new tensor instead`,
      );
    }
    return slot;
  }

  read(tensor: TensorHandle, method: string): void {
    const slot = this.#slots.get(tensor.handle);
    if (slot === undefined || !this.#variable[slot.index]) return;
    fail(
      `${method}() is called${inModule(this.#place())} on a tensor that follows from the inputs: the trace would hold for these values only`,
    );
  }

  called(overload: Overload, args: readonly unknown[], result: unknown): void {
    const path = this.#place();
    if (overload.isOut)
      fail(`${overload.name} (out=) is called${inModule(path)}; a trace cannot follow it`, overload.name);
    const recorded = overload.arguments.map((spec, i) => this.#argument(spec, args[i], overload, path));
    const sources = recorded.flatMap(slotsOf);
    const variable = sources.some((slot) => this.#variable[slot.index]);
    if (overload.returnsArguments) {
      this.#inPlace(overload, args, recorded, variable, path);
      return;
    }
    const outputs = flatten(result).map((item) => {
      if (item === null) return null;
      if (!(item instanceof TensorHandle)) {
        if (variable)
          fail(`${overload.name}${inModule(path)} gives ${typeof item}, not a tensor, from the inputs`, overload.name);
        return null;
      }
      const address = native.storageAddress(item.handle);
      const shared = address === null ? undefined : sources.find((slot) => this.#memoryOf.get(slot.index) === address);
      const index = this.add(item, "result", shared && this.values[shared.index]!.memory);
      this.#variable[index] = variable;
      return index;
    });
    this.calls.push({ overload, inPlace: null, args: recorded, outputs, path });
  }

  #inPlace(
    overload: Overload,
    args: readonly unknown[],
    recorded: RecordedArgument[],
    variable: boolean,
    path: string,
  ): void {
    const [base, variant] = overload.name.split(".") as [string, string?];
    const target = overload.returns.length === 1 ? (args[overload.returns[0]!.aliasOf] as Tensor) : null;
    const functional = base.endsWith("_")
      ? findOverload(variant === undefined ? base.slice(0, -1) : `${base.slice(0, -1)}.${variant}`)
      : null;
    if (target === null || functional === null || functional.arguments.length !== overload.arguments.length) {
      fail(`${overload.name} is called${inModule(path)}; a trace cannot follow what it writes`, overload.name);
    }
    const before = this.#slots.get(target.handle)!.index;
    const { kind, memory, name } = this.values[before]!;
    if (kind === "constant") {
      const what = name ?? "a tensor that no operator of it made";
      const remedy = name === null ? "clone the tensor first" : "trace it in evaluation mode";
      fail(`the forward changes ${what} (${overload.name}${inModule(path)}); ${remedy}`, overload.name);
    }
    const geometry = geometryOf(target);
    const others = [...this.#sharing.get(memory)!].filter(
      (other) => other.handle !== target.handle && native.alive(other.handle),
    );
    const same = others.filter((other) => geometryOf(other as Tensor) === geometry);
    const index = this.add(target, "result", memory);
    const changed = variable || this.#variable[before] === true;
    this.#variable[index] = changed;
    for (const other of same) this.#slots.set(other.handle, new Slot(index));
    const writer = `${overload.name}${inModule(path)}`;
    for (const other of others) if (!same.includes(other)) this.#stale.set(other.handle, writer);
    this.calls.push({ overload: functional, inPlace: overload, args: recorded, outputs: [index], path });
  }

  #place(): string {
    return this.path.at(-1) ?? "";
  }

  #argument(spec: Argument, given: unknown, overload: Overload, path: string): RecordedArgument {
    const { type } = spec;
    const value = given === undefined ? defaultValue(spec) : given;
    if (value === null || value === undefined) return null;
    if (type.kind === "T") {
      if (!type.list) return this.slotOf(value as TensorHandle);
      return (value as (TensorHandle | null | undefined)[]).map((item) => (item ? this.slotOf(item) : null));
    }
    if (value instanceof GeneratorHandle)
      fail(`${overload.name}${inModule(path)} draws from a generator`, overload.name);
    if (!type.list) return value as RecordedArgument;
    if (Array.isArray(value)) return [...value] as RecordedArgument[];
    if (typeof value === "object") return Array.from(value as ArrayLike<number>);
    return new Array<RecordedArgument>(type.fixedLength).fill(value as number);
  }
}

function geometryOf(tensor: Tensor): string {
  return `${tensor.shape}|${tensor.stride()}|${tensor.storageOffset()}|${tensor.dtype}`;
}

function slotsOf(arg: RecordedArgument): Slot[] {
  return arg instanceof Slot ? [arg] : Array.isArray(arg) ? arg.flatMap(slotsOf) : [];
}

/** Results of a call in one list: a tensor, a list, a tuple of tensors and lists. */
export function flatten(result: unknown): unknown[] {
  return Array.isArray(result) ? result.flatMap(flatten) : [result ?? null];
}

/** A default, read from libtorch's text of it. */
function defaultValue(spec: Argument): RecordedArgument {
  const { type, defaultText: text } = spec;
  if (text === undefined || text === "None") return null;
  const one = (item: string): RecordedArgument => {
    switch (type.kind) {
      case "b":
        return item === "True" || item === "1";
      case "i":
      case "f":
      case "s":
        return item === "True" || item === "False" ? item === "True" : Number(item);
      case "d":
        return dtypeName(Number(item));
      case "m":
        return formatName(Number(item));
      default:
        return item;
    }
  };
  if (!type.list) return one(text);
  const inner = text.slice(1, -1).trim();
  return inner === "" ? [] : inner.split(",").map((item) => one(item.trim()));
}
