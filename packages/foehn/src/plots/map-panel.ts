// One map: field, graticule, coastlines, frame, degree labels and a heading. Figures with maps are made of these.
import type { Grid } from "../grid/grid.js";
import { coastlineStrokes } from "./coastlines.js";
import { gridEdges, type MapView, xOf, yOf } from "./map-view.js";
import type { ColourScale } from "./palettes.js";
import { rasterImage } from "./raster.js";
import { el, ink, text } from "./svg.js";
import { textWidth } from "./text-width.js";
import { niceTicks } from "./ticks.js";

const fontSize = 11;

/** Room below a panel for the longitude labels, and to its left for the latitude labels. */
export const longitudeLabelHeight = 18;
export const latitudeLabelWidth = 36;

export interface MapPanelOptions {
  readonly view: MapView;
  readonly grid: Grid;
  /** (ny, nx), row-major. */
  readonly values: ArrayLike<number>;
  readonly scale: ColourScale;
  /** Draw the coastlines that the figure defines once for all its panels. */
  readonly coast: boolean;
  readonly heading: string;
  /** Degree labels on the left (the panels to the right share them). */
  readonly latitudeLabels: boolean;
  readonly longitudeLabels?: boolean;
  /** Width in cells of the frame where values are given, not forecast: it is drawn paler. Default 0. */
  readonly borderSize?: number | undefined;
}

/** The panel with the top left corner of its map at the origin; the heading stands above it. */
export function mapPanel(options: MapPanelOptions): string {
  const { view, grid, values, scale, coast, heading } = options;
  const { width, height } = view;
  return [
    text(0, -7, heading, { size: 12.5, bold: true }),
    el("rect", { width, height, fill: "#ffffff" }),
    rasterImage(view, grid, values, scale),
    paleBorder(view, grid, options.borderSize ?? 0),
    graticule(view, options.latitudeLabels, options.longitudeLabels ?? true),
    coast ? coastlineStrokes() : "",
    el("rect", { width, height, fill: "none", stroke: ink.frame, "stroke-width": 0.9 }),
  ].join("");
}

/** A veil over the frame of the domain, and a thin line where the forecast begins. A grid around the Earth has no frame. */
function paleBorder(view: MapView, grid: Grid, size: number): string {
  const [ny, nx] = grid.shape;
  if (size <= 0 || 2 * size >= Math.min(ny, nx) || grid.isGlobal) return "";
  const { rows, columns } = gridEdges(grid);
  const [left, right] = [xOf(view, columns[size]!), xOf(view, columns[nx - size]!)];
  const [top, bottom] = [yOf(view, rows[size]!), yOf(view, rows[ny - size]!)];
  const { width, height } = view;
  const n = (value: number) => Number(value.toFixed(2));
  const outer = `M0,0H${n(width)}V${n(height)}H0Z`;
  const inner = `M${n(left)},${n(top)}H${n(right)}V${n(bottom)}H${n(left)}Z`;
  return (
    el("path", { d: outer + inner, fill: "#ffffff", "fill-opacity": 0.45, "fill-rule": "evenodd" }) +
    el("path", { d: inner, fill: "none", stroke: ink.frame, "stroke-width": 0.7, "stroke-dasharray": "3,2" })
  );
}

function graticule(view: MapView, latitudeLabels: boolean, longitudeLabels: boolean): string {
  const parts: string[] = [];
  const line = { stroke: "#15181f", "stroke-opacity": 0.22, "stroke-width": 0.6 };
  const tick = { stroke: ink.frame, "stroke-width": 0.8 };
  for (const longitude of longitudeTicks(view)) {
    const x = xOf(view, longitude);
    parts.push(el("line", { x1: x, x2: x, y1: 0, y2: view.height, ...line }));
    if (!longitudeLabels) continue;
    parts.push(el("line", { x1: x, x2: x, y1: view.height, y2: view.height + 3.5, ...tick }));
    parts.push(text(x, view.height + 14, longitudeLabel(longitude), { size: fontSize, anchor: "middle" }));
  }
  for (const latitude of degreeTicks(view.south, view.north, Math.max(2, view.height / 60))) {
    const y = yOf(view, latitude);
    parts.push(el("line", { x1: 0, x2: view.width, y1: y, y2: y, ...line }));
    if (!latitudeLabels) continue;
    parts.push(el("line", { x1: -3.5, x2: 0, y1: y, y2: y, ...tick }));
    // A label at the very edge would stick out above the map into the heading.
    const baseline = Math.min(view.height, Math.max(8, y + 4));
    parts.push(text(-6, baseline, latitudeLabel(latitude), { size: fontSize, anchor: "end" }));
  }
  return parts.join("");
}

/** Ticks whose labels neither touch each other nor reach past the panel's sides into the neighbour's. */
function longitudeTicks(view: MapView): number[] {
  for (let count = Math.max(2, Math.floor(view.width / 55)); count >= 1; count--) {
    const ticks = degreeTicks(view.west, view.east, count).filter((longitude) => {
      const half = textWidth(longitudeLabel(longitude), fontSize) / 2;
      const x = xOf(view, longitude);
      return x - half >= -6 && x + half <= view.width + 6;
    });
    const gap = ticks.length > 1 ? ((ticks[1]! - ticks[0]!) / (view.east - view.west)) * view.width : view.width;
    if (gap >= textWidth(longitudeLabel(ticks[0] ?? 0), fontSize) + 14) return ticks;
  }
  return [];
}

/** Round degrees; the globe divides better by 30 and 45 than by 25 and 50. */
const degreeSteps = [0.1, 0.2, 0.25, 0.5, 1, 2, 4, 5, 10, 15, 20, 30, 45, 60, 90];

function degreeTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const step = rough < 0.1 ? undefined : degreeSteps.find((candidate) => rough <= candidate);
  if (step === undefined) return niceTicks(low, high, count);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i++) ticks.push(i * step);
  return ticks;
}

function latitudeLabel(latitude: number): string {
  return latitude === 0 ? "0°" : `${degrees(Math.abs(latitude))}°${latitude > 0 ? "N" : "S"}`;
}

function longitudeLabel(longitude: number): string {
  const within = ((((longitude + 180) % 360) + 360) % 360) - 180;
  if (within === 0) return "0°";
  if (within === -180) return "180°";
  return `${degrees(Math.abs(within))}°${within > 0 ? "E" : "W"}`;
}

function degrees(value: number): string {
  return String(Number(value.toFixed(4)));
}
