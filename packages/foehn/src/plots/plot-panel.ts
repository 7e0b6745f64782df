// Observable Plot on the server: a chart as SVG text that goes into a larger figure. Plot needs a DOM, which jsdom gives; what resvg and
// print cannot use (style sheets, currentColor, class names, the system font) is taken out.
import * as Plot from "@observablehq/plot";
import { JSDOM } from "jsdom";
import { fontFamily, ink, round } from "./svg.js";

let dom: JSDOM | undefined;

/** Renders a plot without titles or legends (figures write those themselves) to an `<svg>` element that can be nested. */
export function plotPanel(options: Plot.PlotOptions): string {
  dom ??= new JSDOM("");
  const node = Plot.plot({ ...options, document: dom.window.document });
  for (const style of node.querySelectorAll("style")) style.remove();
  for (const element of [node, ...node.querySelectorAll("*")]) {
    for (const name of ["class", "style", "aria-label", "aria-description"]) element.removeAttribute(name);
    for (const { name, value } of [...element.attributes]) {
      if (value === "currentColor") element.setAttribute(name, ink.text);
      // Two decimals everywhere: smaller files, and goldens that do not depend on the last bit.
      else
        element.setAttribute(
          name,
          value.replace(/-?\d+\.\d{3,}/g, (n) => round(Number(n))),
        );
    }
  }
  node.setAttribute("font-family", fontFamily);
  node.setAttribute("font-size", String(panelFontSize));
  return new dom.window.XMLSerializer().serializeToString(node);
}

export const panelFontSize = 11;

/** Okabe–Ito colours: told apart with every common colour-vision deficiency and in grey print. */
export const series = {
  blue: "#0072b2",
  vermilion: "#d55e00",
  green: "#009e73",
  grey: "#6b7280",
  paleBlue: "#9ecae9",
} as const;
