// Map figures: golden files, and pixels at places whose colour is known.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Grid, latLonGrid, regularGrid } from "../grid/grid.js";
import { coastlinePath } from "./coastlines.js";
import { type Pixels, toPixels } from "./figure.js";
import { drawErrorMap, drawForecastMap, summariseError } from "./forecast-map.js";
import { forecastGif } from "./gif.js";
import { expectGolden } from "./golden.test-support.js";
import { gridEdges, mapAspect, mapView, xOf, yOf } from "./map-view.js";
import { colourScale, lutSize } from "./palettes.js";
import { rasterise } from "./raster.js";

const britain = regularGrid({ lat0: 60, dlat: 1, ny: 11, lon0: -11, dlon: 1, nx: 14 });
const globe = regularGrid({ lat0: 90, dlat: 10, ny: 19, lon0: 0, dlon: 10, nx: 36 });
const validTime = Date.UTC(2019, 2, 1, 6) / 1000;

function ramp(grid: Grid, slope: number, offset: number): Float32Array {
  const [ny, nx] = grid.shape;
  return Float32Array.from({ length: ny * nx }, (_, k) => offset + slope * ((k % nx) + 2 * Math.floor(k / nx)));
}

function at(pixels: Pixels, x: number, y: number): [number, number, number] {
  const i = 4 * (Math.round(y) * pixels.width + Math.round(x));
  return [pixels.data[i]!, pixels.data[i + 1]!, pixels.data[i + 2]!];
}

/** Where the maps of a figure are on its page, read from the SVG: the groups that hold a raster. */
function panels(
  svg: string,
): { readonly x: number; readonly y: number; readonly width: number; readonly height: number }[] {
  const pattern =
    /<g transform="translate\(([\d.]+),([\d.]+)\)"><text[^>]*>[^<]*<\/text><rect width="([\d.]+)" height="([\d.]+)"/g;
  return [...svg.matchAll(pattern)].map(([, x, y, width, height]) => ({
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: Number(height),
  }));
}

describe("map view", () => {
  it("ends half a cell beyond the outer centres and at the poles", () => {
    const { rows, columns } = gridEdges(britain);
    expect([rows[0], rows[11], columns[0], columns[14]]).toEqual([60.5, 49.5, -11.5, 2.5]);
    const poles = gridEdges(globe);
    expect([poles.rows[0], poles.rows[1], poles.rows[19]]).toEqual([90, 85, -90]);
  });

  it("keeps the shape of the region at its middle latitude, 2:1 for the globe", () => {
    expect(mapAspect(britain)).toBeCloseTo((14 * Math.cos((55 * Math.PI) / 180)) / 11, 10);
    expect(mapAspect(globe)).toBe(2);
    expect(mapView(britain, 300).height).toBeCloseTo(300 / mapAspect(britain), 10);
  });

  it("agrees with its own projection, for regions across the date line too", () => {
    const fiji = regularGrid({ lat0: -10, dlat: 1, ny: 11, lon0: 170, dlon: 1, nx: 21 });
    for (const [grid, lon, lat] of [
      [britain, -4, 55],
      [fiji, 188, -17],
      [globe, 120, -30],
    ] as const) {
      const view = mapView(grid, 400);
      const [x, y] = view.projection([lon, lat])!;
      expect(x).toBeCloseTo(xOf(view, lon), 6);
      expect(y).toBeCloseTo(yOf(view, lat), 6);
    }
    expect(coastlinePath(mapView(fiji, 400)).length).toBeGreaterThan(100);
  });

  it("shows the right cell at every pixel, on irregular and shifted grids", () => {
    const scale = colourScale("viridis", 0, lutSize);
    // Row 1 begins half way between 10 and 4; values are their own palette index.
    const irregular = latLonGrid([10, 4, 3], [0, 1, 5]);
    const view = mapView(irregular, 100);
    const values = Float32Array.from({ length: 9 }, (_, i) => i + 0.5);
    const { width, height, indices } = rasterise(view, irregular, values, scale);
    const cell = (lon: number, lat: number) =>
      indices[
        Math.floor((yOf(view, lat) / view.height) * height) * width + Math.floor((xOf(view, lon) / view.width) * width)
      ];
    expect([cell(0, 10), cell(0.4, 7.2), cell(0.6, 6.8), cell(4.9, 3), cell(2.9, 3.6)]).toEqual([0, 0, 4, 8, 4]);
    // Data from 0 to 350° east, shown from 180° west.
    const global = rasterise(
      mapView(globe, 360),
      globe,
      Float32Array.from({ length: 19 * 36 }, (_, k) => (k % 36) + 0.5),
      scale,
    );
    const row = Math.floor(global.height / 2) * global.width;
    const index = (lon: number) => global.indices[row + Math.floor(((lon + 180) / 360) * global.width)];
    expect([index(0), index(52), index(-10), index(-179), index(179)]).toEqual([0, 5, 35, 18, 18]);
  });
});

describe("drawForecastMap", () => {
  const truth = ramp(britain, 0.25, 275);
  const forecast = truth.map((value, k) => value + (k % 14 < 7 ? 1 : -1));

  it("draws a region as in the golden file", () => {
    const missing = forecast.slice();
    missing.fill(Number.NaN, 0, 20);
    const data = {
      grid: britain,
      forecast: missing,
      truth,
      variable: "t2m",
      longName: "2 metre temperature",
      units: "K",
      validTime,
      leadHours: 6,
    };
    expectGolden("forecast-map-region", drawForecastMap(data, { model: "halfunet" }).svg);
  });

  it("draws the globe as in the golden file", () => {
    const field = ramp(globe, 50, 50_000);
    const data = {
      grid: globe,
      forecast: field,
      truth: field.map((v) => v + 10),
      variable: "z500",
      units: "m**2 s**-2",
      validTime,
      leadHours: 120,
    };
    expectGolden("forecast-map-globe", drawForecastMap(data).svg);
  });

  it("colours forecast and truth alike, and errors red where too high", () => {
    const figure = drawForecastMap(
      { grid: britain, forecast, truth, variable: "t2m", units: "K", validTime, leadHours: 6 },
      { coastlines: false },
    );
    const [left, middle, right] = panels(figure.svg);
    const pixels = toPixels(figure.svg, { scale: 1 });
    const spot = (panel: { x: number; y: number; width: number; height: number }, column: number, row: number) =>
      at(pixels, panel.x + ((column + 0.3) / 14) * panel.width, panel.y + ((row + 0.3) / 11) * panel.height);
    // The forecast at column 3 equals the truth four columns further (one kelvin at 0.25 K per column).
    expect(distance(spot(left!, 3, 5), spot(middle!, 7, 5))).toBeLessThan(6);
    expect(distance(spot(left!, 3, 5), spot(middle!, 3, 5))).toBeGreaterThan(10);
    const [tooHigh, tooLow] = [spot(right!, 3, 5), spot(right!, 10, 5)];
    expect(tooHigh[0]).toBeGreaterThan(tooHigh[2] + 40);
    expect(tooLow[2]).toBeGreaterThan(tooLow[0] + 40);
    expect(figure.svg.includes("RMSE 1.00 K, bias 0 K; largest error 1.00 K")).toBe(true);
  });

  it("draws missing values grey and says so", () => {
    const field = forecast.slice();
    field.fill(Number.NaN, 0, 28);
    const figure = drawForecastMap(
      { grid: britain, forecast: field, variable: "t2m", units: "K", validTime, leadHours: 6 },
      { coastlines: false },
    );
    const [panel] = panels(figure.svg);
    expect(at(toPixels(figure.svg, { scale: 1 }), panel!.x + 15, panel!.y + 10)).toEqual([0xb9, 0xbd, 0xc4]);
    expect(figure.svg).toContain(">no data<");
    expect(
      drawForecastMap({ grid: britain, forecast, variable: "t2m", units: "K", validTime, leadHours: 6 }).svg,
    ).not.toContain("no data");
  });

  it("draws coastlines where the coast is: Land's End is dark, the middle of the Irish Sea is not", () => {
    const flat = new Float32Array(britain.shape[0] * britain.shape[1]);
    const fine = regularGrid({ lat0: 60, dlat: 1, ny: 11, lon0: -11, dlon: 1, nx: 14 });
    const figure = drawForecastMap({
      grid: fine,
      forecast: flat,
      truth: flat,
      variable: "t2m",
      units: "K",
      validTime,
      leadHours: 6,
    });
    const [, , panel] = panels(figure.svg);
    const view = mapView(fine, panel!.width);
    const pixels = toPixels(figure.svg, { scale: 2 });
    const darkest = (lon: number, lat: number) => {
      let low = 255;
      const [x, y] = [2 * (panel!.x + xOf(view, lon)), 2 * (panel!.y + yOf(view, lat))];
      for (let dy = -4; dy <= 4; dy++)
        for (let dx = -4; dx <= 4; dx++) low = Math.min(low, at(pixels, x + dx, y + dy)[1]);
      return low;
    };
    expect(darkest(-5.71, 50.07)).toBeLessThan(90);
    expect(darkest(1.75, 52.6)).toBeLessThan(90);
    expect(darkest(-5.3, 53.6)).toBeGreaterThan(180);
  });

  it("copes with constant, empty, single-row and slim fields", () => {
    const grids = [
      regularGrid({ lat0: 50, dlat: 1, ny: 1, lon0: 0, dlon: 1, nx: 8 }),
      regularGrid({ lat0: 70, dlat: 1, ny: 50, lon0: 0, dlon: 1, nx: 2 }),
      regularGrid({ lat0: 0, dlat: 1, ny: 1, lon0: 0, dlon: 1, nx: 1 }),
    ];
    for (const grid of [britain, ...grids]) {
      for (const value of [280, 0, Number.NaN]) {
        const field = new Float32Array(grid.shape[0] * grid.shape[1]).fill(value);
        const { svg, width, height } = drawForecastMap({
          grid,
          forecast: field,
          truth: field,
          variable: "t2m",
          units: "K",
          validTime,
          leadHours: 6,
        });
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        expect(width).toBeLessThan(1400);
        expect(height).toBeLessThan(1400);
      }
    }
  });

  it("refuses a field of another size", () => {
    expect(() =>
      drawForecastMap({
        grid: britain,
        forecast: new Float32Array(3),
        variable: "t2m",
        units: "K",
        validTime,
        leadHours: 6,
      }),
    ).toThrow("forecast has 3 values, the grid 11×14 = 154");
  });

  it("saves both formats and leaves nothing else", async () => {
    const dir = mkdtempSync(join(tmpdir(), "foehn-figure-"));
    try {
      const figure = drawForecastMap({ grid: britain, forecast, variable: "t2m", units: "K", validTime, leadHours: 6 });
      const paths = await figure.save(join(dir, "map"), { width: 300 });
      expect(readdirSync(dir).sort()).toEqual(["map.png", "map.svg"]);
      expect(readFileSync(paths.svg, "utf8")).toBe(figure.svg);
      expect(readFileSync(paths.png).readUInt32BE(16)).toBe(300);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("summariseError", () => {
  it("weights cells by area and leaves missing ones out", () => {
    const grid = latLonGrid([60, 0], [0, 1]);
    const truth = new Float32Array(4);
    const forecast = Float32Array.of(2, 2, -1, Number.NaN);
    const [w60, w0] = [0.5, 1];
    const { rmse, bias, largest } = summariseError(grid, forecast, truth);
    expect(bias).toBeCloseTo((2 * 2 * w60 - w0) / (2 * w60 + w0), 6);
    expect(rmse).toBeCloseTo(Math.sqrt((2 * 4 * w60 + w0) / (2 * w60 + w0)), 6);
    expect(largest).toBe(2);
  });
});

describe("drawErrorMap", () => {
  it("draws a bias as in the golden file and RMSE from zero", () => {
    const error = ramp(britain, 0.1, -1.5);
    const data = {
      grid: britain,
      error,
      variable: "t2m",
      longName: "2 metre temperature",
      units: "K",
      leadHours: 6,
      dates: 48,
    };
    expectGolden("error-map-bias", drawErrorMap({ ...data, kind: "bias" }).svg);
    const rmse = drawErrorMap({ ...data, kind: "rmse", error: error.map(Math.abs) }).svg;
    expect(rmse).toContain(">RMSE (K)<");
    expect(rmse).toContain(">0.0<");
  });
});

describe("forecastGif", () => {
  const frames = [0, 1, 2].map((lead) => ({
    forecast: ramp(britain, 0.25 + lead / 10, 275),
    truth: ramp(britain, 0.25, 275),
    validTime: validTime + lead * 3600,
    leadHours: lead,
  }));

  it("has all frames, one palette, loops, and rests on the last frame", () => {
    const gif = Buffer.from(forecastGif({ grid: britain, variable: "t2m", units: "K", frames }, { delayMs: 200 }));
    expect(gif.toString("latin1", 0, 6)).toBe("GIF89a");
    expect(gif[gif.length - 1]).toBe(0x3b);
    const found = gifFrames(gif);
    expect(found.delays).toEqual([20, 20, 60]);
    expect(found.localPalettes).toBe(0);
    expect(found.globalPalette).toBe(256);
    expect(found.loops).toBe(true);
  });

  it("refuses an animation without frames", () => {
    expect(() => forecastGif({ grid: britain, variable: "t2m", units: "K", frames: [] })).toThrow(/at least one frame/);
  });
});

/** Walks the blocks of a GIF file (GIF89a specification, sections 17 to 27). */
function gifFrames(gif: Buffer) {
  const packed = gif[10]!;
  const globalPalette = packed & 0x80 ? 2 << (packed & 7) : 0;
  let at = 13 + 3 * globalPalette;
  const delays: number[] = [];
  let localPalettes = 0;
  let loops = false;
  const skipBlocks = () => {
    while (gif[at] !== 0) at += gif[at]! + 1;
    at++;
  };
  while (gif[at] !== 0x3b) {
    if (gif[at] === 0x21) {
      if (gif[at + 1] === 0xf9) delays.push(gif.readUInt16LE(at + 4));
      if (gif.toString("latin1", at + 3, at + 14) === "NETSCAPE2.0") loops = gif.readUInt16LE(at + 16) === 0;
      at += 2;
      skipBlocks();
    } else if (gif[at] === 0x2c) {
      const local = gif[at + 9]!;
      if (local & 0x80) localPalettes++;
      at += 10 + (local & 0x80 ? 3 * (2 << (local & 7)) : 0) + 1;
      skipBlocks();
    } else {
      throw new Error(`unknown block ${gif[at]} at ${at}`);
    }
  }
  return { globalPalette, delays, localPalettes, loops };
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((channel, i) => channel - b[i]!));
}
