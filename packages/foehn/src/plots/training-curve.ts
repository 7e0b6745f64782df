// The figure of a training run: loss by step or epoch for training and validation, and the learning rate below it.
// Reads the records of `metrics.jsonl` (one line per step, one per epoch); a run that just began or had one epoch is drawn as well.
import * as Plot from "@observablehq/plot";
import { createFigure, type Figure } from "./figure.js";
import { type LegendEntry, legend } from "./legend.js";
import { plotPanel, series } from "./plot-panel.js";
import { document, group, ink, text } from "./svg.js";
import { fitText } from "./text-width.js";
import { formatNumber, formatTicks, niceTicks } from "./ticks.js";

/** A line of `metrics.jsonl`. Unknown fields, and lines of other kinds, are ignored. */
export interface TrainingRecord {
  readonly kind: "step" | "epoch" | "scalars";
  readonly step: number;
  readonly epoch: number;
  readonly train_loss?: number | null | undefined;
  readonly val_loss?: number | null | undefined;
  /** Learning rate. */
  readonly lr?: number | null | undefined;
  /** Wall time of the step or epoch. */
  readonly seconds?: number | undefined;
}

export interface TrainingCurveOptions {
  readonly title?: string | undefined;
  /** Logarithmic loss axis; by default when the losses span more than a factor of eight. */
  readonly log?: boolean | undefined;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

const width = 720;
const margin = 18;

/** Draws loss and learning rate of a run. An empty history gives an empty figure that says so. */
export function drawTrainingCurve(history: readonly TrainingRecord[], options: TrainingCurveOptions = {}): Figure {
  const steps = history.filter((record) => record.kind === "step");
  const epochs = history.filter((record) => record.kind === "epoch");
  const byStep = steps.length > 0;
  const xOf = (record: TrainingRecord) => (byStep ? record.step : record.epoch);
  const trainSteps = points(steps, xOf, (r) => r.train_loss);
  const trainEpochs = points(epochs, xOf, (r) => r.train_loss);
  const validation = points(epochs, xOf, (r) => r.val_loss);
  const rates = points(byStep ? steps : epochs, xOf, (r) => r.lr);
  const title = options.title ?? "Training";
  const all = [...trainSteps, ...trainEpochs, ...validation];
  if (all.length === 0) {
    const note = text(margin, 60, "No losses were recorded.", { colour: ink.muted });
    return createFigure(document(width, 90, title, text(margin, 27, title, { size: 16, bold: true }), note), width, 90);
  }
  const x = xAxis(
    [...all, ...rates].map((p) => p.x),
    byStep,
  );
  const best = validation.reduce<Point | undefined>(
    (low, p) => (low === undefined || p.y < low.y ? p : low),
    undefined,
  );
  const withRates = rates.length > 0;
  const lossHeight = 300;
  const rateHeight = 110;
  const entries: LegendEntry[] = [];
  if (trainSteps.length > 0) entries.push({ name: "training, each step", colour: series.paleBlue, thickness: 1.4 });
  if (trainEpochs.length > 0) entries.push({ name: "training, epoch mean", colour: series.blue, dot: true });
  if (validation.length > 0) entries.push({ name: "validation", colour: series.vermilion, dot: true });
  const subtitle = best
    ? `lowest validation loss ${formatNumber(best.y, 4)} at ${byStep ? "step" : "epoch"} ${best.x}`
    : "";
  const parts = [
    text(margin, 27, fitText(title, 16, width - 2 * margin, true), { size: 16, bold: true }),
    text(margin, 46, subtitle, { colour: ink.muted }),
    group(margin, 72, legend(entries)),
    text(margin + 4, 97, "loss", { size: 12.5, bold: true }),
    group(
      margin,
      101,
      lossPanel({ trainSteps, trainEpochs, validation, best }, x, options.log, lossHeight, !withRates),
    ),
  ];
  if (withRates) {
    parts.push(text(margin + 4, 101 + lossHeight + 12, "learning rate", { size: 12.5, bold: true }));
    parts.push(group(margin, 101 + lossHeight + 16, ratePanel(rates, x, rateHeight)));
  }
  const height = 101 + lossHeight + (withRates ? 16 + rateHeight : 0) + 12;
  return createFigure(document(width, height, title, ...parts), width, height);
}

function points(
  records: readonly TrainingRecord[],
  x: (r: TrainingRecord) => number,
  y: (r: TrainingRecord) => number | null | undefined,
): Point[] {
  // A non-finite loss stops a run; the curve simply ends there.
  return records
    .map((r) => ({ x: x(r), y: y(r) ?? Number.NaN }))
    .filter((p) => Number.isFinite(p.y) && Number.isFinite(p.x));
}

interface Axis {
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly label: string;
}

function xAxis(values: readonly number[], byStep: boolean): Axis {
  let low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const label = byStep ? "optimiser step" : "epoch";
  if (low === high) return { domain: [low - 1, high + 1], ticks: [low], label };
  if (byStep) low = Math.min(low, 0);
  // Half an epoch does not exist.
  const ticks = niceTicks(low, high, 9).filter(Number.isInteger);
  return { domain: [low, high], ticks, label };
}

interface Losses {
  readonly trainSteps: readonly Point[];
  readonly trainEpochs: readonly Point[];
  readonly validation: readonly Point[];
  readonly best: Point | undefined;
}

function lossPanel(losses: Losses, x: Axis, log: boolean | undefined, height: number, last: boolean): string {
  const { trainSteps, trainEpochs, validation, best } = losses;
  const values = [...trainSteps, ...trainEpochs, ...validation].map((p) => p.y);
  const min = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const max = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const logarithmic = min > 0 && (log ?? max / min > 8);
  const y = logarithmic ? logAxis(min, max) : linearAxis(min, max, 6);
  const channels = { x: "x", y: "y" } as const;
  const dots = Math.max(trainEpochs.length, validation.length) <= 40;
  return plotPanel({
    ...frame(height, last),
    x: { domain: x.domain, axis: null },
    y: { type: logarithmic ? "log" : "linear", domain: y.domain, axis: null },
    marks: [
      Plot.gridY(y.ticks, { stroke: ink.grid, strokeOpacity: 1 }),
      Plot.gridX(x.ticks, { stroke: ink.grid, strokeOpacity: 0.6 }),
      Plot.line(thin(trainSteps), { ...channels, stroke: series.paleBlue, strokeWidth: 1.2 }),
      Plot.line(trainEpochs, { ...channels, stroke: series.blue, strokeWidth: 2 }),
      Plot.line(validation, { ...channels, stroke: series.vermilion, strokeWidth: 2 }),
      ...(dots
        ? [
            Plot.dot(trainEpochs, { ...channels, fill: series.blue, r: 2.6 }),
            Plot.dot(validation, { ...channels, fill: series.vermilion, r: 2.6 }),
          ]
        : []),
      ...(best ? [Plot.dot([best], { ...channels, stroke: series.vermilion, strokeWidth: 1.6, r: 6 })] : []),
      ...axes(x, y, last),
    ],
  });
}

function ratePanel(rates: readonly Point[], x: Axis, height: number): string {
  const max = rates.reduce((a, p) => Math.max(a, p.y), 0);
  const y = linearAxis(0, max > 0 ? max : 1, 2);
  return plotPanel({
    ...frame(height, true),
    x: { domain: x.domain, axis: null },
    y: { domain: y.domain, axis: null },
    marks: [
      Plot.gridY(y.ticks, { stroke: ink.grid, strokeOpacity: 1 }),
      Plot.gridX(x.ticks, { stroke: ink.grid, strokeOpacity: 0.6 }),
      Plot.line(thin(rates), { x: "x", y: "y", stroke: series.green, strokeWidth: 1.8 }),
      ...(rates.length === 1 ? [Plot.dot(rates, { x: "x", y: "y", fill: series.green, r: 2.6 })] : []),
      ...axes(x, y, true),
    ],
  });
}

/** The same margins above and below, so that steps stand under each other. */
function frame(height: number, last: boolean) {
  return {
    width: width - 2 * margin,
    height,
    marginLeft: 62,
    marginRight: 14,
    marginTop: 8,
    marginBottom: last ? 38 : 12,
  };
}

interface ValueAxis {
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly labels: readonly string[];
}

function axes(x: Axis, y: ValueAxis, last: boolean) {
  const labels = new Map(y.ticks.map((tick, i) => [tick, y.labels[i] ?? ""]));
  const bottom = { labelAnchor: "center", labelArrow: "none", tickFormat: (t: number) => String(t) } as const;
  return [
    Plot.axisY(y.ticks, { label: null, tickFormat: (t: number) => labels.get(t) ?? "" }),
    ...(last ? [Plot.axisX(x.ticks, { ...bottom, label: x.label })] : []),
  ];
}

function linearAxis(min: number, max: number, count: number): ValueAxis {
  // Losses are sums of squares or magnitudes: zero is the goal and belongs on the axis.
  const ticks = niceTicks(Math.min(0, min), Math.max(0, max), count);
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : 1;
  const domain: [number, number] = [Math.min(0, Math.floor(min / step) * step), Math.ceil(max / step - 1e-9) * step];
  const all = niceTicks(domain[0], domain[1], Math.round((domain[1] - domain[0]) / step));
  return { domain, ticks: all, labels: formatTicks(all) };
}

function logAxis(min: number, max: number): ValueAxis {
  const decades = Math.log10(max / min);
  const factors = decades > 4 ? [1] : decades > 1.7 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const factor of factors) {
      const tick = Number((factor * 10 ** power).toPrecision(3));
      if (tick >= min / 1.1 && tick <= max * 1.1) ticks.push(tick);
    }
  }
  return { domain: [min / 1.1, max * 1.1], ticks, labels: ticks.map(formatLogTick) };
}

function formatLogTick(tick: number): string {
  return tick >= 1e-4 && tick < 1e6 ? String(tick) : formatNumber(tick, 1);
}

/** At most about 1500 vertices: the extremes of each bin, so that no spike is lost. */
function thin(line: readonly Point[]): readonly Point[] {
  const bins = 750;
  if (line.length <= 2 * bins) return line;
  const size = line.length / bins;
  const out: Point[] = [];
  for (let b = 0; b < bins; b++) {
    const bin = line.slice(Math.floor(b * size), Math.floor((b + 1) * size));
    const low = bin.reduce((a, p) => (p.y < a.y ? p : a));
    const high = bin.reduce((a, p) => (p.y > a.y ? p : a));
    out.push(...(low === high ? [low] : low.x < high.x ? [low, high] : [high, low]));
  }
  return out;
}
