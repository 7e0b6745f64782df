import { describe, expect, it } from "vitest";
import { regularGrid } from "../../grid/grid.js";
import { correlatedField, correlatedSpectrum } from "./correlated.js";
import { randomStream } from "./philox.js";

describe("correlated noise", () => {
  it("has earth2mip's spectrum on a 4 × 8 grid", () => {
    const spectrum = correlatedSpectrum(4, 8, 2);
    const rows = [
      [0, 3.54262, 0.885655, 0.393624, 0.221414, 0.393624, 0.885655, 3.54262],
      [0.885655, 0.708524, 0.442827, 0.272509, 0.177131, 0.272509, 0.442827, 0.708524],
      [0.221414, 0.208389, 0.177131, 0.141705, 0.110707, 0.141705, 0.177131, 0.208389],
      [0.885655, 0.708524, 0.442827, 0.272509, 0.177131, 0.272509, 0.442827, 0.708524],
    ];
    for (const [i, expected] of rows.flat().entries()) expect(spectrum[i]).toBeCloseTo(expected, 5);
    expect(spectrum.reduce((sum, s) => sum + s * s, 0) / 32).toBeCloseTo(1, 12);
  });

  it("is white noise through that spectrum, checked with a plain Fourier sum", () => {
    const [ny, nx] = [3, 5];
    const random = randomStream({ seed: 3, time: 0, member: 1, name: "z500" });
    const grid = regularGrid({ lat0: 10, dlat: 1, ny, lon0: 0, dlon: 1, nx });
    const field = Array.from(correlatedField(1.5).on(grid)([random]).toTypedArray(), Number);
    const white = random.normals(ny * nx);
    const spectrum = correlatedSpectrum(ny, nx, 1.5);
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) {
        let value = 0;
        for (let k = 0; k < ny * nx; k++) {
          const [ky, kx] = [Math.floor(k / nx), k % nx];
          for (let n = 0; n < ny * nx; n++) {
            const phase = (ky * (y - Math.floor(n / nx))) / ny + (kx * (x - (n % nx))) / nx;
            value += (spectrum[k]! * white[n]! * Math.cos(2 * Math.PI * phase)) / (ny * nx);
          }
        }
        expect(field[y * nx + x]).toBeCloseTo(value, 5);
      }
    }
  });

  it("is smoother than white noise, the more so the redder", () => {
    const grid = regularGrid({ lat0: 80, dlat: 5, ny: 32, lon0: 0, dlon: 5, nx: 64 });
    const stream = randomStream({ seed: 1, time: 0, member: 1, name: "t2m" });
    const neighbours = [0, 1, 2].map((reddening) => {
      const field = correlatedField(reddening).on(grid)([stream]).toTypedArray();
      let [product, square] = [0, 0];
      for (let i = 0; i < 32 * 64 - 1; i++) {
        product += Number(field[i]) * Number(field[i + 1]);
        square += Number(field[i]) ** 2;
      }
      return product / square;
    });
    expect(Math.abs(neighbours[0]!)).toBeLessThan(0.1);
    expect(neighbours[1]).toBeGreaterThan(0.3);
    expect(neighbours[2]).toBeGreaterThan(0.9);
  });
});
