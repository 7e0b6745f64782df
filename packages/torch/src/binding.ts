// Which overload is meant, and its arguments in schema order: positional first, then by name, as Python binds them.
import { types } from "node:util";
import { didYouMean, TorchError } from "./errors.js";
import { TensorHandle } from "./handles.js";
import { type Argument, fit, type Overload, typeText, valueText } from "./schema.js";

export type Options = Readonly<Record<string, unknown>>;

/** A call as it was written: values in order, a trailing plain object taken as named arguments. */
export interface Given {
  readonly values: readonly unknown[];
  readonly count: number;
  readonly options: Options | null;
}

/** An overload and its arguments in schema order; undefined where the default serves. */
export interface Bound {
  readonly overload: Overload;
  readonly args: readonly unknown[];
}

/** True for `{ dim: 1 }`, false for tensors, arrays, class instances and complex numbers. */
function isOptions(value: unknown): value is Options {
  if (typeof value !== "object" || value === null || value instanceof TensorHandle || Array.isArray(value))
    return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return !("re" in value && "im" in value) && !types.isExternal(value);
}

// Why an overload does not fit, as a negative number, because this is on the way of every call: reason + 8 × argument.
const MISSING = 1;
const WRONG_TYPE = 2;
const TOO_MANY = 3;
const UNKNOWN_OPTION = 4;
const misfit = (reason: number, argument = 0): number => -(reason + 8 * argument);

const isNamed = (options: Options, arg: Argument): boolean => arg.camelName in options || arg.name in options;

/** Fills `out`; returns how loosely the arguments fit (0 exactly), or a misfit. */
function bind(overload: Overload, given: Given, out: unknown[]): number {
  const { arguments: args } = overload;
  const { values, count, options } = given;
  let looseness = 0;
  let used = 0;
  let next = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as Argument;
    let value: unknown;
    // A keyword-only argument that must be given is taken in order too, once the others are served.
    const inOrder = !arg.keywordOnly || (!arg.hasDefault && !arg.out && (options === null || !isNamed(options, arg)));
    if (next < count && inOrder) {
      value = values[next++];
    } else if (options !== null) {
      value = options[arg.camelName];
      if (value === undefined) value = options[arg.name];
      if (value !== undefined || isNamed(options, arg)) used++;
    }
    out[i] = value;
    if (value === undefined) {
      if (arg.hasDefault) continue;
      if (!arg.type.optional) return misfit(MISSING, i);
      looseness += 2;
      continue;
    }
    const loose = fit(arg.type, value);
    if (loose < 0) return misfit(WRONG_TYPE, i);
    looseness += loose;
  }
  if (next < count) return misfit(TOO_MANY);
  if (options !== null && used < Object.keys(options).length) return misfit(UNKNOWN_OPTION);
  return looseness;
}

function explain(overload: Overload, given: Given): string {
  const { arguments: args } = overload;
  const bound: unknown[] = [];
  const code = -bind(overload, given, bound);
  const arg = args[code >> 3];
  switch (code & 7) {
    case MISSING:
      return `${arg?.camelName} is missing (${arg === undefined ? "" : typeText(arg.type)})`;
    case WRONG_TYPE:
      return `${arg?.camelName} takes ${arg === undefined ? "" : typeText(arg.type)}, got ${valueText(bound[code >> 3])}`;
    case TOO_MANY:
      return `takes at most ${args.filter((a) => !a.keywordOnly).length} arguments in order, got ${given.count}`;
    default: {
      const unknown =
        Object.keys(given.options ?? {}).find((k) => !args.some((a) => a.camelName === k || a.name === k)) ?? "";
      return `no option "${unknown}"${didYouMean(
        unknown,
        args.map((a) => a.camelName),
      )}`;
    }
  }
}

/**
 * The overload that fits best, the first of equals.
 * @throws TorchError `ERR_TORCH_ARGUMENT` when none fits, listing each with the reason.
 */
export function chooseOverload(name: string, overloads: readonly Overload[], values: readonly unknown[]): Bound {
  let count = values.length;
  while (count > 0 && values[count - 1] === undefined) count--;
  const last = values[count - 1];
  const given: Given =
    count > 0 && isOptions(last) ? { values, count: count - 1, options: last } : { values, count, options: null };
  let best: Bound | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const overload of overloads) {
    const args: unknown[] = new Array(overload.arguments.length);
    const looseness = bind(overload, given, args);
    if (looseness < 0 || looseness >= least) continue;
    best = { overload, args };
    if (looseness === 0) break;
    least = looseness;
  }
  if (best !== null) return best;
  const shown = overloads.filter((o) => (!o.isOut || given.options?.out !== undefined) && !o.name.includes("Dimname"));
  const reasons = shown.map((o) => `  ${o.schema}\n    ${explain(o, given)}`);
  const what =
    shown.length === 1 ? `the arguments of ${name} do not fit` : `no overload of ${name} takes these arguments`;
  throw new TorchError(`${what}:\n${reasons.join("\n")}`, { code: "ERR_TORCH_ARGUMENT", operator: name });
}
