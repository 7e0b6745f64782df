import { expect, it } from "vitest";
import { projectedGrid } from "./projected-grid.js";
import { mercator, rotatedPole } from "./projections.js";

const sphere = { majorAxis: 6_371_229, minorAxis: 6_371_229 };

it("east points along x on Mercator's projection, also where the map is cut open", () => {
  const projection = mercator(sphere, { latitude: 0, meridian: 0 });
  const quarter = projection.period / 4;
  const axes = { x0: -2 * quarter, dx: quarter, nx: 5, y0: 1e6, dy: -1e6, ny: 3 };
  const { cosine, sine } = projectedGrid(projection, axes).eastOf!();
  for (const value of cosine) expect(value).toBeCloseTo(1, 6);
  for (const value of sine) expect(value).toBeCloseTo(0, 6);
});

it("east points along x on poles that are not rotated, all around", () => {
  const axes = { x0: -180, dx: 60, nx: 6, y0: 60, dy: -30, ny: 5, period: 360 };
  const { cosine, sine } = projectedGrid(rotatedPole({ latitude: -90, longitude: 0 }), axes).eastOf!();
  for (const value of cosine) expect(value).toBeCloseTo(1, 6);
  for (const value of sine) expect(value).toBeCloseTo(0, 6);
});
