// What every figure function returns: an SVG document that can also be had as PNG pixels or saved as both.
// PNG comes from resvg (no browser, no GPU). A figure holds only its SVG text.
import { Resvg } from "@resvg/resvg-js";
import { atomicWrite } from "../core/files.js";
import { fontFiles } from "./fonts.js";

export interface PngOptions {
  /** Pixels per SVG unit; 2 prints sharply at column width. */
  readonly scale?: number;
  /** Width in pixels instead of `scale`. */
  readonly width?: number;
}

export interface Figure {
  /** A complete SVG document. */
  readonly svg: string;
  /** Size in SVG units (CSS pixels). */
  readonly width: number;
  readonly height: number;
  /** The figure as a PNG file. */
  png(options?: PngOptions): Uint8Array;
  /** Writes `<basePath>.svg` and `<basePath>.png`, each under its final name only when complete; returns both paths. */
  save(basePath: string, options?: PngOptions): Promise<{ readonly svg: string; readonly png: string }>;
}

/** RGBA pixels, row by row from the top left. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Wraps an SVG document of known size as a figure. */
export function createFigure(svg: string, width: number, height: number): Figure {
  return {
    svg,
    width,
    height,
    png: (options = {}) => toPng(svg, options),
    async save(basePath, options = {}) {
      const paths = { svg: `${basePath}.svg`, png: `${basePath}.png` };
      await atomicWrite(paths.svg, svg);
      await atomicWrite(paths.png, toPng(svg, options));
      return paths;
    },
  };
}

/** Renders any SVG document to a PNG file. */
export function toPng(svg: string, options: PngOptions = {}): Uint8Array {
  return new Uint8Array(render(svg, options).asPng());
}

/** Renders any SVG document to RGBA pixels. */
export function toPixels(svg: string, options: PngOptions = {}): Pixels {
  const image = render(svg, options);
  return { width: image.width, height: image.height, data: new Uint8Array(image.pixels) };
}

function render(svg: string, { scale = 2, width }: PngOptions) {
  const files = [...fontFiles()];
  const shipped = files.length > 0;
  const family = shipped ? "Source Sans 3" : "DejaVu Sans";
  return new Resvg(svg, {
    font: {
      fontFiles: files,
      // Scanning the system's fonts costs time and makes figures differ between machines: only without our own font.
      loadSystemFonts: !shipped,
      defaultFontFamily: family,
      sansSerifFamily: family,
    },
    fitTo: width === undefined ? { mode: "zoom", value: scale } : { mode: "width", value: width },
    logLevel: "off",
  }).render();
}
