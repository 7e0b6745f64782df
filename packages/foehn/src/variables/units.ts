// Units of physical quantities: parsing the spellings that CF, ECMWF and NCEP files use, comparing and converting.
// Small on purpose: SI base units, the derived ones that weather data uses, products and integer powers. Not a udunits.
// Spellings: CF conventions §3.1 (`m s-1`), ECMWF (`m s**-1`), and `m/s`.

import { DataError } from "../core/errors.js";

/** Standard gravity, m s-2 (WMO): one geopotential metre is this many m2 s-2. */
export const standardGravity = 9.80665;

/** Powers of kg, m, s, K, mol and the angle in radians. */
type Dimension = readonly [kg: number, m: number, s: number, kelvin: number, mol: number, radian: number];

/** A parsed unit: a value in it, times `scale`, plus `offset`, is the value in SI base units. */
export interface Unit {
  readonly dimension: Dimension;
  readonly scale: number;
  readonly offset: number;
}

const none: Dimension = [0, 0, 0, 0, 0, 0];
const kilogram: Dimension = [1, 0, 0, 0, 0, 0];
const metre: Dimension = [0, 1, 0, 0, 0, 0];
const second: Dimension = [0, 0, 1, 0, 0, 0];
const kelvin: Dimension = [0, 0, 0, 1, 0, 0];
const mole: Dimension = [0, 0, 0, 0, 1, 0];
const angle: Dimension = [0, 0, 0, 0, 0, 1];
const pressure: Dimension = [1, -1, -2, 0, 0, 0];
const energy: Dimension = [1, 2, -2, 0, 0, 0];

const symbols = new Map<string, Unit>();

function define(names: string, dimension: Dimension, scale = 1, offset = 0): void {
  for (const name of names.split(" ")) symbols.set(name, { dimension, scale, offset });
}

define("1 fraction proportion ratio numeric dimensionless", none);
define("% percent", none, 0.01);
define("ppm", none, 1e-6);
define("ppb", none, 1e-9);
define("kg kilogram kilograms", kilogram);
define("g gram grams", kilogram, 1e-3);
define("mg", kilogram, 1e-6);
define("ug", kilogram, 1e-9);
define("m metre metres meter meters", metre);
define("km kilometre kilometres kilometer kilometers", metre, 1000);
define("dam", metre, 10);
define("cm", metre, 0.01);
define("mm millimetre millimetres millimeter millimeters", metre, 1e-3);
define("s sec second seconds", second);
define("min minute minutes", second, 60);
define("h hr hour hours", second, 3600);
define("d day days", second, 86400);
define("Hz", [0, 0, -1, 0, 0, 0]);
define("K kelvin Kelvin degK", kelvin);
define("degC °C celsius Celsius degree_C degrees_C degree_Celsius degrees_celsius degC_ C", kelvin, 1, 273.15);
define("degF degree_F fahrenheit", kelvin, 5 / 9, 459.67 * (5 / 9));
define("mol mole moles", mole);
define("rad radian radians", angle);
define("degree degrees deg ° degrees_true degree_true degrees_north degrees_east", angle, Math.PI / 180);
define("Pa pascal pascals", pressure);
define("hPa mbar mb millibar millibars hectopascal", pressure, 100);
define("kPa", pressure, 1000);
define("bar", pressure, 1e5);
define("J joule joules", energy);
define("kJ", energy, 1000);
define("W watt watts", [1, 2, -3, 0, 0, 0]);
define("N newton newtons", [1, 1, -2, 0, 0, 0]);
define("kt knot knots", [0, 1, -1, 0, 0, 0], 1852 / 3600);
define("gpm", [0, 2, -2, 0, 0, 0], standardGravity);
define("gpdam", [0, 2, -2, 0, 0, 0], standardGravity * 10);

/** Phrases that stand for a unit, as files write them. */
const phrases: readonly (readonly [RegExp, string])[] = [
  [/^\(\s*0\s*-\s*1\s*\)$|^~$|^-$|^$|^\(code table .*\)$|^none$|^unknown$/i, "1"],
  [/^degrees? true$/i, "degree"],
  [/\bof water( equivalent)?\b/i, ""],
  [/\bgeopotential (metre|meter)s?\b/i, "gpm"],
];

/** The factors of a unit text in the order written: `[["kg", 1], ["m", -2]]`; undefined when it is not a unit. */
function factorsOf(text: string): [symbol: string, power: number][] | undefined {
  let source = text.trim();
  for (const [pattern, replacement] of phrases) source = source.replace(pattern, replacement).trim();
  const factors: [string, number][] = [];
  let sign = 1;
  const token = /\s*(\/|\*(?!\*)|·|\.(?!\d))?\s*([A-Za-z%°_]+|1)(?:\s*(?:\*\*|\^)\s*\(?([+-]?\d+)\)?|([+-]?\d+))?\s*/y;
  let at = 0;
  while (at < source.length) {
    token.lastIndex = at;
    const match = token.exec(source);
    if (!match) return undefined;
    // A slash divides by the one factor that follows it, as in udunits.
    sign = match[1] === "/" ? -1 : 1;
    const symbol = match[2]!;
    const power = sign * Number(match[3] ?? match[4] ?? 1);
    // Repeated divisors merge (`m/s/s`); `kg kg-1` stays, because it says more than `1`.
    const known = factors.find(([name, before]) => name === symbol && Math.sign(before) === Math.sign(power));
    if (known) known[1] += power;
    else if (symbol !== "1") factors.push([symbol, power]);
    at = token.lastIndex;
  }
  return factors;
}

/** Parses a unit; undefined when a part of it is not known. An empty text, `~` and `(0 - 1)` are dimensionless. */
export function tryParseUnit(text: string): Unit | undefined {
  const factors = factorsOf(text);
  if (!factors) return undefined;
  // An offset (degC) means a temperature only when it stands alone; in `degC m-1` it is a difference.
  const alone = factors.length === 1 && factors[0]![1] === 1;
  let scale = 1;
  let offset = 0;
  const dimension: number[] = [...none];
  for (const [symbol, power] of factors) {
    const unit = symbols.get(symbol);
    if (!unit) return undefined;
    scale *= unit.scale ** power;
    if (alone) offset = unit.offset;
    for (const [i, base] of unit.dimension.entries()) dimension[i]! += base * power;
  }
  return { dimension: dimension as unknown as Dimension, scale, offset };
}

/**
 * Parses a unit.
 * @throws DataError when it is not one that this library knows
 */
export function parseUnit(text: string): Unit {
  const unit = tryParseUnit(text);
  if (!unit) {
    throw new DataError(`unknown unit "${text}"`, { hint: 'units look like "K", "m s-1", "kg m-2" or "hPa"' });
  }
  return unit;
}

/** The CF spelling of a unit: `m s**-1` and `m/s` become `m s-1`, `(0 - 1)` and `~` become `1`. Unknown text is returned trimmed. */
export function normaliseUnits(text: string): string {
  const factors = factorsOf(text);
  if (!factors) return text.trim();
  const parts = factors
    .filter(([, power]) => power !== 0)
    .map(([symbol, power]) => {
      const name = canonicalSymbol(symbol);
      return power === 1 ? name : `${name}${power}`;
    });
  return parts.length === 0 ? "1" : parts.join(" ");
}

/** Long names and variants that CF writes with a symbol. */
const canonical = new Map<string, string>([
  ["percent", "%"],
  ["kelvin", "K"],
  ["Kelvin", "K"],
  ["degK", "K"],
  ["celsius", "degC"],
  ["Celsius", "degC"],
  ["C", "degC"],
  ["°C", "degC"],
  ["degree_C", "degC"],
  ["degrees_C", "degC"],
  ["degrees_celsius", "degC"],
  ["degree_Celsius", "degC"],
  ["mbar", "hPa"],
  ["mb", "hPa"],
  ["millibar", "hPa"],
  ["millibars", "hPa"],
  ["pascal", "Pa"],
  ["metre", "m"],
  ["metres", "m"],
  ["meter", "m"],
  ["meters", "m"],
  ["second", "s"],
  ["seconds", "s"],
  ["sec", "s"],
  ["degrees", "degree"],
  ["deg", "degree"],
]);

function canonicalSymbol(symbol: string): string {
  return canonical.get(symbol) ?? symbol;
}

/** True when both texts mean the same unit (`m s**-1` and `m/s`; `hPa` and `mbar`). Texts that are not units compare as text. */
export function sameUnits(a: string, b: string): boolean {
  const left = tryParseUnit(a);
  const right = tryParseUnit(b);
  if (!left || !right) return a.trim() === b.trim();
  return (
    sameDimension(left.dimension, right.dimension) &&
    close(left.scale, right.scale) &&
    Math.abs(left.offset - right.offset) < 1e-9
  );
}

/** `y = x * factor + offset`. */
export interface Conversion {
  readonly factor: number;
  readonly offset: number;
}

/**
 * How to turn values in `from` into values in `to`. Water may be given by mass or depth: `kg m-2` and `mm` are taken as equal
 * (density 1000 kg m-3), also as rates.
 * @throws DataError when one cannot become the other; the message shows both
 */
export function conversion(from: string, to: string): Conversion {
  const source = parseUnit(from);
  const target = parseUnit(to);
  let { scale } = source;
  if (!sameDimension(source.dimension, target.dimension)) {
    const density = waterDensity(source.dimension, target.dimension);
    if (density === undefined) {
      throw new DataError(`cannot convert "${from}" to "${to}": they measure different things`);
    }
    scale *= density;
  }
  return { factor: scale / target.scale, offset: (source.offset - target.offset) / target.scale };
}

/** 1/1000 from mass per area to depth, 1000 back; undefined when the pair is not water. */
function waterDensity(from: Dimension, to: Dimension): number | undefined {
  const isMass = (d: Dimension) => d[0] === 1 && d[1] === -2 && (d[2] === 0 || d[2] === -1) && !d[3] && !d[4] && !d[5];
  const isDepth = (d: Dimension) => d[0] === 0 && d[1] === 1 && (d[2] === 0 || d[2] === -1) && !d[3] && !d[4] && !d[5];
  if (isMass(from) && isDepth(to) && from[2] === to[2]) return 1e-3;
  if (isDepth(from) && isMass(to) && from[2] === to[2]) return 1e3;
  return undefined;
}

/**
 * Values converted from one unit to another, as a new array of the same type (the same array when nothing changes). NaN stays NaN.
 * @throws DataError as `conversion`
 */
export function convert<A extends Float32Array | Float64Array>(values: A, from: string, to: string): A {
  const { factor, offset } = conversion(from, to);
  if (factor === 1 && offset === 0) return values;
  return values.map((x) => x * factor + offset) as A;
}

function sameDimension(a: Dimension, b: Dimension): boolean {
  return a.every((power, i) => power === b[i]);
}

function close(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
}
