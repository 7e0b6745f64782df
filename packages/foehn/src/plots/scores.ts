// Figures of forecast quality: a metric by lead time against persistence, one panel per variable. The table has the shape that
// `foehn score --json` prints; how the numbers come about is not decided here.
import * as Plot from "@observablehq/plot";
import { createFigure, type Figure } from "./figure.js";
import { legend, legendExtraHeight } from "./legend.js";
import { plotPanel, series } from "./plot-panel.js";
import { document, group, ink, text } from "./svg.js";
import { fitText } from "./text-width.js";
import { formatTicks, niceTicks, prettyUnits } from "./ticks.js";

export type Metric = "rmse" | "mae" | "bias" | "acc";

/** Metric → variable → one value per lead. */
export type MetricTable = Readonly<Partial<Record<Metric, Readonly<Record<string, readonly number[]>>>>>;

/** Scores by variable and lead, as `foehn score --json` prints them. */
export interface ScoreTableData {
  readonly variables: readonly string[];
  /** Hours after the initial time, ascending. */
  readonly lead_hours: readonly number[];
  readonly n_dates?: number | undefined;
  /** Units by variable. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  readonly model: MetricTable;
  readonly persistence?: MetricTable | undefined;
}

export interface ScoreFigureOptions {
  readonly metric?: Metric | undefined;
  /** Which variables, in this order; all of the table by default. */
  readonly variables?: readonly string[] | undefined;
  /** Units by variable instead of the table's own. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  readonly longNames?: Readonly<Record<string, string>> | undefined;
  readonly title?: string | undefined;
  /** Name of the model in the key. */
  readonly modelName?: string | undefined;
}

export const metricNames: Readonly<Record<Metric, string>> = {
  rmse: "RMSE",
  mae: "Mean absolute error",
  bias: "Bias",
  acc: "Anomaly correlation",
};

interface Point {
  readonly lead: number;
  readonly value: number;
}

const margin = 18;
const headingHeight = 20;

/**
 * Draws a metric by lead time, one panel per variable. RMSE and MAE axes start at zero, bias shows its zero line, ACC ends at one.
 * @throws RangeError when the table has no such metric or no variables
 */
export function drawScoreByLead(table: ScoreTableData, options: ScoreFigureOptions = {}): Figure {
  return drawScoreComparison([{ name: options.modelName ?? "model", table }], options);
}

/** One of several forecasters in a figure. */
export interface ScoredModel {
  readonly name: string;
  readonly table: ScoreTableData;
}

/**
 * Draws a metric of several models by lead time, one panel per variable, with the persistence of the first that has it. A variable or
 * lead that a model does not have leaves a gap in its curve.
 * @throws RangeError when a model has no such metric, or there are no variables
 */
export function drawScoreComparison(models: readonly ScoredModel[], options: ScoreFigureOptions = {}): Figure {
  const metric = options.metric ?? "rmse";
  const variables = options.variables ?? [...new Set(models.flatMap(({ table }) => table.variables))];
  const without = models.find(({ table }) => !table.model[metric]);
  if (without || variables.length === 0 || models.length === 0) {
    const of = without && models.length > 1 ? ` of ${without.name}` : "";
    throw new RangeError(`the score table${of} has no ${metric} to draw`);
  }
  const units = Object.assign({}, ...models.map(({ table }) => table.units ?? {}).reverse()) as Record<string, string>;
  const curves: Curve[] = models.map(({ name, table }, i) => ({
    name,
    leads: table.lead_hours,
    values: table.model[metric]!,
    colour: modelColours[i % modelColours.length]!,
    isReference: false,
  }));
  const compared = models.find(({ table }) => table.persistence?.[metric]);
  if (compared) {
    const { lead_hours: leads, persistence } = compared.table;
    const look = { name: "persistence", colour: series.grey, isReference: true };
    curves.push({ leads, values: persistence![metric]!, ...look });
  }
  const layout = panelLayout(variables.length);
  const width = 2 * margin + layout.columns * layout.width + (layout.columns - 1) * 16;
  const entries = curves.map(({ name, colour, isReference }) => ({ name, colour, dashed: isReference, dot: true }));
  const parts: string[] = [];
  let top = 74 + legendExtraHeight(entries, width - 2 * margin);
  variables.forEach((variable, i) => {
    const column = i % layout.columns;
    if (i > 0 && column === 0) top += layout.height + headingHeight + 12;
    const x = margin + column * (layout.width + 16);
    const heading = headingOf(variable, metric, { ...options, units: options.units ?? units });
    parts.push(text(x + 4, top + 12, fitText(heading, 12.5, layout.width - 8, true), { size: 12.5, bold: true }));
    parts.push(group(x, top + headingHeight, scorePanel(curves, metric, variable, layout)));
  });
  const counts = new Set(models.map(({ table }) => table.n_dates));
  const [count] = counts;
  const dates = counts.size > 1 || count === undefined ? "" : `, ${count} forecast${count === 1 ? "" : "s"}`;
  const title = fitText(options.title ?? `${metricNames[metric]} by lead time${dates}`, 16, width - 2 * margin, true);
  const height = top + headingHeight + layout.height + 12;
  const svg = document(
    width,
    height,
    title,
    text(margin, 27, title, { size: 16, bold: true }),
    group(margin, 52, legend(entries, width - 2 * margin)),
    ...parts,
  );
  return createFigure(svg, width, height);
}

/** One line in every panel. */
interface Curve {
  readonly name: string;
  readonly leads: readonly number[];
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly colour: string;
  /** Drawn dashed and below the others. */
  readonly isReference: boolean;
}

/** Okabe–Ito, the most different ones first. */
const modelColours = [series.blue, series.vermilion, series.green, "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/** Sizes of panels on a page: one is wide, twenty are small; between 1 and 4 columns, rows as needed. */
export function panelLayout(count: number): {
  readonly columns: number;
  readonly width: number;
  readonly height: number;
} {
  if (count === 1) return { columns: 1, width: 560, height: 300 };
  if (count === 2) return { columns: 2, width: 400, height: 260 };
  if (count === 4) return { columns: 2, width: 400, height: 220 };
  if (count <= 9) return { columns: 3, width: 290, height: 200 };
  return { columns: 4, width: 235, height: 160 };
}

function headingOf(variable: string, metric: Metric, options: ScoreFigureOptions): string {
  const longName = options.longNames?.[variable];
  const units = metric === "acc" ? "" : prettyUnits(options.units?.[variable] ?? "");
  const name = longName === undefined || longName === variable ? variable : `${variable}: ${longName}`;
  return units === "" ? name : `${name}, ${units}`;
}

function scorePanel(
  curves: readonly Curve[],
  metric: Metric,
  variable: string,
  layout: { width: number; height: number },
): string {
  // References lie below.
  const lines = [...curves]
    .sort((a, b) => Number(b.isReference) - Number(a.isReference))
    .map((curve) => ({ ...curve, points: pointsOf(curve.leads, curve.values[variable]) }));
  const allLeads = [...new Set(lines.flatMap((line) => line.leads))].sort((a, b) => a - b);
  const leads = leadAxis(allLeads, layout.width);
  const y = valueAxis(
    metric,
    lines.flatMap((line) => line.points.map((p) => p.value)),
    layout.height,
  );
  const dots = allLeads.length <= 24;
  const channels = { x: "lead", y: "value" } as const;
  return plotPanel({
    width: layout.width,
    height: layout.height,
    marginLeft: 12 + 6.2 * Math.max(...y.labels.map((label) => label.length)),
    marginRight: 14,
    marginTop: 8,
    marginBottom: 38,
    x: { domain: leads.domain, ticks: leads.ticks, tickFormat: (t: number) => String(t), label: null },
    y: { domain: y.domain, ticks: y.ticks, tickFormat: (_: number, i: number) => y.labels[i] ?? "", label: null },
    marks: [
      Plot.gridY(y.ticks, { stroke: ink.grid, strokeOpacity: 1 }),
      Plot.ruleY([metric === "acc" ? Math.max(0, y.domain[0]) : 0], { stroke: ink.frame, strokeWidth: 0.8 }),
      ...lines.map(({ points, colour, isReference }) =>
        Plot.line(points, {
          ...channels,
          stroke: colour,
          strokeWidth: isReference ? 1.8 : 2.2,
          ...(isReference && { strokeDasharray: "5,3" }),
        }),
      ),
      ...(dots
        ? lines.map(({ points, colour, isReference }) =>
            Plot.dot(points, { ...channels, fill: colour, r: isReference ? 2.2 : 2.8 }),
          )
        : []),
      Plot.axisX(leads.ticks, {
        label: "lead time (h)",
        labelAnchor: "center",
        labelArrow: "none",
        tickFormat: (t: number) => String(t),
      }),
    ],
  });
}

function pointsOf(leads: readonly number[], values: readonly number[] | undefined): Point[] {
  // JSON has no NaN: a score that could not be computed arrives as null and leaves a gap.
  return values ? leads.map((lead, i) => ({ lead, value: values[i] ?? Number.NaN })) : [];
}

const hourSteps = [1, 2, 3, 6, 12, 24, 48, 72, 96, 120, 240, 480];

/** Ticks at hours that divide a day; a single lead stands in the middle. */
function leadAxis(
  leads: readonly number[],
  width: number,
): { readonly domain: readonly [number, number]; readonly ticks: number[] } {
  const last = leads[leads.length - 1] ?? 0;
  if (leads.length < 2) return { domain: [last - 1, last + 1], ticks: [last] };
  const fitting = hourSteps.filter((s) => (last / s) * 34 <= width - 60);
  // Ticks under the points where that is possible.
  const step = fitting.find((s) => leads.every((lead) => lead % s === 0)) ?? fitting[0] ?? last;
  const ticks: number[] = [];
  for (let t = 0; t <= last + 1e-9; t += step) ticks.push(t);
  return { domain: [0, last], ticks };
}

function valueAxis(metric: Metric, values: readonly number[], height: number) {
  const finite = values.filter(Number.isFinite);
  let low = Math.min(0, ...finite);
  let high = Math.max(0, ...finite);
  if (metric === "acc") {
    high = 1;
    // Correlations near one are compared by their distance from it.
    low = Math.max(-1, Math.min(...finite, 1));
  }
  if (!(high > low)) [low, high] = metric === "acc" ? [0, 1] : [0, 1];
  const count = Math.max(3, Math.floor(height / 48));
  const ticks = niceTicks(low, high, count);
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : high - low;
  // The axis ends on ticks, so that the curves have air and the labels say where it ends.
  const domain: [number, number] = [
    Math.floor(low / step + 1e-9) * step,
    metric === "acc" ? 1 : Math.ceil(high / step - 1e-9) * step,
  ];
  const all = niceTicks(domain[0], domain[1], Math.round((domain[1] - domain[0]) / step));
  return { domain, ticks: all, labels: formatTicks(all) };
}
