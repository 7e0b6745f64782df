// Element by element: arithmetic, functions, comparisons, choices. ONNX converts no types by itself, so operands are cast here.
import type { DType } from "../../dtype.js";
import { type Node, Value } from "../../trace/graph.js";
import type { OnnxBuilder } from "../builder.js";
import type { Translation, Translations } from "./table.js";

const RANKS: readonly DType[] = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"];
const isFloating = (dtype: DType): boolean => dtype.startsWith("float");

/** The type in which operands meet, as PyTorch promotes tensors and numbers. */
function commonType(operands: readonly unknown[]): DType {
  const types = operands.filter((operand): operand is Value => operand instanceof Value).map((value) => value.dtype);
  const widest = [...types].sort((a, b) => RANKS.indexOf(b) - RANKS.indexOf(a))[0] ?? "float32";
  const numbers = operands.filter((operand) => typeof operand === "number");
  if (!isFloating(widest) && numbers.some((number) => !Number.isInteger(number))) return "float32";
  return widest === "bool" && numbers.length > 0 ? "int64" : widest;
}

/** An operand, tensor or number, as a type. */
function operand(b: OnnxBuilder, given: unknown, dtype: DType): string {
  return given instanceof Value ? b.as(given, dtype) : b.scalar(given, dtype);
}

/** The operands by their names in the schema. */
function operands(b: OnnxBuilder, node: Node, names: readonly string[], dtype: DType): string[] {
  return names.map((name) => operand(b, node.arg(name), dtype));
}

const unary =
  (type: string): Translation =>
  (b, node) =>
    b.op(type, [b.as(b.tensor(node, "self"), node.output.dtype)]);

const binary =
  (type: string, first = "self", second = "other"): Translation =>
  (b, node) =>
    b.op(type, operands(b, node, [first, second], node.output.dtype));

/** self ± alpha · other. */
const sum =
  (type: string, reversed = false): Translation =>
  (b, node) => {
    const { dtype } = node.output;
    const [left, right] = operands(b, node, reversed ? ["other", "self"] : ["self", "other"], dtype) as [
      string,
      string,
    ];
    const alpha = node.arg("alpha") ?? 1;
    return b.op(type, [left, alpha === 1 ? right : b.op("Mul", [right, b.scalar(alpha, dtype)])]);
  };

function divide(b: OnnxBuilder, node: Node): string {
  const { dtype } = node.output;
  const quotient = b.op("Div", operands(b, node, ["self", "other"], dtype));
  const mode = node.arg("rounding_mode") ?? null;
  if (mode === null || (mode === "trunc" && !isFloating(dtype))) return quotient;
  if (!isFloating(dtype)) b.refuse("divides whole numbers downwards");
  if (mode === "floor") return b.op("Floor", [quotient]);
  return b.op("Mul", [b.op("Sign", [quotient]), b.op("Floor", [b.op("Abs", [quotient])])]);
}

function power(b: OnnxBuilder, node: Node): string {
  const { dtype } = node.output;
  const [base, exponent] = operands(b, node, ["self", "exponent"], dtype) as [string, string];
  return node.arg("exponent") === 2 ? b.op("Mul", [base, base]) : b.op("Pow", [base, exponent]);
}

const comparison =
  (type: string, negated = false): Translation =>
  (b, node) => {
    const dtype = commonType([node.arg("self"), node.arg("other")]);
    const result = b.op(type, operands(b, node, ["self", "other"], dtype));
    return negated ? b.op("Not", [result]) : result;
  };

const logical =
  (type: string): Translation =>
  (b, node) =>
    b.op(type, operands(b, node, ["self", "other"], "bool"));

/** min(max(x, low), high), either of them absent, numbers or tensors. */
function clamp(b: OnnxBuilder, node: Node): string {
  const { dtype } = node.output;
  let x = b.as(b.tensor(node, "self"), dtype);
  const [low, high] = [node.arg("min") ?? null, node.arg("max") ?? null];
  if (low !== null) x = b.op("Max", [x, operand(b, low, dtype)]);
  if (high !== null) x = b.op("Min", [x, operand(b, high, dtype)]);
  return x;
}

function where(b: OnnxBuilder, node: Node): string {
  const condition = b.as(b.tensor(node, "condition"), "bool");
  return b.op("Where", [condition, ...operands(b, node, ["self", "other"], node.output.dtype)]);
}

function maskedFill(b: OnnxBuilder, node: Node): string {
  const [value, x] = operands(b, node, ["value", "self"], node.output.dtype) as [string, string];
  return b.op("Where", [b.as(b.tensor(node, "mask"), "bool"), value, x]);
}

/** self + value · tensor1 (× or ÷) tensor2. */
const addProduct =
  (type: string): Translation =>
  (b, node) => {
    const { dtype } = node.output;
    const product = b.op(type, operands(b, node, ["tensor1", "tensor2"], dtype));
    return b.op("Add", [
      b.as(b.tensor(node, "self"), dtype),
      b.op("Mul", [product, b.scalar(node.arg("value") ?? 1, dtype)]),
    ]);
  };

function lerp(b: OnnxBuilder, node: Node): string {
  const [start, end, weight] = operands(b, node, ["self", "end", "weight"], node.output.dtype) as [
    string,
    string,
    string,
  ];
  return b.op("Add", [start, b.op("Mul", [weight, b.op("Sub", [end, start])])]);
}

const cast: Translation = (b, node) => b.as(b.tensor(node, "self"), node.output.dtype);

export const arithmetic: Translations = {
  "aten::add": sum("Add"),
  "aten::sub": sum("Sub"),
  "aten::rsub": sum("Sub", true),
  "aten::mul": binary("Mul"),
  "aten::div": divide,
  "aten::pow": power,
  "aten::maximum": binary("Max"),
  "aten::minimum": binary("Min"),
  "aten::fmod": (b, node) => b.op("Mod", operands(b, node, ["self", "other"], node.output.dtype), { fmod: 1 }),
  "aten::addcmul": addProduct("Mul"),
  "aten::addcdiv": addProduct("Div"),
  "aten::lerp": lerp,
  "aten::neg": unary("Neg"),
  "aten::abs": unary("Abs"),
  "aten::sqrt": unary("Sqrt"),
  "aten::rsqrt": (b, node) => b.op("Reciprocal", [b.op("Sqrt", [b.as(b.tensor(node, "self"), node.output.dtype)])]),
  "aten::reciprocal": unary("Reciprocal"),
  "aten::exp": unary("Exp"),
  "aten::expm1": (b, node) => {
    const { dtype } = node.output;
    return b.op("Sub", [b.op("Exp", [b.as(b.tensor(node, "self"), dtype)]), b.scalar(1, dtype)]);
  },
  "aten::log": unary("Log"),
  "aten::log1p": (b, node) => {
    const { dtype } = node.output;
    return b.op("Log", [b.op("Add", [b.as(b.tensor(node, "self"), dtype), b.scalar(1, dtype)])]);
  },
  "aten::sin": unary("Sin"),
  "aten::cos": unary("Cos"),
  "aten::erf": unary("Erf"),
  "aten::floor": unary("Floor"),
  "aten::ceil": unary("Ceil"),
  "aten::round": unary("Round"),
  "aten::sign": unary("Sign"),
  "aten::square": (b, node) => {
    const x = b.as(b.tensor(node, "self"), node.output.dtype);
    return b.op("Mul", [x, x]);
  },
  "aten::clamp": clamp,
  "aten::clamp_min": clamp,
  "aten::clamp_max": clamp,
  "aten::eq": comparison("Equal"),
  "aten::ne": comparison("Equal", true),
  "aten::lt": comparison("Less"),
  "aten::le": comparison("LessOrEqual"),
  "aten::gt": comparison("Greater"),
  "aten::ge": comparison("GreaterOrEqual"),
  "aten::isnan": (b, node) => b.op("IsNaN", [b.name(b.tensor(node, "self"))]),
  "aten::logical_not": (b, node) => b.op("Not", [b.as(b.tensor(node, "self"), "bool")]),
  "aten::bitwise_not": (b, node) =>
    node.output.dtype === "bool" ? b.op("Not", [b.name(b.tensor(node, "self"))]) : b.refuse("works on bits of numbers"),
  "aten::logical_and": logical("And"),
  "aten::logical_or": logical("Or"),
  "aten::where": where,
  "aten::masked_fill": maskedFill,
  "aten::to": cast,
  "aten::_to_copy": cast,
  "aten::type_as": cast,
};
