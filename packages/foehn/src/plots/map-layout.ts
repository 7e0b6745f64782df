// Puts map panels, colour bars, title and caption on a page: beside each other with bars below for compact regions, under each other with
// bars at the right for wide ones (global maps), so that neither wastes paper. Knows nothing of forecasts.
import type { Grid } from "../grid/grid.js";
import { coastlineDefinition, coastlinePath } from "./coastlines.js";
import { colourBar, horizontalBarHeight, missingKey, verticalBarWidth } from "./colour-bar.js";
import { createFigure, type Figure } from "./figure.js";
import { latitudeLabelWidth, longitudeLabelHeight, mapPanel } from "./map-panel.js";
import { mapAspect, mapView } from "./map-view.js";
import type { ColourScale } from "./palettes.js";
import { document, group, ink, text } from "./svg.js";
import { fitText, textWidth, wrapText } from "./text-width.js";

export interface PanelSpec {
  readonly heading: string;
  /** (ny, nx), row-major; NaN is drawn grey. */
  readonly values: ArrayLike<number>;
  readonly scale: ColourScale;
  /** Text beside the colour bar; consecutive panels with the same scale object share one bar. */
  readonly barLabel: string;
}

export interface MapPage {
  readonly grid: Grid;
  readonly panels: readonly PanelSpec[];
  readonly title: string;
  readonly subtitle: string;
  readonly caption: string;
  /** False for fields of a planet without these shores (synthetic data). Default true. */
  readonly coastlines?: boolean | undefined;
  /** Width in cells of the frame that is not forecast; drawn paler. Default 0. */
  readonly borderSize?: number | undefined;
}

const margin = 18;
const titleHeight = 58;
const headingHeight = 22;
const gap = 22;
const minPitch = 118;

/** Draws the page. Coastlines are projected once for all panels. */
export function mapPage(page: MapPage): Figure {
  const stacked = page.panels.length > 1 && mapAspect(page.grid) > 1.75;
  return stacked ? stackedPage(page) : rowPage(page);
}

interface Bar {
  readonly first: number;
  readonly last: number;
  readonly spec: PanelSpec;
}

function barsOf(panels: readonly PanelSpec[]): Bar[] {
  const bars: Bar[] = [];
  panels.forEach((spec, i) => {
    const previous = bars[bars.length - 1];
    if (previous && previous.spec.scale === spec.scale) bars[bars.length - 1] = { ...previous, last: i };
    else bars.push({ first: i, last: i, spec });
  });
  return bars;
}

function rowPage(page: MapPage): Figure {
  const { grid, panels, borderSize } = page;
  const aspect = mapAspect(grid);
  // Panels of about equal area whatever the shape of the region, within what a page holds.
  let panelWidth = Math.min(
    panels.length === 1 ? 560 : 420,
    Math.max(190, Math.sqrt(aspect * (panels.length === 1 ? 150_000 : 85_000))),
  );
  if (panelWidth / aspect > 460) panelWidth = Math.max(20, 460 * aspect);
  const view = mapView(grid, Math.round(panelWidth));
  const coast = page.coastlines === false ? "" : coastlinePath(view);
  const left = margin + latitudeLabelWidth;
  // Slim panels stand as far apart as their headings need.
  const pitch = Math.max(view.width + gap, minPitch);
  const content = (panels.length - 1) * pitch + view.width;
  // A slim map still needs room for its title.
  const width = Math.max(left + content + margin, 400);
  const shift = (width - (left + content + margin)) / 2;
  const top = titleHeight + headingHeight;
  const barTop = top + view.height + longitudeLabelHeight + 12;
  const parts: string[] = [coastlineDefinition(coast)];
  panels.forEach((spec, i) => {
    const panel = mapPanel({ view, grid, coast: coast !== "", borderSize, ...spec, latitudeLabels: i === 0 });
    parts.push(group(left + shift + i * pitch, top, panel));
  });
  barsOf(panels).forEach(({ first, last, spec }, i) => {
    const span = (last - first) * pitch + view.width;
    const length = Math.min(span, 520);
    const x = left + shift + first * pitch + (span - length) / 2;
    const { scale, barLabel: label } = spec;
    parts.push(group(x, barTop, colourBar({ scale, length, label, orientation: "horizontal", id: `bar${i}` })));
  });
  return finish(page, parts, width, barTop + horizontalBarHeight + 12);
}

function stackedPage(page: MapPage): Figure {
  const { grid, panels, borderSize } = page;
  const view = mapView(grid, 600);
  const coast = page.coastlines === false ? "" : coastlinePath(view);
  const left = margin + latitudeLabelWidth;
  const top = titleHeight + headingHeight;
  const pitch = view.height + headingHeight + 12;
  const parts: string[] = [coastlineDefinition(coast)];
  panels.forEach((spec, i) => {
    const longitudeLabels = i === panels.length - 1;
    const panel = mapPanel({
      view,
      grid,
      coast: coast !== "",
      borderSize,
      ...spec,
      latitudeLabels: true,
      longitudeLabels,
    });
    parts.push(group(left, top + i * pitch, panel));
  });
  let barWidth = 0;
  barsOf(panels).forEach(({ first, last, spec }, i) => {
    const span = (last - first) * pitch + view.height;
    const length = Math.min(span, 420);
    const y = top + first * pitch + (span - length) / 2;
    const { scale, barLabel: label } = spec;
    parts.push(
      group(left + view.width + 16, y, colourBar({ scale, length, label, orientation: "vertical", id: `bar${i}` })),
    );
    barWidth = Math.max(barWidth, verticalBarWidth(scale, length));
  });
  const bottom = top + (panels.length - 1) * pitch + view.height + longitudeLabelHeight + 8;
  return finish(page, parts, left + view.width + 16 + barWidth + margin, bottom);
}

function finish(page: MapPage, parts: string[], width: number, bottom: number): Figure {
  const inner = width - 2 * margin;
  const missing = page.panels.some((panel) => Array.prototype.some.call(panel.values, Number.isNaN));
  const keyWidth = missing ? textWidth("no data", 11) + 30 : 0;
  const lines = wrapText(page.caption, 12, inner - keyWidth);
  lines.forEach((line, i) => {
    parts.push(text(margin, bottom + 14 + i * 16, line, { size: 12 }));
  });
  if (missing) parts.push(missingKey(width - margin, bottom + 14));
  const height = Math.ceil(bottom + Math.max(lines.length, missing ? 1 : 0) * 16 + 10);
  const title = text(margin, 27, fitText(page.title, 16, inner, true), { size: 16, bold: true });
  const subtitle = text(margin, 46, fitText(page.subtitle, 12, inner), { size: 12, colour: ink.muted });
  return createFigure(
    document(Math.ceil(width), height, page.title, title, subtitle, ...parts),
    Math.ceil(width),
    height,
  );
}
