// The one way into libtorch: every operator call goes through `callOperator`, whether it came from a generated method, a
// generated function or `torch.aten`. Schemas are read from the library when an operator is first used, so start-up costs
// nothing and a libtorch that lacks an operator only fails where it is called.
import { chooseOverload } from "./binding.js";
import { dtypeName } from "./dtype.js";
import { didYouMean, TorchError } from "./errors.js";
import { adopt, type TensorHandle } from "./handles.js";
import { native } from "./native.js";
import { type Argument, GeneratorHandle, type Overload, parseOperator, toNative } from "./schema.js";
import { recorder } from "./trace/recorder.js";

/** A name and the overloads that may be meant by it. */
export interface OperatorEntry {
  readonly name: string;
  overloads: readonly Overload[] | null;
}

const entries = new Map<string, OperatorEntry>();

/** The entry of an operator, such as `aten::add` (all overloads) or `aten::add.Tensor` (that one). Not looked up yet. */
export function operatorEntry(name: string): OperatorEntry {
  let entry = entries.get(name);
  if (entry === undefined) {
    entry = { name, overloads: null };
    entries.set(name, entry);
  }
  return entry;
}

const named = new Map<string, Overload | null>();

/** The overload of a full name such as `aten::add.Tensor`, or null when this libtorch has none. */
export function findOverload(name: string): Overload | null {
  let overload = named.get(name);
  if (overload === undefined) {
    const found = native.operator(name);
    overload = found === null ? null : parseOperator(found);
    named.set(name, overload);
  }
  return overload;
}

function lookUp(entry: OperatorEntry): readonly Overload[] {
  let found: Overload[];
  if (entry.name.includes(".")) {
    const one = native.operator(entry.name);
    found = one === null ? [] : [parseOperator(one)];
  } else {
    found = native.overloads(entry.name).map(parseOperator);
    found.sort((a, b) => Number(a.isOut) - Number(b.isOut)); // stable: out= variants are tried last
  }
  if (found.length === 0) {
    const near = didYouMean(
      entry.name,
      native.operatorNames().map((n) => (entry.name.includes(".") ? n : (n.split(".")[0] ?? n))),
    );
    throw new TorchError(`libtorch ${native.versions().libtorch} has no operator ${entry.name}${near}`, {
      code: "ERR_TORCH_OPERATOR",
      operator: entry.name,
    });
  }
  entry.overloads = found;
  return found;
}

/** Chooses the overload that fits `given`, a trailing plain object being named arguments, and calls it. */
export function invoke(entry: OperatorEntry, given: readonly unknown[]): unknown {
  const { overload, args } = chooseOverload(entry.name, entry.overloads ?? lookUp(entry), given);
  return callOperator(overload, args);
}

/** Calls one overload with arguments in schema order (undefined = default). The single gate to the native half. */
export function callOperator(overload: Overload, args: readonly unknown[]): unknown {
  const result = dispatch(overload, args);
  if (recorder !== null) recorder.called(overload, args, result);
  return result;
}

function dispatch(overload: Overload, args: readonly unknown[]): unknown {
  const specs = overload.arguments;
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  let result: unknown;
  const { id } = overload;
  if (count === 1) {
    result = native.call(id, toNative((specs[0] as Argument).type, args[0]));
  } else if (count === 2) {
    result = native.call(
      id,
      toNative((specs[0] as Argument).type, args[0]),
      toNative((specs[1] as Argument).type, args[1]),
    );
  } else {
    const converted: unknown[] = new Array(count);
    for (let i = 0; i < count; i++) converted[i] = toNative((specs[i] as Argument).type, args[i]);
    result = native.call(id, ...converted);
  }
  if (overload.returnsTensor) return result === null ? null : adopt(result as number);
  if (overload.returnsArguments) {
    const { returns } = overload;
    if (returns.length === 0) return undefined;
    if (returns.length === 1) return args[(returns[0] as { aliasOf: number }).aliasOf];
    return returns.map((r) => args[r.aliasOf]);
  }
  if (overload.returns.length === 1) return decode(overload, 0, result, args);
  return (result as unknown[]).map((value, i) => decode(overload, i, value, args));
}

function decode(overload: Overload, index: number, value: unknown, args: readonly unknown[]): unknown {
  const spec = overload.returns[index];
  if (spec === undefined) return value;
  if (spec.aliasOf >= 0) return args[spec.aliasOf];
  if (value === null || value === undefined) return value;
  const { kind, list } = spec.type;
  if (kind === "T") {
    if (!list) return adopt(value as number);
    return (value as (number | null)[]).map((handle) => (handle === null ? null : adopt(handle)));
  }
  if (kind === "d" && !list) return dtypeName(value as number);
  if (kind === "G" && !list) return new GeneratorHandle(value as number);
  return value;
}

/**
 * Any operator of the library by name: `torch.aten("_foreach_add_.List", a, b, { alpha: 1 })`.
 *
 * Without an overload name the overload is chosen from the arguments. Arguments are positional in schema order; a plain
 * object at the end gives more by name (`keepdim`, `memory_format` or `memoryFormat`). The result is what the schema
 * says: a Tensor, an array of tensors, a number, a tuple as array, undefined.
 *
 * @throws TorchError `ERR_TORCH_OPERATOR` when this libtorch has no such operator, `ERR_TORCH_ARGUMENT` when nothing fits.
 */
export function aten(name: string, ...args: unknown[]): unknown {
  return invoke(operatorEntry(name.includes("::") ? name : `aten::${name}`), args);
}

/** A function that calls the operator `aten::<name>`; its types are written by the generator. */
export function operatorFunction(name: string): (...args: unknown[]) => unknown {
  const entry = operatorEntry(`aten::${name}`);
  return (...args: unknown[]): unknown => invoke(entry, args);
}

/** Gives a class one method per operator. */
export function installMethods(prototype: object, names: Readonly<Record<string, string>>): void {
  for (const [method, name] of Object.entries(names)) {
    if (method in prototype) continue; // written by hand
    const entry = operatorEntry(`aten::${name}`);
    Object.defineProperty(prototype, method, {
      configurable: true,
      writable: true,
      value: function (this: TensorHandle, ...args: unknown[]): unknown {
        return invoke(entry, [this, ...args]);
      },
    });
  }
}
