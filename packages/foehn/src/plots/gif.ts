// A forecast as an animated GIF: every frame is the map figure (forecast, and truth beside it when given) with its time burned in.
// All frames share one palette and one colour range, so nothing flickers. Frames are made one at a time.
import { createRequire } from "node:module";
import type { Grid } from "../grid/grid.js";
import { type Pixels, toPixels } from "./figure.js";
import { drawForecastMap } from "./forecast-map.js";
import { fieldScale } from "./palettes.js";

export interface GifFrame {
  /** (ny, nx), physical units. */
  readonly forecast: Float32Array;
  readonly truth?: Float32Array | undefined;
  /** Epoch seconds UTC. */
  readonly validTime: number;
  readonly leadHours: number;
}

export interface ForecastGifData {
  readonly grid: Grid;
  readonly variable: string;
  readonly longName?: string | undefined;
  readonly units: string;
  readonly frames: readonly GifFrame[];
}

export interface GifOptions {
  /** Milliseconds per frame; the last frame stays three times as long. */
  readonly delayMs?: number | undefined;
  /** Pixels per SVG unit. */
  readonly scale?: number | undefined;
  /** Words after the title, e.g. the model's name. */
  readonly model?: string | undefined;
  /** False where the data are not of this Earth. Default true. */
  readonly coastlines?: boolean | undefined;
  /** Width in cells of the frame that is given, not forecast; drawn paler. Default 0. */
  readonly borderSize?: number | undefined;
}

/** The part of gifenc that is used; the package has no types. */
interface Gifenc {
  GIFEncoder(): {
    writeFrame(index: Uint8Array, width: number, height: number, options: GifencFrameOptions): void;
    finish(): void;
    bytes(): Uint8Array;
  };
  quantize(rgba: Uint8Array, maxColours: number, options: { readonly format: "rgb565" }): number[][];
  applyPalette(rgba: Uint8Array, palette: readonly (readonly number[])[], format: "rgb565"): Uint8Array;
}

interface GifencFrameOptions {
  readonly palette?: readonly (readonly number[])[] | undefined;
  readonly delay: number;
  readonly repeat?: number | undefined;
}

// The package's ES module entry is not declared as such, so Node's import would load the CommonJS build without named exports.
const { GIFEncoder, applyPalette, quantize } = createRequire(import.meta.url)("gifenc") as Gifenc;

/** Draws the frames as an endlessly repeating GIF. @throws RangeError without frames or when a field does not fit the grid */
export function forecastGif(data: ForecastGifData, options: GifOptions = {}): Uint8Array {
  const { grid, variable, units, frames } = data;
  const fields = frames.flatMap((frame) => (frame.truth ? [frame.forecast, frame.truth] : [frame.forecast]));
  const scale = fieldScale(variable, ...fields);
  const draw = (i: number) => {
    const figure = drawForecastMap(
      { grid, variable, units, longName: data.longName, ...frames[i]! },
      { scale, error: false, model: options.model, coastlines: options.coastlines, borderSize: options.borderSize },
    );
    return toPixels(figure.svg, { scale: options.scale ?? 1 });
  };
  return animate(frames.length, draw, options.delayMs ?? 250);
}

/**
 * An endlessly repeating GIF of pictures of one size, made one at a time.
 * @param delayMs milliseconds per picture; the last stays three times as long
 * @throws RangeError without pictures
 */
export function animate(count: number, draw: (i: number) => Pixels, delayMs: number): Uint8Array {
  if (count === 0) throw new RangeError("an animation needs at least one frame");
  const palette = sharedPalette(count, draw);
  const encoder = GIFEncoder();
  for (let i = 0; i < count; i++) {
    const { width, height, data: rgba } = draw(i);
    encoder.writeFrame(applyPalette(rgba, palette, "rgb565"), width, height, {
      // A palette given with the first frame only is the file's global one.
      ...(i === 0 ? { palette, repeat: 0 } : {}),
      delay: i === count - 1 ? 3 * delayMs : delayMs,
    });
  }
  encoder.finish();
  return encoder.bytes();
}

/** 256 colours that suit the first, middle and last frame, soft edges of lines and text included. */
function sharedPalette(count: number, draw: (i: number) => Pixels): number[][] {
  const picks = new Set([0, Math.floor(count / 2), count - 1]);
  const samples = [...picks].map((i) => draw(i).data);
  return quantize(new Uint8Array(Buffer.concat(samples)), 256, { format: "rgb565" });
}
