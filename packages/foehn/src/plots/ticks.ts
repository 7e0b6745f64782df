// Round tick values and the labels that go with them: steps of 1, 2, 2.5 or 5 times a power of ten, one number of decimals per axis,
// a true minus sign, units with superscript exponents. Used by colour bars, graticules and tables; Plot draws its own axes.

/** Ticks inside [min, max], about `count` of them (at least one for a finite range). */
export function niceTicks(min: number, max: number, count = 5): number[] {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [];
  if (!(max > min)) return [min];
  const step = niceStep((max - min) / Math.max(1, count));
  const ticks: number[] = [];
  // A little slack: a range computed in float32 must not lose its own end tick.
  const slack = step * 1e-6;
  for (let i = Math.ceil((min - slack) / step); i * step <= max + slack; i++) ticks.push(cleanMultiple(i, step));
  return ticks.length > 0 ? ticks : [cleanMultiple(Math.round((min + max) / 2 / step), step)];
}

/** The smallest of 1, 2, 2.5, 5 × 10ⁿ that is not below `rough`. */
export function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const fraction = rough / power;
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => fraction <= candidate * (1 + 1e-9)) ?? 10;
  return factor * power;
}

function cleanMultiple(i: number, step: number): number {
  // i * 0.1 gives 0.30000000000000004; twelve digits are more than any field carries.
  const value = Number((i * step).toPrecision(12));
  return value === 0 ? 0 : value;
}

/** Labels with the fewest decimals that tell all ticks apart; scientific notation for very large or very small values. */
export function formatTicks(ticks: readonly number[]): string[] {
  const largest = Math.max(0, ...ticks.map(Math.abs));
  // What matters is the distance between ticks, not their size: 876607.2860 and 876607.2865 must not look the same.
  const spacing = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) : largest;
  const isExtreme = largest >= 1e6 || (largest !== 0 && largest < 1e-3);
  if (isExtreme && spacing >= largest * 1e-3) return ticks.map(formatScientific);
  let decimals = 0;
  while (decimals < 12 && ticks.some((t) => Math.abs(Number(t.toFixed(decimals)) - t) > spacing * 1e-4)) decimals++;
  return ticks.map((t) => withMinus(t.toFixed(decimals)));
}

/** A number for a caption or a table cell: `digits` significant digits, a true minus sign, "–" for missing. */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  if (magnitude >= 6 || magnitude < -4) return formatScientific(Number(value.toPrecision(digits)));
  return withMinus(value.toFixed(Math.max(0, digits - 1 - magnitude)));
}

/** Numbers of one row or column with the same number of decimals: `digits` significant digits for the largest, or `decimals` if given. */
export function formatColumn(values: readonly number[], digits = 3, decimals?: number): string[] {
  const largest = Math.max(0, ...values.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
  if (largest >= 1e6 || (largest > 0 && largest < 1e-3)) return values.map((value) => formatNumber(value, digits));
  const places = decimals ?? (largest === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(largest))));
  return values.map((value) => (Number.isFinite(value) ? withMinus(value.toFixed(places)) : "–"));
}

function formatScientific(value: number): string {
  if (value === 0) return "0";
  const [mantissa = "", exponent = "0"] = value.toExponential().split("e");
  const short = String(Number(Number(mantissa).toPrecision(4)));
  return withMinus(`${short}×10${superscript(String(Number(exponent)))}`);
}

function withMinus(label: string): string {
  return label.replace(/^-/, "−");
}

const superscriptDigits: Readonly<Record<string, string>> = {
  "-": "⁻",
  "0": "⁰",
  "1": "¹",
  "2": "²",
  "3": "³",
  "4": "⁴",
  "5": "⁵",
  "6": "⁶",
  "7": "⁷",
  "8": "⁸",
  "9": "⁹",
};

function superscript(digits: string): string {
  return [...digits].map((d) => superscriptDigits[d] ?? d).join("");
}

/** CF and ECMWF units for print: `m s-1` and `m s**-1` become `m s⁻¹`; a dimensionless `1` becomes empty. */
export function prettyUnits(units: string): string {
  if (units === "1" || units === "~" || units === "(0 - 1)" || units === "") return "";
  return units
    .replace(/\*\*/g, "")
    .replace(/([A-Za-z])\^?(-?\d+)/g, (_, letter: string, exponent: string) => letter + superscript(exponent));
}

/** `name (units)`, or the name alone for dimensionless quantities. */
export function withUnits(name: string, units: string): string {
  const pretty = prettyUnits(units);
  return pretty === "" ? name : `${name} (${pretty})`;
}
