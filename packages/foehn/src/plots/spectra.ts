// Power spectra of forecasts beside the truth, both axes logarithmic, long waves on the left: one panel per variable. A forecast whose
// curve falls off early is smoother than the weather.
import * as Plot from "@observablehq/plot";
import { createFigure, type Figure } from "./figure.js";
import { type LegendEntry, legend } from "./legend.js";
import { plotPanel, series } from "./plot-panel.js";
import { panelLayout } from "./scores.js";
import { document, group, ink, text } from "./svg.js";
import { fitText } from "./text-width.js";
import { prettyUnits } from "./ticks.js";

/** Spectra of one variable. */
export interface FeatureSpectra {
  readonly name: string;
  readonly units: string;
  readonly leads: readonly {
    readonly hours: number;
    /** Density at each wavelength, units² · km. */
    readonly prediction: readonly number[];
    readonly truth: readonly number[];
  }[];
}

export interface SpectraData {
  /** Kilometres, descending. */
  readonly wavelengths: readonly number[];
  readonly features: readonly FeatureSpectra[];
}

export interface SpectraOptions {
  readonly title?: string | undefined;
  readonly subtitle?: string | undefined;
}

const margin = 18;
const headingHeight = 20;
const leadColours = [series.blue, series.green, series.vermilion, "#cc79a7", "#e69f00", "#56b4e9"];

/** Draws the panels. The truth is that of the last lead (its spectrum hardly changes with time). @throws RangeError without variables */
export function drawSpectra(data: SpectraData, options: SpectraOptions = {}): Figure {
  const { features } = data;
  const [first] = features;
  if (first === undefined) throw new RangeError("there is no spectrum to draw");
  const layout = panelLayout(features.length);
  const width = Math.max(420, 2 * margin + layout.columns * layout.width + (layout.columns - 1) * 16);
  const title = fitText(options.title ?? "Power spectra", 16, width - 2 * margin, true);
  const entries: LegendEntry[] = [
    { name: "truth", colour: ink.text, thickness: 2.4 },
    ...first.leads.map(({ hours }, i) => ({
      name: `+${Number(hours.toFixed(2))} h`,
      colour: colourOf(i),
      thickness: 2,
    })),
  ];
  const parts: string[] = [];
  let top = 88;
  features.forEach((feature, i) => {
    const column = i % layout.columns;
    if (i > 0 && column === 0) top += layout.height + headingHeight + 12;
    const x = margin + column * (layout.width + 16);
    const unit = densityUnits(feature.units);
    const heading = fitText(`${feature.name}, ${unit}`, 12.5, layout.width - 8, true);
    parts.push(text(x + 4, top + 12, heading, { size: 12.5, bold: true }));
    parts.push(group(x, top + headingHeight, panel(data.wavelengths, feature, layout)));
  });
  const height = top + headingHeight + layout.height + 12;
  const svg = document(
    width,
    height,
    title,
    text(margin, 27, title, { size: 16, bold: true }),
    text(margin, 46, fitText(options.subtitle ?? "", 12, width - 2 * margin), { size: 12, colour: ink.muted }),
    group(margin, 70, legend(entries)),
    ...parts,
  );
  return createFigure(svg, width, height);
}

const colourOf = (i: number): string => leadColours[i % leadColours.length]!;

/** `K` → `K² km`; a product is put in brackets: `(m s⁻¹)² km`. */
function densityUnits(units: string): string {
  const pretty = prettyUnits(units);
  if (pretty === "") return "km";
  return /^[A-Za-z%°]+$/.test(pretty) ? `${pretty}² km` : `(${pretty})² km`;
}

/** Both as log₁₀: Plot's own logarithmic axes hide labels that were asked for. */
interface Point {
  readonly wavelength: number;
  readonly value: number;
}

function panel(
  wavelengths: readonly number[],
  feature: FeatureSpectra,
  layout: { readonly width: number; readonly height: number },
): string {
  // A ring without power has no logarithm: the curve has a gap there.
  const points = (values: readonly number[]): Point[] =>
    wavelengths.map((wavelength, i) => ({
      wavelength: Math.log10(wavelength),
      value: values[i]! > 0 ? Math.log10(values[i]!) : Number.NaN,
    }));
  const last = feature.leads.at(-1)!;
  const curves = feature.leads.map(({ prediction }) => points(prediction));
  const truth = points(last.truth);
  const values = [...truth, ...curves.flat()].map((p) => p.value).filter(Number.isFinite);
  const y = decadeAxis(values, layout.height);
  const [long, short] = [wavelengths[0]!, wavelengths.at(-1)!];
  const xTicks = wavelengthTicks(short, long, layout.width).map(Math.log10);
  const domain =
    long > short ? [Math.log10(long), Math.log10(short)] : [Math.log10(long * 1.5), Math.log10(long / 1.5)];
  const channels = { x: "wavelength", y: "value" } as const;
  return plotPanel({
    width: layout.width,
    height: layout.height,
    marginLeft: 40,
    marginRight: 14,
    marginTop: 8,
    marginBottom: 38,
    x: { domain, axis: null },
    y: { domain: y.domain, axis: null },
    marks: [
      Plot.gridY(y.ticks, { stroke: ink.grid, strokeOpacity: 1 }),
      Plot.gridX(xTicks, { stroke: ink.grid, strokeOpacity: 0.6 }),
      Plot.line(truth, { ...channels, stroke: ink.text, strokeWidth: 2.6 }),
      ...curves.map((curve, i) => Plot.line(curve, { ...channels, stroke: colourOf(i), strokeWidth: 1.6 })),
      ...(wavelengths.length === 1
        ? curves.map((curve, i) => Plot.dot(curve, { ...channels, fill: colourOf(i) }))
        : []),
      Plot.axisY(y.ticks, { label: null, tickFormat: powerOfTen }),
      Plot.axisX(xTicks, {
        label: "wavelength (km)",
        labelAnchor: "center",
        labelArrow: "none",
        tickFormat: (t: number) => String(Number((10 ** t).toPrecision(2))),
      }),
    ],
  });
}

/** Whole powers of ten (as exponents), thinned to what the height has room for. */
function decadeAxis(exponents: readonly number[], height: number) {
  if (exponents.length === 0) return { domain: [-1, 1] as const, ticks: [0] };
  const from = Math.floor(exponents.reduce((a, b) => Math.min(a, b)));
  const to = Math.max(from + 1, Math.ceil(exponents.reduce((a, b) => Math.max(a, b)) - 1e-9));
  const every = Math.ceil((to - from) / Math.max(1, Math.floor((height - 46) / 22)));
  const ticks: number[] = [];
  for (let power = from; power <= to; power += every) ticks.push(power);
  return { domain: [from, to] as const, ticks };
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function powerOfTen(power: number): string {
  const digits = [...String(Math.abs(power))].map((digit) => superscripts[Number(digit)]).join("");
  return `10${power < 0 ? "⁻" : ""}${digits}`;
}

/** 1, 2 and 5 times powers of ten, or powers alone where the labels would touch. */
function wavelengthTicks(short: number, long: number, width: number): number[] {
  const within = (factors: readonly number[]) => {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(short)); power <= Math.ceil(Math.log10(long)); power++) {
      for (const factor of factors) {
        const tick = Number((factor * 10 ** power).toPrecision(2));
        if (tick >= short * 0.999 && tick <= long * 1.001) ticks.push(tick);
      }
    }
    return ticks;
  };
  const room = Math.floor((width - 54) / 38);
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = within(factors);
    if (ticks.length > 0 && ticks.length <= room) return ticks;
  }
  return [Number(long.toPrecision(2)), Number(short.toPrecision(2))];
}
