import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { regularGrid } from "../grid/grid.js";
import {
  logSpectralDistance,
  logSpectrumError,
  RadialSpectrum,
  type SpectrumShape,
  spectrumShape,
} from "./radial-spectrum.js";

function density(values: Float32Array, shape: SpectrumShape): { wavelengths: readonly number[]; power: number[] } {
  const spectrum = new RadialSpectrum(shape);
  const power = torch.scope(() => [
    ...(spectrum.density(torch.tensor(values, { shape: [1, shape.ny, shape.nx] })).toTypedArray() as Float64Array),
  ]);
  spectrum.dispose();
  return { wavelengths: spectrum.wavelengths, power };
}

const field = (shape: SpectrumShape, value: (y: number, x: number) => number) =>
  Float32Array.from({ length: shape.ny * shape.nx }, (_, i) => value(Math.floor(i / shape.nx), i % shape.nx));

describe("the radial spectrum", () => {
  const square: SpectrumShape = { ny: 48, nx: 48, dy: 2.5, dx: 2.5 };

  it("finds a wave at its wavelength, with its variance, whichever way it runs", () => {
    // Three full waves of amplitude 2 over 120 km: wavelength 40 km, variance 2.
    const wave = (i: number) => 2 * Math.cos((2 * Math.PI * 3 * (i + 0.5)) / 48);
    for (const values of [field(square, (_, x) => wave(x)), field(square, (y) => wave(y))]) {
      const { wavelengths, power } = density(values, square);
      const peak = power.indexOf(Math.max(...power));
      expect(wavelengths[peak]).toBeCloseTo(40, 6);
      expect(power[peak]! / (2 * 120)).toBeCloseTo(2, 4);
      expect(power.reduce((a, b) => a + b, 0)).toBeCloseTo(power[peak]!, 4);
    }
  });

  it("of a doubled field is 6.02 dB away", () => {
    torch.manualSeed(2);
    const noise = torch.randn([48, 48]).toTypedArray() as Float32Array;
    const [one, doubled] = [
      density(noise, square),
      density(
        noise.map((value) => 2 * value),
        square,
      ),
    ];
    expect(logSpectralDistance(doubled.power, one.power)).toBeCloseTo(20 * Math.log10(2), 4);
    expect(logSpectralDistance(one.power, one.power)).toBe(0);
  });

  it("is the same for a transposed field, also on oblong cells and domains", () => {
    const shape: SpectrumShape = { ny: 20, nx: 33, dy: 3, dx: 2 };
    const turned: SpectrumShape = { ny: 33, nx: 20, dy: 2, dx: 3 };
    torch.manualSeed(1);
    const noise = torch.randn([20, 33]).toTypedArray() as Float32Array;
    const transposed = field(turned, (y, x) => noise[x * 33 + y]!);
    const [one, other] = [density(noise, shape), density(transposed, turned)];
    expect(one.wavelengths).toEqual(other.wavelengths);
    for (const [i, value] of one.power.entries()) expect(other.power[i]! / value).toBeCloseTo(1, 5);
  });

  it("holds the variance of a smooth field, and nothing of its mean", () => {
    const values = field(square, (y, x) => 280 + 3 * Math.sin((2 * Math.PI * (x + 2 * y)) / 24));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    const { power } = density(values, square);
    const inRings = power.reduce((a, b) => a + b, 0) / (2 * 120);
    expect(inRings / variance).toBeGreaterThan(0.97);
    expect(inRings / variance).toBeLessThan(1.0001);
  });

  it("takes distances from the grid: at the middle row, at the equator of a globe", () => {
    const region = spectrumShape(regularGrid({ lat0: 65, dlat: 1, ny: 11, lon0: 0, dlon: 1, nx: 20 }), 2);
    expect(region).toMatchObject({ ny: 7, nx: 16 });
    expect(region.dy).toBeCloseTo(111.2, 1);
    expect(region.dx).toBeCloseTo(55.6, 1);
    const globe = spectrumShape(regularGrid({ lat0: 90, dlat: 10, ny: 19, lon0: 0, dlon: 10, nx: 36 }));
    expect(globe.dx).toBeCloseTo(globe.dy, 3);
  });

  it("refuses a field without room for a wave", () => {
    expect(() => new RadialSpectrum({ ny: 1, nx: 30, dy: 5, dx: 2 })).not.toThrow();
    expect(() => new RadialSpectrum({ ny: 1, nx: 1, dy: 0, dx: 2 })).toThrow(/too small/);
  });

  it("is compared by its logarithm, over rings where both have power", () => {
    expect(logSpectrumError([1, 10, 100], [1, 10, 100])).toBe(0);
    expect(logSpectrumError([10, 1], [1, 10])).toBeCloseTo(1, 10);
    expect(logSpectrumError([10, 0, 5], [1, 3, 0])).toBeCloseTo(1, 10);
    expect(logSpectrumError([0], [1])).toBeNaN();
  });
});
