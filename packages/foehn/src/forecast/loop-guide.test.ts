// The page about loops: its example is a file that runs here, its commands are checked by test/guide.test.ts.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { listDiagnostics } from "./diagnostics/open-diagnostic.js";
import type { OpenLoop } from "./open-loop.js";
import { initial, items, smallGrid } from "./stepper.test-support.js";

const root = new URL("../../../../", import.meta.url);
const page = readFileSync(new URL("docs/guides/forecast-steps.md", root), "utf8");

it("docs/guides/forecast-steps.md has a loop of one's own that works, with what is around it", async () => {
  const example = new URL("examples/library/loops.ts", root);
  expect(page).toContain(readFileSync(example, "utf8"));
  const { windModel } = (await import(fileURLToPath(example))) as { windModel(grid: typeof smallGrid): OpenLoop };
  using loop = windModel(smallGrid);
  expect(loop.outChannelNames).toEqual(["u10m", "v10m", "ws10m"]);
  const times = [0, 86_400];
  const given = await items(loop, 6, { time: times, x: initial(2, 2, 20) });
  // Six hours take a tenth, a day four tenths of what was there a day before; the noise is a hundredth.
  const factors = [1, 0.9, 0.81, 0.729, 0.6, 0.54];
  for (const [i, { values }] of given.entries()) {
    expect(Math.abs(values[0]! - 20 * factors[i]!)).toBeLessThan(0.2);
    expect(values[24]).toBeCloseTo(Math.hypot(values[0]!, values[12]!), 4);
    if (i > 0) expect(values[0]).not.toBe(20 * factors[i]!);
  }
  const again = await items(loop, 3, { restart: given[3]!.restart });
  expect(again.map(({ values }) => values)).toEqual(given.slice(3).map(({ values }) => values));
});

it("names every diagnostic", () => {
  for (const { name } of listDiagnostics()) expect(page).toContain(`\`${name}`);
});
