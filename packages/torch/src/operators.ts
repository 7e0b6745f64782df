// The one way into libtorch: every operator call goes through `callOperator`, whether it came from a generated method, a
// generated function or `torch.aten`. Schemas are read from the library when an operator is first used, so start-up costs
// nothing and a libtorch that lacks an operator only fails where it is called.
import { dtypeName } from "./dtype.js";
import { didYouMean, TorchError } from "./errors.js";
import { adopt, TensorHandle } from "./handles.js";
import { native } from "./native.js";
import {
  type Argument,
  fit,
  GeneratorHandle,
  type Overload,
  parseOperator,
  toNative,
  typeText,
  valueText,
} from "./schema.js";

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

/** True for `{ dim: 1 }`, false for tensors, arrays, class instances and complex numbers. */
function isOptions(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || value instanceof TensorHandle || Array.isArray(value))
    return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !("re" in value && "im" in value);
}

/** Arguments in schema order, or the reason why they do not fit. Positional first, then by name, as Python binds them. */
function bind(
  overload: Overload,
  given: readonly unknown[],
  count: number,
  options: Readonly<Record<string, unknown>> | null,
  out: unknown[],
): number | string {
  const { arguments: args } = overload;
  let looseness = 0;
  let used = 0;
  let next = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as Argument;
    let value: unknown;
    if (next < count && (!arg.keywordOnly || (!arg.hasDefault && !arg.out && !named(options, arg)))) {
      value = given[next++];
    } else if (options !== null) {
      value = options[arg.camelName];
      if (value === undefined && arg.camelName !== arg.name) value = options[arg.name];
      if (value !== undefined || arg.camelName in options || arg.name in options) used++;
    }
    out[i] = value;
    if (value === undefined) {
      if (arg.hasDefault) continue;
      if (!arg.type.optional) return `missing ${arg.camelName}: ${typeText(arg.type)}`;
      looseness += 2;
      continue;
    }
    const loose = fit(arg.type, value);
    if (loose < 0) return `${arg.camelName} takes ${typeText(arg.type)}, got ${valueText(value)}`;
    looseness += loose;
  }
  if (next < count)
    return `takes at most ${args.filter((a) => !a.keywordOnly).length} positional arguments, got ${count}`;
  if (options !== null && used < Object.keys(options).length) {
    const names = args.map((a) => a.camelName);
    const unknown = Object.keys(options).find((key) => !args.some((a) => a.camelName === key || a.name === key)) ?? "";
    return `no option "${unknown}"${didYouMean(unknown, names)}`;
  }
  return looseness;
}

function named(options: Readonly<Record<string, unknown>> | null, arg: Argument): boolean {
  return options !== null && (arg.camelName in options || arg.name in options);
}

/** Chooses the overload that fits `given`, a trailing plain object being named arguments, and calls it. */
export function invoke(entry: OperatorEntry, given: readonly unknown[]): unknown {
  const overloads = entry.overloads ?? lookUp(entry);
  let count = given.length;
  let options: Readonly<Record<string, unknown>> | null = null;
  while (count > 0 && given[count - 1] === undefined) count--;
  const last = given[count - 1];
  if (count > 0 && isOptions(last)) {
    options = last;
    count--;
  }
  let chosen: Overload | undefined;
  let chosenArgs: unknown[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const overload of overloads) {
    const args: unknown[] = new Array(overload.arguments.length);
    const looseness = bind(overload, given, count, options, args);
    if (typeof looseness === "string" || looseness >= least) continue;
    chosen = overload;
    chosenArgs = args;
    least = looseness;
    if (looseness === 0) break;
  }
  if (chosen === undefined) throw noOverload(entry, overloads, given, count, options);
  return callOperator(chosen, chosenArgs);
}

function noOverload(
  entry: OperatorEntry,
  overloads: readonly Overload[],
  given: readonly unknown[],
  count: number,
  options: Readonly<Record<string, unknown>> | null,
): TorchError {
  const shown = overloads.filter((o) => !o.isOut || options?.out !== undefined);
  const reasons = shown.map((o) => `  ${o.schema}\n    ${String(bind(o, given, count, options, []))}`);
  const what =
    shown.length === 1
      ? `the arguments of ${entry.name} do not fit`
      : `no overload of ${entry.name} takes these arguments`;
  return new TorchError(`${what}:\n${reasons.join("\n")}`, { code: "ERR_TORCH_ARGUMENT", operator: entry.name });
}

/** Calls one overload with arguments in schema order (undefined = default). The single gate to the native half. */
export function callOperator(overload: Overload, args: readonly unknown[]): unknown {
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
