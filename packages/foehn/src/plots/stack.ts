// Several figures on one page: beside each other while they fit, then below. Each keeps its own size and titles.
import { createFigure, type Figure } from "./figure.js";
import { document, el } from "./svg.js";

/** Widest page in SVG units before a figure goes to the next row. */
const pageWidth = 1100;

/** Puts figures on one page in reading order. @throws RangeError without figures */
export function stackFigures(figures: readonly Figure[], label = "figures"): Figure {
  if (figures.length === 0) throw new RangeError("a page needs at least one figure");
  if (figures.length === 1) return figures[0]!;
  const parts: string[] = [];
  let [x, y, rowHeight, width] = [0, 0, 0, 0];
  for (const [i, figure] of figures.entries()) {
    if (x > 0 && x + figure.width > pageWidth) {
      y += rowHeight;
      [x, rowHeight] = [0, 0];
    }
    parts.push(nested(figure, x, y, i));
    x += figure.width;
    rowHeight = Math.max(rowHeight, figure.height);
    width = Math.max(width, x);
  }
  const height = y + rowHeight;
  return createFigure(document(width, height, label, ...parts), width, height);
}

/** The figure's document as an element; its ids get a number, so that no gradient is taken for another figure's. */
function nested(figure: Figure, x: number, y: number, i: number): string {
  const svg = figure.svg
    .replace(/ id="([^"]+)"/g, ` id="$1-${i}"`)
    .replace(/url\(#([^)]+)\)/g, `url(#$1-${i})`)
    .replace(/xlink:href="#([^"]+)"/g, `xlink:href="#$1-${i}"`);
  return el("g", { transform: `translate(${x},${y})` }, svg);
}
