// The score card: variables down, lead times across, the score in every cell, its colour the comparison with persistence
// (blue better, red worse). Without persistence the colour shows growth along the row.
import { colourBar, horizontalBarHeight } from "./colour-bar.js";
import { createFigure, type Figure } from "./figure.js";
import { type ColourScale, colourScale, lutIndex } from "./palettes.js";
import { type Metric, metricNames, type ScoreFigureOptions, type ScoreTableData } from "./scores.js";
import { document, el, group, ink, text } from "./svg.js";
import { fitText, textWidth } from "./text-width.js";
import { formatColumn, withUnits } from "./ticks.js";

const margin = 18;
const rowHeight = 26;
const top = 84;
const cellFont = 11;

/** Draws the table. @throws RangeError when it has no such metric or no variables */
export function drawScoreCard(table: ScoreTableData, options: ScoreFigureOptions = {}): Figure {
  const metric = options.metric ?? "rmse";
  const variables = options.variables ?? table.variables;
  const leads = table.lead_hours;
  const units = options.units ?? table.units ?? {};
  const values = table.model[metric];
  if (!values || variables.length === 0 || leads.length === 0) {
    throw new RangeError(`the score table has no ${metric} to draw`);
  }
  const rows = variables.map((variable) => {
    const scores = leads.map((_, i) => values[variable]?.[i] ?? Number.NaN);
    const reference = table.persistence?.[metric];
    return {
      label: withUnits(variable, metric === "acc" ? "" : (units[variable] ?? "")),
      values: scores,
      texts: formatColumn(scores, 3, metric === "acc" ? 3 : undefined),
      reference: reference && leads.map((_, i) => reference[variable]?.[i] ?? Number.NaN),
    };
  });
  const colours = colouring(metric, rows);
  const labelWidth = Math.min(230, Math.max(50, ...rows.map((row) => textWidth(row.label, 12)))) + 10;
  const widest = Math.max(...rows.flatMap((row) => row.texts.map((label) => textWidth(label, cellFont)))) + 8;
  const roomPerCell = 900 / leads.length;
  // Numbers that do not fit are left out rather than drawn too small to read; the colours still tell.
  const numbers = widest <= roomPerCell;
  const cellWidth = numbers ? Math.max(widest, Math.min(54, roomPerCell)) : Math.max(9, roomPerCell);
  const left = margin + labelWidth;
  const width = Math.ceil(Math.max(left + cellWidth * leads.length + margin, 420));
  const parts: string[] = [...leadLabels(leads, left, cellWidth)];
  rows.forEach((row, i) => {
    const y = top + i * rowHeight;
    parts.push(text(left - 10, y + 17, fitText(row.label, 12, labelWidth - 10), { size: 12, anchor: "end" }));
    row.values.forEach((_, j) => {
      const fill = colours.fill(i, j);
      parts.push(
        el("rect", { x: left + j * cellWidth, y, width: cellWidth - 1, height: rowHeight - 1, fill: cssColour(fill) }),
      );
      if (!numbers) return;
      const style = { size: cellFont, anchor: "middle", colour: readableOn(fill) } as const;
      parts.push(text(left + (j + 0.5) * cellWidth - 0.5, y + 17, row.texts[j] ?? "", style));
    });
  });
  const bottom = top + rows.length * rowHeight + 16;
  const length = Math.min(320, width - left - margin);
  const bar = { scale: colours.scale, length, label: colours.label, orientation: "horizontal", id: "skill" } as const;
  parts.push(group(left, bottom, colourBar(bar)));
  const dates = table.n_dates === undefined ? "" : `, ${table.n_dates} forecast${table.n_dates === 1 ? "" : "s"}`;
  const model = options.modelName === undefined ? "" : ` of ${options.modelName}`;
  const title = fitText(options.title ?? `${metricNames[metric]}${model}${dates}`, 16, width - 2 * margin, true);
  const height = bottom + horizontalBarHeight + 12;
  const heading = text(margin, 27, title, { size: 16, bold: true });
  const axis = text(left, 52, "lead time (h)", { size: 12, colour: ink.muted });
  return createFigure(document(width, height, title, heading, axis, ...parts), width, height);
}

interface Row {
  readonly values: readonly number[];
  readonly reference: readonly number[] | undefined;
}

type Rgb = readonly [number, number, number];

interface Colouring {
  readonly scale: ColourScale;
  readonly label: string;
  fill(row: number, column: number): Rgb;
}

const missing: Rgb = [225, 228, 232];

function colouring(metric: Metric, rows: readonly Row[]): Colouring {
  const compared = rows.some((row) => row.reference) && metric !== "bias";
  const relative = rows.map((row) =>
    row.values.map((value, j) => relativeValue(metric, row, value, row.reference?.[j], compared)),
  );
  const largest = Math.max(...relative.flat().map((v) => (Number.isFinite(v) ? Math.abs(v) : 0)), 0);
  let scale: ColourScale;
  let label: string;
  if (compared && metric === "acc") {
    const limit = Math.min(1, Math.max(0.2, largest));
    scale = reversed(colourScale("RdBu", -limit, limit));
    label = "ACC minus that of persistence";
  } else if (compared) {
    // At least ±50 % keeps cards comparable; more than twice the error of persistence needs no stronger red.
    const limit = Math.min(100, Math.max(50, largest));
    scale = colourScale("RdBu", -limit, limit);
    label = `${metricNames[metric]} against persistence (%)`;
  } else if (metric === "bias") {
    scale = colourScale("RdBu", -1, 1);
    label = "bias relative to the row's largest";
  } else {
    scale = colourScale("YlGnBu", 0, 1);
    label = "relative to the row's largest";
  }
  return {
    scale,
    label,
    fill(row, column) {
      const index = lutIndex(scale, relative[row]?.[column] ?? Number.NaN);
      if (index < 0) return missing;
      return [scale.lut[3 * index]!, scale.lut[3 * index + 1]!, scale.lut[3 * index + 2]!];
    },
  };
}

function relativeValue(
  metric: Metric,
  row: Row,
  value: number,
  reference: number | undefined,
  compared: boolean,
): number {
  if (!Number.isFinite(value)) return Number.NaN;
  if (compared) {
    if (reference === undefined || !Number.isFinite(reference)) return Number.NaN;
    if (metric === "acc") return value - reference;
    // A perfect persistence (constant weather) cannot be beaten: equal is neutral, anything else is worse.
    return reference > 0 ? 100 * (value / reference - 1) : value > 0 ? 100 : 0;
  }
  const largest = Math.max(...row.values.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
  return largest > 0 ? value / largest : 0;
}

/** Higher correlations are better: blue must stay on the good side. */
function reversed(scale: ColourScale): ColourScale {
  const lut = new Uint8Array(scale.lut.length);
  for (let i = 0; i < lut.length; i += 3) lut.set(scale.lut.subarray(i, i + 3), lut.length - 3 - i);
  return { ...scale, lut };
}

function leadLabels(leads: readonly number[], left: number, cellWidth: number): string[] {
  const widest = Math.max(...leads.map((lead) => textWidth(String(lead), cellFont))) + 6;
  const every = Math.ceil(widest / cellWidth);
  return leads.flatMap((lead, j) => {
    // Count from the last lead, which readers look for first.
    if ((leads.length - 1 - j) % every !== 0) return [];
    return [text(left + (j + 0.5) * cellWidth, top - 8, String(lead), { size: cellFont, anchor: "middle" })];
  });
}

function cssColour([r, g, b]: Rgb): string {
  return `rgb(${r},${g},${b})`;
}

function readableOn([r, g, b]: Rgb): string {
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? ink.text : "#ffffff";
}
