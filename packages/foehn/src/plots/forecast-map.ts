// The figure that shows whether a forecast looks like weather: forecast, truth and error beside each other, with the numbers of the error.
// Also the single map of a mean error over many forecasts. Values stay in the units they came in.
import { formatTimeShort } from "../core/time.js";
import { areaWeights } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";
import type { Figure } from "./figure.js";
import { mapPage, type PanelSpec } from "./map-layout.js";
import { type ColourScale, colourScale, errorScale, fieldScale, finiteRange } from "./palettes.js";
import { formatNumber, prettyUnits, withUnits } from "./ticks.js";

export interface ForecastMapData {
  readonly grid: Grid;
  /** (ny, nx), row-major, physical units; NaN = missing. */
  readonly forecast: Float32Array;
  /** The analysis at the valid time; without it only the forecast is drawn. */
  readonly truth?: Float32Array | undefined;
  /** Short name; chooses the colours. */
  readonly variable: string;
  readonly longName?: string | undefined;
  readonly units: string;
  /** Epoch seconds UTC. */
  readonly validTime: number;
  readonly leadHours: number;
}

export interface ForecastMapOptions {
  /** Shared range of forecast and truth instead of their own; keeps the frames of an animation comparable. */
  readonly scale?: ColourScale | undefined;
  readonly errorScale?: ColourScale | undefined;
  /** Leave the error panel away. */
  readonly error?: boolean | undefined;
  /** Words after the title, e.g. the model's name. */
  readonly model?: string | undefined;
  /** False where the data are not of this Earth. Default true. */
  readonly coastlines?: boolean | undefined;
  /** Width in cells of the frame that is given, not forecast; drawn paler. Default 0. */
  readonly borderSize?: number | undefined;
}

/** Area-weighted error numbers over the cells where both fields have values; NaN when there are none. */
export interface ErrorSummary {
  readonly rmse: number;
  readonly bias: number;
  readonly largest: number;
}

/** Draws forecast, truth and forecast − truth with coastlines. @throws RangeError when a field does not fit the grid */
export function drawForecastMap(data: ForecastMapData, options: ForecastMapOptions = {}): Figure {
  const { grid, forecast, truth, variable, units } = data;
  checkShape(grid, forecast, "forecast");
  if (truth) checkShape(grid, truth, "truth");
  const name = quantityName(data);
  const barLabel = withUnits(capitalise(data.longName ?? variable), units);
  const scale = options.scale ?? fieldScale(variable, forecast, ...(truth ? [truth] : []));
  const panels: PanelSpec[] = [{ heading: "Forecast", values: forecast, scale, barLabel }];
  let caption = rangeCaption("Forecast", forecast, units);
  if (truth) {
    panels.push({ heading: "Truth", values: truth, scale, barLabel });
    if (options.error !== false) {
      const error = forecast.map((value, i) => value - truth[i]!);
      panels.push({
        heading: "Forecast − truth",
        values: error,
        scale: options.errorScale ?? errorScale(error),
        barLabel: withUnits("Error", units),
      });
    }
    caption = errorCaption(summariseError(grid, forecast, truth, options.borderSize), units);
  }
  const model = options.model === undefined ? "" : `, ${options.model}`;
  return mapPage({
    grid,
    panels,
    title: `${capitalise(name)}${model}: ${formatLead(data.leadHours)} forecast`,
    subtitle: `valid ${formatTimeShort(data.validTime)} UTC  ·  initialised ${formatTimeShort(data.validTime - data.leadHours * 3600)} UTC`,
    caption,
    coastlines: options.coastlines,
    borderSize: options.borderSize,
  });
}

export interface ErrorMapData {
  readonly grid: Grid;
  /** (ny, nx): an error statistic at every point, physical units. */
  readonly error: Float32Array;
  readonly kind: "rmse" | "mae" | "bias" | "loss";
  readonly variable: string;
  readonly longName?: string | undefined;
  readonly units: string;
  readonly leadHours?: number | undefined;
  /** Number of forecasts behind the statistic. */
  readonly dates?: number | undefined;
  /** Instead of the words about the number of forecasts. */
  readonly subtitle?: string | undefined;
  /** False where the data are not of this Earth. Default true. */
  readonly coastlines?: boolean | undefined;
  /** Width in cells of the frame that is given, not forecast; drawn paler. Default 0. */
  readonly borderSize?: number | undefined;
}

const statisticNames = { rmse: "RMSE", mae: "Mean absolute error", bias: "Bias", loss: "Weighted loss" } as const;

/** Draws where on the map forecasts go wrong: sequential colours from zero for RMSE and MAE, symmetric ones for bias. */
export function drawErrorMap(data: ErrorMapData): Figure {
  const { grid, error, kind, units } = data;
  checkShape(grid, error, "error");
  const [, max] = finiteRange(error);
  const scale = kind === "bias" ? errorScale(error) : colourScale("YlGnBu", 0, max > 0 ? max : 1);
  const statistic = statisticNames[kind];
  const heading = data.leadHours === undefined ? "All leads" : `Lead ${formatLead(data.leadHours)}`;
  return mapPage({
    grid,
    panels: [{ heading, values: error, scale, barLabel: withUnits(statistic, units) }],
    title: `${statistic} of ${quantityName(data)}`,
    subtitle:
      data.subtitle ?? (data.dates === undefined ? "" : `over ${data.dates} forecast${data.dates === 1 ? "" : "s"}`),
    caption: rangeCaption(statistic, error, units),
    coastlines: data.coastlines,
    borderSize: data.borderSize,
  });
}

/** RMSE, bias and largest absolute error, each cell weighted by its area, without the frame of `border` cells. */
export function summariseError(grid: Grid, forecast: Float32Array, truth: Float32Array, border = 0): ErrorSummary {
  const weights = areaWeights(grid);
  const [ny, nx] = grid.shape;
  let sum = 0;
  let squares = 0;
  let total = 0;
  let largest = 0;
  for (let i = border; i < ny - border; i++) {
    const weight = weights[i]!;
    for (let j = border; j < nx - border; j++) {
      const error = forecast[i * nx + j]! - truth[i * nx + j]!;
      if (!Number.isFinite(error)) continue;
      sum += weight * error;
      squares += weight * error * error;
      total += weight;
      largest = Math.max(largest, Math.abs(error));
    }
  }
  if (total === 0) return { rmse: Number.NaN, bias: Number.NaN, largest: Number.NaN };
  return { rmse: Math.sqrt(squares / total), bias: sum / total, largest };
}

/** `6 h`, `10 d 6 h` stays `246 h`: leads are read in hours. */
export function formatLead(hours: number): string {
  return `+${Number(hours.toFixed(2))} h`;
}

function errorCaption({ rmse, bias, largest }: ErrorSummary, units: string): string {
  if (Number.isNaN(rmse)) return "Forecast and truth have no point in common.";
  const unit = unitSuffix(units);
  // Rounding noise of a sum over the grid is not a bias.
  const rounded = Math.abs(bias) < 1e-4 * rmse ? 0 : bias;
  const signed = rounded > 0 ? `+${formatNumber(rounded)}` : formatNumber(rounded);
  return `Area-weighted RMSE ${formatNumber(rmse)}${unit}, bias ${signed}${unit}; largest error ${formatNumber(largest)}${unit}.`;
}

function rangeCaption(what: string, values: Float32Array, units: string): string {
  const [min, max] = finiteRange(values);
  if (Number.isNaN(min)) return `${what} has no data.`;
  if (min === max) return `${what} is ${formatNumber(min, 4)}${unitSuffix(units)} everywhere.`;
  return `${what} from ${formatNumber(min, 4)} to ${formatNumber(max, 4)}${unitSuffix(units)}.`;
}

function unitSuffix(units: string): string {
  const pretty = prettyUnits(units);
  return pretty === "" ? "" : ` ${pretty}`;
}

function quantityName({
  variable,
  longName,
}: {
  readonly variable: string;
  readonly longName?: string | undefined;
}): string {
  return longName === undefined || longName === "" || longName === variable ? variable : `${longName} (${variable})`;
}

function capitalise(words: string): string {
  // A short name such as `t2m` keeps its spelling.
  return words.includes(" ") ? words.charAt(0).toUpperCase() + words.slice(1) : words;
}

function checkShape(grid: Grid, values: Float32Array, what: string): void {
  const [ny, nx] = grid.shape;
  if (values.length !== ny * nx)
    throw new RangeError(`${what} has ${values.length} values, the grid ${ny}×${nx} = ${ny * nx}`);
}
