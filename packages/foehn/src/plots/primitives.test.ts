// The parts under the figures: PNG files, ticks and numbers, text widths, colour scales, escaping.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toPixels } from "./figure.js";
import { fontFiles } from "./fonts.js";
import { decodePng } from "./golden.test-support.js";
import { colourScale, errorScale, fieldScale, finiteRange, lutIndex, lutSize, paletteOf } from "./palettes.js";
import { encodePng, pngDataUri } from "./png.js";
import { document, el, escapeXml, text } from "./svg.js";
import { fitText, textWidth, wrapText } from "./text-width.js";
import { formatColumn, formatNumber, formatTicks, niceTicks, prettyUnits, withUnits } from "./ticks.js";

describe("encodePng", () => {
  const size = fc.integer({ min: 1, max: 17 });
  it("keeps every pixel of RGB, RGBA and palette images", () => {
    fc.assert(
      fc.property(
        size,
        size,
        fc.constantFrom(1, 3, 4),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        (width, height, channels, stream) => {
          const data = Uint8Array.from({ length: width * height * channels }, () => stream.next().value ?? 0);
          const palette = channels === 1 ? Uint8Array.from({ length: 1024 }, (_, i) => (i * 7) % 256) : undefined;
          const back = decodePng(encodePng({ width, height, data, ...(palette ? { palette } : {}) }));
          expect([back.width, back.height, back.channels]).toEqual([width, height, channels]);
          expect(Buffer.from(back.pixels).equals(Buffer.from(data))).toBe(true);
          if (palette) {
            expect([...back.palette.subarray(0, 3)]).toEqual([...palette.subarray(0, 3)]);
            expect(back.alpha[5]).toBe(palette[23]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is read by another decoder, transparency included", () => {
    const palette = Uint8Array.of(10, 20, 30, 255, 200, 100, 50, 255, 0, 0, 0, 0);
    const png = encodePng({ width: 3, height: 1, data: Uint8Array.of(0, 1, 2), palette });
    const image = el("image", {
      width: 3,
      height: 1,
      "image-rendering": "optimizeSpeed",
      "xlink:href": pngDataUri(png),
    });
    const { data } = toPixels(document(3, 1, "pixels", image), { scale: 1 });
    expect([...data.subarray(0, 3)]).toEqual([10, 20, 30]);
    expect([...data.subarray(4, 7)]).toEqual([200, 100, 50]);
    expect([...data.subarray(8, 11)]).toEqual([255, 255, 255]);
  });

  it("refuses data that do not fit", () => {
    expect(() => encodePng({ width: 2, height: 2, data: new Uint8Array(5) })).toThrow(/2×2 pixels .* 5 bytes/);
    expect(() => encodePng({ width: 0, height: 2, data: new Uint8Array(0) })).toThrow(RangeError);
  });
});

describe("ticks", () => {
  it("are round, ascending, inside the range and about as many as asked", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.integer({ min: 2, max: 9 }),
        (min, width, count) => {
          const ticks = niceTicks(min, min + width, count);
          expect(ticks.length).toBeLessThanOrEqual(count + 1);
          expect(ticks.length).toBeGreaterThanOrEqual(1);
          for (const [i, tick] of ticks.entries()) {
            if (ticks.length > 1) {
              expect(tick).toBeGreaterThanOrEqual(min - width * 1e-5);
              expect(tick).toBeLessThanOrEqual(min + width * (1 + 1e-5));
            }
            if (i > 0) expect(tick).toBeGreaterThan(ticks[i - 1]!);
          }
          expect(new Set(formatTicks(ticks)).size).toBe(ticks.length);
        },
      ),
    );
  });

  it("have labels with one number of decimals and a true minus", () => {
    expect(niceTicks(-0.3, 0.31, 7)).toEqual([-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]);
    expect(formatTicks([-0.5, 0, 0.5, 1])).toEqual(["−0.5", "0.0", "0.5", "1.0"]);
    expect(formatTicks([0, 0.25, 0.5])).toEqual(["0.00", "0.25", "0.50"]);
    expect(formatTicks([50000, 52000])).toEqual(["50000", "52000"]);
    expect(formatTicks([0, 2e-5, 4e-5])).toEqual(["0", "2×10⁻⁵", "4×10⁻⁵"]);
    expect(niceTicks(5, 5)).toEqual([5]);
    expect(niceTicks(Number.NaN, 5)).toEqual([]);
  });

  it("numbers in captions keep their significant digits", () => {
    expect([0, 0.02997, 1.2345, 281.55, 99999, 1.5e7, 2.5e-6, -0.5, Number.NaN].map((v) => formatNumber(v))).toEqual([
      "0",
      "0.0300",
      "1.23",
      "282",
      "99999",
      "1.5×10⁷",
      "2.5×10⁻⁶",
      "−0.500",
      "–",
    ]);
    expect(formatNumber(9.999, 3)).toBe("10.0");
    expect(formatColumn([0.0123, 1.5, Number.NaN, -12], 3)).toEqual(["0.0", "1.5", "–", "−12.0"]);
    expect(formatColumn([0, 0])).toEqual(["0", "0"]);
  });

  it("units print with superscripts", () => {
    expect(["m s-1", "m s**-1", "m**2 s**-2", "K", "kg m**-2 s**-1", "1", "%", "W m^-2"].map(prettyUnits)).toEqual([
      "m s⁻¹",
      "m s⁻¹",
      "m² s⁻²",
      "K",
      "kg m⁻² s⁻¹",
      "",
      "%",
      "W m⁻²",
    ]);
    expect(withUnits("q", "1")).toBe("q");
    expect(withUnits("u", "m s-1")).toBe("u (m s⁻¹)");
  });
});

describe("text", () => {
  it("is as wide as the shipped font draws it", () => {
    if (fontFiles().length === 0) {
      console.log("skipped: width of drawn text (the font package is not installed)");
      return;
    }
    const words = "Hamburgefonts 0123456789 (m s⁻¹), 50°N";
    const { width, height, data } = toPixels(document(600, 60, words, text(10, 40, words, { size: 20 })), { scale: 2 });
    let right = 0;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) if (data[4 * (y * width + x)]! < 128) right = Math.max(right, x);
    expect(right / 2 - 10).toBeGreaterThan(textWidth(words, 20) * 0.97);
    expect(right / 2 - 10).toBeLessThan(textWidth(words, 20) * 1.01);
  });

  it("is cut and wrapped to a width", () => {
    expect(fitText("short", 12, 200)).toBe("short");
    const cut = fitText("a very long title that cannot fit", 12, 80);
    expect(cut.endsWith("…")).toBe(true);
    expect(textWidth(cut, 12)).toBeLessThanOrEqual(80);
    const lines = wrapText("one two three four five six seven", 12, 70);
    expect(lines.join(" ")).toBe("one two three four five six seven");
    for (const line of lines) expect(textWidth(line, 12)).toBeLessThanOrEqual(70);
    expect(wrapText("", 12, 70)).toEqual([]);
  });

  it("is escaped, and characters that XML forbids are dropped", () => {
    expect(escapeXml('<a href="x">&\u0000\u0008</a>')).toBe("&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
    expect(text(0, 0, "T<0 & rising")).toContain("T&lt;0 &amp; rising");
  });
});

describe("colour scales", () => {
  it("map the range onto the table, clamp outside and mark NaN", () => {
    const scale = colourScale("viridis", 10, 20);
    expect([10, 15, 20, -5, 99, Number.NaN].map((v) => lutIndex(scale, v))).toEqual([
      0,
      lutSize / 2,
      lutSize - 1,
      0,
      lutSize - 1,
      -1,
    ]);
  });

  it("put a constant field in the middle and survive a field without values", () => {
    const constant = fieldScale("t2m", new Float32Array(4).fill(280));
    expect(lutIndex(constant, 280)).toBe(lutSize / 2);
    expect(fieldScale("t2m", new Float32Array([Number.NaN]))).toMatchObject({ min: 0, max: 1 });
    expect(finiteRange([Number.NaN, 3, Number.POSITIVE_INFINITY, -1])).toEqual([-1, 3]);
  });

  it("are symmetric for errors and winds: zero is the lightest colour", () => {
    for (const scale of [errorScale([-1, 4]), errorScale([0, 0]), fieldScale("u10", [2, 7])]) {
      expect(scale.min).toBe(-scale.max);
      const light = (v: number) => {
        const i = 3 * lutIndex(scale, v);
        return scale.lut[i]! + scale.lut[i + 1]! + scale.lut[i + 2]!;
      };
      expect(light(0)).toBeGreaterThan(700);
      expect(light(scale.max)).toBeLessThan(300);
      expect(light(scale.min)).toBeLessThan(300);
    }
    const error = errorScale([-1, 1]);
    const [red, , blue] = error.lut.subarray(3 * lutIndex(error, 0.8));
    expect(red).toBeGreaterThan(blue!);
  });

  it("suit the variable", () => {
    expect(["t2m", "2t", "t850", "t_500", "sst", "d2m"].map(paletteOf)).toEqual(Array(6).fill("plasma"));
    expect(["u10", "10u", "v850", "u_500", "vo500", "d850"].map(paletteOf)).toEqual(Array(6).fill("PuOr"));
    expect(["q700", "tp", "tcwv"].map(paletteOf)).toEqual(Array(3).fill("YlGnBu"));
    expect(["aro_t2m_2m", "arp_t_850hpa"].map(paletteOf)).toEqual(["plasma", "plasma"]);
    expect(["aro_u10_10m", "arp_v_500hpa", "aro_wz_850hpa"].map(paletteOf)).toEqual(Array(3).fill("PuOr"));
    expect(["aro_tp_0m", "aro_r2_2m", "ant_prec_0m", "aro_prmsl_0hpa"].map(paletteOf)).toEqual([
      ...Array(3).fill("YlGnBu"),
      "cividis",
    ]);
    expect(["z500", "h", "something"].map(paletteOf)).toEqual(Array(3).fill("viridis"));
  });
});
