// Colour scales for fields: which palette suits which quantity, the range it covers, and lookup tables from value to colour.
// All palettes are perceptually ordered and readable with the common colour-vision deficiencies (viridis family, ColorBrewer).
import {
  interpolateCividis,
  interpolatePlasma,
  interpolatePuOr,
  interpolateRdBu,
  interpolateViridis,
  interpolateYlGnBu,
} from "d3-scale-chromatic";

export type PaletteName = "plasma" | "viridis" | "cividis" | "YlGnBu" | "PuOr" | "RdBu";

/** Number of colours of a field's lookup table; leaves room in a 256-colour image for missing, ink and anti-aliased text. */
export const lutSize = 200;

const interpolators: Readonly<Record<PaletteName, (t: number) => string>> = {
  plasma: interpolatePlasma,
  viridis: interpolateViridis,
  cividis: interpolateCividis,
  YlGnBu: interpolateYlGnBu,
  // ColorBrewer runs warm → cool; positive values are the warm ones here.
  PuOr: (t) => interpolatePuOr(1 - t),
  RdBu: (t) => interpolateRdBu(1 - t),
};

/** Maps values in [min, max] to colours; values outside take the end colour, NaN is drawn grey. */
export interface ColourScale {
  readonly palette: PaletteName;
  readonly min: number;
  readonly max: number;
  /** `lutSize` colours, RGB. */
  readonly lut: Uint8Array;
}

/** A colour scale; a range without width (constant field) is widened so that its value sits in the middle. */
export function colourScale(palette: PaletteName, min: number, max: number): ColourScale {
  const [low, high] = widen(min, max);
  return { palette, min: low, max: high, lut: lutOf(palette) };
}

function widen(min: number, max: number): [number, number] {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [0, 1];
  // Below float32 resolution a range is rounding noise, not signal.
  const resolution = Math.max(Math.abs(min), Math.abs(max)) * 1e-6;
  if (max - min > resolution) return [min, max];
  const half = Math.max(Math.abs(min) * 0.01, resolution, 1e-6);
  return [min - half, max + half];
}

/** Lookup index of a value: 0 … lutSize − 1, or −1 for NaN. */
export function lutIndex(scale: ColourScale, value: number): number {
  if (Number.isNaN(value)) return -1;
  const t = (value - scale.min) / (scale.max - scale.min);
  return Math.min(lutSize - 1, Math.max(0, Math.floor(t * lutSize)));
}

const luts = new Map<PaletteName, Uint8Array>();

function lutOf(palette: PaletteName): Uint8Array {
  let lut = luts.get(palette);
  if (!lut) {
    lut = new Uint8Array(lutSize * 3);
    for (let i = 0; i < lutSize; i++) lut.set(parseColour(interpolators[palette](i / (lutSize - 1))), 3 * i);
    luts.set(palette, lut);
  }
  return lut;
}

/** Reads `#rrggbb` or `rgb(r, g, b)`. */
export function parseColour(text: string): [number, number, number] {
  if (text.startsWith("#")) {
    const value = Number.parseInt(text.slice(1), 16);
    return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
  }
  const [r = 0, g = 0, b = 0] = text.match(/[\d.]+/g)?.map(Number) ?? [];
  return [r, g, b];
}

/** Smallest and largest finite value over several fields; `[NaN, NaN]` when there is none. */
export function finiteRange(...fields: readonly ArrayLike<number>[]): [number, number] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const field of fields) {
    for (let i = 0; i < field.length; i++) {
      const value = field[i]!;
      if (!Number.isFinite(value)) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return min <= max ? [min, max] : [Number.NaN, Number.NaN];
}

/** The scale for a field of a variable, over the common range of all fields shown with it; wind components are symmetric about zero. */
export function fieldScale(variable: string, ...fields: readonly ArrayLike<number>[]): ColourScale {
  const palette = paletteOf(variable);
  const [min, max] = finiteRange(...fields);
  if (palette !== "PuOr") return colourScale(palette, min, max);
  const largest = Math.max(Math.abs(min), Math.abs(max));
  return colourScale(palette, -largest, largest);
}

/** The symmetric scale for an error (forecast − truth): red too high, blue too low, white right. */
export function errorScale(...errors: readonly ArrayLike<number>[]): ColourScale {
  const [min, max] = finiteRange(...errors);
  const largest = Math.max(Math.abs(min), Math.abs(max));
  // A perfect forecast has errors of exactly zero everywhere: any range is right, zero must be white.
  return largest > 0 ? colourScale("RdBu", -largest, largest) : colourScale("RdBu", -1, 1);
}

const temperatures = new Set(["t", "d2m", "2d", "skt", "sst", "pt", "mx2t", "mn2t", "mx2t6", "mn2t6"]);
const signed = new Set(["u", "v", "w", "vo", "d", "si", "wz", "ugust", "vgust"]);
const amounts = new Set([
  "q",
  "r",
  "rh",
  "tp",
  "cp",
  "lsp",
  "tcw",
  "tcwv",
  "tcc",
  "lcc",
  "mcc",
  "hcc",
  "sd",
  "sf",
  "cape",
  "tirf",
  "sprate",
  "prec",
  "tciwv",
  "ciwc",
  "clwc",
  "crwc",
  "cswc",
]);
const fluxes = new Set(["ssr", "ssrd", "str", "strd", "tsr", "ttr", "msl", "prmsl", "sp"]);

/**
 * The natural palette of a variable, by its ECMWF short name (a height or level may be part of it: `t2m`, `10u`, `u850`, `t_500`), also as
 * Titan spells it (`aro_t2m_2m`, `arp_u_850hpa`).
 */
export function paletteOf(variable: string): PaletteName {
  const name = variable
    .toLowerCase()
    .replace(/^(aro|arp|ant)_/, "")
    .replace(/_\d+(m|hpa)$/, "");
  const stem = name.replace(/^\d+/, "").replace(/_?\d+m?$/, "");
  if (temperatures.has(name) || temperatures.has(stem)) return "plasma";
  if (signed.has(stem)) return "PuOr";
  if (amounts.has(stem)) return "YlGnBu";
  if (fluxes.has(stem)) return "cividis";
  return "viridis";
}
