// Tensors as text, in PyTorch's format: four digits, at most three items at each edge once there are more than a thousand.
import type { Tensor } from "./tensor.js";

const PRECISION = 4;
const THRESHOLD = 1000;
const EDGE = 3;

type Format = (value: number | bigint) => string;

/** One format for all elements, chosen as torch/_tensor_str.py does: whole, fixed or scientific. */
function formatFor(values: readonly (number | bigint)[], floating: boolean, bool: boolean): Format {
  let format: Format;
  if (bool) {
    format = (v) => (v ? "True" : "False");
  } else if (!floating) {
    format = (v) => v.toString();
  } else {
    const finite = (values as number[]).filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
    const max = finite.reduce((a, b) => Math.max(a, b), 0);
    const min = finite.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const whole = finite.every((v) => v === Math.ceil(v));
    const scientific = finite.length > 0 && (max / min > 1000 || max > 1e8 || (!whole && min < 1e-4));
    const number: (v: number) => string =
      finite.length > 0 && scientific
        ? (v) => v.toExponential(PRECISION).replace(/e([+-])(\d)$/, "e$10$2")
        : whole
          ? (v) => `${v.toFixed(0)}.`
          : (v) => v.toFixed(PRECISION);
    format = (v) => {
      const value = Number(v);
      if (Number.isNaN(value)) return "nan";
      if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
      return Object.is(value, -0) ? `-${number(0)}` : number(value);
    };
  }
  const width = values.reduce<number>((w, v) => Math.max(w, format(v).length), 0);
  return (v) => format(v).padStart(width);
}

/** Indices of a dimension to show: all, or the edges with a gap between. */
function shown(size: number, summarise: boolean): (number | "gap")[] {
  if (!summarise || size <= 2 * EDGE) return Array.from({ length: size }, (_, i) => i);
  return [
    ...Array.from({ length: EDGE }, (_, i) => i),
    "gap",
    ...Array.from({ length: EDGE }, (_, i) => size - EDGE + i),
  ];
}

export function formatTensor(tensor: Tensor): string {
  const { shape, dtype } = tensor;
  const suffix: string[] = [];
  if (tensor.device !== "cpu") suffix.push(`device='${tensor.device}'`);
  if (dtype !== "float32" && dtype !== "int64" && dtype !== "bool" && dtype !== "complex64")
    suffix.push(`dtype=torch.${dtype}`);
  if (tensor.requiresGrad) suffix.push("requires_grad=True");
  const tail = suffix.length > 0 ? `, ${suffix.join(", ")}` : "";
  if (tensor.layout !== "strided") return `tensor(<${tensor.layout}>, size=[${shape.join(", ")}]${tail})`;
  if (tensor.numel() === 0) return `tensor([]${shape.length === 1 ? "" : `, size=(${shape.join(", ")})`}${tail})`;

  const complex = dtype === "complex64" || dtype === "complex128";
  const flat = tensor.toTypedArray();
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
  const summarise = tensor.numel() > THRESHOLD;
  const positions: number[] = [];
  const collect = (dim: number, offset: number): void => {
    if (dim === shape.length) positions.push(offset);
    else
      for (const i of shown(shape[dim] as number, summarise))
        if (i !== "gap") collect(dim + 1, offset + i * (strides[dim] as number));
  };
  collect(0, 0);
  const floating = complex || dtype.startsWith("float") || dtype === "bfloat16";
  const parts = (at: number, part: number): number | bigint => flat[complex ? 2 * at + part : at] as number | bigint;
  const real = formatFor(
    positions.map((p) => parts(p, 0)),
    floating,
    dtype === "bool",
  );
  const imaginary = complex
    ? formatFor(
        positions.map((p) => Math.abs(Number(parts(p, 1)))),
        true,
        false,
      )
    : undefined;
  const element = (at: number): string =>
    imaginary === undefined
      ? real(parts(at, 0))
      : `${real(parts(at, 0))}${Number(parts(at, 1)) < 0 ? "-" : "+"}${imaginary(Math.abs(Number(parts(at, 1))))}j`;

  const build = (dim: number, offset: number, indent: number): string => {
    if (dim === shape.length) return element(offset);
    const items = shown(shape[dim] as number, summarise).map((i) =>
      i === "gap"
        ? dim === shape.length - 1
          ? " ..."
          : "..."
        : build(dim + 1, offset + i * (strides[dim] as number), indent + 1),
    );
    if (dim === shape.length - 1) return rows(items, indent);
    return `[${items.join(`,${"\n".repeat(shape.length - dim - 1)}${" ".repeat(indent + 1)}`)}]`;
  };
  return `tensor(${build(0, 0, 7)}${tail})`;
}

/** A row, broken where it would pass 80 columns. */
function rows(items: readonly string[], indent: number): string {
  const length = Math.max(...items.filter((i) => i !== " ...").map((i) => i.length));
  const perLine = Math.max(1, Math.floor((80 - indent) / (length + 2)));
  const lines: string[] = [];
  for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(", "));
  return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}
