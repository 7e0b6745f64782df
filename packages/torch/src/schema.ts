// Operator schemas as the native half describes them, made ready for choosing an overload and converting arguments.
// A type code is: "?" when optional, "[" N ":" for a list (N where a single value may stand for all), "?" when elements are
// optional, then one letter: T tensor, i int, f float, s scalar, b bool, S string, d dtype, L layout, m memory format,
// D device, G generator, c complex, O object of a class of libtorch, X something JavaScript cannot give.
import { types } from "node:util";
import { dtypeCode, formatCode, isDType, isLayout, isMemoryFormat, layoutCode } from "./dtype.js";
import { TensorHandle } from "./handles.js";
import type { NativeOperator } from "./native.js";

/** A complex number. */
export interface Complex {
  readonly re: number;
  readonly im: number;
}

/** A number that takes part in an operation: whole numbers never widen an integer tensor. */
export type Scalar = number | boolean | bigint | Complex;

/** What marks the object of a random generator. */
export class GeneratorHandle {
  /** @internal */
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }
}

export interface ArgumentType {
  readonly kind: string;
  readonly list: boolean;
  readonly optional: boolean;
  readonly elementOptional: boolean;
  readonly fixedLength: number;
}

export interface Argument {
  readonly name: string;
  readonly camelName: string;
  readonly type: ArgumentType;
  readonly hasDefault: boolean;
  /** The default as libtorch prints it. */
  readonly defaultText: string | undefined;
  readonly keywordOnly: boolean;
  readonly out: boolean;
}

export interface Return {
  readonly type: ArgumentType;
  readonly aliasOf: number;
}

export interface Overload {
  readonly id: number;
  readonly name: string;
  readonly schema: string;
  readonly arguments: readonly Argument[];
  readonly returns: readonly Return[];
  readonly isOut: boolean;
  /** All results are arguments written to, and the native call returns nothing. */
  readonly returnsArguments: boolean;
  /** The result is one new tensor: the common case, decoded without a look at `returns`. */
  readonly returnsTensor: boolean;
}

/** `max_pool2d` → `maxPool2d`, keeping a trailing underscore (in-place). */
export function camelCase(name: string): string {
  return name.replace(/(?<=[^_])_+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase());
}

export function parseType(code: string): ArgumentType {
  const match = /^(\?)?(?:\[(\d*):)?(\?)?(\w)$/.exec(code);
  if (match === null) throw new Error(`type code ${code}`);
  return {
    kind: match[4] as string,
    list: match[2] !== undefined,
    optional: match[1] !== undefined,
    elementOptional: match[3] !== undefined,
    fixedLength: match[2] ? Number(match[2]) : 0,
  };
}

export function parseOperator(op: NativeOperator): Overload {
  const args = op.arguments.map((a) => ({
    name: a.name,
    camelName: camelCase(a.name),
    type: parseType(a.type),
    hasDefault: a.hasDefault,
    defaultText: a.defaultText,
    keywordOnly: a.keywordOnly,
    out: a.out,
  }));
  const returns = op.returns.map((r) => ({ type: parseType(r.type), aliasOf: r.aliasOf }));
  const first = returns[0];
  return {
    id: op.id,
    name: op.name,
    schema: op.schema,
    arguments: args,
    returns,
    isOut: args.some((a) => a.out),
    returnsArguments: returns.every((r) => r.aliasOf >= 0),
    returnsTensor: returns.length === 1 && first?.aliasOf === -1 && first.type.kind === "T" && !first.type.list,
  };
}

const isNumberArray = (value: unknown): value is ArrayLike<number | bigint> =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

const isComplex = (value: unknown): value is Complex =>
  typeof value === "object" && value !== null && "re" in value && "im" in value;

function fitsOne(kind: string, value: unknown): boolean {
  switch (kind) {
    case "T":
      return value instanceof TensorHandle;
    case "i":
      return typeof value === "number" ? Number.isInteger(value) : typeof value === "bigint";
    case "f":
      return typeof value === "number";
    case "s":
      return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint" || isComplex(value);
    case "b":
      return typeof value === "boolean";
    case "S":
    case "D":
      return typeof value === "string";
    case "d":
      return isDType(value);
    case "L":
      return typeof value === "string" && isLayout(value);
    case "m":
      return typeof value === "string" && isMemoryFormat(value);
    case "G":
      return value instanceof GeneratorHandle;
    case "c":
      return typeof value === "number" || isComplex(value);
    case "O":
      return types.isExternal(value);
    default:
      return false;
  }
}

/** How well a value fits: 0 exactly, more for a looser reading, -1 not at all. */
export function fit(type: ArgumentType, value: unknown): number {
  if (value === null) return type.optional ? 0 : -1;
  if (!type.list) return fitsOne(type.kind, value) ? 0 : -1;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (element === null || element === undefined ? !type.elementOptional : !fitsOne(type.kind, element)) return -1;
    }
    return 0;
  }
  if (isNumberArray(value)) return type.kind === "i" || type.kind === "f" || type.kind === "s" ? 0 : -1;
  return type.fixedLength > 0 && fitsOne(type.kind, value) ? 1 : -1;
}

/** The form in which the native half takes a value that {@link fit} accepted. */
export function toNative(type: ArgumentType, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  if (type.kind === "T") {
    if (!type.list) return (value as TensorHandle).handle;
    return (value as (TensorHandle | null | undefined)[]).map((t) => (t ? t.handle : null));
  }
  if (type.list)
    return Array.isArray(value) || typeof value !== "object" ? value : Array.from(value as ArrayLike<number>);
  switch (type.kind) {
    case "d":
      return dtypeCode(value as string);
    case "L":
      return layoutCode(value as string);
    case "m":
      return formatCode(value as string);
    case "G":
      return (value as GeneratorHandle).index;
    default:
      return value;
  }
}

const KIND_NAMES: Readonly<Record<string, string>> = {
  T: "Tensor",
  i: "int",
  f: "float",
  s: "Scalar",
  b: "bool",
  S: "string",
  d: "dtype",
  L: "layout",
  m: "memory format",
  D: "device",
  G: "Generator",
  c: "complex",
  O: "object of libtorch",
  X: "?",
};

/** A type as a reader of an error message knows it. */
export function typeText(type: ArgumentType): string {
  const element = `${KIND_NAMES[type.kind] ?? "?"}${type.elementOptional ? "?" : ""}`;
  return `${element}${type.list ? `[${type.fixedLength || ""}]` : ""}${type.optional ? "?" : ""}`;
}

/** A value as a reader of an error message knows it. */
export function valueText(value: unknown): string {
  if (value instanceof TensorHandle) return "Tensor";
  if (Array.isArray(value)) {
    const kinds = [
      ...new Set(value.map((v) => (v instanceof TensorHandle ? "Tensor" : v === null ? "null" : typeof v))),
    ];
    return value.length <= 6 && kinds.every((k) => k === "number")
      ? `[${value.join(", ")}]`
      : `[${kinds.join(" | ")}; ${value.length}]`;
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object";
  return String(value);
}
