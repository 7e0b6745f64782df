// Figures of ensembles from their scores: spread beside the error of the mean by lead time, and rank histograms. One panel per variable.
// How the numbers come about is not decided here (scores/ensemble/).
import * as Plot from "@observablehq/plot";
import type { EnsembleTable } from "../scores/ensemble/table.js";
import { createFigure, type Figure } from "./figure.js";
import { legend, legendExtraHeight } from "./legend.js";
import { plotPanel, series } from "./plot-panel.js";
import { panelLayout } from "./scores.js";
import { document, group, ink, text } from "./svg.js";
import { fitText } from "./text-width.js";
import { formatTicks, niceTicks, prettyUnits } from "./ticks.js";

/** What to draw. */
export interface EnsembleFigureOptions {
  /** Default: the first of the table. */
  readonly region?: string | undefined;
  /** Default: all. */
  readonly variables?: readonly string[] | undefined;
  /** For rank histograms, hours: the nearest lead of the table; default the last. */
  readonly leadHours?: number | undefined;
  readonly title?: string | undefined;
}

const margin = 18;
const headingHeight = 20;

type Layout = ReturnType<typeof panelLayout>;

/**
 * Spread (corrected for the number of members), RMSE of the ensemble mean and RMSE of the control by lead time. A reliable ensemble has
 * spread and error on one line.
 * @throws RangeError for a region or variable that the table does not have
 */
export function drawSpreadSkill(table: EnsembleTable, options: EnsembleFigureOptions = {}): Figure {
  const region = regionOf(table, options);
  const correction = Math.sqrt((table.members + 1) / table.members);
  const entries = [
    { name: "RMSE of the mean", colour: series.blue, dot: true },
    { name: "spread", colour: series.vermilion, dot: true },
    { name: "RMSE of the control", colour: series.grey, dashed: true },
  ];
  return page(
    table,
    options,
    entries,
    options.title ?? `Spread and error, ${prettyRegion(region)}, ${counts(table)}`,
    (name, layout) => {
      const scores = table.scores[region]![name]!;
      const curves = [
        { values: scores.rmse_control, colour: series.grey, dashed: true },
        { values: scores.rmse, colour: series.blue, dashed: false },
        { values: scores.spread.map((value) => value * correction), colour: series.vermilion, dashed: false },
      ];
      const y = fromZero(
        curves.flatMap(({ values }) => values),
        layout.height,
      );
      const leads = table.lead_hours;
      return plotPanel({
        ...sizes(layout, y.labels),
        x: { domain: [leads[0]!, Math.max(leads.at(-1)!, leads[0]! + 1)], label: null },
        y: { domain: y.domain, ticks: y.ticks, tickFormat: (_: number, i: number) => y.labels[i] ?? "", label: null },
        marks: [
          Plot.gridY(y.ticks, { stroke: ink.grid, strokeOpacity: 1 }),
          Plot.ruleY([0], { stroke: ink.frame, strokeWidth: 0.8 }),
          ...curves.flatMap(({ values, colour, dashed }) => {
            const points = leads.map((lead, i) => ({ lead, value: values[i]! }));
            const channels = { x: "lead", y: "value" } as const;
            return [
              Plot.line(points, {
                ...channels,
                stroke: colour,
                strokeWidth: dashed ? 1.6 : 2.2,
                ...(dashed && { strokeDasharray: "5,3" }),
              }),
              ...(leads.length <= 24 && !dashed
                ? [
                    Plot.dot(
                      points.filter((p) => Number.isFinite(p.value)),
                      { ...channels, fill: colour, r: 2.6 },
                    ),
                  ]
                : []),
            ];
          }),
          Plot.axisX(leadTicks(leads, layout.width), {
            label: "lead time (h)",
            labelAnchor: "center",
            labelArrow: "none",
            tickFormat: (t: number) => String(t),
          }),
        ],
      });
    },
  );
}

/**
 * How often the truth falls below all members, between two of them, above all: flat for a reliable ensemble (the line), a U for too little
 * spread, a hill for too much.
 * @throws RangeError for a region or variable that the table does not have
 */
export function drawRankHistogram(table: EnsembleTable, options: EnsembleFigureOptions = {}): Figure {
  const region = regionOf(table, options);
  const wanted = options.leadHours ?? table.lead_hours.at(-1)!;
  const distance = (i: number) => Math.abs(table.lead_hours[i]! - wanted);
  const lead = [...table.lead_hours.keys()].reduce((best, i) => (distance(i) < distance(best) ? i : best), 0);
  const flat = 1 / (table.members + 1);
  const entries = [{ name: "reliable", colour: series.vermilion, dashed: true }];
  const title =
    options.title ?? `Rank of the truth at +${table.lead_hours[lead]} h, ${prettyRegion(region)}, ${counts(table)}`;
  return page(
    table,
    options,
    entries,
    title,
    (name, layout) => {
      const shares = table.scores[region]![name]!.rank_histogram[lead]!;
      const y = fromZero([...shares, 2 * flat], layout.height);
      const bars = shares.map((share, rank) => ({ from: rank - 0.45, to: rank + 0.45, share }));
      const last = table.members;
      const step = Math.max(1, Math.ceil((last + 1) / Math.floor(layout.width / 28)));
      const ticks = Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step);
      return plotPanel({
        ...sizes(layout, y.labels),
        x: { domain: [-0.7, last + 0.7], label: null },
        y: { domain: y.domain, ticks: y.ticks, tickFormat: (_: number, i: number) => y.labels[i] ?? "", label: null },
        marks: [
          Plot.gridY(y.ticks, { stroke: ink.grid, strokeOpacity: 1 }),
          Plot.rect(bars, { x1: "from", x2: "to", y1: 0, y2: "share", fill: series.blue }),
          Plot.ruleY([0], { stroke: ink.frame, strokeWidth: 0.8 }),
          Plot.ruleY([flat], { stroke: series.vermilion, strokeWidth: 1.8, strokeDasharray: "5,3" }),
          Plot.axisX(ticks, {
            label: "members below the truth",
            labelAnchor: "center",
            labelArrow: "none",
            tickFormat: (t: number) => String(t),
          }),
        ],
      });
    },
    false,
  );
}

function page(
  table: EnsembleTable,
  options: EnsembleFigureOptions,
  entries: Parameters<typeof legend>[0],
  wantedTitle: string,
  panel: (variable: string, layout: Layout) => string,
  withUnits = true,
): Figure {
  const variables = options.variables ?? table.variables;
  const unknown = variables.find((name) => !table.variables.includes(name));
  if (unknown !== undefined || variables.length === 0)
    throw new RangeError(`the scores have no variable "${unknown ?? ""}"`);
  const layout = panelLayout(variables.length);
  const width = 2 * margin + layout.columns * layout.width + (layout.columns - 1) * 16;
  let top = 74 + legendExtraHeight(entries, width - 2 * margin);
  const parts: string[] = [];
  for (const [i, name] of variables.entries()) {
    const column = i % layout.columns;
    if (i > 0 && column === 0) top += layout.height + headingHeight + 12;
    const x = margin + column * (layout.width + 16);
    const units = withUnits ? prettyUnits(table.units[name] ?? "") : "share";
    const heading = fitText(units === "" ? name : `${name}, ${units}`, 12.5, layout.width - 8, true);
    parts.push(text(x + 4, top + 12, heading, { size: 12.5, bold: true }));
    parts.push(group(x, top + headingHeight, panel(name, layout)));
  }
  const title = fitText(wantedTitle, 16, width - 2 * margin, true);
  const height = top + headingHeight + layout.height + 12;
  const head = text(margin, 27, title, { size: 16, bold: true });
  const key = group(margin, 52, legend(entries, width - 2 * margin));
  return createFigure(document(width, height, title, head, key, ...parts), width, height);
}

function regionOf(table: EnsembleTable, { region = table.regions[0] }: EnsembleFigureOptions): string {
  if (region !== undefined && table.scores[region]) return region;
  throw new RangeError(`the scores have no region "${region}"; they have ${table.regions.join(", ")}`);
}

const prettyRegion = (name: string): string => name.replaceAll("_", " ");

const counts = ({ members, n_dates }: EnsembleTable): string =>
  `${members} members, ${n_dates} forecast${n_dates === 1 ? "" : "s"}`;

const sizes = (layout: Layout, labels: readonly string[]) => ({
  width: layout.width,
  height: layout.height,
  marginLeft: 12 + 6.2 * Math.max(...labels.map((label) => label.length)),
  marginRight: 14,
  marginTop: 8,
  marginBottom: 38,
});

function fromZero(values: readonly number[], height: number) {
  const high = Math.max(0, ...values.filter(Number.isFinite)) || 1;
  const rough = niceTicks(0, high, Math.max(3, Math.floor(height / 48)));
  const step = rough.length > 1 ? rough[1]! - rough[0]! : high;
  const domain: [number, number] = [0, Math.ceil(high / step - 1e-9) * step];
  const ticks = niceTicks(0, domain[1], Math.round(domain[1] / step));
  return { domain, ticks, labels: formatTicks(ticks) };
}

function leadTicks(leads: readonly number[], width: number): number[] {
  const last = leads.at(-1)!;
  const step = [1, 2, 3, 6, 12, 24, 48, 72, 96, 120, 240, 480].find((s) => (last / s) * 34 <= width - 60) ?? last;
  return step > 0 ? Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step) : [last];
}
