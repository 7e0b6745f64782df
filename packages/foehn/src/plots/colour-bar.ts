// The key of a map: a gradient with round ticks and units, lying below panels or standing beside them.
import { type ColourScale, lutSize } from "./palettes.js";
import { el, group, ink, text } from "./svg.js";
import { textWidth } from "./text-width.js";
import { formatTicks, niceTicks } from "./ticks.js";

const thickness = 11;
const fontSize = 11;

export interface ColourBarOptions {
  readonly scale: ColourScale;
  /** Length of the gradient in SVG units. */
  readonly length: number;
  readonly label: string;
  readonly orientation: "horizontal" | "vertical";
  /** Unique within the figure: names the gradient. */
  readonly id: string;
}

/** Height of a horizontal bar with ticks and label. */
export const horizontalBarHeight = thickness + 34;

/** The bar with its top left corner at the origin. */
export function colourBar(options: ColourBarOptions): string {
  return options.orientation === "horizontal" ? horizontalBar(options) : verticalBar(options);
}

function horizontalBar({ scale, length, label, id }: ColourBarOptions): string {
  const ticks = ticksOf(scale, (labels) => Math.max(...labels.map((l) => textWidth(l, fontSize))) + 10, length);
  const parts = [gradient(id, scale, "horizontal"), swatch(id, length, thickness)];
  for (const { position, content } of ticks) {
    parts.push(el("line", { x1: position, x2: position, y1: thickness, y2: thickness + 4, stroke: ink.frame }));
    parts.push(text(position, thickness + 15, content, { size: fontSize, anchor: "middle" }));
  }
  parts.push(text(length / 2, thickness + 31, label, { size: fontSize + 1, anchor: "middle", colour: ink.muted }));
  return parts.join("");
}

function verticalBar({ scale, length, label, id }: ColourBarOptions): string {
  const ticks = ticksOf(scale, () => 24, length);
  const parts = [gradient(id, scale, "vertical"), swatch(id, thickness, length)];
  let widest = 0;
  for (const { position, content } of ticks) {
    const y = length - position;
    parts.push(el("line", { x1: thickness, x2: thickness + 4, y1: y, y2: y, stroke: ink.frame }));
    parts.push(text(thickness + 7, y + 4, content, { size: fontSize }));
    widest = Math.max(widest, textWidth(content, fontSize));
  }
  const turned = text(0, 0, label, { size: fontSize + 1, anchor: "middle", colour: ink.muted });
  parts.push(
    el("g", { transform: `translate(${thickness + 7 + Math.ceil(widest) + 16},${length / 2}) rotate(-90)` }, turned),
  );
  return parts.join("");
}

/** Width that a vertical bar needs, ticks and label included. */
export function verticalBarWidth(scale: ColourScale, length: number): number {
  const widths = ticksOf(scale, () => 24, length).map((tick) => textWidth(tick.content, fontSize));
  return thickness + 7 + Math.ceil(Math.max(0, ...widths)) + 22;
}

/** As many round ticks as fit without touching: `spaceFor` says how much room one label needs. */
function ticksOf(scale: ColourScale, spaceFor: (labels: readonly string[]) => number, length: number) {
  for (let count = 7; count >= 1; count--) {
    const values = niceTicks(scale.min, scale.max, count);
    const labels = formatTicks(values);
    const positions = values.map((value) => ((value - scale.min) / (scale.max - scale.min)) * length);
    const gap = Math.min(Number.POSITIVE_INFINITY, ...positions.slice(1).map((p, i) => p - positions[i]!));
    if (gap >= spaceFor(labels) || count === 1) {
      return positions.map((position, i) => ({ position, content: labels[i] ?? "" }));
    }
  }
  return [];
}

function swatch(id: string, width: number, height: number): string {
  return el("rect", { width, height, fill: `url(#${id})`, stroke: ink.frame, "stroke-width": 0.6 });
}

function gradient(id: string, scale: ColourScale, orientation: "horizontal" | "vertical"): string {
  const stops: string[] = [];
  const count = 32;
  for (let i = 0; i <= count; i++) {
    const at = Math.round((i / count) * (lutSize - 1)) * 3;
    const [r, g, b] = scale.lut.subarray(at, at + 3);
    stops.push(el("stop", { offset: i / count, "stop-color": `rgb(${r},${g},${b})` }));
  }
  const direction = orientation === "horizontal" ? { x1: 0, x2: 1, y1: 0, y2: 0 } : { x1: 0, x2: 0, y1: 1, y2: 0 };
  return el("defs", {}, el("linearGradient", { id, ...direction }, ...stops));
}

/** A small grey square with the words "no data", right-aligned at (x, baseline y). */
export function missingKey(x: number, y: number): string {
  const label = "no data";
  const width = textWidth(label, fontSize);
  return group(
    x - width - 15,
    y,
    el("rect", { y: -9, width: 10, height: 10, fill: ink.missing, stroke: ink.frame, "stroke-width": 0.5 }),
    text(15, 0, label, { size: fontSize, colour: ink.muted }),
  );
}
