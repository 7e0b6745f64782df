// A key: short strokes with their names, on one line while there is room. Used above line charts.
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

const lineHeight = 18;
const widthOf = (entry: LegendEntry): number => stroke + 6 + textWidth(entry.name, fontSize) + 20;

/** Height of the lines after the first. */
export function legendExtraHeight(entries: readonly LegendEntry[], maxWidth: number): number {
  return Math.max(0, ...places(entries, maxWidth).map(({ y }) => y));
}

function places(entries: readonly LegendEntry[], maxWidth: number): { readonly x: number; readonly y: number }[] {
  let [x, y] = [0, 0];
  return entries.map((entry) => {
    const width = widthOf(entry);
    if (x > 0 && x + width - 20 > maxWidth) [x, y] = [0, y + lineHeight];
    const place = { x, y };
    x += width;
    return place;
  });
}

/** The key with the baseline of its first line at y = 0. */
export function legend(entries: readonly LegendEntry[], maxWidth = Number.POSITIVE_INFINITY): string {
  const parts: string[] = [];
  for (const [i, { x, y }] of places(entries, maxWidth).entries()) {
    const entry = entries[i]!;
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
    parts.push(group(x, y, line, dot, text(stroke + 6, 0, entry.name, { size: fontSize })));
  }
  return parts.join("");
}
