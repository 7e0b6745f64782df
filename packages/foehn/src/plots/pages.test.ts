// Pages of several figures, and animations of several forecasts.
import { describe, expect, it } from "vitest";
import { regularGrid } from "../grid/grid.js";
import { comparisonGif } from "./comparison-gif.js";
import { createFigure, toPixels } from "./figure.js";
import { drawScoreCard } from "./score-card.js";
import { drawSpectra } from "./spectra.js";
import { stackFigures } from "./stack.js";
import { document, el } from "./svg.js";

const square = (colour: string, width: number, height: number) => {
  const fill = el("linearGradient", { id: "fill" }, el("stop", { offset: 0, "stop-color": colour }));
  const rect = el("rect", { width, height, fill: "url(#fill)" });
  return createFigure(document(width, height, colour, el("defs", {}, fill), rect), width, height);
};

describe("stackFigures", () => {
  it("puts figures beside each other while they fit, and keeps their gradients apart", () => {
    const page = stackFigures([square("#ff0000", 500, 100), square("#00ff00", 500, 60), square("#0000ff", 500, 80)]);
    expect([page.width, page.height]).toEqual([1000, 180]);
    const { data, width } = toPixels(page.svg, { scale: 1 });
    const at = (x: number, y: number) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)];
    expect(at(250, 50)).toEqual([255, 0, 0]);
    expect(at(750, 30)).toEqual([0, 255, 0]);
    expect(at(250, 140)).toEqual([0, 0, 255]);
    expect(at(750, 140)).toEqual([255, 255, 255]);
  });

  it("leaves a single figure as it is and refuses none", () => {
    const card = drawScoreCard({ variables: ["t2m"], lead_hours: [6], model: { rmse: { t2m: [1] } } });
    expect(stackFigures([card])).toBe(card);
    expect(() => stackFigures([])).toThrow(RangeError);
  });
});

describe("comparisonGif", () => {
  const grid = regularGrid({ lat0: 60, dlat: 1, ny: 6, lon0: -10, dlon: 1, nx: 8 });
  const field = (value: number) => new Float32Array(48).fill(value);

  it("has a column for each forecast, draws what is missing grey, and loops over all frames", () => {
    const frames = [0, 1, 2].map((i) => ({ validTime: i * 3600, fields: [field(i), i === 1 ? undefined : field(2)] }));
    const gif = comparisonGif({ grid, variable: "t2m", units: "K", columns: ["Truth", "model"], frames });
    expect(Buffer.from(gif.subarray(0, 6)).toString()).toBe("GIF89a");
    // Graphic control extensions: one per frame, the last with a longer delay.
    const delays: number[] = [];
    for (let i = 0; i < gif.length - 8; i++) {
      if (gif[i] === 0x21 && gif[i + 1] === 0xf9 && gif[i + 2] === 4) delays.push(gif[i + 4]! + 256 * gif[i + 5]!);
    }
    expect(delays).toEqual([50, 50, 150]);
  });

  it("refuses fields that do not fit", () => {
    const data = { grid, variable: "t2m", units: "K", columns: ["a", "b"] };
    expect(() => comparisonGif({ ...data, frames: [] })).toThrow(/at least one frame/);
    expect(() => comparisonGif({ ...data, frames: [{ validTime: 0, fields: [field(1)] }] })).toThrow(/2 columns/);
  });
});

describe("drawSpectra", () => {
  it("labels wavelengths and powers, and leaves a gap where there is no power", () => {
    const wavelengths = Array.from({ length: 20 }, (_, i) => 1000 / (i + 1));
    const truth = wavelengths.map((w) => w ** 2);
    const prediction = truth.map((value, i) => (i === 5 ? 0 : value / 10));
    const { svg } = drawSpectra({
      wavelengths,
      features: [{ name: "u10", units: "m s-1", leads: [{ hours: 6, prediction, truth }] }],
    });
    for (const words of [
      "wavelength (km)",
      ">1000<",
      ">500<",
      ">200<",
      ">100<",
      ">50<",
      ">10⁵<",
      "u10, (m s⁻¹)² km",
      "+6 h",
    ]) {
      expect(svg).toContain(words);
    }
    expect(svg).not.toContain("NaN");
    expect(() => drawSpectra({ wavelengths, features: [] })).toThrow(RangeError);
  });
});
