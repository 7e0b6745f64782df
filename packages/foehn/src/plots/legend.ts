// A one-line key: short strokes with their names. Used above line charts.
import { el, group, text } from "./svg.js";
import { textWidth } from "./text-width.js";

export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly dot?: boolean;
  readonly thickness?: number;
}

const fontSize = 12;
const stroke = 22;

/** The key with the baseline of its text at y = 0. */
export function legend(entries: readonly LegendEntry[]): string {
  let x = 0;
  const parts: string[] = [];
  for (const entry of entries) {
    const line = el("line", {
      x1: 0,
      x2: stroke,
      y1: -4,
      y2: -4,
      stroke: entry.colour,
      "stroke-width": entry.thickness ?? 2,
      "stroke-dasharray": entry.dashed ? "5,3" : undefined,
    });
    const dot = entry.dot ? el("circle", { cx: stroke / 2, cy: -4, r: 2.6, fill: entry.colour }) : "";
    parts.push(group(x, 0, line, dot, text(stroke + 6, 0, entry.name, { size: fontSize })));
    x += stroke + 6 + textWidth(entry.name, fontSize) + 20;
  }
  return parts.join("");
}
