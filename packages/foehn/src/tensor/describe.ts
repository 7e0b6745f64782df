// The printed form of a NamedTensor: names, shape and a table of features with their range. Reads every value once.

import * as torch from "@foehn/torch";
import type { NamedTensor } from "./named-tensor.js";

/** Dimension names, shape and one line per feature with minimum and maximum; features with NaN say how many. */
export function describeNamedTensor(nt: NamedTensor): string {
  const rows = torch.scope(() => torch.noGrad(() => nt.featureNames.map((name) => featureRow(nt, name))));
  const anyNan = rows.some((row) => row[3] !== "0");
  const header = ["Feature name", "Min", "Max", ...(anyNan ? ["NaN"] : [])];
  return [
    `NamedTensor (${nt.names.join(", ")}) of shape (${nt.shape.join(", ")}), ${nt.dtype} on ${nt.device}`,
    outline(
      header,
      rows.map((row) => row.slice(0, header.length)),
    ),
  ].join("\n");
}

function featureRow(nt: NamedTensor, name: string): string[] {
  const values = nt.feature(name).double().reshape([-1]);
  const missing = values.isnan();
  const numNan = missing.sum().item();
  if (values.numel() === numNan) return [name, "-", "-", String(numNan)];
  const min = values.maskedFill(missing, Number.POSITIVE_INFINITY).min().item();
  const max = values.maskedFill(missing, Number.NEGATIVE_INFINITY).max().item();
  return [name, number(min), number(max), String(numNan)];
}

const number = (value: number): string => String(Number(value.toPrecision(6)));

/** A table with a thin outline: the first column left-aligned, the others right-aligned. */
export function outline(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
  const bar = (left: string, middle: string, right: string) =>
    left + widths.map((w) => "─".repeat(w + 2)).join(middle) + right;
  const line = (cells: readonly string[]) =>
    `│${cells.map((cell, c) => ` ${c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)} `).join("│")}│`;
  return [bar("┌", "┬", "┐"), line(header), bar("├", "┼", "┤"), ...rows.map(line), bar("└", "┴", "┘")].join("\n");
}
